"""CLIFF's fits: the truth, written as CLIFF writes, lies where it did in the whole image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_file
from pymaf_data.errors import FitError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store

SIZE = (640, 480)


pytestmark = pytest.mark.usefixtures("free_as_neutral")


@pytest.fixture
def write(tmp_path: Path, cliff: ModuleType, known: Any) -> Callable[..., Path]:
    """Rows of the known persons in this order; ``changes`` are of all 24."""

    def written(rows: Any = slice(None), ids: bool = True, **changes: Any) -> Path:
        persons, truth = known.persons, known.truth
        place = np.linalg.solve(truth.native[:, :, :3], truth.native[:, :, 3:])[..., 0]
        more = ({"annot_id": persons.annotation_id} if ids else {}) | changes
        more = {key: value if value is None else value[rows] for key, value in more.items()}
        said = (persons.names, persons.box, truth.pose, truth.betas, place)
        return cliff.write(
            tmp_path / "cliffGT.npz", *(each[rows] for each in said), SIZE, known.joints[rows, :24], **more
        )

    return written


def attach(store: Store, path: Path) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"cliff:{path}",))).sources[0]


@pytest.mark.parametrize("ids", [True, False])
def test_truth_as_cliff_writes_it_is_read_back(
    ids: bool, store: Store, write: Callable[..., Path], known: Any, body: BodyModel
) -> None:
    rows = np.random.default_rng(0).permutation(24)
    source = attach(store, write(rows[rows != 6], ids))
    assert (source.valid, source.without) == (23, {"no fit in the source": 1})
    assert source.reprojection.maximum < 0.05
    opened = open_store(store.path)
    found = {key: opened.array(f"fits/cliff/{key}")[:] for key in ("pose", "betas", "native", "frame", "valid")}
    valid = np.arange(24) != 6
    assert opened.current("fits/cliff").attributes["native_kind"] == "perspective"
    assert (found["valid"] == valid).all() and set(found["frame"][valid].tolist()) == {CAMERA}
    turns = [Rotation.from_rotvec(pose[valid].reshape(-1, 3)) for pose in (found["pose"], known.truth.pose)]
    assert (turns[0].inv() * turns[1]).magnitude().max() < 1e-4
    assert np.allclose(found["betas"][valid], known.truth.betas[valid], atol=1e-6)
    # Every joint lies where the truth's camera puts it.
    place = np.linalg.solve(known.truth.native[:, :, :3], known.truth.native[:, :, 3:])[:, None, :, 0]
    rest = np.concatenate([known.joints - place, np.ones((24, 49, 1))], 2)
    pixels = [np.einsum("nij,nkj->nki", each[valid], rest[valid]) for each in (found["native"], known.truth.native)]
    seen, truth = (each[..., :2] / each[..., 2:] for each in pixels)
    assert np.abs(seen - truth).max() < 0.05


@pytest.mark.parametrize("wrong", ["shifted", "mirrored", "pelvis", "focal"])
def test_fits_that_lie_elsewhere_are_refused(
    wrong: str, store: Store, write: Callable[..., Path], spin: ModuleType, known: Any, body: BodyModel
) -> None:
    truth = known.truth
    place = np.linalg.solve(truth.native[:, :, :3], truth.native[:, :, 3:])[..., 0]
    changes = {
        "shifted": {"pose": np.roll(truth.pose, 1, 0), "global_t": np.roll(place, 1, 0)},
        "mirrored": {"pose": spin.mirror(truth.pose)},
        # What CLIFF's name for it says.
        "pelvis": {"global_t": place + body.rest_joints(torch.from_numpy(truth.betas))[:, 0].numpy()},
        "focal": {"focal_l": np.full(24, 5000.0)},
    }[wrong]
    looks = {"shifted": "rows look shifted by 1", "mirrored": "bodies look mirrored"}.get(wrong, "cameras look like")
    with pytest.raises(FitError, match=f"do not reproject.*; {looks}.*: otherwise [0-5] px"):
        attach(store, write(**changes))
    assert not open_store(store.path).has("fits/cliff")


def test_images_of_another_size_are_noticed(
    tmp_path: Path, write: Callable[..., Path], factory: Any, known: Any
) -> None:
    persons, at = known.persons, known.persons.keypoints * np.array([0.5, 0.5, 1], np.float32)
    half = replace(persons, keypoints=at, box=persons.box / 2, image_size=persons.image_size // 2)
    with pytest.raises(FitError, match=r"do not reproject.*; images look scaled by 0\.50: otherwise 0 px"):
        attach(factory.make_store(tmp_path / "half.zarr", half), write())


def test_a_row_that_no_camera_sees_has_no_fit(store: Store, write: Callable[..., Path], known: Any) -> None:
    focal, place = (
        np.full(24, 800.0),
        np.linalg.solve(known.truth.native[:, :, :3], known.truth.native[:, :, 3:])[..., 0],
    )
    focal[3], place[5, 2], place[6] = -800, -1, np.nan
    some = np.arange(24) != 9
    source = attach(store, write(focal_l=focal[:, None], global_t=place, has_smpl=some))
    assert source.without == {"coordinates not finite": 3, "no fit in the source": 1}


def test_whose_they_are(write: Callable[..., Path], known: Any) -> None:
    def keys(path: Path, *made_from: str) -> Any:
        return read_fits(FitRequest.of(f"cliff:{path}"), made_from)[0].keys

    assert keys(write()).ids.tolist() == known.persons.annotation_id.tolist()
    ids = known.persons.annotation_id.copy()
    ids[4] = -1
    for unusable in (ids, ids.astype(float), ids[:, None], np.arange(25)):
        assert isinstance(keys(write(annot_id=unusable)), ByImage)
    names = np.array([name.encode() for name in known.persons.names.tolist()])
    assert keys(write(ids=False, imgname=names)).names.tolist() == known.persons.names.tolist()
    path = write()
    rows = keys(path, digest_file(path))
    assert isinstance(rows, ByAnnotation) and rows.ids.tolist() == list(range(24)), "of a store made from the file"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"global_t": None}, "no global_t"),
        ({"focal_l": None, "imgname": None}, "no imgname, focal_l"),
        ({"focal_l": np.ones((24, 2))}, "focal_l of float64"),
        ({"global_t": np.full((24, 3), "a")}, "global_t of"),
        ({"pose": np.zeros((24, 69))}, "pose of float64"),
        ({"has_smpl": np.ones((24, 3))}, "has_smpl of float64"),
        ({"has_smpl": np.zeros(24)}, "no fits"),
    ],
    ids=str,
)
def test_files_that_are_no_such_fits(changes: dict[str, Any], match: str, write: Callable[..., Path]) -> None:
    with pytest.raises(FitError, match=match):
        read_fits(FitRequest.of(f"cliff:{write(**changes)}"))
