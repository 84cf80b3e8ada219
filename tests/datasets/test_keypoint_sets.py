"""Data sets that come as keypoints in COCO's format or one close to it: their manifests take the files as released."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import J49
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

# Where each joint lies among J24; −1: J24 has none. By hand, from the data sets' descriptions.
BODY = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
SETS: dict[str, tuple[str, list[int], float]] = {
    "crowdpose": ("train", [9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0, 13, 12], 0.5),
    "ochuman": ("val", BODY, 0.5),
    "coco-wholebody": ("val", BODY, 0.5),
    "halpe": ("train", [*BODY, 13, 12], 0.5),
    "posetrack": ("val", [19, -1, 13, -1, -1, *BODY[5:]], 0.5),
    "jhmdb": ("train", [-1, -1, -1, 8, 9, 2, 3, 7, 10, 1, 4, 6, 11, 0, 5], -0.5),
    "aic": ("train", [8, 7, 6, 9, 10, 11, 2, 1, 0, 3, 4, 5, 13, 12], 0.5),
}


def read(name: str, root: Path, split: str | None = None) -> Selection:
    return select(Raw(root, load_manifest(name), split or SETS[name][0]))


@pytest.mark.parametrize("name", SETS)
def test_files_as_released_are_taken(name: str, keypoint_sets: ModuleType, tmp_path: Path) -> None:
    getattr(keypoint_sets, name.replace("-", "_"))(tmp_path / "raw")
    split, joints, shift = SETS[name]
    selection = read(name, tmp_path / "raw")
    assert selection.kept == selection.total == 2 and not selection.adjusted and selection.listed == (2, 2)
    whole = name != "halpe"  # whose last joint is a finger's
    expected = {}
    for i, place in enumerate(joints[:-1] if whole else joints):
        if place >= 0:
            x, y = keypoint_sets.place(i)
            expected[J49.joints[25 + place]] = (x + shift, y + shift, 1 if name == "posetrack" else 2)
    if name == "aic":
        x, y = keypoint_sets.place(1)
        expected["right_elbow"] = (x + shift, y + shift, 1)
    left, top, width, height = keypoint_sets.BOX
    for record in selection.records:
        assert record.keypoints == expected
        off = shift if name == "jhmdb" else 0.0
        assert record.box == (left + width / 2 + off, top + height / 2 + off, 1.2 * width)
        assert record.image_size == ((0, 0) if name in ("posetrack", "aic") else keypoint_sets.SIZE)
    report = ingest(
        IngestOptions(dataset=name, split=split, root=tmp_path / "raw", out=tmp_path / "s.zarr", crop_size=32)
    )
    assert not report.holes.counts
    store = open_store(report.store)
    assert (store.array("image_size")[:] == keypoint_sets.SIZE).all()
    held_out = load_manifest(name).splits[split].held_out
    assert held_out == (split != "train") and store.head["provenance"]["attributes"]["held_out"] == held_out


def test_every_manifest_says_licences_of_both_and_where_to_get_it() -> None:
    for name in SETS:
        manifest = load_manifest(name)
        parts = {licence.covers.split()[0] for licence in manifest.licences}
        assert parts == {"annotations", "photographs"} and all(licence.name for licence in manifest.licences)
        assert len(manifest.get) >= 1 and manifest.homepage and manifest.citation
        assert set(manifest.selections) >= {"any", "body12"} and len(manifest.selections["body12"].requires) == 12


def aic(root: Path, **changes: Any) -> Selection:
    """The first of the written images changed; what it is then."""
    path = root / "ai_challenger_keypoint_train_20170909" / "keypoint_train_annotations_20170909.json"
    listed = json.loads(path.read_text())
    for key, value in changes.items():
        if key == "joint":
            listed[0]["keypoint_annotations"]["human1"][:3] = value
        elif key in ("human_annotations", "keypoint_annotations"):
            listed[0][key] = {"human1": value} if not isinstance(value, dict) else value
        else:
            listed[0][key] = value
    path.write_text(json.dumps(listed))
    return read("aic", root)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"human_annotations": {}}, "no_box"),
        ({"human_annotations": [30, 20, 30, 160]}, "bad_box"),
        ({"human_annotations": [30, 20, 160]}, "malformed"),
        ({"human_annotations": ["30", 20, 160, 200]}, "malformed"),
        ({"human_annotations": [30, 20, float("nan"), 200]}, "not_finite"),
        ({"keypoint_annotations": [1, 2, 1] * 13}, "malformed"),
        ({"keypoint_annotations": [0, 0, 3] * 14}, "no_keypoints"),
        ({"keypoint_annotations": {"human0": [1, 2, 1] * 14}, "human_annotations": {}}, "malformed"),
        ({"keypoint_annotations": {"somebody": [1, 2, 1] * 14}, "human_annotations": {}}, "malformed"),
        ({"keypoint_annotations": {}}, "no_keypoints"),
        ({"keypoint_annotations": {"human1": None}}, "malformed"),
        ({"joint": [5, 6, 0]}, "malformed"),
        ({"joint": [float("inf"), 6, 1]}, "not_finite"),
        ({"image_id": "\0"}, "malformed"),
    ],
    ids=str,
)
def test_a_damaged_person_of_aic_is_counted(
    changes: dict[str, Any], reason: str, keypoint_sets: ModuleType, tmp_path: Path
) -> None:
    keypoint_sets.aic(tmp_path)
    selection = aic(tmp_path, **changes)
    assert selection.counts == {reason: 1} and [one.annotation_id for one in selection.records] == [1001]


def test_aic_in_other_ways(keypoint_sets: ModuleType, tmp_path: Path) -> None:
    keypoint_sets.aic(tmp_path)
    selection = aic(tmp_path, joint=[0, 0, 2])
    assert selection.adjusted == {"joint_at_origin": 1} and selection.kept == 2
    assert "right_shoulder" not in selection.records[0].keypoints
    path = tmp_path / "ai_challenger_keypoint_train_20170909" / "keypoint_train_annotations_20170909.json"
    path.write_text(json.dumps([None, {"image_id": "x"}, *json.loads(path.read_text())]))
    assert read("aic", tmp_path).counts == {"malformed": 2}
    path.write_text("{}")
    with pytest.raises(RawDataCorrupt, match="no list of images"):
        read("aic", tmp_path)
