"""Annotation files as other tools write them: loose types, other categories, bent data: nothing lost unsaid."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import COCO17

NAN = float("nan")
NAMES = list(COCO17.joints)


def read(made: Any, chosen: str = "any", **box: Any) -> Selection:
    manifest = load_manifest("coco")
    if box:
        manifest = manifest.model_copy(update={"box": manifest.box.model_copy(update=box)})
    return select(Raw(made.save().root, manifest, "train", chosen))


@pytest.fixture
def made(coco: ModuleType, tmp_path: Path) -> Any:
    """Three images with a person each: annotations 100, 101, 102."""
    return coco.small_set(tmp_path, pictures=3, persons=1)


def kept(selection: Selection) -> list[int]:
    return [record.annotation_id for record in selection.records]


# --- Types -----------------------------------------------------------------------------------------------------------

HARMLESS: dict[str, dict[str, Any]] = {
    "iscrowd false": {"iscrowd": False, "isbbox": False, "color": "#ff0000", "metadata": {}},
    "iscrowd null": {"iscrowd": None},
    "iscrowd empty": {"iscrowd": ""},
    "iscrowd 0.0": {"iscrowd": 0.0},
    "iscrowd text": {"iscrowd": "0"},
    "iscrowd a word": {"iscrowd": " False"},
    "id as a float": {"id": 101.0},
    "id as text": {"id": "101"},
    "image id as a float": {"image_id": 2.0},
    "image id as text": {"image_id": "2"},
    "category as text": {"category_id": "1"},
    "category as a float": {"category_id": 1.0},
    "no category": {"category_id": None},
    "odd fields": {
        "area": "large",
        "num_keypoints": None,
        "segmentation": {"counts": "x"},
        "score": NAN,
        "attributes": 7,
    },
    "whole floats": {"bbox": [10, 8.0, 40, 56], "keypoints": [10.0, 20.0, 2.0] * 17},
    "nested triples": {"keypoints": [[10, 20, 2]] * 17},
    "no coordinates where not labelled": {"keypoints": [None, NAN, 0] * 5 + [10, 20, 2] * 12},
    "null where not labelled": {"keypoints": [None, None, None] * 5 + [10, 20, 2] * 12},
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_tools_write_otherwise_loses_no_person(case: str, made: Any) -> None:
    made.annotations[1] |= HARMLESS[case]
    selection = read(made, "body12")
    assert kept(selection) == [100, 101, 102]
    assert selection.counts == {} and selection.adjusted == {}


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "true"])
def test_a_crowd_is_one_however_it_is_said(value: Any, made: Any) -> None:
    made.annotations[1] |= {"iscrowd": value, "keypoints": "damaged"}
    assert read(made).counts == {"crowd": 1}


@pytest.mark.parametrize("keypoints", [None, [], [0] * 51, [0, 0, 0], ""])
def test_a_person_without_keypoints_is_no_damage_whatever_else_is_wrong(keypoints: Any, made: Any) -> None:
    made.annotations[1] |= {"keypoints": keypoints, "bbox": None, "image_id": 999, "id": 100}
    selection = read(made)
    assert selection.counts == {"no_keypoints": 1} and not selection.damaged
    del made.annotations[1]["keypoints"]
    assert read(made).counts == {"no_keypoints": 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"iscrowd": "no"}, "iscrowd"),
        ({"iscrowd": 2}, "iscrowd"),
        ({"iscrowd": [0]}, "iscrowd"),
        ({"id": 101.5}, "id"),
        ({"id": "a1"}, "id"),
        ({"id": 1e300}, "id"),
        ({"id": 2.0**60}, "id"),
        ({"image_id": None}, "image_id"),
        ({"bbox": "10 10 5 5"}, "bbox"),
        ({"bbox": [10, 10, None, 5]}, r"bbox\.2"),
        ({"bbox": [10, 10, -5, 5]}, "bbox"),
        ({"bbox": [500, 10, 5, 5]}, "bbox"),
        ({"keypoints": {"nose": [1, 2]}}, "keypoints"),
        ({"keypoints": [1, 2, 2] * 14}, r"keypoints.*COCO17.*CrowdPose14"),
        ({"keypoints": ["1", 2, 2] * 17}, "keypoints.*nose"),
        ({"keypoints": [1, 2, "2"] * 17}, "keypoints.*nose"),
    ],
    ids=str,
)
def test_damage_names_its_field(changes: dict[str, Any], field: str, made: Any) -> None:
    made.annotations[1] |= changes
    (damaged,) = read(made).damaged
    assert damaged.damaged
    assert re.search(field, str(damaged)), damaged


@pytest.mark.parametrize("changes", [{"width": 96.0, "height": 72.0}, {"license": "1"}, {"license": 1.0}, {"id": "1"}])
def test_an_image_entry_may_be_loose(changes: dict[str, Any], made: Any) -> None:
    made.images[0] |= changes
    selection = read(made)
    assert kept(selection) == [100, 101, 102] and selection.records[0].image_size == (96, 72)
    assert [(licence.name, licence.persons) for licence in selection.licences] == [("Attribution License", 3)]


@pytest.mark.parametrize("value", [None, 0, 0.0, -3, 96.5, "96", NAN, [96], True])
def test_an_image_entry_without_a_size_is_named_with_the_field(value: Any, made: Any) -> None:
    made.images[0] |= {"width": value, "height": value}
    selection = read(made)
    assert selection.counts == {"malformed_image": 1}
    assert "image 1: width: " in str(selection.damaged[0])


@pytest.mark.parametrize("value", [None, "CC", {"id": 1}, [1], NAN, True, 1.5, 10**40])
def test_a_broken_licence_loses_nobody(value: Any, made: Any) -> None:
    made.images[0]["license"] = value
    made.licenses += [None, 7, {"id": [1]}, {"name": 3, "id": 4}, {"id": 9, "name": "", "url": None}]
    made.images[1]["license"] = 9
    selection = read(made)
    assert kept(selection) == [100, 101, 102]
    found = {licence.name: licence.persons for licence in selection.licences}
    assert found == {"Attribution License": 1, "not stated in the annotation file": 2}


@pytest.mark.parametrize("licences", [None, "CC", {}, [None], [[]]])
def test_malformed_lists_beside_the_annotations_lose_nobody(licences: Any, made: Any) -> None:
    made.licenses = licences
    content = json.loads(made.save().file.read_text())
    for categories in (None, "person", {"1": "person"}, [None, "person"], []):
        made.file.write_text(json.dumps(content | {"categories": categories}))
        assert select(Raw(made.root, load_manifest("coco"), "train", "any")).kept == 3


def test_warnings_are_summed(made: Any, caplog: pytest.LogCaptureFixture) -> None:
    image = made.images[0]
    for _ in range(500):
        made.person(image, bbox=[1, 1, -1, 1])
        made.person(image, image_id=77)
        made.person(image)["keypoints"][:3] = [0, 0, 2]
    with caplog.at_level(logging.WARNING):
        selection = read(made)
    assert selection.counts == {"unknown_image": 500, "bad_box": 500} and len(selection.damaged) == 1000
    assert len(caplog.records) == 3 and all(len(record.getMessage()) < 500 for record in caplog.records)
    for count in ("500 with a box without area", "500 on an image", " joints labelled at (0, 0)", "and 497 more"):
        assert count in caplog.text


# --- Categories ------------------------------------------------------------------------------------------------------

ANIMAL = [*NAMES[:3], "neck", "root_of_tail", *NAMES[5:]]


def category(number: Any, name: str, joints: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name} | ({} if joints is None else {"keypoints": joints}) | more


@pytest.mark.parametrize(
    "categories",
    [
        [category(1, "Person", NAMES)],
        [category("1", "human", NAMES)],
        [category(1.0, "pedestrian", [])],
        [category(1, "行人", NAMES)],
        [category(0, "people-pose"), category(1, "0", [str(i) for i in range(17)])],
        [category(1, "default")],
        [category(1, "person", NAMES), category(2, "dog", ANIMAL, supercategory="animal")],
        [category(1, "player", NAMES), category(2, "ball", ["centre"])],
        [category(7, "person", NAMES)],
        [category(2, "person", ["nose"]), category(1, "runner", NAMES)],
    ],
    ids=lambda categories: ", ".join(entry["name"] for entry in categories),
)
def test_the_categories_in_use_decide(categories: list[Any], made: Any) -> None:
    made.categories = categories
    assert kept(read(made)) == [100, 101, 102]


def test_other_categories_are_no_persons(made: Any) -> None:
    made.categories = [category(1, "Person", NAMES), category(2, "horse", ANIMAL), category(3, "car")]
    made.annotations[1]["category_id"] = "2"
    made.annotations[2] |= {"category_id": 3, "keypoints": None}
    selection = read(made)
    assert kept(selection) == [100] and selection.counts == {"other_category": 2}


@pytest.mark.parametrize("used", [2, 99, None])
def test_animals_are_refused_when_there_are_no_persons(used: Any, made: Any) -> None:
    """AP-10K: 54 categories of one list of joints, none of them called person."""
    made.categories = [category(i, name, ANIMAL) for i, name in enumerate(("antelope", "bison", "cat"), 1)]
    for annotation in made.annotations:
        annotation["category_id"] = used
    with pytest.raises(RawDataCorrupt, match="root_of_tail") as caught:
        read(made)
    assert "keypoints: {origin: index, joints: [" in str(caught.value)


def test_a_macaque_with_the_joints_of_coco_is_no_person(made: Any) -> None:
    made.categories = [category(1, "macaque", NAMES, supercategory="animal")]
    assert read(made).counts == {"other_category": 3}


def test_persons_of_other_joints_are_refused_though_others_fit(made: Any) -> None:
    made.categories = [category(1, "human", NAMES), category(2, "person", ANIMAL)]
    assert kept(read(made)) == [100, 101, 102]  # nobody is of category 2
    made.annotations[2] |= {"category_id": 2, "keypoints": None}
    assert read(made).counts == {"no_keypoints": 1}
    made.annotations[2]["keypoints"] = [9, 9, 2] * 17
    with pytest.raises(RawDataCorrupt, match="'person'"):
        read(made)


def test_a_guess_is_said(made: Any, caplog: pytest.LogCaptureFixture) -> None:
    made.categories = [category(1, "thing")]
    with caplog.at_level(logging.WARNING):
        assert read(made).kept == 3
    assert "'thing'" in caplog.text and "taken as persons" in caplog.text


# --- Bent data -------------------------------------------------------------------------------------------------------


def joint(annotation: dict[str, Any], index: int, *triple: float) -> None:
    annotation["keypoints"][3 * index : 3 * index + 3] = triple


@pytest.mark.parametrize("place", [(0, 0), (0.0, 0.0), (-1, -1)])
@pytest.mark.parametrize("seen", [1, 2])
def test_a_joint_that_stands_for_none_is_not_trained_on(place: tuple[float, float], seen: int, made: Any) -> None:
    joint(made.annotations[1], 9, *place, seen)
    joint(made.annotations[2], 9, 0, 1, seen)  # the edge of the image is a place
    joint(made.annotations[2], 10, 0.25, 0, seen)
    selection = read(made, "body12")
    assert kept(selection) == [100, 101, 102]  # the annotators' marks select, as SPIN counts them
    assert "left_wrist" not in selection.records[1].keypoints and len(selection.records[1].keypoints) == 16
    assert selection.records[2].keypoints["left_wrist"] == (0.5, 1.5, seen)
    assert selection.records[2].keypoints["right_wrist"] == (0.75, 0.5, seen)
    assert selection.adjusted == {"joint_at_origin": 1}


def test_a_person_of_nothing_but_such_joints_has_no_keypoints(made: Any) -> None:
    made.annotations[1]["keypoints"] = [0, 0, 1] * 17
    selection = read(made, "body12")
    assert selection.counts == {"no_keypoints": 1} and selection.adjusted == {"joint_at_origin": 17}


@pytest.mark.parametrize("place", [(5000, 30), (30, -400), (1e300, 5), (5, -(10**400)), (250, 30)])
def test_a_joint_far_outside_is_not_trained_on(place: tuple[float, float], made: Any) -> None:
    joint(made.annotations[1], 9, *place, 2)
    selection = read(made, "body12")
    assert kept(selection) == [100, 101, 102] and len(selection.records[1].keypoints) == 16
    assert selection.adjusted == {"joint_far_outside": 1}


def test_a_joint_outside_the_image_and_within_the_crop_stays(made: Any) -> None:
    """Box (10.25, 8.5, 40, 56): centre (30.25, 36.5), side 67.2; its crop reaches 59.4 px to each side."""
    joint(made.annotations[1], 9, -29.5, 30, 1)
    joint(made.annotations[2], 9, -29.75, 30, 1)
    selection = read(made)
    assert selection.records[1].keypoints["left_wrist"] == (-29.0, 30.5, 1)
    assert "left_wrist" not in selection.records[2].keypoints
    assert selection.adjusted == {"joint_far_outside": 1}


@pytest.mark.parametrize("box", ["absent", None, [], [0, 0, 0, 0], [10, 10, 5, 0], [10.0, 10.0, 0.0, 5.0]])
def test_without_a_box_that_of_the_joints_is_taken(box: Any, made: Any) -> None:
    made.annotations[1] |= {"bbox": box, "keypoints": [0] * 51}
    if box == "absent":
        del made.annotations[1]["bbox"]
    for index, place in ((0, (20, 10, 2)), (5, (40, 50, 1)), (9, (0, 0, 2)), (10, (900, 900, 2)), (12, (5, 5, 0))):
        joint(made.annotations[1], index, *place)
    selection = read(made)
    assert selection.records[1].box == (30.5, 30.5, 48.0)  # 20 × 40 px about joints at half pixels, 1.2 × 40
    assert set(selection.records[1].keypoints) == {"nose", "left_shoulder"}
    assert selection.adjusted == {"joint_at_origin": 1, "joint_far_outside": 1, "box_from_keypoints": 1}
    assert read(made, missing="drop").counts == {"bad_box": 1}
    joint(made.annotations[1], 5, 0, 0, 0)
    one = read(made)
    assert one.counts == {"bad_box": 1} and "bbox" in str(one.damaged[0])


@pytest.mark.parametrize(
    ("box", "outside"),
    [
        ([-39, 10, 40, 20], False),
        ([-40, 10, 40, 20], True),
        ([95.5, 10, 40, 20], False),
        ([96, 10, 40, 20], True),
        ([10, 71.5, 40, 20], False),
        ([10, 72, 40, 20], True),
        ([10, -20, 40, 20], True),
        ([-500, -500, 2000, 2000], False),
    ],
    ids=str,
)
def test_a_box_wholly_outside_its_image_is_dropped(box: list[float], outside: bool, made: Any) -> None:
    made.annotations[1]["bbox"] = box
    selection = read(made)
    assert selection.counts == ({"box_outside": 1} if outside else {})


def test_of_annotations_that_nobody_wants_ids_may_repeat(made: Any) -> None:
    made.annotations += [{"id": 100, "image_id": 1, "category_id": 1} for _ in range(3)]
    assert kept(read(made)) == [100, 101, 102]
    made.annotations[1]["id"] = 100.0
    with pytest.raises(RawDataCorrupt, match="more than once"):
        read(made)
