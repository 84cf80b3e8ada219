"""Labels of rendered sets: before the camera, never in the world, of neutral bodies whatever a gender says."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.readers import tokenhmr
from pymaf_data.fits.readers.bedlam import READER
from pymaf_data.fits.sniffing import sniff


def test_scenes_of_a_folder_are_told_apart(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    """All scenes name their frames alike."""
    frames = people._replace(names=np.array([f"seq_000000/seq_000000_{5 * i:04d}.png" for i in range(24)]))
    for name in ("20221010_a", "20221010_b_closeup"):
        bedlam.scene(tmp_path / f"{name}.npz", frames.take(slice(3)))
    table = READER.read(tmp_path, None)
    names = [f"20221010_{name}/png/seq_000000/seq_000000_{i:04d}.png" for name in "ab" for i in (0, 5, 10)]
    assert [name.replace("_closeup", "") for name in table.keys.names.tolist()] == names
    assert dict(table.licences) == {"BEDLAM labels": "non-commercial research"} and table.rows is None
    assert sniff(tmp_path) == ["bedlam"]


class Said(NamedTuple):
    """What a body of another model was made from."""

    kind: str
    arguments: tuple[Any, ...]
    more: dict[str, Any]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of other models are what they were made from."""
    for kind in ("SmplxBodies", "KidSmpl"):
        made = partial(lambda kind, *arguments, **more: Said(kind, arguments, more), kind)
        monkeypatch.setattr(f"pymaf_data.fits.readers.bedlam.{kind}", made)


@pytest.mark.usefixtures("others")
def test_an_eleventh_number_is_a_child_of_agora_alone(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    shape = np.pad(people.betas, ((0, 0), (0, 1)))
    shape[4, 10] = 0.7
    bodies, agora = (
        READER.read(bedlam.scene(tmp_path / f"{agora}.npz", people, agora, shape=shape), None)
        for agora in (False, True)
    )
    assert bodies.other is None and [*agora.licences] == ["AGORA labels"]
    assert agora.other.kind == "KidSmpl" and np.allclose(agora.other.arguments[2], shape[:, 10])
    assert np.allclose(agora.other.arguments[0], people.pose) and np.allclose(agora.other.arguments[1], people.betas)
    native = np.concatenate([people.K, people.K @ people.trans[:, :, None]], 2)
    for table in (bodies, agora):
        assert np.allclose(table.camera, native) and np.allclose(table.betas, people.betas)


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(("agora", "count"), [(False, 10), (False, 11), (False, 16), (True, 10), (True, 11)])
def test_bodies_of_smplx(agora: bool, count: int, bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    shape = np.random.default_rng(0).normal(size=(24, count))
    pose = bedlam.as_smplx(people.pose)
    table = READER.read(bedlam.scene(tmp_path / "a.npz", people, agora, shape=shape, pose_cam=pose), None)
    said = table.other
    assert said.kind == "SmplxBodies" and np.allclose(said.arguments[0], pose)
    assert (said.more["gender"], said.more["flat_hand"]) == ("neutral", True)
    own = 10 if agora else count
    assert said.arguments[1].shape == (24, own) and np.allclose(said.arguments[1], shape[:, :own])
    kid = said.more["kid"]
    assert np.allclose(kid, shape[:, 10]) if agora and count == 11 else kid is None
    assert np.allclose(table.pose[:, :66], people.pose[:, :66]) and not table.betas.any()


def test_scenes_of_two_models_are_not_mixed(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    bedlam.scene(tmp_path / "a.npz", people)
    bedlam.scene(tmp_path / "b.npz", people, pose_cam=bedlam.as_smplx(people.pose))
    with pytest.raises(RawDataCorrupt, match=r"SMPL and of SMPL-X"):
        READER.read(tmp_path, None)


def test_a_row_that_stands_nowhere_is_damaged_alone(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    place = np.tile(np.eye(4), (24, 1, 1))
    place[3, 3, 3], place[5, 0, 3] = 0, np.nan
    table = READER.read(bedlam.scene(tmp_path / "a.npz", people, cam_ext=place), None)
    assert np.flatnonzero(~np.isfinite(table.camera).all((1, 2))).tolist() == [3, 5]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pose_cam": None}, "no pose_cam, and pose_world is no camera's"),
        ({"cam_ext": None, "cam_int": None}, "no cam_int, cam_ext"),
        ({"cam_ext": np.tile(np.eye(4), (24, 1, 1)).transpose(0, 2, 1) + np.eye(4)[::-1]}, "cam_ext does not end"),
        ({"cam_ext": np.zeros((24, 3, 4))}, "cam_ext of"),
        ({"pose_cam": np.zeros((24, 69))}, "pose_cam of"),
        ({"shape": np.zeros((24, 9))}, "shape of"),
        ({"trans_cam": np.zeros((24, 2))}, "trans_cam of"),
        ({"imgname": np.zeros(24)}, "imgname of"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_files_that_are_no_such_labels(
    changes: dict[str, Any], match: str, bedlam: ModuleType, people: Any, tmp_path: Path
) -> None:
    with pytest.raises(RawDataCorrupt, match=match):
        READER.read(bedlam.scene(tmp_path / "a.npz", people, **changes), None)


def test_a_folder_without_labels(tmp_path: Path) -> None:
    with pytest.raises(RawDataCorrupt, match="no labels"):
        READER.read(tmp_path, None)
    (tmp_path / "frames.npz").write_bytes(pickle.dumps({"imgPath": ["a.png"]}))
    with pytest.raises(RawDataCorrupt, match=r"is a pickle\n.*agora_processing_code"):
        READER.read(tmp_path, None)


def test_a_damaged_person_of_a_tar_is_damaged_alone(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    for number, changes in enumerate(
        [
            {"pose_cam": np.ones(165)},
            {"cam_int": None},
            {"cam_ext": np.zeros((4, 4))},
            {"shape": "a"},
            {"center": [1.0]},
        ]
    ):
        path = bedlam.token_hmr(tmp_path / str(number) / "a.tar", people.take(slice(3)), **changes)
        table = tokenhmr.READER.read(path, None)
        whole = np.isfinite(table.camera).all((1, 2)) & np.isfinite(table.pose).all(1)
        assert whole.tolist() == [False, True, True]
        assert table.keys.names.tolist() == [f"20221010_a/train2014/{i:04d}.jpg" for i in range(3)]
    assert sniff(path) == ["tokenhmr"]
    with pytest.raises(RawDataCorrupt, match="no person"):
        tokenhmr.READER.read(bedlam.token_hmr(tmp_path / "a.tar", people.take(slice(0))), None)
