"""4D-Humans' files: who has a fit, whose fits they are, and what of a tar is damaged."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import FitError, RawDataCorrupt, UntrustedData
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers.hmr2 import READER
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, VIEW


def test_who_has_no_pose_or_no_shape_has_no_fit(published: ModuleType, people: Any, tmp_path: Path) -> None:
    flags = [{}, {"has_body_pose": np.array(0.0)}, {"has_betas": 0.0}, {"has_betas": np.float32(1)}]
    persons = [published.hmr2_person(people, i, **more) for i, more in enumerate(flags)]
    table = READER.read(published.hmr2_tar(tmp_path / "a.tar", {"0001": persons}), None)
    assert np.allclose(table.pose, people.pose[[0, 3]], atol=1e-6)
    assert table.keys.names.tolist() == ["0001.jpg"] * 2
    some = np.arange(24) % 3 > 0
    path = published.hmr2_npz(tmp_path / "a.npz", people, has_betas=some[:, None], has_body_pose=np.arange(24) > 3)
    table = READER.read(path, None)
    assert np.array_equal(table.pose, people.pose[some & (np.arange(24) > 3)])


@pytest.mark.parametrize(
    ("folder", "subset", "name", "frame"),
    [
        ("coco-train-2014-pruned", "x", "SPIN fits", VIEW),
        ("x", "mpii-train-pruned", "SPIN fits", VIEW),
        ("mpi-inf-train-pruned", "x", "SPIN fits", CAMERA),
        ("h36m-train-wmask", "x", "SMPL of Human3.6M by MoSh", CAMERA),
        ("aic-train-vitpose", "x", "ProHMR fits", VIEW),
        ("coco", "ava-train-midframes", "ProHMR fits", VIEW),
        ("x", "x", "fits of 4D-Humans", VIEW),
    ],
)
def test_fits_are_marked_as_their_makers(
    folder: str, subset: str, name: str, frame: int, published: ModuleType, people: Any, tmp_path: Path
) -> None:
    path = published.hmr2_tars(tmp_path / folder, people.take(slice(3)), subset)
    table = READER.read(path, None)
    assert [*table.licences] == [name] and {*table.frame.tolist()} == {frame}
    assert read_fits(FitRequest.of(f"hmr2:{tmp_path}"))[0].frame.tolist() == [frame] * 3


def test_a_damaged_image_or_person_is_one_without(
    published: ModuleType, people: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lists: list[Any] = [0.0]
    for _ in range(60):  # a few bytes that NumPy would make 2^60 numbers of
        lists = [lists, lists]
    odd = [{"body_pose": np.zeros(69)}, {"betas": lists}, {"center": "a"}, {"body_pose": np.full(72, np.nan)}]
    persons = [published.hmr2_person(people, i, **more) for i, more in enumerate(odd)]
    images = {"a": b"\x80\x04cut", "b": [*persons, 7, {}, published.hmr2_person(people, 9)], "c": pickle.dumps({})}
    table = READER.read(published.hmr2_tar(tmp_path / "a.tar", images), None)
    whole = np.isfinite(table.pose).all(1)
    assert len(table) == 7 and np.flatnonzero(whole).tolist() == [6]
    assert np.allclose(table.pose[6], people.pose[9], atol=1e-6)
    for stem in "ac":
        assert f"coco/{stem}.data.pyd: no fits" in caplog.text


def test_what_is_no_release_or_hostile_is_refused(published: ModuleType, people: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", published.hmr2_tar(tmp_path / "none.tar", {"a": []})):
        with pytest.raises(FitError, match="no person with a fit"):
            read_fits(FitRequest.of(f"hmr2:{path}"))
    hostile = published.hmr2_tar(tmp_path / "bad.tar", {"a": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(UntrustedData, match=r"os\.system"):
        READER.read(hostile, None)
    for changes in ({"body_pose": np.zeros((24, 69))}, {"betas": np.zeros((23, 10))}, {"center": np.zeros(24)}):
        with pytest.raises(RawDataCorrupt):
            READER.read(published.hmr2_npz(tmp_path / "a.npz", people, **changes), None)


def test_whose_fits_they_are_is_told(
    published: ModuleType, people: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published.hmr2_tars(tmp_path / "coco-train-2014-pruned", people.take(slice(5)), "x")
    published.hmr2_tars(tmp_path / "h36m-train-wmask", people.take(slice(5, 8)), "y")
    with caplog.at_level(logging.INFO):
        table = READER.read(tmp_path, None)
    assert "5 SPIN fits, 3 SMPL of Human3.6M by MoSh" in caplog.text
    assert table.frame.tolist() == [VIEW] * 5 + [CAMERA] * 3
