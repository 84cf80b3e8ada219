"""COCO annotations: conventions of the records, and an account of everything that is no record."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.datasets.records import keypoint_arrays
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import COCO17, J49

# SPIN's list: the J24 joint that each COCO joint becomes (facts, not derived from names).
SPIN_J24 = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]


def read(root: Path, chosen: str | None = None, **options: Any) -> Selection:
    return select(Raw(root, load_manifest("coco"), "train", chosen), **options)


def test_joints_boxes_and_names_follow_the_manifest(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path)
    person = made.person(made.picture(320, 240), bbox=[100.0, 50.0, 80.0, 160.0])
    person["keypoints"][3 * 6 + 2] = 1
    coco.unlabel(person, [0])
    made.save()
    (record,) = read(tmp_path).records
    assert record.image_name == "train2014/000000000001.jpg"
    assert record.box == (140.0, 130.0, 192.0)
    keypoints, visibility = keypoint_arrays([record])
    raw = np.array(person["keypoints"], float).reshape(17, 3)
    assert not keypoints[0, :25].any() and not visibility[0, :25].any()
    for joint in range(17):
        x, y, confidence = keypoints[0, 25 + SPIN_J24[joint]]
        expected = (raw[joint, 0] + 0.5, raw[joint, 1] + 0.5, 1.0) if raw[joint, 2] else (0, 0, 0)
        assert (x, y, confidence) == expected, COCO17.joints[joint]
        assert visibility[0, 25 + SPIN_J24[joint]] == raw[joint, 2]
    assert keypoints[0, :, 2].sum() == 16


def test_rows_stand_in_the_order_of_image_name_and_annotation(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=4, persons=3)
    made.annotations.reverse()
    made.images.reverse()
    made.save()
    keys = [record.key for record in read(tmp_path).records]
    assert keys == sorted(keys) and len(keys) == 12


def test_selection_counts_every_annotation_once(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=5, persons=1)
    coco.unlabel(made.annotations[0], range(17))
    coco.unlabel(made.annotations[1], [16])
    coco.unlabel(made.annotations[2], range(5))  # the head is not asked for
    made.annotations[3]["iscrowd"] = 1
    made.save()
    selection = read(tmp_path)
    assert [record.annotation_id for record in selection.records] == [102, 104]
    assert selection.account() == {
        **{"total": 5, "kept": 2, "dropped": 3},
        **{"crowd": 1, "no_keypoints": 1, "incomplete": 1},
    }
    assert not selection.damaged
    more = read(tmp_path, "any")
    assert [record.annotation_id for record in more.records] == [101, 102, 104]
    assert more.account()["dropped"] == 2


NAN, INFINITY = float("nan"), float("inf")

DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "short keypoints": ({"keypoints": [1, 2, 2] * 16}, "malformed"),
    "keypoints as text": ({"keypoints": "1 2 2"}, "malformed"),
    "a keypoint as text": ({"keypoints": ["1", 2, 2] + [1, 2, 2] * 16}, "malformed"),
    "visibility 3": ({"keypoints": [1, 2, 3] * 17}, "malformed"),
    "visibility 1.5": ({"keypoints": [1, 2, 1.5] * 17}, "malformed"),
    "NaN keypoint": ({"keypoints": [NAN, 2, 2] + [1, 2, 2] * 16}, "not_finite"),
    "infinite keypoint": ({"keypoints": [1, INFINITY, 2] + [1, 2, 2] * 16}, "not_finite"),
    "negative box": ({"bbox": [10, 10, -5, 20]}, "bad_box"),
    "box outside": ({"bbox": [-60, 10, 50, 20]}, "box_outside"),
    "box beyond": ({"bbox": [96, 10, 50, 20]}, "box_outside"),
    "box above": ({"bbox": [10, -30, 50, 30]}, "box_outside"),
    "box of no pixel": ({"bbox": [10, 10, 1e-300, 1e-300]}, "malformed"),
    "NaN box": ({"bbox": [10, NAN, 5, 9]}, "not_finite"),
    "far box": ({"bbox": [10, 10, 1e308, 1e308]}, "malformed"),
    "box of three": ({"bbox": [10, 10, 5]}, "malformed"),
    "unknown image": ({"image_id": 999}, "unknown_image"),
    "image id as words": ({"image_id": "one"}, "malformed"),
    "image id as truth": ({"image_id": True}, "malformed"),
    "id as words": ({"id": "103a"}, "malformed"),
    "id beyond int64": ({"id": 2**64}, "malformed"),
    "crowd flag as text": ({"iscrowd": "no"}, "malformed"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_annotation_is_counted_and_named_and_hurts_no_other(
    case: str, coco: ModuleType, tmp_path: Path
) -> None:
    changes, reason = DAMAGE[case]
    made = coco.small_set(tmp_path, pictures=3, persons=1)
    made.annotations[1] |= changes
    made.save()
    selection = read(tmp_path)
    assert [record.annotation_id for record in selection.records] == [100, 102]
    assert selection.account() == {"total": 3, "kept": 2, "dropped": 1, reason: 1}
    (damaged,) = selection.damaged
    assert str(made.annotations[1]["id"]) in str(damaged) or "position 1" in str(damaged)
    with pytest.raises(RawDataCorrupt, match="annotation"):
        read(tmp_path, stop=True)


@pytest.mark.parametrize("entry", [None, 7, "person", []])
def test_an_annotation_that_is_no_object_is_counted(entry: Any, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=2, persons=1)
    made.annotations.append(entry)
    made.save()
    assert read(tmp_path).account() == {"total": 3, "kept": 2, "dropped": 1, "malformed": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"width": "96"},
        {"height": 0},
        {"file_name": None},
        {"file_name": ""},
        {"width": NAN},
        {"height": 9_999_999_999_999},
    ],
    ids=lambda changes: f"{changes}",
)
def test_persons_on_a_malformed_image_entry_are_counted(
    changes: dict[str, Any], coco: ModuleType, tmp_path: Path
) -> None:
    made = coco.small_set(tmp_path, pictures=2, persons=2)
    made.images[0] |= changes
    made.save()
    assert read(tmp_path).account() == {"total": 4, "kept": 2, "dropped": 2, "malformed_image": 2}


@pytest.mark.parametrize(
    ("name", "reason"), [("\ud800.jpg", "malformed_image"), ("a\0b.jpg", "malformed"), ("x" * 1100, "malformed")]
)
def test_a_file_name_that_no_store_could_hold_is_counted(
    name: str, reason: str, coco: ModuleType, tmp_path: Path
) -> None:
    made = coco.small_set(tmp_path, pictures=2, persons=1)
    made.images[0]["file_name"] = name
    made.save()
    assert read(tmp_path).account() == {"total": 2, "kept": 1, "dropped": 1, reason: 1}


def test_other_categories_are_counted(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=2, persons=1)
    made.annotations[0]["category_id"] = 17
    made.save()
    assert read(tmp_path).account()["other_category"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b'{"images": [', "not JSON"),
        (b"\xff\xfe\x00garbage", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no list 'images'"),
        (b'{"images": []}', "no list 'annotations'"),
        (b'{"images": {}, "annotations": []}', "no list 'images'"),
    ],
    ids=["empty", "cut off", "binary", "deep", "a list", "no annotations", "images no list"],
)
def test_a_file_that_is_not_coco_is_refused(text: bytes, message: str, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=1)
    made.file.write_bytes(text)
    with pytest.raises(RawDataCorrupt, match=message) as caught:
        read(tmp_path)
    assert str(made.file) in str(caught.value)


@pytest.mark.parametrize("kind", ["images", "annotations"])
def test_an_id_given_twice_is_refused(kind: str, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=3, persons=1)
    entries = getattr(made, kind)
    entries[2]["id"] = entries[0]["id"]
    made.save()
    with pytest.raises(RawDataCorrupt, match=f"{kind[:-1]} ids more than once"):
        read(tmp_path)


def test_a_list_that_is_there_twice_is_refused(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=1)
    made.file.write_text(made.file.read_text()[:-1] + ', "annotations": []}')
    with pytest.raises(RawDataCorrupt, match="'annotations' twice"):
        read(tmp_path)


def test_joints_in_another_order_are_refused(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=1)
    made.categories[0]["keypoints"].reverse()
    made.save()
    with pytest.raises(RawDataCorrupt, match="COCO17"):
        read(tmp_path)


def test_photographs_carry_their_own_licences(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=3, persons=2)
    made.licenses.append({"id": 2, "name": "No known restrictions", "url": "http://licence.example/free"})
    made.licenses.append({"id": "x"})
    made.images[1]["license"] = 2
    made.images[2]["license"] = 77
    made.save()
    found = {licence.name: (licence.photographs, licence.persons) for licence in read(tmp_path).licences}
    assert found == {
        "Attribution License": (1, 2),
        "No known restrictions": (1, 2),
        "not stated in the annotation file": (1, 2),
    }


def test_the_whole_split_is_known_by_what_the_file_lists(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path, pictures=3, persons=1)
    manifest = load_manifest("coco")
    assert not read(tmp_path).whole
    content = manifest.model_dump()
    content["splits"]["train"]["whole"] = {"images": 3, "annotations": 3}
    small = type(manifest).model_validate(content)
    assert select(Raw(tmp_path, small, "train")).whole


def test_real_photographs_give_seven_of_fourteen(shared: Path) -> None:
    selection = read(shared / "data" / "coco2014-mini")
    assert selection.account() == {"total": 14, "kept": 7, "dropped": 7, "no_keypoints": 2, "incomplete": 5}
    assert sum(licence.persons or 0 for licence in selection.licences) == 7
    file = shared / "data" / "coco2014-mini" / "annotations" / "person_keypoints_train2014.json"
    raw = {entry["id"]: entry for entry in json.loads(file.read_text())["annotations"]}
    for record in selection.records:
        x, y, seen = raw[record.annotation_id]["keypoints"][15:18]
        assert record.keypoints["left_shoulder"] == (x + 0.5, y + 0.5, seen)
        assert set(record.keypoints) <= set(J49.joints[25:])
