"""COCO annotations of a picture: keypoints with visibility, boxes, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.geometry.joints import COCO17
from pymaf_data.sample.picture import Shown
from pymaf_data.sample.scene import Person, View, inside

# Metres of flesh that lie before a joint when it is seen from outside.
_DEPTH_OF = {
    "nose": 0.03, "eye": 0.035, "ear": 0.05, "shoulder": 0.10, "elbow": 0.07, "wrist": 0.05, "hip": 0.16, "knee": 0.09,
    "ankle": 0.07,
}  # fmt: skip
_FLESH = np.array([_DEPTH_OF[name.removeprefix("left_").removeprefix("right_")] for name in COCO17.joints])


def annotations_of(shown: Shown) -> list[dict[str, Any]]:
    """One COCO annotation per person, without ids; coordinates as COCO's pixel indices (continuous − ½)."""
    return [_annotation(shown, number) for number in range(len(shown.scene.people))]


def _annotation(shown: Shown, number: int) -> dict[str, Any]:
    mask = shown.masks[number]
    keypoints, seen = keypoints_of(shown.scene.people[number], shown.scene.view, shown.depth)
    triples = [
        (round(float(x) - 0.5, 2), round(float(y) - 0.5, 2), int(v)) if v else (0, 0, 0)
        for (x, y), v in zip(keypoints, seen, strict=True)
    ]
    return {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box_of(mask),
        "area": int(mask.sum()),
        "segmentation": rle_of(mask),
        "num_keypoints": int((seen > 0).sum()),
        "keypoints": [value for triple in triples for value in triple],
    }


def keypoints_of(person: Person, view: View, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a person's COCO keypoints lie and how they are seen.

    Args:
        person: in camera space.
        view: the camera.
        depth: (H, W) metres to the nearest surface of the scene.

    Returns:
        Continuous pixels (17, 2) and visibility (17,): 0 outside the picture, 1 hidden by a surface that is nearer
        than the joint's own flesh, 2 visible.
    """
    pixels = view.project(person.coco)
    within = inside(view, person.coco)
    seen = np.zeros(len(pixels), np.int64)
    columns, rows = np.floor(pixels[within]).astype(int).T
    clear = depth[rows, columns] >= person.coco[within, 2] - _FLESH[within]
    seen[within] = np.where(clear, 2, 1)
    return pixels, seen


def box_of(mask: np.ndarray) -> list[float]:
    """[x, y, width, height] of the visible pixels, continuous coordinates; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    x, y = float(columns[0]), float(rows[0])
    return [x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y]


def rle_of(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's uncompressed run lengths: column by column, beginning with the number of zeros."""
    flat = mask.ravel(order="F").astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]])
    counts = np.diff(bounds).tolist()
    return {"counts": counts if not flat[0] else [0, *counts], "size": list(mask.shape)}
