"""OpenPose's detections fill their 25 joints of whom they are of, and of nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.datasets.openpose import match
from pymaf_data.errors import RawDataCorrupt, RawDataMissing, StoreChanged
from pymaf_data.geometry.joints import J49, OPENPOSE25
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store


def read(root: Path, folder: Path, chosen: str | None = "any") -> Selection:
    manifest = load_manifest("coco").with_files("train", openpose=str(folder))
    return select(Raw(root, manifest, "train", chosen))


def detected(selection: Selection) -> list[np.ndarray]:
    return list(selection.records.columns["keypoints"][:, :25])


def placed(made: Any, image: dict[str, Any], x: float, y: float, size: float = 40, **changes: Any) -> dict[str, Any]:
    """A person in a square of ``size`` px, box and all."""
    rng = np.random.default_rng(17)
    joints = np.stack([x + size * rng.random(17), y + size * rng.random(17), np.full(17, 2)], 1)
    return made.person(image, keypoints=joints.ravel().tolist(), bbox=[x, y, size, size], **changes)


def test_joints_are_where_they_were_detected_with_their_confidence(
    coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    made = coco.CocoSet(tmp_path / "raw")
    image = made.picture(320, 240)
    first, second = placed(made, image, 10, 20, 100), placed(made, image, 150, 90, 120)
    people = [openpose.detection(one["keypoints"], (1.5, -2.0), 0.75) for one in (second, first)]
    people[0][3 * 22 : 3 * 22 + 3] = [200.0, 210.0, 1.02]  # a toe; confidences a little above 1 occur
    people[1][3 * 4 : 3 * 4 + 3] = [0, 0, 0]  # a wrist not found
    openpose.write(tmp_path / "op", "000000000001", people)
    made.save()
    selection = read(made.root, tmp_path / "op")
    assert not selection.adjusted and selection.kept == 2
    for row, person in enumerate(people[::-1]):
        expected = np.array(person).reshape(25, 3)
        expected[expected[:, 2] > 0, :2] += 0.5
        expected[:, 2] = np.minimum(expected[:, 2], 1)
        np.testing.assert_allclose(detected(selection)[row], expected, atol=1e-4)
        seen = selection.records.columns["visibility"][row, :25]
        np.testing.assert_array_equal(seen, 2 * (expected[:, 2] > 0))
        record = selection.records[row]
        assert record.confidence["openpose:nose"] == 0.75 and "nose" not in record.confidence
        assert ("openpose:right_wrist" in record.keypoints) == (row == 1)
    bare = select(Raw(made.root, load_manifest("coco"), "train", "any")).records.columns
    np.testing.assert_array_equal(bare["keypoints"][:, 25:], selection.records.columns["keypoints"][:, 25:])
    np.testing.assert_array_equal(bare["box"], selection.records.columns["box"])


def of(persons: list[Any], shifts: list[float], sides: list[float] | None = None) -> list[int]:
    """Whom :func:`match` takes for persons, given as offsets of one skeleton in px, with boxes of 100 px."""
    rng = np.random.default_rng(3)
    body, places = 100 * rng.random((17, 2)), [i for i, joint in enumerate(OPENPOSE25.joints) if is_shared(joint)]
    annotated = np.ones((len(persons), 17, 3))
    annotated[..., :2] = body + np.array([[at, 0] for at in persons]).reshape(-1, 1, 2)
    detections = np.zeros((len(shifts), 25, 3))
    detections[:, places, :2] = body + np.array([[at, 0] for at in shifts]).reshape(-1, 1, 2)
    detections[:, places, 2] = 0.9
    return match(annotated, np.array(sides or [100.0] * len(persons)), detections).tolist()


def is_shared(joint: str) -> bool:
    return joint.removeprefix("openpose:") in J49.joints


def test_who_is_who_is_one_to_one_and_best_for_all() -> None:
    assert of([0, 6], [5, 11]) == [0, 1], "the second's nearest is the first's only one"
    assert of([0, 6], [5]) == [-1, 0], "one detection is one person"
    assert of([0, 50], [49, 1]) == [1, 0]
    assert of([0], [9.9, 4.0]) == [1] and of([0], [9.9]) == [0] and of([0], [10.1]) == [-1]
    assert of([0], [18], [200.0]) == [0], "near is a share of the box"
    assert of([0], []) == [-1] and of([], [1.0]) == []


def test_of_two_detections_of_a_person_the_fuller_is_taken(openpose: ModuleType) -> None:
    rng = np.random.default_rng(0)
    body = np.concatenate([100 * rng.random((17, 2)), np.ones((17, 1))], 1)
    whole = np.array(openpose.detection(body.ravel().tolist(), (2, 0))).reshape(25, 3)
    piece = np.array(openpose.detection(body.ravel().tolist(), (1, 0))).reshape(25, 3)
    piece[openpose.OF_COCO[4:]] = 0
    order = np.argsort(openpose.OF_COCO)  # joints by OpenPose's numbering, as the shared ones come
    annotated = body[order][None]
    assert match(annotated, np.array([100.0]), np.stack([piece, whole])).tolist() == [1]
    assert match(annotated, np.array([100.0]), piece[None]).tolist() == [0], "with four joints it may be them"
    piece[openpose.OF_COCO[2:]] = 0
    assert match(annotated, np.array([100.0]), piece[None]).tolist() == [-1], "with two it may be anybody"


def test_a_neighbour_whom_nobody_wants_keeps_the_detection(
    coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    """Behind them stands a person whom OpenPose did not find: SPIN would give them the neighbour's joints."""
    made = coco.CocoSet(tmp_path / "raw")
    image = made.picture(320, 240)
    placed(made, image, 100, 60, 100)
    front = placed(made, image, 105, 62, 100)
    openpose.write(tmp_path / "op", "000000000001", [openpose.detection(front["keypoints"])])
    made.save()
    assert [bool(one.any()) for one in detected(read(made.root, tmp_path / "op"))] == [False, True]
    coco.unlabel(front, [15])  # not wanted by the rule of twelve joints
    made.save()
    selection = read(made.root, tmp_path / "op", "body12")
    assert selection.kept == 1 and not detected(selection)[0].any()
    assert selection.counts == {"incomplete": 1} and selection.adjusted == {"openpose_apart": 1}


