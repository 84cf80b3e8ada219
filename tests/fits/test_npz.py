"""Fits that stand in a file of persons: who has one, of which body, seen from where, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.digest import digest_file
from pymaf_data.errors import FitError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers import npz as reader
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitTable
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store


@pytest.fixture
def write(npz: ModuleType, known: Any, tmp_path: Path) -> Callable[..., Path]:
    """The first twelve known persons with their fits as SPIN writes them, pixels being indices."""

    def written(**changes: Any) -> Path:
        persons, truth = known.persons[:12], known.truth
        part = persons.keypoints[:, 25:] - np.array([0.5, 0.5, 0]) * (persons.keypoints[:, 25:, 2:] > 0)
        rows = [npz.person(persons.names[i], persons.box[i, :2], persons.box[i, 2] / 200, part[i]) for i in range(12)]
        more = {"pose": truth.pose[:12], "shape": truth.betas[:12]}
        return npz.save(tmp_path / "coco_2014_train.npz", rows, **(more | changes))

    return written


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of whichever body are those of the free one, which is here."""

    def read(path: Path, companion: Path | None = None) -> FitTable:
        table = plain(path, companion)
        return replace(table, body=np.full(len(table), "free"))

    plain = reader.READER.read
    monkeypatch.setattr(reader, "READER", replace(reader.READER, read=read))


def table_of(path: Path) -> FitTable:
    return reader.READER.read(path, None)


def test_who_has_a_fit(write: Callable[..., Path], known: Any) -> None:
    every = table_of(write())
    assert len(every) == 12 and every.camera is None and every.kind == "none"
    assert np.array_equal(every.pose, known.truth.pose[:12]) and np.array_equal(every.betas, known.truth.betas[:12])
    assert every.rows is not None and every.rows.tolist() == list(range(12))
    some = np.arange(12) % 3 != 1
    for kind in (bool, np.float32, np.uint8):
        table = table_of(write(has_smpl=some.astype(kind)))
        assert table.rows is not None and table.rows.tolist() == np.flatnonzero(some).tolist()
        assert isinstance(table.keys, ByImage) and table.keys.names.tolist() == known.persons.names[:12][some].tolist()
    assert len(table_of(write(has_smpl=some[:, None]))) == 8
    with pytest.raises(FitError, match="no fits"):
        read_fits(FitRequest.of(f"npz:{write(has_smpl=np.zeros(12))}"))


def test_numbers_come_in_many_shapes(write: Callable[..., Path], known: Any) -> None:
    pose, betas = known.truth.pose[:12], known.truth.betas[:12]
    assert np.array_equal(table_of(write(pose=pose.reshape(12, 24, 3))).pose, pose)
    more = np.pad(betas, ((0, 0), (0, 290)), constant_values=1)
    assert np.array_equal(table_of(write(shape=more)).betas, betas), "of 3DPW's 300 the first ten"
    kid = np.pad(betas, ((0, 0), (0, 1)))
    kid[4, 10] = 0.5
    rows = table_of(write(shape=kid)).rows
    assert rows is not None and rows.tolist() == [i for i in range(12) if i != 4], "SMPL's ten betas know no child"


def test_pymafs_file_of_efts_fits(write: Callable[..., Path], known: Any) -> None:
    """As its loader takes it: names in bytes, S of zeros that say they are known, keypoints that nobody reads."""
    names, zeros = [name.encode() for name in known.persons.names[:12].tolist()], np.zeros((12, 24, 4), np.float32)
    zeros[..., 3] = 1
    more = {"openpose": np.zeros((12, 25, 3)), "smpl_2dkps": np.zeros((12, 24, 3)), "has_smpl": np.ones((12, 1))}
    pose = known.truth.pose[:12].astype(np.float32)
    table = table_of(write(imgname=np.array(names), S=zeros, pose=pose, gender=None, **more))
    assert set(table.frame) == {VIEW} and set(table.body) == {"smpl-neutral"} and np.array_equal(table.pose, pose)
    assert isinstance(table.keys, ByImage) and table.keys.names.tolist() == known.persons.names[:12].tolist()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pose": None}, "no pose"),
        ({"shape": None}, "no shape"),
        ({"pose": np.zeros((12, 69))}, "pose of float64"),
        ({"pose": np.zeros((11, 72))}, "pose of float64"),
        ({"pose": np.zeros((12, 165))}, "pose of float64"),
        ({"shape": np.zeros((12, 9))}, "shape of float64"),
        ({"shape": np.full((12, 10), "a")}, "shape of"),
        ({"has_smpl": np.ones(11)}, "has_smpl"),
        ({"imgname": None}, "it holds fits|no imgname"),
    ],
    ids=str,
)
def test_files_that_are_no_such_fits(changes: dict[str, Any], match: str, write: Callable[..., Path]) -> None:
    with pytest.raises(FitError, match=match):
        read_fits(FitRequest.of(f"npz:{write(**changes)}"))


