"""The chosen fits of a store as others' trainers read them: their keys, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import FitError, StoreIncomplete, UsageError
from pymaf_data.fits.export.rows import Rows
from pymaf_data.fits.exported import members
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.export_fits import ExportReport, export_fits
from pymaf_data.stages.options import ExportOptions
from pymaf_data.storage import Store, open_store

# What the loaders of SPIN and PyMAF (datasets/base_dataset.py), of 4D-Humans (hmr2/datasets/image_dataset.py) and of
# SMPLest-X (datasets/humandata.py) take from a file.
KEYS = {
    "spin": {"imgname", "center", "scale", "openpose", "part", "pose", "shape", "has_smpl"},
    "hmr2": {
        *("imgname", "center", "scale", "body_keypoints_2d", "extra_keypoints_2d", "body_keypoints_3d"),
        *("extra_keypoints_3d", "body_pose", "betas", "has_body_pose", "has_betas"),
    },
    "humandata": {
        *("image_path", "bbox_xywh", "smpl", "meta", "misc", "keypoints2d", "keypoints2d_mask", "has_smpl"),
        *("config", "__data_len__", "__key_strict__", "__keypoints_compressed__"),
    },
}
OURS = {"fit_frame", "fit_body", "licences"}
READ_BY = {"spin": "npz", "hmr2": "hmr2", "humandata": "humandata"}
WITHOUT, ABSENT = 3, 5  # rows of the store: who has no fit, and whose image is not there


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, factory: ModuleType, known: Any, body: Any) -> Store:
    """Twelve persons with the truth for fits, one without, one without an image."""
    folder = tmp_path_factory.mktemp("export")
    persons = replace(known.persons, present=np.arange(24) != ABSENT)[:12]
    ids = known.persons.annotation_id.copy()
    ids[WITHOUT] = 9999
    truth = factory.write_truth(folder / "truth.npz", known, body, annotation_id=ids)
    made = factory.make_store(folder / "s.zarr", persons, 12)
    attach_fits(AttachOptions(store=made.path, fits=(f"truth:{truth}",)))
    return open_store(made.path)


def export(store: Store, path: Path, to: str, **more: Any) -> ExportReport:
    return export_fits(ExportOptions(store=store.path, out=path, to=to, **more))


@pytest.mark.parametrize("to", KEYS)
def test_what_is_exported_comes_back(to: str, store: Store, known: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    report = export(store, path, to)
    assert (report.persons, report.fits, report.absent) == (11, 10, 1)
    assert (report.frames, report.bodies) == ({"camera": 10}, {"free": 10})
    with np.load(path, allow_pickle=True) as file:
        assert {*file.files} == KEYS[to] | OURS
        has = file["has_smpl" if "has_smpl" in file.files else "has_body_pose"]
    assert has.tolist() == [i != WITHOUT for i in range(12) if i != ABSENT]
    table = read_fits(FitRequest.of(f"{READ_BY[to]}:{path}"))[0]
    rows = [i for i in range(12) if i not in (WITHOUT, ABSENT)]
    assert np.abs(table.pose - known.truth.pose[rows]).max() < 1e-6
    assert np.abs(table.betas - known.truth.betas[rows]).max() < 1e-6
    assert table.keys.names.tolist() == known.persons.names[rows].tolist()
    assert np.allclose(table.keys.centres, known.persons.box[rows, :2])
    assert {*table.frame.tolist()} == {CAMERA} and {*table.body.tolist()} == {"free"}
    assert dict(table.licences) == report.licences and len(report.licences) == 1
    assert to != "humandata" or np.allclose(table.camera, known.truth.native[rows])


@pytest.mark.parametrize("to", KEYS)
def test_persons_are_whole(to: str, store: Store, known: Any, tmp_path: Path) -> None:
    export(store, tmp_path / "a.npz", to)
    there = np.arange(12) != ABSENT
    box, points = known.persons.box[:12][there], known.persons.keypoints[:12][there].copy()
    shift = 0.0 if to == "humandata" else 0.5
    points[..., :2] = np.where(points[..., 2:] > 0, points[..., :2] - shift, 0)
    with np.load(tmp_path / "a.npz", allow_pickle=True) as file:
        if to == "spin":
            assert np.allclose(np.concatenate([file["openpose"], file["part"]], 1), points)
            assert np.allclose(200 * file["scale"], box[:, 2])
        elif to == "hmr2":
            said = np.concatenate([file["body_keypoints_2d"], file["extra_keypoints_2d"]], 1)
            assert np.allclose(said, points[:, :44]) and np.allclose(file["scale"], box[:, [2, 2]])
            assert file["body_keypoints_3d"].shape == (11, 25, 4) and file["extra_keypoints_3d"].shape == (11, 19, 4)
        else:
            coco = [55, 57, 56, 59, 58, 16, 17, 18, 19, 20, 21, 145, 144, 4, 5, 7, 8]
            assert np.flatnonzero(file["keypoints2d_mask"]).tolist() == sorted(coco)
            ours = [25 + i for i in (19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0)]
            assert np.allclose(file["keypoints2d"][:, coco], points[:, ours])
            size = box[:, [2, 2]]
            assert np.allclose(file["bbox_xywh"], np.hstack([box[:, :2] - size / 2, size, np.ones((11, 1))]))
            meta, smpl = file["meta"].item(), file["smpl"].item()
            assert meta["width"].tolist() == [640] * 11 and {len(part) for part in smpl.values()} == {11}
            assert file["__data_len__"].item() == 11 and file["__keypoints_compressed__"].item() is False


def test_bytes_are_of_the_store_alone_and_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    export(store, path, "humandata")
    first = path.read_bytes()
    with pytest.raises(UsageError, match=r"a\.npz is there already"):
        export(store, path, "spin")
    assert path.read_bytes() == first
    export(store, path, "spin", overwrite=True)
    assert path.read_bytes() != first
    export(store, path, "humandata", overwrite=True)
    assert path.read_bytes() == first and [*tmp_path.iterdir()] == [path]
    with pytest.raises(UsageError, match="lies in the store itself"):
        export(store, store.path / "a.npz", "spin")


def test_a_store_without_a_choice_is_refused(tmp_path: Path, factory: ModuleType, known: Any) -> None:
    made = factory.make_store(tmp_path / "s.zarr", known.persons[:2], 2)
    with pytest.raises(StoreIncomplete):
        export(made, tmp_path / "a.npz", "spin")


def test_what_only_some_stores_have(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measured joints, gendered bodies, and frames of both kinds."""
    rows = Rows.of(store)
    joints = np.zeros((11, 24, 4), np.float32)
    joints[0, 2] = (1, 2, 3, 1)
    bodies = np.where(rows.body == "", "", np.where(np.arange(11) % 2, "smpl-male", "smpl-female"))
    frame = np.arange(11, dtype=np.uint8) % 2
    said = replace(rows, joints3d=joints, body=bodies, fits=replace(rows.fits, frame=frame))
    said = replace(said, perspective=rows.perspective & (np.arange(11) > 0))
    monkeypatch.setattr("pymaf_data.stages.export_fits.Rows.of", lambda _: said)
    for to in KEYS:
        report = export(store, tmp_path / f"{to}.npz", to)
        table = read_fits(FitRequest.of(f"{READ_BY[to]}:{tmp_path / to}.npz"))[0]
        fitted = rows.fits.valid
        assert table.body.tolist() == bodies[fitted].tolist() and table.frame.tolist() == frame[fitted].tolist()
        assert report.frames == {
            "camera": int((frame[fitted] == CAMERA).sum()),
            "view": int((frame[fitted] == VIEW).sum()),
        }
    with np.load(tmp_path / "spin.npz") as file:
        assert file["gender"].tolist() == ["f", "m", "f", "", "f", "m", "f", "m", "f", "m", "f"]
        assert np.array_equal(file["S"], joints)
    with np.load(tmp_path / "humandata.npz", allow_pickle=True) as file:
        assert {*file["meta"].item()} == {"width", "height", "gender"} and "transl" not in file["smpl"].item()
        assert np.array_equal(file["keypoints3d"][0, 144], joints[0, 2]) and file["keypoints3d_mask"].sum() == 1


def test_a_file_that_says_it_of_other_rows_is_refused(npz: ModuleType, tmp_path: Path) -> None:
    fits = {"pose": np.ones((2, 72)), "shape": np.ones((2, 10))}
    rows = [npz.person("a/1.jpg", (1, 1), 1)] * 2
    sound = members(np.array([VIEW, CAMERA]), np.array(["free", "smpl-neutral"]), {"a": "b"}, np.zeros(2, bool))
    path = npz.save(tmp_path / "a.npz", rows, **fits, **sound)
    assert read_fits(FitRequest.of(f"npz:{path}"))[0].frame.tolist() == [VIEW, CAMERA]
    for odd in (
        {"fit_body": np.array(["free", ""])},
        {"fit_frame": np.array(["view", "world"])},
        {"licences": np.eye(2)},
    ):
        npz.save(path, rows, **fits, **(sound | odd))
        with pytest.raises(FitError, match="are not those of its 2 fits"):
            read_fits(FitRequest.of(f"npz:{path}"))
