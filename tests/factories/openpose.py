"""Detections as OpenPose's BODY_25 model writes them: one JSON for each image, 25 × (x, y, confidence) a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# OpenPose's own numbering, by the place of COCO's 17 joints; 1 is the neck, 8 the middle of the hips, 19–24 the feet.
OF_COCO = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]


def detection(keypoints: list[float], shift: tuple[float, float] = (0, 0), confidence: float = 0.8) -> list[float]:
    """The person of a COCO annotation as detected, ``shift`` px beside; joints not labelled are not detected."""
    values = [0.0] * 75
    for joint, place in enumerate(OF_COCO):
        x, y, seen = keypoints[3 * joint : 3 * joint + 3]
        if seen:
            values[3 * place : 3 * place + 3] = [x + shift[0], y + shift[1], confidence]
    return values


def write(folder: Path, name: str, people: list[Any]) -> Path:
    """The file of an image; ``name`` without its end."""
    path = folder / f"{name}_keypoints.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    hands = {"face_keypoints_2d": [], "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": []}
    listed = [{"person_id": [-1], "pose_keypoints_2d": one} | hands if isinstance(one, list) else one for one in people]
    path.write_text(json.dumps({"version": 1.3, "people": listed}))
    return path
