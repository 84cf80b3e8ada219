"""The stage: what lands in a store, what is refused, what a second run does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pymaf_data.body import BodyModel
from pymaf_data.cli.app import app
from pymaf_data.errors import FitError, StoreIncomplete, UsageError
from pymaf_data.fits.fitter.options import KeypointOptions, SearchOptions
from pymaf_data.fits.persons import Persons
from pymaf_data.stages import attach_source
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import StageWriter, Store, open_store, verify


@pytest.fixture
def store(tmp_path: Path, factory: ModuleType, known: Any) -> Store:
    return factory.make_store(tmp_path / "sample-train.zarr", known.persons[:10])


@pytest.fixture
def truth(tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel) -> Path:
    return factory.write_truth(tmp_path / "truth.npz", known, body)


# The stage is tested here, not the fits: few starts, few steps.
QUICK = KeypointOptions(
    search=SearchOptions(start_steps=3, survivors=1, rival_steps=1, finalists=1, flip_rounds=0, final_steps=3)
)


def attach(store: Store, *fits: str, **options: Any) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=fits, keypoints=QUICK, **options))


def files_of(store: Store) -> dict[str, bytes]:
    """Every file of a store that is content."""
    paths = [path for path in store.path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(store.path)): path.read_bytes() for path in sorted(paths)}


def test_the_truth_lands_row_by_row(store: Store, truth: Path, known: Any, body: BodyModel) -> None:
    report = attach(store, f"truth:{truth}")
    (source,) = report.sources
    assert (source.valid, source.persons, source.shards_written, report.failed) == (10, 10, 3, False)
    assert source.reprojection.maximum < 0.01
    assert len(source.worst) == 5
    opened = open_store(store.path)
    assert np.allclose(opened.array("fits/truth/pose")[:], known.truth.pose[:10], atol=1e-6)
    assert np.allclose(opened.array("fits/truth/native")[:], known.truth.native[:10])
    assert opened.array("fits/truth/valid")[:].all()
    attributes = opened.current("fits/truth").attributes
    assert attributes["body_digest"] == body.digest
    assert attributes["native_kind"] == "perspective"
    assert attributes["licences"]
    assert str(truth) not in json.dumps(attributes)
    assert opened.array("choice/source")[:].tolist() == [0] * 10


def test_derived_cameras_reproject(store: Store, truth: Path, known: Any, body: BodyModel) -> None:
    import torch

    from pymaf_data.fits.reprojection import joints49
    from pymaf_data.geometry.affines import apply, view_affine
    from pymaf_data.geometry.cameras import weak_to_camera

    attach(store, f"truth:{truth}")
    opened = open_store(store.path)
    joints = joints49(body, known.truth, np.arange(10))
    pi = torch.from_numpy(opened.array("fits/truth/weak_camera")[:]).double()
    found = weak_to_camera(pi).project(joints).numpy()[:, 25:]
    pixels = torch.from_numpy(known.truth.native[:10, :, :3]) @ torch.from_numpy(known.joints[:10]).transpose(1, 2)
    pixels = (pixels[:, :2] / pixels[:, 2:]).transpose(1, 2).numpy()
    view = apply(view_affine(known.persons.box[:10]), pixels)[:, 25:]
    root = np.sqrt(((found - view) ** 2).sum(-1).mean(1))
    stored = opened.array("fits/truth/weak_residual")[:]
    assert np.all(root < 3 * stored + 0.5)


def noisy(known: Any) -> Any:
    """The persons with keypoints that lie beside the joints as far as COCO's annotators disagree."""
    sigma = 0.107 * known.persons.box[:, 2] / 1.35 * 0.5 / 2**0.5
    moved = known.persons.keypoints.copy()
    moved[..., :2] += np.random.default_rng(1).normal(size=moved[..., :2].shape) * sigma[:, None, None]
    return replace(known.persons, keypoints=moved)


def test_noisy_annotations_are_joined_where_the_truth_says_that_they_are(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    store = factory.make_store(tmp_path / "sample-train.zarr", noisy(known))
    said = {"annotation_noise": np.array(1.0)}
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, f"truth:{factory.write_truth(tmp_path / 'silent.npz', known, body)}")
    ids = np.roll(known.persons.annotation_id, 3)
    with pytest.raises(FitError, match="do not reproject"):
        wrong = factory.write_truth(tmp_path / "wrong.npz", known, body, annotation_id=ids, **said)
        attach(store, f"truth:{wrong}")
    report = attach(store, f"truth:{factory.write_truth(tmp_path / 'truth.npz', known, body, **said)}")
    assert report.sources[0].valid == len(known.persons)
    assert report.sources[0].reprojection.maximum > 3, "the test's noise is more than the tolerance of exact ones"


