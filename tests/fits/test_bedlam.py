"""Labels of rendered sets: before the camera, never in the world, of neutral bodies whatever a gender says."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt
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


def test_an_eleventh_number_is_a_child_of_agora_alone(bedlam: ModuleType, people: Any, tmp_path: Path) -> None:
    shape = np.pad(people.betas, ((0, 0), (0, 1)))
    shape[4, 10] = 0.7
    tables = [
        READER.read(bedlam.scene(tmp_path / f"{agora}.npz", people, agora, shape=shape), None)
        for agora in (False, True)
    ]
    assert [len(table) for table in tables] == [24, 23]
    assert tables[1].rows.tolist() == [i for i in range(24) if i != 4] and [*tables[1].licences] == ["AGORA labels"]
    native = np.concatenate([people.K, people.K @ people.trans[:, :, None]], 2)
    for table in tables:
        assert np.allclose(table.camera, native[table.rows]) and np.allclose(table.betas, people.betas[table.rows])


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
