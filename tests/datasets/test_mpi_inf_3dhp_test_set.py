"""MPI-INF-3DHP's test set from its own files: which frames, whose values, by which camera."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import find_reader, one_image, select
from pymaf_data.datasets.mpi_inf_3dhp_cameras import intrinsics_of, read_lens
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import J24
from pymaf_data.untrusted.unpickle import load_trusted_pickle
from tests.datasets.read_3dhp import IN_J24, raw_of, read

#: Places among the test set's 17 joints, as SPIN's preprocessing has them.
OF_17 = [14, 11, 12, 13, 8, 9, 10, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
SIZES = {"TS1": (320, 320), "TS5": (384, 216)}


@pytest.fixture(scope="module")
def measured(
    tdhp: ModuleType, mat73: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Two sequences of both shapes; the second camera is calibrated otherwise than it was."""
    root = tmp_path_factory.mktemp("measured") / "mpi_inf_3dhp_test_set"
    made: dict[str, Any] = {}
    for name, size in SIZES.items():
        calib = "ts1-4cameras.calib" if name == "TS1" else "ts5-6cameras.calib"
        K = tdhp.lens(root / "test_util" / "camera_calibration" / calib, size)
        if name == "TS5":
            K = K + np.array([[7.0, 0, 3], [0, 5, -2], [0, 0, 0]])
        solid = tdhp.people(9, int(name[2:]), 240.0)
        points = tdhp.seen(K, solid)[:, tdhp.TEST]
        valid, activity = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1]), np.array([1, 1, 2, 2, 7, 7, 8, 3, -1])
        content = tdhp.measured(points, solid[:, tdhp.TEST], valid, activity)
        mat73.save(root / name / "annot_data.mat", content, packed=name == "TS1")
        tdhp.measured_images(root / name / "imageSequence", [0, 1, 4, 5, 8], size)
        activity[[6, 8]] = 0  # there is no such one
        made[name] = (K, points, solid[:, tdhp.TEST], np.flatnonzero(valid), activity, content)
    return root, made


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("annotations", ["plain", "universal"])
def test_test_frames_are_the_valid_ones(measured: Any, tdhp: ModuleType, inner: bool, annotations: str) -> None:
    root, made = measured
    raw = raw_of(root if inner else root.parent, "test", f"annotations={annotations}")
    found = select(raw)
    expected = [(name, i) for name in SIZES for i in made[name][3]]
    start = "" if inner else "mpi_inf_3dhp_test_set/"
    assert [record.image_name for record in found.records] == [
        f"{start}{name}/imageSequence/img_{i + 1:06d}.jpg" for name, i in expected
    ]
    assert (found.counts, found.total, found.listed) == ({"not_valid": 6}, 18, (18, 18))
    for record, (name, i) in zip(found.records, expected, strict=True):
        K, points, solid, _, activity, content = made[name]
        if annotations == "universal":
            solid = content["univ_annot3"].T[:, 0]
        names = np.array(J24.joints)[IN_J24]
        for place, joint in zip(OF_17, names, strict=True):
            assert record.joints3d[joint] == pytest.approx(solid[i, place] / 1000, abs=1e-6)
            on = ((points[i, place] >= 0) & (points[i, place] < SIZES[name])).all()
            assert (joint in record.keypoints) == on
            if on:
                assert record.keypoints[joint][:2] == pytest.approx(points[i, place], abs=1e-4)
        assert np.array(record.intrinsics) == pytest.approx(K, abs=1e-4)
        number = int(name[2:])
        assert (record.subject, record.sequence, record.frame) == (number, number, i)
        assert record.annotation_id == (10 * number + activity[i]) * 1_000_000 + i
        assert record.image_size == SIZES[name]
    assert found.adjusted["joint_outside"] > 0
    with find_reader("mpi-inf-3dhp").images(raw) as source:
        shown = {r.frame: one_image(source, r.image_name, r.image_size) for r in found.records if r.sequence == 5}
    assert {i: tdhp.number_of(image) for i, image in shown.items() if i != 6} == {0: 0, 1: 1, 4: 4, 5: 5, 8: 8}
    assert shown[6].reason == "missing_picture"


