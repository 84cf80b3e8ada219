"""The generated sample against its truth: known perturbations score what theory says, groups are those told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.model.benchmarks.benchmark import Setting
from pymaf_data.model.benchmarks.joints import J14_OF_H36M
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.benchmarks.sample import Sample
from pymaf_data.model.evaluation.measure import measure
from pymaf_data.model.evaluation.subjects import FitsSubject, Subject
from pymaf_data.storage import Store, open_store
from tests.factories import stores
from tests.factories.subjects import GivenSubject

N = 12
FAMILIES, HIDDEN = ["lying", "ball_sports"] * 6, np.linspace(0, 0.44, N)


@pytest.fixture(scope="module")
def store(free_body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Persons of the sample with their truth, and its file beside it."""
    folder = tmp_path_factory.mktemp("sample")
    made = stores.invented_store(folder / "sample.zarr", free_body, N, dataset="sample", split="val")
    truth = stores.fits_of(made)
    stores.attach(made, "truth", truth, source={"format": "truth"}, body="free")
    for name, moved in (("raw", 0.0), ("other", 0.01)):
        (folder / name / "truth").mkdir(parents=True)
        turned = np.argsort(truth["pose"][:, 3])  # the file has an order of its own
        np.savez(
            folder / name / "truth" / "val.npz",
            annotation_id=made.array("annotation_id")[:][turned],
            pose=(truth["pose"] + moved)[turned],
            family=np.array(FAMILIES)[turned],
            occlusion=HIDDEN.astype(np.float32)[turned],
        )
    return open_store(made.path)


def opened(store: Store, raw: str = "raw") -> Sample:
    return Sample(Setting(load_benchmark("sample"), {}, store, raw=store.path.parent / raw))


def scored(benchmark: Sample, subject: Subject) -> dict[str, float]:
    (values,) = measure(benchmark, subject, benchmark.rows).values()
    return benchmark.figures(benchmark.rows, values)


def test_the_truth_scores_nothing(store: Store) -> None:
    found = scored(opened(store), FitsSubject(opened(store), "truth"))
    assert found == pytest.approx(dict.fromkeys(found, 0) | {"facing": 100}, abs=0.02)
    assert list(found) == ["MPJPE", "PA-MPJPE", "PVE", "heading", "facing", "keypoints"]


@pytest.mark.parametrize(("degrees", "facing"), [(10, 100), (-50, 0)])
def test_who_faces_elsewhere(store: Store, free_body: BodyModel, degrees: float, facing: float) -> None:
    """Turned about the vertical: the heading says by how much, joints lie a chord apart, shapes are the same."""
    fits, benchmark = stores.fits_of(store), opened(store)
    pose = axis_angle_to_matrix(torch.from_numpy(fits["pose"]).float().view(N, 24, 3))
    vertices = free_body.mesh(pose, torch.from_numpy(fits["betas"]).float())
    joints = free_body.h36m(vertices).numpy()
    arms = np.hypot(*(joints - joints[:, :1])[:, J14_OF_H36M][..., [0, 2]].transpose(2, 0, 1))
    turn = axis_angle_to_matrix(torch.tensor([[0, np.radians(degrees), 0]]).float())
    pose[:, 0] = turn @ pose[:, 0]
    found = scored(benchmark, GivenSubject(benchmark, free_body, pose, fits["betas"]))
    assert found["heading"] == pytest.approx(abs(degrees), abs=1e-3) and found["facing"] == facing
    assert found["MPJPE"] == pytest.approx(2000 * np.sin(np.radians(abs(degrees) / 2)) * arms.mean(), rel=1e-4)
    assert found["PA-MPJPE"] == pytest.approx(0, abs=0.02)


def test_keypoints_are_those_of_the_view(store: Store) -> None:
    """The same bodies 30 px of the image to the right: in a view of 224 px, 30 · 224 / b."""
    benchmark, shift, subject = opened(store), 30.0, FitsSubject(opened(store), "truth")
    box = store.array("box")[:][:, 2]
    (values,) = measure(benchmark, _Shifted(subject, shift, box), benchmark.rows).values()
    assert values["keypoints"] == pytest.approx(shift * 224 / box, rel=1e-4)


def test_groups_are_those_of_the_truth_file(store: Store) -> None:
    benchmark = opened(store)
    found = {name: np.flatnonzero(mine).tolist() for name, mine in benchmark.groups(benchmark.rows).items()}
    assert found["posture lying"] == [0, 2, 4, 6, 8, 10] and found["posture ball sports"] == [1, 3, 5, 7, 9, 11]
    assert found["hidden less than 5%"] == [0, 1] and found["hidden 30% or more"] == [8, 9, 10, 11]
    side = store.array("box")[:][:, 2]
    assert found["box 100–200 px"] == np.flatnonzero((side >= 100) & (side < 200)).tolist()
    assert sorted(row for name, rows in found.items() if name.startswith("box") for row in rows) == list(range(N))
    assert benchmark.notes == []


@pytest.mark.parametrize(("raw", "why"), [("nowhere", "is not here"), ("other", "is of another sample")])
def test_without_its_truth_file_sizes_alone_are_told_apart(store: Store, raw: str, why: str) -> None:
    benchmark = opened(store, raw)
    told = [name for name, mine in benchmark.groups(benchmark.rows).items() if mine.any()]
    assert told and all(name.startswith("box") for name in told)
    assert len(benchmark.notes) == 1 and why in benchmark.notes[0]


class _Shifted:
    """Somebody's bodies, seen so many pixels of the image to the right."""

    def __init__(self, subject: FitsSubject, shift: float, box: np.ndarray) -> None:
        self.body, self.about, self.notes = subject.body, subject.about, []
        self._subject, self._shift, self._box = subject, shift, box

    def bodies(self, rows: np.ndarray) -> Any:
        from dataclasses import replace

        for part, found in self._subject.bodies(rows):
            plane = np.tile(np.eye(2, 3), (len(part), 1, 1))
            plane[:, 0, 2] = self._shift * 224 / self._box[part]
            yield part, {name: replace(one, view=one.view.warped(plane)) for name, one in found.items()}
