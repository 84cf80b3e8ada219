"""CameraHMR's labels: where bodies stand is solved on the file's joints, or read where the file says it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.join import join
from pymaf_data.fits.readers.camerahmr import READER
from pymaf_data.fits.readers.reader import FitTable
from pymaf_data.fits.table import CAMERA, REASONS


@pytest.fixture
def read(published: ModuleType, people: Any, tmp_path: Path) -> Callable[..., FitTable]:
    def made(**changes: Any) -> FitTable:
        return READER.read(published.camera_hmr(tmp_path / "aic-release.npz", people, **changes), None)

    return made


def joints_of(people: Any) -> np.ndarray:
    return np.concatenate([people.joints, np.ones((24, 44, 1))], 2)


def off(table: FitTable, known: Any, body: BodyModel) -> tuple[np.ndarray, np.ndarray]:
    """(N,) metres between the translation found and the truth's, and the reasons."""
    fits = join(table, known.persons, "file", None, body)
    K = known.truth.native[:, :, :3]
    apart = np.linalg.solve(K, fits.native[:, :, 3:] - known.truth.native[:, :, 3:])[..., 0]
    return np.linalg.norm(apart, axis=1), fits.reason


def test_bodies_stand_where_their_joints_are(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    joints = joints_of(people)
    joints[5, 4:] = np.nan  # four joints will do
    joints[6, 7:, 2] = 0
    joints[6, 7:, :2] = -1e6
    joints[7, 3:, 2] = 0.4
    table = read(gtkps=np.pad(joints, ((0, 0), (0, 31), (0, 0)), constant_values=9.0))
    assert table.points is not None and table.points.shape == (24, 44, 3)
    assert {*table.frame.tolist()} == {CAMERA} and {*table.body.tolist()} == {"smpl-neutral"}
    apart, reasons = off(table, known, body)
    assert not reasons.any() and apart.max() < 1e-4


def test_joints_are_heeded_as_they_are_sure(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    joints = joints_of(people)
    joints[:, 10, :2] += 200
    joints[:, 10, 2] = 1e-6
    assert off(read(gtkps=joints), known, body)[0].max() < 1e-3
    joints[:, 10, 2] = 1
    assert off(read(gtkps=joints), known, body)[0].min() > 0.02


def test_the_answer_is_the_least_in_pixels(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    """Of noisy joints: no small step brings them closer."""
    joints = joints_of(people)
    joints[..., :2] += np.random.default_rng(0).normal(0, 5, (*joints.shape[:2], 2))
    native = join(read(gtkps=joints), known.persons, "file", None, body).native
    K, X = native[:, :, :3], known.joints[:, :44] - people.trans[:, None]

    def cost(t: np.ndarray) -> np.ndarray:
        seen = (X + t[:, None]) @ K.transpose(0, 2, 1)
        return ((seen[..., :2] / seen[..., 2:] - joints[..., :2]) ** 2).sum((1, 2))

    found = np.linalg.solve(K, native[:, :, 3:])[..., 0]
    for axis, step in ((0, 2e-3), (1, 2e-3), (2, 2e-2)):
        move = step * np.eye(3)[axis]
        assert (cost(found) < cost(found + move)).all() and (cost(found) < cost(found - move)).all()


def test_who_stands_nowhere_has_no_fit(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    joints, K = joints_of(people), people.K.copy()
    joints[1, 2:, 2] = 0
    joints[2] = np.nan
    joints[3, :, :2] = joints[3, :1, :2] + 5 * (joints[3, :1, :2] - joints[3, :, :2])  # upside down: behind the camera
    K[4, 0, 0] = np.nan
    K[5, :2] = 0
    joints[6, :, :2] = K[6, :2, 2]
    reasons = [REASONS[code] for code in off(read(gtkps=joints, cam_int=K), known, body)[1][:8]]
    nowhere = "camera not solvable"
    assert reasons == ["", nowhere, nowhere, nowhere, "coordinates not finite", nowhere, nowhere, ""]
    without = join(read(), known.persons, "file")
    assert {*without.reason.tolist()} == {REASONS.index(nowhere)} and not without.native.any()


def test_a_translation_that_is_written_is_taken(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    away = np.array([0.5, -0.25, 1.0])
    extrinsics = np.tile(np.eye(4), (24, 1, 1))
    extrinsics[:, :3, 3] = away
    changes = [
        {"trans_cam": people.trans - away, "cam_ext": extrinsics, "pose": None, "pose_cam": people.pose},
        {"trans_cam": people.trans},
        {"cam_t": people.trans, "gtkps": None, "imgname": np.char.add("/raw/", people.names)},
    ]
    for one in changes:
        table = read(**one)
        assert table.points is None
        apart, reasons = off(table, known, body)
        assert not reasons.any() and apart.max() < 1e-9


def test_a_tars_subset_is_no_folder_of_the_images(read: Any, known: Any, people: Any, body: BodyModel) -> None:
    names = np.char.replace(people.names, "train2014", "coco-train-2014-pruned")
    assert off(read(imgname=names), known, body)[0].max() < 1e-4


def test_children_have_no_fit(read: Any, people: Any) -> None:
    kid = np.pad(people.betas, ((0, 0), (0, 1)))
    kid[4, 10] = 0.5
    table = read(shape=kid)
    assert len(table) == 23 and np.array_equal(table.betas, np.delete(people.betas, 4, 0))
    assert len(read(shape=np.pad(kid, ((0, 0), (0, 5))))) == 24, "sixteen betas are BEDLAM2's"


@pytest.mark.parametrize(
    "changes",
    [
        {"gtkps": None},
        {"gtkps": np.zeros((24, 43, 3))},
        {"gtkps": np.zeros((24, 44))},
        {"gtkps": np.full((24, 44, 3), "a")},
        {"cam_int": None},
        {"cam_int": np.zeros((24, 3))},
        {"pose": np.zeros((24, 165))},
        {"pose": None},
        {"shape": np.zeros((24, 9))},
        {"trans_cam": np.zeros((24, 2))},
        {"trans_cam": np.zeros((24, 3)), "cam_ext": np.zeros((24, 3, 3))},
        {"imgname": None},
        {"center": np.zeros(24)},
    ],
    ids=str,
)
def test_files_that_are_no_labels(changes: dict[str, Any], read: Any) -> None:
    with pytest.raises(RawDataCorrupt, match=next(iter([*changes][-1:]))):
        read(**changes)


@pytest.mark.parametrize(
    ("name", "day", "warned"), [("coco", 3, True), ("mpii", 3, True), ("coco", 4, False), ("aic", 3, False)]
)
def test_labels_that_were_wrong_are_told_by_their_date(
    name: str, day: int, warned: bool, published: ModuleType, people: Any, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    path = published.camera_hmr(tmp_path / f"{name}-release.npz", people)
    dated = datetime(2025, 6, day, 12, tzinfo=UTC).timestamp()
    os.utime(path, (dated, dated))
    READER.read(path, None)
    assert ("were wrong until 2025-06-04" in caplog.text) == warned