def test_spins_selection_of_the_test_set_asks_for_all_joints(measured: Any) -> None:
    found = read(measured[0], "test", chosen="spin")
    whole = [record for record in read(measured[0], "test").records if len(record.keypoints) == 17]
    assert 0 < len(whole) < 12
    assert [record.annotation_id for record in found.records] == [record.annotation_id for record in whole]


def test_without_calibrations_cameras_follow_from_the_joints(measured: Any, tmp_path: Path) -> None:
    root = shutil.copytree(measured[0], tmp_path / "set")
    before = read(root, "test").records
    shutil.rmtree(root / "test_util")
    for one, other in zip(read(root, "test").records, before, strict=True):
        assert np.array(one.intrinsics) == pytest.approx(np.array(other.intrinsics), abs=1e-3)


def test_joints_that_no_camera_shows_so_give_none(measured: Any) -> None:
    K, points, solid, *_ = measured[1]["TS1"]
    calibrated: Any = tuple(map(tuple, K.tolist()))
    assert intrinsics_of(points, solid, calibrated) == calibrated
    assert intrinsics_of(points[:, ::-1], solid, None) is None
    assert intrinsics_of(points[:, ::-1], solid, calibrated) == calibrated
    for place in (0.0, -1.0, np.nan):  # a frame that nobody measured
        solid = solid.copy()
        solid[2] = place
        assert np.array(intrinsics_of(points, solid, None)) == pytest.approx(K, abs=1e-3)
    assert intrinsics_of(np.full_like(points, np.nan), solid, None) is None
    assert intrinsics_of(points[:0], solid[:0], calibrated) == calibrated


@pytest.mark.parametrize("tabs", ["\t", " ", "\t\t  "])
def test_the_lens_of_the_test_set_is_in_pixels(tdhp: ModuleType, tmp_path: Path, tabs: str) -> None:
    path = tmp_path / "ts1-4cameras.calib"
    K = tdhp.lens(path, (1920, 1080), tabs)
    assert np.array(read_lens(path, (1920, 1080))) == pytest.approx(K, abs=1e-9)
    text = path.read_text()
    for spoilt in (
        text.replace("focalLength", "focal"),
        text.replace("7.5", "x"),
        text.replace("7.5", "-7.5"),
        "",
        "a",
    ):
        path.write_text(spoilt)
        with pytest.raises(RawDataCorrupt, match=r"ts1-4cameras\.calib"):
            read_lens(path, (1920, 1080))


@pytest.mark.parametrize(
    "change",
    [
        {"annot2": np.zeros((2, 16, 1, 9))}, {"annot3": np.zeros((3, 17, 1, 8))}, {"valid_frame": "yes"},
        {"univ_annot3": [np.zeros((3, 17))]}, {"annot2": None}, {"valid_frame": np.ones((1, 3))},
    ],
)  # fmt: skip
def test_what_is_no_annot_data_is_refused(measured: Any, mat73: ModuleType, tmp_path: Path, change: Any) -> None:
    content = {key: value for key, value in (measured[1]["TS1"][5] | change).items() if value is not None}
    mat73.save(tmp_path / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat", content)
    with pytest.raises(RawDataCorrupt, match=r"annot_data\.mat"):
        read(tmp_path, "test")


def test_real_frames_project_by_the_cameras_that_follow_from_them(shared: Path) -> None:
    """Frames of TS1 and TS2: but for hips and spine, to a hundredth of a pixel; near the cameras that others fitted."""
    folder = shared / "data" / "raw-fixtures" / "mpi_inf_3dhp"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    with np.load(folder / "test_3dhp_test.npz", allow_pickle=False) as rows:
        points, solid = rows["part"][..., :2], rows["S"][..., :3]
    cameras = load_trusted_pickle(folder / "cameras_test.pkl")
    same = [joint for joint in range(17) if joint not in (8, 11, 15)]
    for row, name in enumerate(("TS1", "TS2")):
        K = np.array(intrinsics_of(points[row : row + 1], solid[row : row + 1], None))
        shown = solid[row] @ K.T
        assert np.abs(shown[:, :2] / shown[:, 2:] - points[row])[same].max() < 0.01
        fitted = np.concatenate([cameras[name]["f"], cameras[name]["c"]]).ravel()
        assert K[[0, 1, 0, 1], [0, 1, 2, 2]] == pytest.approx(fitted, abs=0.5)
