"""From a store to a run folder, through the command."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from pymaf_data.cli.app import app
from pymaf_data.errors import (
    CheckpointError,
    ConfigError,
    NotAStore,
    PymafDataError,
    StoreIncomplete,
    TrainingError,
    UsageError,
)
from pymaf_data.model import ModelOptions, TrainOptions, load_checkpoint, train, training
from pymaf_data.model.learned_from import training_paths
from pymaf_data.model.networks.network import make_network
from pymaf_data.model.start import Start
from pymaf_data.paths import VARIABLE, DataRoot
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import BEST, CHECKPOINT, LOGS, OPTIONS, PROVENANCE
from pymaf_data.runs.history import read_history
from pymaf_data.runs.snapshots import SnapshotFolder

pytestmark = pytest.mark.usefixtures("small")
WHOLE = {"steps": 2, "batch_size": 2, "device": "cpu", "precision": "fp32", "workers": 0, "snapshots": {"persons": 1}}
QUICK = WHOLE | {"model": {"view_size": 64}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(root))


@pytest.fixture(scope="module")
def refusals(root: Path) -> list[PymafDataError]:
    """Makes the store stage by stage; what training said before each stage."""
    from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
    from pymaf_data.stages.ingest import IngestOptions, ingest
    from pymaf_data.stages.render_iuv import RenderOptions, render_iuv_stage
    from pymaf_data.world.sample import SampleOptions, write_sample

    raw, store = root / "raw" / "sample", root / "stores" / "sample-train.zarr"
    said = []

    def ask() -> None:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(PymafDataError) as caught:
            patch.setenv(VARIABLE, str(root))
            train(TrainOptions.parse(QUICK, "test"))
        said.append(caught.value)

    ask()
    write_sample(SampleOptions(out=raw, persons=3, size=(320, 240)))
    ingest(IngestOptions(dataset="sample", root=raw, out=store))
    ask()
    truth = raw / "truth" / "train.npz"
    with np.load(truth) as arrays:
        np.savez(root / "absent.npz", allow_pickle=False, **(dict(arrays) | {"body": np.array("smpl-neutral")}))
    attach_fits(AttachOptions(store=store, fits=(f"absent=truth:{root / 'absent.npz'}",), allow_unproved=True))
    ask()
    attach_fits(AttachOptions(store=store, fits=(f"truth:{truth}",)))
    ask()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(root))
        rendered = {"targets": "rendered", "name": "rendered", "steps": 1}
        train(TrainOptions.parse(QUICK | rendered, "test"))
    render_iuv_stage(RenderOptions(stores=(store,)))
    return said


def test_what_is_missing_is_said_with_the_command_that_makes_it(refusals: list[PymafDataError]) -> None:
    nothing, fits, proved, maps = refusals
    assert isinstance(nothing, NotAStore)
    for lacking in (fits, proved):  # fits of a body that is not here are never trained on
        assert isinstance(lacking, StoreIncomplete)
        assert "attach-fits" in lacking.action
    assert isinstance(maps, StoreIncomplete)
    assert "render-iuv" in maps.action


def test_the_command_trains_goes_on_and_stops_when_done(root: Path, refusals: list[PymafDataError]) -> None:
    run = ["--batch-size", "2", "--device", "cpu", "--precision", "fp32", "--workers", "0", "--name", "cli"]
    arguments = ["train", *run]
    first = CliRunner().invoke(app, [*arguments, "--steps", "1", "--json"], catch_exceptions=False)
    assert first.exit_code == 0
    report = json.loads(first.stdout)
    assert (report["resumed_from"], report["step"]) == (0, 1)
    assert set(report["errors"]) == {"M0", "M1", "M2", "M3"}
    second = CliRunner().invoke(app, [*arguments, "--steps", "3"], catch_exceptions=False)
    assert "2 steps" in second.stdout
    third = CliRunner().invoke(app, [*arguments, "--steps", "3"], catch_exceptions=False)
    assert "nothing to do" in third.stdout
    saved = checkpoints.read(root / "runs" / "cli" / CHECKPOINT)
    assert saved.step == 3
    assert saved.body["name"] == "free"
    assert saved.stores[0]["persons"] == 3
    assert {"ingest", "fits/truth", "choice", "iuv"} <= set(saved.stores[0]["generations"])
    assert any("CC0" in licence for licence in saved.licences.values())
    assert {"pymaf-data", "torch"} <= set(saved.versions)
    options = json.loads((root / "runs" / "cli" / OPTIONS).read_text())
    assert (options["batch_size"], options["optimizer"]["learning_rate"]) == (2, 5e-5)


def test_rendered_targets_need_no_maps_and_teach_parts(root: Path, refusals: list[PymafDataError]) -> None:
    """The run was made before there were maps; its views are of 64 px."""
    (first,) = [line for line in read_history(root / "runs" / "rendered") if line.kind == "train"]
    assert first.scalars["part"] > 0
    saved = checkpoints.read(root / "runs" / "rendered" / CHECKPOINT)
    assert "iuv" not in saved.stores[0]["generations"]
    persons = SnapshotFolder(root / "runs" / "rendered").persons()
    assert persons.view.shape[1:] == (64, 64, 3)


def report_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_other_options_are_refused_until_overwritten(root: Path, refusals: list[PymafDataError]) -> None:
    options = TrainOptions.parse(QUICK | {"name": "other", "steps": 1}, "test")
    train(options)
    changed = options.model_copy(update={"seed": 7})
    with pytest.raises(TrainingError, match=r"other seed \(0 then, 7 now\)"):
        train(changed)
    kept = report_of(root / "runs" / "other")
    for refused in ({"start_from": "nowhere"}, {"backbone": root / "none.pth"}, {"mixture": {"x": 1.0}}, {"body": "x"}):
        with pytest.raises(PymafDataError):
            train(changed.model_copy(update={"overwrite": True} | refused))
        assert report_of(root / "runs" / "other") == kept, "what is refused has removed nothing"
    report = train(changed.model_copy(update={"overwrite": True}))
    assert (report.resumed_from, report.step) == (0, 1)
    begun = train(changed.model_copy(update={"overwrite": True, "start_from": "other"}))
    assert (begun.resumed_from, checkpoints.read(begun.checkpoint).start["name"]) == (0, "other")


def test_what_a_run_without_a_checkpoint_left_is_not_the_next_ones(root: Path, refusals: list[PymafDataError]) -> None:
    folder = root / "runs" / "early"
    folder.mkdir(parents=True)
    for name in (BEST, "failed-step-3.pt"):
        (folder / name).write_bytes(b"another run's")
    train(TrainOptions.parse(QUICK | {"name": "early", "steps": 1}, "test"))
    assert not {BEST, "failed-step-3.pt"} & {path.name for path in folder.iterdir()}
    assert (folder / f"earlier-{BEST}").read_bytes() == b"another run's", "set aside, not lost"


def test_a_run_of_an_earlier_version_goes_on(root: Path, refusals: list[PymafDataError]) -> None:
    """Its checkpoint does not know the options that came since: they had their defaults."""
    folder = root / "runs" / "earlier"
    options = TrainOptions.parse(WHOLE | {"name": "earlier", "steps": 1}, "test")
    train(options)
    saved = checkpoints.read(folder / CHECKPOINT)
    del saved.options["joints3d"], saved.options["model"]["view_size"], saved.options["model"]["network"]
    checkpoints.save(saved, folder)
    assert train(options.model_copy(update={"steps": 2})).resumed_from == 1
    with pytest.raises(TrainingError, match=r"joints3d \(measured then, fitted now"):
        train(options.model_copy(update={"steps": 3, "joints3d": "fitted"}))
    saved.options["unheard_of"] = 1
    checkpoints.save(saved, folder)
    with pytest.raises(ConfigError, match="unheard_of"):
        train(options)


@pytest.mark.parametrize(("frame", "stay"), [("view", 2), ("camera", 0)])
def test_who_stays_in_the_images_camera_is_counted(frame: str, stay: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "unturned", lambda labels: np.array([True, False, True]))
    loader: Any = SimpleNamespace(options=SimpleNamespace(frame=frame), labels=None)
    assert training._frame(loader) == {"name": frame, "unturned": stay}


def test_a_run_keeps_the_frame_that_it_was_begun_in(root: Path, refusals: list[PymafDataError]) -> None:
    """A checkpoint carries it; those of before frames were chosen learned in the camera of the whole image."""
    folder = root / "runs" / "framed"
    options = TrainOptions.parse(QUICK | {"name": "framed", "steps": 1}, "test")
    train(options)
    assert load_checkpoint(folder / CHECKPOINT).frame == "view"
    assert json.loads((folder / PROVENANCE).read_text())["frame"] == {"name": "view", "unturned": 0}
    with pytest.raises(TrainingError, match=r"frame \(view then, camera now"):
        train(options.model_copy(update={"frame": "camera"}))
    saved = checkpoints.read(folder / CHECKPOINT)
    del saved.options["frame"]
    checkpoints.save(saved, folder)
    assert load_checkpoint(folder / CHECKPOINT).frame == "camera"
    longer = options.model_copy(update={"steps": 2})
    with pytest.raises(TrainingError, match=r"frame \(camera then, view now"):
        train(longer)
    assert train(longer.model_copy(update={"frame": "camera", "views": "device"})).resumed_from == 1
    known = json.loads((folder / PROVENANCE).read_text())
    assert known["frame"]["name"] == "camera" and known["views"] == "cpu, crops decoded by the CPU"


def test_views_are_made_on_the_device_where_it_is_asked_for_or_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from pymaf_data.model import training
    from pymaf_data.model.ranks import Ranks

    decodes = {"cuda:1": True, "cuda:0": False, "cpu": True}
    monkeypatch.setattr(training, "decoder_of", lambda device: SimpleNamespace(on_device=decodes[str(device)]))
    for views, there in (("workers", ()), ("device", decodes), ("auto", ("cuda:1",))):
        options = TrainOptions.parse({"views": views}, "test")
        for device in decodes:
            found = training._loader_options(options, Ranks(torch.device(device))).device
            assert found == (device if device in there else None), (views, device)
    assert TrainOptions().views == "workers"


def test_a_run_starts_from_anothers_weights_and_carries_on_what_they_are_made_of(
    root: Path, refusals: list[PymafDataError], caplog: pytest.LogCaptureFixture
) -> None:
    """At step 0, in that run's frame, with its stores and licences; it goes on without it."""
    quick = QUICK | {"model": {"view_size": 64, "auxiliary": "none"}, "snapshots": {"persons": 0}}
    first = train(TrainOptions.parse(quick | {"name": "first", "steps": 1, "frame": "camera"}, "test"))
    saved = checkpoints.read(first.checkpoint)
    moved = {name: value + 1 if name == "regressor.0.fc1.bias" else value for name, value in saved.model.items()}
    older = {"photographs": "of another time"}
    checkpoints.save(replace(saved, average=moved, licences=saved.licences | older), first.folder)
    caplog.clear()
    still = {"optimizer": {"learning_rate": 1e-12}, "start_from": "first", "name": "second"}
    second = train(TrainOptions.parse(quick | still | {"steps": 1}, "test"))
    assert (second.resumed_from, second.step) == (0, 1)
    assert "starts from nothing" not in caplog.text
    begun = checkpoints.read(second.checkpoint)
    weights = [name for name in moved if name.endswith((".weight", ".bias")) or ".init_" in name]
    assert all(torch.allclose(begun.model[name], moved[name], atol=1e-9) for name in weights)
    assert begun.options["frame"] == "camera"
    assert (begun.start["name"], begun.start["step"], begun.start["stores"]) == ("first", 1, saved.stores)
    own = saved.licences["photographs"]
    assert {begun.licences[f"photographs ({name})"] for name in ("sample train", "first")} == {own, *older.values()}
    assert begun.licences.items() >= {k: v for k, v in saved.licences.items() if k != "photographs"}.items()
    assert "first: step 1, sample train, 3 persons" in CliRunner().invoke(app, ["card", "second"]).stdout
    unsaid = QUICK | still | {"name": "unsaid", "snapshots": {"persons": 0}}
    for steps in (1, 2):  # it goes on so, too
        found = checkpoints.read(train(TrainOptions.parse(unsaid | {"steps": steps}, "test")).checkpoint)
        assert (found.options["model"]["auxiliary"], found.options["frame"]) == ("none", "camera")
    for model, told in (({"auxiliary": "iuv"}, "auxiliary none"), ({"network": "hmr"}, "network pymaf")):
        with pytest.raises(CheckpointError, match=told):
            train(TrainOptions.parse(unsaid | {"name": "odd", "model": {"view_size": 64} | model}, "test"))
    (root / "runs" / "first").rename(root / "runs" / "gone")
    again = train(TrainOptions.parse(quick | still | {"steps": 2}, "test"))
    assert again.resumed_from == 1
    assert checkpoints.read(again.checkpoint).start == begun.start
    with pytest.raises(CheckpointError, match=r"runs/first/checkpoint\.pt\n.*\n.*`pymaf-data run` takes both"):
        train(TrainOptions.parse(quick | still | {"overwrite": True}, "test"))
    other = quick | {"start_from": str(root / "runs" / "gone"), "name": "third"}
    with pytest.raises(CheckpointError, match="frame camera"):
        train(TrainOptions.parse(other | {"frame": "view"}, "test"))
    with pytest.raises(ConfigError, match="leave backbone out"):
        TrainOptions.parse(other | {"backbone": "resnet50.pth"}, "test")
    with pytest.raises(ConfigError, match="leave mean out"):
        TrainOptions.parse(other | {"mean": "data"}, "test")