DAMAGED: dict[str, Any] = {
    "not JSON": "{",
    "a list": [],
    "no people": {"version": 1.3},
    "people of none": {"people": None},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_and_hurts_no_other(
    case: str, coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    path = openpose.write(tmp_path / "op", "000000000001", [])
    path.write_text(DAMAGED[case] if isinstance(DAMAGED[case], str) else json.dumps(DAMAGED[case]))
    openpose.write(tmp_path / "op", "000000000002", [openpose.detection(made.annotations[1]["keypoints"])])
    selection = read(made.root, tmp_path / "op")
    assert [bool(one.any()) for one in detected(selection)] == [False, True]
    assert selection.adjusted == {"openpose_apart": 1, "openpose_damaged": 1}


@pytest.mark.parametrize(
    "person",
    [
        [0.5] * 54,
        [0.5] * 74 + [float("nan")],
        [1e300] * 75,
        ["1"] * 75,
        [True] * 75,
        [[1, 2, 3]] * 25,
        {"pose_keypoints": [1.0] * 75},
        "person",
        None,
    ],
    ids=str,
)
def test_a_damaged_detection_hurts_no_other(
    person: Any, coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=1, persons=1)
    whole = openpose.detection(made.annotations[0]["keypoints"])
    openpose.write(tmp_path / "op", "000000000001", [person, whole])
    selection = read(made.root, tmp_path / "op")
    assert detected(selection)[0].any() and selection.adjusted == {"openpose_damaged": 1}


def test_files_lie_as_the_images_do_or_flat_where_names_are_not_shared(
    coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    made, folder = coco.CocoSet(tmp_path / "raw"), tmp_path / "op"
    names = ["a/1.jpg", "b/1.jpg", "b/2.v2.png", "c/3.jpg", "../4.jpg", "c/5"]
    for name in names:
        made.person(made.picture(file_name=Path(name).name) | {"file_name": name})
        made.images[-1]["file_name"] = name
    made.save()
    people = [[openpose.detection(one["keypoints"])] for one in made.annotations]
    openpose.write(folder, "1", people[0])  # of which of two?
    openpose.write(folder, "b/1", people[1])
    openpose.write(folder, "2.v2", people[2])
    openpose.write(folder, "train2014/c/3", people[3])
    openpose.write(folder / "..", "4", people[4])  # beside the folder
    openpose.write(folder, "5", people[5])
    selection = read(made.root, folder)
    found = {record.image_name: "openpose:nose" in record.keypoints for record in selection.records}
    assert found == {
        **{"train2014/a/1.jpg": False, "train2014/b/1.jpg": True, "train2014/b/2.v2.png": True},
        **{"train2014/c/3.jpg": True, "train2014/../4.jpg": False, "train2014/c/5": True},
    }
    assert selection.adjusted == {"openpose_absent": 2}


def test_a_store_brings_them_and_goes_on_with_the_same_only(
    coco: ModuleType, openpose: ModuleType, tmp_path: Path
) -> None:
    made, folder = coco.small_set(tmp_path / "raw", pictures=2, persons=1), tmp_path / "elsewhere" / "op"
    options = IngestOptions(root=made.root, out=tmp_path / "s.zarr", crop_size=32, openpose=folder)
    with pytest.raises(RawDataMissing, match="elsewhere/op"):
        ingest(options)
    openpose.write(folder, "another", [])
    with pytest.raises(RawDataMissing, match=r"not one of the 2 images has a file in .*elsewhere/op"):
        ingest(options)
    with pytest.raises(RawDataCorrupt, match="Not a directory"):
        ingest(options.model_copy(update={"openpose": folder / "another_keypoints.json"}))
    for number in (1, 2):
        people = [openpose.detection(made.annotations[number - 1]["keypoints"])]
        openpose.write(folder, f"{number:012d}", people)
    report = ingest(options)
    store = open_store(report.store)
    assert (store.array("keypoints")[:][:, :25, 2] == np.float32(0.8)).sum() == 2 * 17
    texts = [path.read_text() for path in report.store.rglob("*.json")]
    assert any("openpose: op" in text for text in texts) and not any(str(tmp_path) in text for text in texts)
    assert ingest(options).shards_written == 0
    with pytest.raises(StoreChanged):
        ingest(options.model_copy(update={"openpose": None}))
    openpose.write(folder, f"{1:012d}", [])
    with pytest.raises(StoreChanged):
        ingest(options)