def test_measured_bodies_are_seen_by_the_camera_and_stills_along_the_ray(write: Callable[..., Path]) -> None:
    solid = np.zeros((12, 24, 4))
    assert set(table_of(write()).frame) == set(table_of(write(S=solid)).frame) == {VIEW}
    solid[..., 3] = 1
    assert set(table_of(write(S=solid)).frame) == {VIEW}, "zeros with a flag are no joints"
    solid[3] = 1
    assert set(table_of(write(S=solid)).frame) == {CAMERA}
    assert set(table_of(write(focal_l=np.ones(12))).frame) == {CAMERA}, "CLIFF knew the whole image"
    table = table_of(write(gender=np.array([*"mfmfmfmfmf", "n", ""])))
    assert set(table.frame) == {CAMERA}
    assert table.body.tolist() == ["smpl-male", "smpl-female"] * 5 + ["smpl-neutral"] * 2
    assert set(table_of(write()).body) == {"smpl-neutral"}


def attach(store: Store, path: Path) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"npz:{path}",), allow_unproved=True)).sources


@pytest.mark.usefixtures("free")
def test_fits_are_joined_by_image_and_box_and_proved(
    write: Callable[..., Path], factory: ModuleType, known: Any, tmp_path: Path
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons)
    path = write(has_smpl=np.arange(12) != 5)
    (source,) = attach(store, path)
    assert (source.valid, source.without) == (11, {"no fit in the source": 13})
    opened = open_store(store.path)
    assert np.allclose(opened.array("fits/npz/pose")[:5], known.truth.pose[:5], atol=1e-6)
    assert not opened.array("fits/npz/native")[:].any() and opened.array("fits/npz/weak_camera")[:5].all()
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, write(pose=np.roll(known.truth.pose[:12], 1, 0)))


@pytest.mark.usefixtures("free")
def test_in_a_store_of_that_very_file_rows_are_persons(write: Callable[..., Path], known: Any, tmp_path: Path) -> None:
    """Two persons of one image in one place are told apart by nothing else."""
    names, centres = known.persons.names[:12].copy(), known.persons.box[:12, :2].copy()
    names[3], centres[3] = names[2], centres[2]
    path = write(imgname=names, center=centres)
    request = FitRequest.of(f"npz:{path}")
    assert isinstance(read_fits(request)[0].keys, ByImage)
    table, identity = read_fits(request, [digest_file(path)])
    assert isinstance(table.keys, ByAnnotation) and table.keys.ids.tolist() == list(range(12))
    assert identity == read_fits(request)[1]
    for name in {*names.tolist()}:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "raw" / name), np.zeros((480, 640, 3), np.uint8))
    options = IngestOptions(dataset="npz", npz=path, images=tmp_path / "raw", out=tmp_path / "s.zarr", crop_size=32)
    store = open_store(ingest(options).store)
    (source,) = attach(store, path)
    assert (source.valid, source.persons) == (12, 12)
    rows = [number for _, number in store.rows]
    assert np.allclose(open_store(store.path).array("fits/npz/pose")[:], known.truth.pose[rows], atol=1e-6)
    # The same fits in another file are matched as ever: the two that nothing tells apart have none.
    (other,) = attach_fits(
        AttachOptions(store=store.path, fits=(f"other=npz:{write(imgname=names, center=centres, more=np.ones(1))}",))
    ).sources
    assert (other.valid, other.without) == (10, {"no fit in the source": 2})


def test_a_file_of_two_genders_is_a_source_for_each_body(
    write: Callable[..., Path], factory: ModuleType, known: Any, tmp_path: Path
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:12])
    female, male = attach(store, write(gender=np.array([*"mmmmffffffff"])))
    assert [(one.name, one.body, one.proved, one.valid) for one in (female, male)] == [
        ("npz.smpl-female", "smpl-female", False, 8),
        ("npz.smpl-male", "smpl-male", False, 4),
    ]