def test_released_weights_are_of_their_own_body_and_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_body: Any
) -> None:
    options = ModelOptions(view_size=64)
    released = make_network(options, free_body, "camera")
    torch.save({"model": {f"module.{key}": value for key, value in released.state_dict().items()}}, tmp_path / "a.pt")
    found = Start(str(tmp_path / "a.pt"), DataRoot.default())
    torch.manual_seed(1)
    own = make_network(options, free_body, found.frame)
    with pytest.raises(CheckpointError, match="of body smpl-neutral"):
        found.into(own, options)
    monkeypatch.setattr("pymaf_data.model.start.RELEASED_BODY", "free")
    found.into(own, options)
    assert all(torch.equal(value, released.state_dict()[name]) for name, value in own.state_dict().items())
    assert (found.frame, list(found.about()["licences"])) == ("camera", ["weights a.pt"])
    with pytest.raises(CheckpointError, match="frame camera"):
        found.into(make_network(options, free_body, "view"), options)
    for other, told in (
        ({"auxiliary": "none"}, "auxiliary iuv"),
        ({"auxiliary": "none", "features": "grid"}, "features mesh"),
        ({"network": "hmr"}, "is a PyMAF checkpoint"),
    ):
        with pytest.raises(CheckpointError, match=told):
            found.into(own, ModelOptions(view_size=64, **other))