@pytest.mark.parametrize(
    ("shift", "said"), [(1, "rows look shifted by 1: otherwise"), (7, ""), (0, "bodies look mirrored: otherwise")]
)
def test_a_wrong_join_is_refused_and_leaves_nothing(
    tmp_path: Path, store: Store, factory: ModuleType, spin: ModuleType, known: Any, body: BodyModel, shift: int,
    said: str,
) -> None:  # fmt: skip
    """What it looks like is told although π, which may explain it, is further off than the truth may be."""
    ids = np.roll(known.persons.annotation_id, -shift)
    pose = known.truth.pose if shift else spin.mirror(known.truth.pose)
    wrong = factory.write_truth(tmp_path / "wrong.npz", known, body, annotation_id=ids, pose=pose)
    with pytest.raises(FitError, match=f"do not reproject(.|\n)*{said}"):
        attach(store, f"truth:{wrong}")
    opened = open_store(store.path)
    assert [info.stage for info in opened.stages()] == ["ingest"]
    assert verify(store.path) == []


def test_two_swapped_persons_are_enough_to_be_refused(
    tmp_path: Path, store: Store, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    ids = known.persons.annotation_id.copy()
    ids[[2, 3]] = ids[[3, 2]]
    wrong = factory.write_truth(tmp_path / "wrong.npz", known, body, annotation_id=ids)
    with pytest.raises(FitError, match="2 of 10"):
        attach(store, f"truth:{wrong}")


def test_truth_of_other_persons_is_refused(
    tmp_path: Path, store: Store, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    ids = known.persons.annotation_id + 1000
    other = factory.write_truth(tmp_path / "other.npz", known, body, annotation_id=ids)
    with pytest.raises(FitError, match="none of the persons"):
        attach(store, f"truth:{other}")


def test_sources_stand_side_by_side_and_the_choice_follows(store: Store, truth: Path) -> None:
    attach(store, "keypoints")
    report = attach(store, f"truth:{truth}")
    assert report.choice.persons == {"keypoints": 0, "truth": 10}
    assert open_store(store.path).array("choice/source")[:].tolist() == [1] * 10
    report = attach(store, prefer="keypoints")
    assert report.choice.persons == {"keypoints": 10, "truth": 0}
    assert open_store(store.path).array("choice/source")[:].tolist() == [0] * 10
    with pytest.raises(UsageError, match="no source spin"):
        attach(store, prefer="spin")


def test_the_choice_does_not_depend_on_the_order_of_attaching(
    tmp_path: Path, factory: ModuleType, known: Any, truth: Path
) -> None:
    stores = [factory.make_store(tmp_path / f"{i}.zarr", known.persons[:5]) for i in range(2)]
    requests = ["keypoints", f"truth:{truth}"]
    reports = [attach(stores[0], *requests), attach(stores[1], *reversed(requests))]
    assert reports[0].choice == reports[1].choice
    assert files_of(stores[0]) == files_of(stores[1])


def test_a_second_run_does_nothing(store: Store, truth: Path) -> None:
    attach(store, f"truth:{truth}")
    before = files_of(store)
    report = attach(store, f"truth:{truth}")
    assert report.sources[0].shards_written == 0
    assert files_of(store) == before


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, factory: ModuleType, known: Any) -> dict[str, bytes]:
    """What a store of three shards with keypoint fits consists of."""
    store = factory.make_store(tmp_path_factory.mktemp("whole") / "a.zarr", known.persons[:6], shard=2)
    attach(store, "keypoints")
    return files_of(store)


class Killed(Exception):
    """Stands for a process that ends here."""


@pytest.mark.parametrize("shards", [0, 1, 2])
def test_an_interrupted_run_is_completed_to_the_same_bytes(
    tmp_path: Path,
    factory: ModuleType,
    known: Any,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    shards: int,
) -> None:
    broken = factory.make_store(tmp_path / "b.zarr", known.persons[:6], shard=2)
    write, written = StageWriter.write_shard, []

    def write_until_killed(self: StageWriter, *arguments: Any) -> None:
        if len(written) == shards:
            raise Killed
        written.append(arguments[0])
        write(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(StageWriter, "write_shard", write_until_killed)
        with pytest.raises(Killed):
            attach(broken, "keypoints")
    assert attach(broken, "keypoints").sources[0].shards_written == 3 - shards
    assert files_of(broken) == undisturbed


def test_the_number_of_cores_leaves_no_trace(
    tmp_path: Path, factory: ModuleType, known: Any, truth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, threads = [], []
    measured = attach_source.measure
    monkeypatch.setattr(attach_source, "measure", lambda *a: threads.append(get_ident()) or measured(*a))
    for cores in (1, 3):
        monkeypatch.setattr(attach_source, "available_cores", lambda cores=cores: cores)
        store = factory.make_store(tmp_path / f"{cores}.zarr", known.persons, shard=4)
        attach(store, f"truth:{truth}")
        made.append((files_of(store), len({*threads})))
        threads.clear()
    assert made[0][0] == made[1][0]
    assert made[0][1] == 1 < made[1][1]


def test_fits_of_a_body_that_is_not_here_are_unproved(
    tmp_path: Path, store: Store, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    smpl = factory.write_truth(tmp_path / "smpl.npz", known, body, body=np.array("smpl-neutral"))
    report = attach(store, f"smpl=truth:{smpl}", assets=tmp_path / "assets")
    assert (report.failed, report.choice, report.sources[0].proved) == (True, None, False)
    opened = open_store(store.path)
    assert opened.current("fits/smpl").attributes["proved"] is False
    assert np.allclose(opened.array("fits/smpl/pose")[:], known.truth.pose[:10], atol=1e-6)
    assert np.isinf(opened.array("fits/smpl/reprojection")[:]).all()
    allowed = attach(store, f"smpl=truth:{smpl}", assets=tmp_path / "assets", allow_unproved=True)
    assert not allowed.failed


def test_fits_of_another_topology_are_unproved(
    tmp_path: Path, store: Store, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    path = factory.write_truth(tmp_path / "t.npz", known, body, body_fingerprint=np.array("0" * 64))
    report = attach(store, f"truth:{path}")
    assert report.failed
    assert report.choice is None


def test_a_store_that_is_not_finished_is_refused(tmp_path: Path, store: Store, truth: Path) -> None:
    commit = next((store.path / "_pymaf" / "commits" / "ingest").rglob("00001.json"))
    commit.unlink()
    with pytest.raises(StoreIncomplete, match="lacks shards"):
        attach(store, f"truth:{truth}")


def test_requests_are_checked_before_anything_is_done(store: Store, truth: Path) -> None:
    with pytest.raises(UsageError, match="two sources"):
        attach(store, f"truth:{truth}", f"truth:{truth}")
    with pytest.raises(UsageError, match="no fits to choose from"):
        attach(store)


def test_what_a_store_gives_is_what_was_put_in(store: Store, known: Any) -> None:
    persons = Persons.of(store, slice(3, 7))
    assert np.array_equal(persons.keypoints, known.persons.keypoints[3:7])
    assert persons.names.tolist() == known.persons.names[3:7].tolist()
    focal = persons.camera_matrix()[0, 0, 0]
    assert focal == pytest.approx(800.0)


def test_the_command_prints_and_exits(
    store: Store, truth: Path, tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    runner, command = CliRunner(), ["attach-fits", str(store.path), "--direct", "--fits"]
    done = runner.invoke(app, [*command, f"truth:{truth}"])
    assert done.exit_code == 0, done.output
    assert "10 of 10 persons" in done.output
    assert "median" in done.output
    assert "10 from truth" in done.output
    other = factory.write_truth(tmp_path / "o.npz", known, body, body_fingerprint=np.array("0" * 64))
    unproved = runner.invoke(app, [*command, f"x=truth:{other}", "--json"])
    assert unproved.exit_code == 1
    report = json.loads(unproved.stdout)[0]
    assert report["failed"] is True
    assert report["choice"]["persons"] == {"truth": 10}
    assert runner.invoke(app, [*command, f"x=truth:{other}", "--allow-unproved"]).exit_code == 0
