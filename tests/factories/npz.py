"""Files as SPIN's preprocessing writes them, from annotations in COCO's or MPII's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

# Where SPIN puts COCO's and MPII's joints among its 24.
COCO = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
MPII = [0, 1, 2, 3, 4, 5, 14, 15, 12, 13, 6, 7, 8, 9, 10, 11]


def person(name: str, center: Any, scale: float, part: Any = None, **more: Any) -> dict[str, Any]:
    """One row; ``part`` (24, 3)."""
    part = np.zeros((24, 3)) if part is None else np.asarray(part, float)
    return {"imgname": name, "center": list(center), "scale": scale, "part": part, **more}


def spread(joints: Any, places: list[int], confidence: Any = 1.0) -> np.ndarray:
    """(24, 3) with joints (n, 2) at their places."""
    part = np.zeros((24, 3))
    part[places, :2], part[places, 2] = joints, confidence
    return part


def save(path: Path, rows: list[dict[str, Any]], **more: Any) -> Path:
    """Stack rows as ``np.savez`` takes them; ``more`` adds arrays, or replaces them; None leaves one out."""
    arrays = {key: np.array([row[key] for row in rows]) for key in rows[0]} | more
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def of_coco(file: Path, folder: str) -> list[dict[str, Any]]:
    """SPIN's ``coco.py``: whoever has all twelve, in the file's order; crowds are not asked for."""
    content = json.loads(file.read_text())
    images = {image["id"]: image["file_name"] for image in content["images"]}
    rows = []
    for one in content["annotations"]:
        keypoints = np.array(one["keypoints"], float).reshape(17, 3)
        keypoints[keypoints[:, 2] > 0, 2] = 1
        if keypoints[5:, 2].sum() < 12:
            continue
        x, y, w, h = one["bbox"]
        part = spread(keypoints[:, :2], COCO, keypoints[:, 2])
        row = person(f"{folder}/{images[one['image_id']]}", (x + w / 2, y + h / 2), 1.2 * max(w, h) / 200, part)
        rows.append(row | {"openpose": np.zeros((25, 3))})
    return rows


def of_mpii(name: str, joints: Any, scale: float, centre: tuple[float, float]) -> dict[str, Any]:
    """SPIN's ``mpii.py`` of a person of ``train.h5``, whose joints are whole and whose box is larger and lower."""
    at = np.trunc(np.asarray(joints, float))
    return person(f"images/{name}", (centre[0], centre[1] + 15 * scale), 1.25 * scale, spread(at, MPII))
