"""The network that comes with the package: how it is found, when training starts from it, what it says of itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import CheckpointError
from pymaf_data.model import ModelOptions, TrainOptions, load_checkpoint, train
from pymaf_data.model.checkpoint import checkpoint_path, name_of
from pymaf_data.model.evaluation.card import card
from pymaf_data.model.shipped import START, shipped
from pymaf_data.paths import VARIABLE, DataRoot
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.quantised import quantised

SMALL = {
    "backbone": "resnet18", "pyramid_channels": 128, "regressor_width": 512, "maps": "lateral", "view_size": 64,
}  # fmt: skip
SAID = "starts from the network that ships"
EVERY = "no --store is named: the run learns from every store here,"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a store of two persons and their fits."""
    from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
    from pymaf_data.stages.ingest import IngestOptions, ingest
    from pymaf_data.world.sample import SampleOptions, write_sample

    root = tmp_path_factory.mktemp("data")
    raw, store = root / "raw" / "sample", root / "stores" / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=2, size=(320, 240)))
    ingest(IngestOptions(dataset="sample", root=raw, out=store))
    attach_fits(AttachOptions(store=store, fits=(f"truth:{raw / 'truth' / 'train.npz'}",)))
    return root


@pytest.fixture
def begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``begun(**options)``: the checkpoint of a run of one step with hardly any rate."""
    monkeypatch.setenv(VARIABLE, str(root))

    def run(**options: Any) -> checkpoints.Checkpoint:
        usual = {"steps": 1, "batch_size": 2, "device": "cpu", "precision": "fp32", "workers": 0, "overwrite": True}
        usual |= {"targets": "rendered", "snapshots": {"persons": 0}, "optimizer": {"learning_rate": 1e-12}}
        train(TrainOptions.parse(usual | {"model": SMALL} | options, "test"))
        return checkpoints.read(root / "runs" / str(options.get("name", "pymaf")) / CHECKPOINT)

    return run


def is_from(saved: checkpoints.Checkpoint) -> bool:
    """Whether a run's weights are those that ship."""
    theirs = checkpoints.read(shipped(START)).weights
    return all(
        torch.allclose(saved.model[name], theirs[name], atol=1e-6) for name in theirs if name.endswith(".weight")
    )


def test_it_is_named_like_a_run_and_a_run_of_that_name_comes_first(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    path = checkpoint_path("start", root)
    assert path == shipped(START) and name_of(path, "0" * 64) == "start"
    mine = root.runs / "start" / CHECKPOINT
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert checkpoint_path("start", root) == mine
    (root.runs / "strata" / "logs").mkdir(parents=True)  # a run that has no checkpoint yet
    for name in ("world", "stratum"):
        (root.runs / name).mkdir()
        (root.runs / name / CHECKPOINT).touch()
    with pytest.raises(
        CheckpointError, match=r"(?s)no checkpoint: .*name one that there is: stratum, start, world \(start ships"
    ):
        checkpoint_path("strat", root)


def test_it_is_small_whole_and_of_the_free_body(free_body: BodyModel) -> None:
    assert shipped(START).stat().st_size < 20e6
    saved = checkpoints.read(shipped(START))
    assert saved.body["digest"] == free_body.digest and saved.options["frame"] == "view"
    assert not saved.optimizer and not saved.average
    assert set(saved.licences.values()) and all("CC0" in licence for licence in saved.licences.values())
    again, scales = quantised(saved.weights)
    kept = checkpoints.load_tensors(shipped(START))
    assert scales.keys() == kept["scales"].keys()
    assert all(torch.equal(again[name], kept["model"][name]) for name in scales), "a byte each, at the best scale"


def test_its_card_says_how_good_it_is() -> None:
    told = card("start")
    assert told.held_out is not None and told.held_out.persons >= 250
    errors = told.held_out.errors
    assert errors["M3"]["mpjpe"] < 0.75 * errors["M0"]["mpjpe"]
    assert errors["M3"]["pa_mpjpe"] < errors["M0"]["pa_mpjpe"]


def test_a_run_of_its_options_starts_from_it_and_says_so(begun: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        saved = begun()
    assert SAID in caplog.text and "starts from nothing and needs far longer" not in caplog.text
    assert f"{EVERY} sample-train.zarr (2 persons)" in caplog.text
    assert is_from(saved) and saved.start["name"] == "start" and saved.start["step"] > 1000
    caplog.clear()
    begun(overwrite=False, steps=2)
    assert SAID not in caplog.text, "a run that goes on starts from nothing else"
    assert EVERY not in caplog.text, "nor from other stores"


@pytest.mark.parametrize("fixed", [True, False])
def test_fixed_statistics_are_those_that_it_has_learned(fixed: bool, begun: Any) -> None:
    saved = begun(optimizer={"learning_rate": 1e-12, "fixed_statistics": fixed})
    theirs = checkpoints.read(shipped(START)).weights
    kept = [torch.equal(saved.model[name], theirs[name]) for name in theirs if name.endswith("running_mean")]
    assert all(kept) if fixed else not any(kept)


@pytest.mark.parametrize(
    "said",
    [
        {"start_from": "none"},
        {"backbone": None},
        {"mean": "data"},
        {"frame": "camera"},
        {"model": SMALL | {"regressor_width": 256}},
        {"model": SMALL | {"maps": "deconvolution"}},
        {"model": SMALL | {"auxiliary": "none"}, "targets": "stored"},
    ],
)
def test_who_says_something_else_does_not(said: dict[str, Any], begun: Any, caplog: pytest.LogCaptureFixture) -> None:
    saved = begun(**said)
    assert SAID not in caplog.text and saved.start == {}
    assert said.get("model") or not is_from(saved)


def test_it_loads_in_a_view_of_any_size(root: Path, monkeypatch: pytest.MonkeyPatch, begun: Any) -> None:
    monkeypatch.setenv(VARIABLE, str(root))
    network = load_checkpoint(shipped(START))
    options = ModelOptions.parse(checkpoints.read(shipped(START)).options["model"], "start")
    assert network.view_size == options.view_size
    assert is_from(begun(model=SMALL | {"view_size": 96}, name="other"))