def test_the_frame_reaches_training_and_validation_alike(root: Path, refusals: list[PymafDataError]) -> None:
    """Training batches and held-out ones stand in the run's frame: the sample's persons are off the axis."""
    from pymaf_data.body import load_body
    from pymaf_data.loader import Loader
    from pymaf_data.model.training import _loader_options, _watchers
    from pymaf_data.render import load_atlas
    from pymaf_data.storage import open_store

    path, body, atlas = root / "stores" / "sample-train.zarr", load_body("free"), load_atlas("free")
    poses = {}
    for frame in ("view", "camera"):
        chosen = {"frame": frame, "validation": {"stores": [path], "persons": 2}}
        options = TrainOptions.parse(QUICK | chosen, "test")
        loader = Loader([open_store(path)], body, atlas, _loader_options(options))
        held_out = _watchers(options, loader, body, atlas, root / "runs" / "none")[0]
        taught = loader.persons(np.flatnonzero(loader.labels.has_fit)).pose.numpy()
        poses[frame] = (taught, held_out.batches[0].pose.numpy())
        assert (taught[:, 0] == poses[frame][1][0, 0]).all((1, 2)).any()
    for of_view, of_camera in zip(*poses.values(), strict=True):
        assert np.abs(of_view[:, 0] - of_camera[:, 0]).max() > 0.05


