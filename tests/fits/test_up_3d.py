"""UP-3D's fits: cameras of crops, read back exactly; what is damaged is one person without a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError, UntrustedData
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers import find_reader, formats
from pymaf_data.fits.readers import up_3d as reader
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store

GROW = 6.25  # of the crop: 5000 px there are the 800 px of the known persons' cameras
LEFT, TOP, SIDE = 90, 60, 160


@pytest.fixture
def release(up_3d: ModuleType, known: Any, tmp_path: Path) -> Path:
    """The known persons, fitted in crops whose middle is not the image's."""
    root = tmp_path / "up-3d"
    root.mkdir()
    truth = known.truth
    for i, number in enumerate(known.persons.annotation_id.tolist()):
        t = np.linalg.solve(truth.native[i, :, :3], truth.native[i, :, 3])
        # trans and t add up.
        up_3d.save_body(root, number, truth.pose[i], truth.betas[i], t - [0.1, 0, 0], trans=np.array([0.1, 0, 0]))
        up_3d.save_crop(root, number, 1000, 1000, (TOP, TOP + SIDE), (LEFT, LEFT + SIDE))
    return root


@pytest.fixture
def store(tmp_path: Path, factory: ModuleType, known: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The persons as cameras with that middle see them; fits are taken for those of the free body."""
    shift = np.array([LEFT + SIDE / 2 - 320, TOP + SIDE / 2 - 240])
    keypoints, box = known.persons.keypoints.copy(), known.persons.box.copy()
    keypoints[..., :2] += shift
    box[:, :2] += shift
    free = replace(reader.READER, read=lambda *given: _of_free(reader._read(*given)))
    monkeypatch.setattr(reader, "READER", free)
    return factory.make_store(tmp_path / "up.zarr", replace(known.persons, keypoints=keypoints, box=box)[:12])


def _of_free(table: Any) -> Any:
    assert set(table.body) == {"smpl-neutral"} and set(table.frame) == {CAMERA}
    return replace(table, body=np.full(len(table), "free"))


def attach(store: Store, path: Path) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"up-3d:{path}",))).sources[0]


def test_fits_are_read_back(store: Store, release: Path, known: Any, up_3d: ModuleType) -> None:
    up_3d.save_body(release, 103, np.zeros(72), np.zeros(10), np.full(3, np.inf))
    report = attach(store, release)
    assert (report.valid, report.without) == (11, {"coordinates not finite": 1})
    opened, rows = open_store(store.path), np.arange(12) != 3
    assert opened.array("fits/up-3d/reprojection")[:][rows].max() < 0.1
    for name in ("pose", "betas"):
        found = opened.array(f"fits/up-3d/{name}")[:]
        assert np.allclose(found[rows], getattr(known.truth, name)[:12][rows], atol=1e-6) and not found[3].any()
    assert not opened.array("fits/up-3d/native")[3].any(), "rows without a fit hold zeros"
    assert opened.current("fits/up-3d").attributes["native_kind"] == "perspective"


def test_a_turned_camera_turns_the_root(
    store: Store, release: Path, known: Any, up_3d: ModuleType, body: BodyModel
) -> None:
    """x = R·(body + trans) + t is the same body, its root turned, elsewhere."""
    truth, rt, trans = known.truth, np.array([0.4, -0.9, 0.2]), np.array([0.3, -0.1, 0.5])
    R = Rotation.from_rotvec(rt)
    rest = body.rest_joints(torch.from_numpy(truth.betas))[:, 0].numpy()
    for i, number in enumerate(known.persons.annotation_id.tolist()):
        pose = truth.pose[i].copy()
        pose[:3] = (R.inv() * Rotation.from_rotvec(pose[:3])).as_rotvec()
        seen = np.linalg.solve(truth.native[i, :, :3], truth.native[i, :, 3])
        t = seen + rest[i] - R.apply(rest[i] + trans)
        up_3d.save_body(release, number, pose, truth.betas[i], t, rt=rt, trans=trans)
    assert attach(store, release).valid == 12
    opened = open_store(store.path)
    assert opened.array("fits/up-3d/reprojection")[:].max() < 0.1
    found = Rotation.from_rotvec(opened.array("fits/up-3d/pose")[:][:, :3])
    assert (found.inv() * Rotation.from_rotvec(truth.pose[:12, :3])).magnitude().max() < 1e-5


def test_a_crop_that_is_not_heeded_is_refused(store: Store, release: Path) -> None:
    for path in release.glob("*_fit_crop_info.txt"):
        path.write_text("1000 1000 0 160 0 160")
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, release)


def test_pixels_are_divided_by_the_mean_of_both_factors(up_3d: ModuleType, tmp_path: Path) -> None:
    up_3d.save_body(tmp_path, 5, np.zeros(72), np.zeros(10), [0.5, -0.25, 20])
    up_3d.save_crop(tmp_path, 5, 301, 498, (10, 110), (20, 270))
    (matrix,) = reader.READER.read(tmp_path, None).camera
    X = np.array([0.3, -0.2, 0.1])
    p = X + np.array([0.5, -0.25, 20])
    in_crop = 5000 * p[:2] / p[2] + [249, 150.5]
    pixel = in_crop / ((301 / 100 + 498 / 250) / 2) + [20, 10]
    found = matrix[:, :3] @ X + matrix[:, 3]
    assert np.allclose(found[:2] / found[2], pixel)


def test_without_a_crop_it_is_the_whole_image(up_3d: ModuleType, tmp_path: Path) -> None:
    up_3d.save_person(tmp_path, 5, np.ones((3, 14)), None, (64, 48))
    up_3d.save_body(tmp_path, 5, np.zeros(72), np.zeros(10), [0, 0, 20])
    (matrix,) = reader.READER.read(tmp_path, None).camera
    assert np.allclose(matrix[:, 3] / matrix[2, 3], [32, 24, 1]) and matrix[0, 0] == matrix[1, 1] == 5000


@pytest.mark.parametrize(
    "change",
    [
        {"pose": np.zeros(71), "betas": np.zeros(11)},
        {"betas": None},
        {"trans": np.full(3, np.nan)},
        {"rt": np.array([0, np.nan, 0])},
        {"focal": float("inf")},
        "cut",
        "no crop",
        "no area",
    ],
    ids=str,
)
def test_a_damaged_fit_is_one_person_without(
    change: Any, release: Path, up_3d: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    path, crop = release / "00103_body.pkl", release / "00103_fit_crop_info.txt"
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif isinstance(change, str):
        crop.write_text("1000 1000 5 5 0 160" if change == "no area" else "1000 1000")
    else:
        values = {"pose": np.zeros(72), "betas": np.zeros(10), "t": np.array([0, 0, 5.0]), **change}
        up_3d.save_body(release, 103, **values)
    table = reader.READER.read(release, None)
    parts = (table.pose, table.betas, table.camera.reshape(len(table), -1))
    sound = np.logical_and.reduce([np.isfinite(part).all(1) for part in parts])
    assert table.keys.ids[~sound].tolist() == [103]
    assert "nan" in str(change) or "inf" in str(change) or "00103_body.pkl: no fit" in caplog.text
    assert table.extrinsics is None


def test_what_is_no_release_or_hostile_is_refused(store: Store, release: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", release / "00103_body.pkl"):
        with pytest.raises(FitError, match="no folder with fits"):
            attach(store, path)
    (release / "00103_body.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UntrustedData, match=r"os\.system"):
        attach(store, release)


def test_a_folder_is_known_by_what_was_read(release: Path) -> None:
    """A file of the same name and size that says something else is another source."""
    request = FitRequest.of(f"up-3d:{release}")
    table, before = read_fits(request)
    path = release / "00103_body.pkl"
    text = path.read_bytes()
    assert text.count(b"\\x3f") > 1
    path.write_bytes(text.replace(b"\\x3f", b"\\xbf", 1))
    assert path.stat().st_size == len(text)
    assert read_fits(request)[1] != before
    path.write_bytes(text)
    assert read_fits(request)[1] == before and len(table) == 24


def test_hyphens_of_a_format_are_underscores_of_its_module() -> None:
    assert "up-3d" in formats() and "up_3d" not in formats()
    assert find_reader("up-3d") is reader.READER
