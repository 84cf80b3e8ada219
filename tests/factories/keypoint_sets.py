"""Small sets in the formats of CrowdPose, OCHuman, AIC, COCO-WholeBody, Halpe, PoseTrack and sub-JHMDB, as released.

Each has two images of 320 × 240 px and a person on each, its joint i at (40 + 7 i, 30 + 5 i); the last is not labelled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (320, 240)
COCO = "nose,left_eye,right_eye,left_ear,right_ear,left_shoulder,right_shoulder,left_elbow,right_elbow,left_wrist,"
COCO += "right_wrist,left_hip,right_hip,left_knee,right_knee,left_ankle,right_ankle"
CROWDPOSE = "left_shoulder,right_shoulder,left_elbow,right_elbow,left_wrist,right_wrist,left_hip,right_hip,left_knee,"
CROWDPOSE += "right_knee,left_ankle,right_ankle,head,neck"
POSETRACK = COCO.replace("left_eye", "head_bottom").replace("right_eye", "head_top")
JHMDB = "neck,belly,head,right_shoulder,left_shoulder,right_hip,left_hip,right_elbow,left_elbow,right_knee,left_knee,"
JHMDB += "right_wrist,left_wrist,right_ankle,left_ankle"
BOX = [30.0, 20.0, 200.0, 160.0]


def place(joint: int) -> tuple[float, float]:
    return 40.0 + 7 * joint, 30.0 + 5 * joint


def triples(count: int, seen: Any = 2, absent: Any = 0) -> list[Any]:
    """Joints in a row, the last not labelled."""
    listed = [[*place(i), seen] for i in range(count - 1)] + [[0, 0, absent]]
    return [value for triple in listed for value in triple]


def draw(root: Path, names: list[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), noise)


def coco(
    path: Path, names: list[str], count: int, category: Any, image: Any = None, person: Any = None, first: int = 0
) -> None:
    """A file in COCO's format; ``image`` and ``person`` change entries, None leaves a key out."""

    def changed(entry: dict[str, Any], changes: Any) -> dict[str, Any]:
        return {key: value for key, value in (entry | (changes or {})).items() if value is not None}

    images, people = [], []
    for number, name in enumerate(names, first + 1):
        entry = {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
        images.append(changed(entry, image))
        entry = {"id": 10 * number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": BOX, "area": 9.0}
        people.append(changed(entry | {"keypoints": triples(count), "num_keypoints": count - 1}, person))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"info": {}, "images": images, "annotations": people, "categories": [category]}
    path.write_text(json.dumps(content))


def person(names: str) -> dict[str, Any]:
    listed = names.split(",") if names else []
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": listed, "skeleton": [[1, 2]]}


def crowdpose(root: Path) -> None:
    draw(root / "images", names := ["100000.jpg", "100002.jpg"])
    # The images are mosaics of other sets'; the crowd index says how much people hide each other.
    coco(root / "json" / "crowdpose_train.json", names, 14, person(CROWDPOSE), {"crowdIndex": 0.4}, {"area": None})


def ochuman(root: Path) -> None:
    draw(root / "images", names := ["000001.jpg", "000002.jpg"])
    outline = {"segmentation": [[40.0, 30.0, 200.0, 30.0, 120.0, 150.0]]}
    file = root / "annotations" / "ochuman_coco_format_val_range_0.00_1.00.json"
    coco(file, names, 17, person(COCO), person=outline)


def coco_wholebody(root: Path) -> None:
    draw(root / "val2017", names := ["000000000139.jpg", "000000000285.jpg"])
    parts = {"face": 68, "lefthand": 21, "righthand": 21}
    more: dict[str, Any] = {f"{part}_kpts": triples(count) for part, count in parts.items()}
    more |= {f"{part}_box": [1.0, 2.0, 3.0, 4.0] for part in parts} | {f"{part}_valid": True for part in parts}
    more["foot_kpts"] = triples(6)
    coco(root / "annotations" / "coco_wholebody_val_v1.0.json", names, 17, person(COCO), person=more)


def halpe(root: Path) -> None:
    names = ["HICO_train2015_00000001.jpg", "HICO_train2015_00000004.jpg"]
    draw(root / "hico_20160224_det" / "images" / "train2015", names)
    file = root / "annotations" / "halpe_train_v1.json"
    coco(file, names, 136, person(""), {"url": ""}, {"hoi": [], "iscrowd": None, "keypoints": triples(136, 2.0, 0.0)})


def posetrack(root: Path) -> None:
    for number, sequence in enumerate(("000342_mpii_test", "000522_mpii_test")):
        draw(root, names := [f"images/val/{sequence}/000000.jpg"])
        of_video = {"vid_id": sequence[:6], "frame_id": 1, "nframes": 1, "is_labeled": True, "has_no_densepose": True}
        # Ears are listed and never annotated; joints are seen or not there: 1 or 0.
        joints = triples(17, 1)
        joints[9:15] = [0, 0, 0, 0, 0, 0]
        changes = {"keypoints": joints, "scores": [], "track_id": 0, "bbox_head": [1, 2, 3, 4], "iscrowd": None}
        file = root / "annotations" / "val" / f"{sequence}.json"
        coco(file, names, 17, person(POSETRACK), of_video | {"width": None, "height": None}, changes, number)


def jhmdb(root: Path) -> None:
    clip = "Rename_Images/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0"
    draw(root, names := [f"{clip}/00001.png", f"{clip}/00002.png"])
    coco(root / "annotations" / "Sub1_train.json", names, 15, person(JHMDB))


def aic(root: Path) -> None:
    folder = root / "ai_challenger_keypoint_train_20170909"
    draw(folder / "keypoint_train_images_20170902", ["00ab.jpg", "00cd.jpg"])
    left, top, width, height = map(int, BOX)
    joints = [int(value) for value in triples(14, 1, 3)]
    joints[5] = 2  # hidden
    listed = [
        {
            "image_id": name,
            "human_annotations": {"human1": [left, top, left + width, top + height]},
            "keypoint_annotations": {"human1": joints},
            "url": "http://photographs.example/1.jpg",
        }
        for name in ("00ab", "00cd")
    ]
    (folder / "keypoint_train_annotations_20170909.json").write_text(json.dumps(listed))