def test_a_begun_run_keeps_its_precision_unless_another_is_named(root: Path, refusals: list[PymafDataError]) -> None:
    path = root / "runs" / "precise" / CHECKPOINT
    for steps, asked, used in ((1, "bf16", "bf16"), (2, "auto", "bf16"), (3, "fp32", "fp32")):
        train(TrainOptions.parse(QUICK | {"name": "precise", "steps": steps, "precision": asked}, "test"))
        assert checkpoints.read(path).precision == used


def test_imagenet_weights_are_where_training_starts(
    root: Path, refusals: list[PymafDataError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymaf_data.model.networks import resnet

    monkeypatch.setattr(resnet, "WIDTH", 64)  # torchvision's
    torch.manual_seed(3)
    weights = resnet.ResNet().state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(weights, tmp_path / "resnet50.pt")
    rate = {"optimizer": {"learning_rate": 1e-12}}
    options = QUICK | rate | {"name": "imagenet", "steps": 1, "backbone": tmp_path / "resnet50.pt"}
    report = train(TrainOptions.parse(options, "test"))
    saved = checkpoints.read(report.checkpoint).model
    torch.testing.assert_close(saved["feature_extractor.layer3.0.conv2.weight"], weights["layer3.0.conv2.weight"])
    del weights["layer4.0.conv1.weight"]
    torch.save(weights, tmp_path / "resnet50.pt")
    with pytest.raises(TrainingError, match=r"layer4\.0\.conv1\.weight"):
        train(TrainOptions.parse(options | {"overwrite": True}, "test"))


def test_a_run_of_other_widths_is_found_again_by_its_options(root: Path, refusals: list[PymafDataError]) -> None:
    small = {"backbone": "resnet18", "pyramid_channels": 32, "regressor_width": 256, "view_size": 64}
    options = QUICK | {"name": "narrow", "model": small}
    for steps in (1, 2):
        report = train(TrainOptions.parse(options | {"steps": steps}, "test"))
    assert (report.step, report.resumed_from) == (2, 1)
    model, saved = load_checkpoint(report.checkpoint), checkpoints.read(report.checkpoint)
    assert all(torch.equal(value, saved.model[name]) for name, value in model.state_dict().items())
    assert small.items() <= saved.options["model"].items()
    with pytest.raises(TrainingError, match=r"begun with other model.regressor_width \(256 then, 512 now\)"):
        train(TrainOptions.parse(options | {"model": small | {"regressor_width": 512}}, "test"))
    (root / "runs" / "narrow").rename(root / "runs" / "moved")
    moved = train(TrainOptions.parse(options | {"name": "moved", "steps": 3}, "test"))
    assert (moved.step, moved.resumed_from) == (3, 2), "a run goes on in a folder that was renamed"


def test_two_commands_never_share_a_run(root: Path, refusals: list[PymafDataError]) -> None:
    from pymaf_data.runs.lock import sole_writer

    options = TrainOptions.parse(QUICK | {"name": "shared", "steps": 1}, "test")
    with sole_writer(root / "runs" / "shared"), pytest.raises(TrainingError, match="another process"):
        train(options)
    assert train(options).step == 1


def test_a_run_that_is_killed_while_it_saves_leaves_nothing_behind(
    root: Path, refusals: list[PymafDataError], kill: ModuleType
) -> None:
    run, options = root / "runs" / "killed", QUICK | {"name": "killed", "steps": 1, "backbone": None}
    assert train(TrainOptions.parse(options, "test")).step == 1
    whole = os.fsync

    def deadly(number: int) -> None:  # what is called when the bytes of a file are written, before it has its name
        if os.fstat(number).st_size > 1_000_000:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(number)

    def go_on() -> None:  # in a process of its own
        torch.set_num_threads(1)  # the threads of the parent's torch do not survive the fork
        os.fsync = deadly
        train(TrainOptions.parse(options | {"steps": 2}, "test"))

    assert kill.killed_when(lambda _: False, go_on)
    assert any(path.stat().st_size > 1_000_000 for path in (run / ".unfinished").iterdir())
    (run / "snapshots" / ".unfinished" / "tmpleft").write_bytes(b"of a snapshot")
    assert train(TrainOptions.parse(options | {"steps": 2}, "test")).resumed_from == 1
    assert [path for folder in run.rglob(".unfinished") for path in folder.iterdir()] == []


def test_a_damaged_checkpoint_is_not_gone_on_from(root: Path, refusals: list[PymafDataError]) -> None:
    path, options = root / "runs" / "flipped" / CHECKPOINT, QUICK | {"name": "flipped", "steps": 1}
    train(TrainOptions.parse(options, "test"))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(TrainingError, match="damaged"):
        train(TrainOptions.parse(options | {"steps": 2}, "test"))


def test_a_trunk_from_nothing_is_said_once_unless_it_is_meant(
    root: Path, refusals: list[PymafDataError], caplog: pytest.LogCaptureFixture
) -> None:
    from pymaf_data.recipe import load_recipe, train_values

    options = QUICK | {"name": "nothing"}
    train(TrainOptions.parse(options | {"steps": 1}, "test"))
    train(TrainOptions.parse(options | {"steps": 2}, "test"))  # goes on: nothing starts
    assert caplog.text.count("the trunk starts from nothing") == 1
    train(TrainOptions.parse(options | {"steps": 1, "backbone": None, "overwrite": True}, "test"))
    meant = SimpleNamespace(feature_extractor=None)
    training._start_trunk(meant, TrainOptions.parse({"start_from": "none"}, "test"))  # type: ignore[arg-type]
    assert caplog.text.count("the trunk starts from nothing") == 1
    assert train_values(load_recipe("world"), DataRoot.default())["backbone"] is None


def test_what_stands_in_the_place_of_the_lock_is_named(root: Path) -> None:
    from pymaf_data.runs.lock import sole_writer

    runs = root / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    (runs / ".folder.lock").mkdir()
    os.mkfifo(runs / ".pipe.lock")
    for name in ("folder", "pipe"):
        with pytest.raises(TrainingError, match="is no file"), sole_writer(runs / name):
            pass


def test_held_out_persons_are_measured_and_never_trained_on(root: Path, refusals: list[PymafDataError]) -> None:
    trained, held_out = root / "stores" / "sample-train.zarr", root / "stores" / "sample-val.zarr"
    shutil.copytree(trained, held_out)
    shutil.copytree(trained, root / "other.zarr")
    try:
        chosen = {
            "validation": {"stores": [held_out, root / "other.zarr"], "every": 1, "persons": 2},
            "snapshots": {"persons": 1, "every": 1},
        }
        options = TrainOptions.parse(QUICK | {"name": "watched"} | chosen, "test")
        assert training_paths(options, DataRoot.default()) == [trained], "every store but the held-out one"
        train(options)
        both = options.model_copy(update={"stores": (trained, held_out)})
        with pytest.raises(TrainingError, match="for training and for validation"):
            train(both)
    finally:
        shutil.rmtree(held_out)
    run = root / "runs" / "watched"
    both = [line for line in read_history(run) if line.kind == "held_out"]
    assert [line.store for line in both] == ["sample-val", "other"] * 3
    told = both[::2]
    assert [line.errors for line in told] == [line.errors for line in both[1::2]], "of the same persons"
    assert all(0 < line.errors["M3"]["pa_mpjpe"] < line.errors["M3"]["pve"] for line in told)
    assert [(line.step, line.persons) for line in told] == [(0, 2), (1, 2), (2, 2)]
    # The mean body does not learn, and nothing is dropped out: the baseline stands still.
    assert told[0].errors["M0"] == told[2].errors["M0"]
    assert told[0].errors["M3"] != told[2].errors["M3"]
    persons = SnapshotFolder(run).persons()
    assert persons is not None
    assert persons.held_out
    assert SnapshotFolder(run).steps() == [0, 1, 2]
    shown = EventAccumulator(str(run / LOGS)).Reload().Images("persons")
    assert [(event.step, event.width) for event in shown][-1] == (2, 5 * 262 + 6), "body and map beside their targets"
    provenance = json.loads((run / PROVENANCE).read_text())
    assert provenance["body"] == "free"
    assert any("CC0" in licence for licence in provenance["licences"].values())


def test_a_held_out_store_without_fits_is_refused(root: Path, refusals: list[PymafDataError], tmp_path: Path) -> None:
    from pymaf_data.stages.ingest import IngestOptions, ingest

    bare = tmp_path / "bare.zarr"
    ingest(IngestOptions(dataset="sample", root=root / "raw" / "sample", out=bare))
    options = TrainOptions.parse(QUICK | {"name": "bare", "validation": {"stores": [bare]}}, "test")
    with pytest.raises(StoreIncomplete, match="image and a chosen fit"):
        train(options)


def test_a_failed_step_is_replayed_by_the_command(
    root: Path, refusals: list[PymafDataError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that the error names is all that is needed: the file's folder is the run's."""
    from pymaf_data.model import learning

    options = TrainOptions.parse(QUICK | {"name": "ruined", "steps": 1}, "test")
    with monkeypatch.context() as patch, pytest.raises(TrainingError) as stopped:
        patch.setattr(
            learning, "loss_terms", lambda output, *_: {"odd": output.predictions[1].joints.sum() * torch.nan}
        )
        train(options)
    command = stopped.value.action.split("`")[1].split()[1:]
    assert command[:2] == ["train", "--replay"]
    done = CliRunner().invoke(app, [*command, "--device", "cpu"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "with the weights that it met: loss and gradient are finite" in done.stdout
    with pytest.raises(UsageError, match="replay"):
        train(options.model_copy(update={"replay": Path(command[2])}))
