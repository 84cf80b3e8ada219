"""COCO annotations of an image: keypoints with visibility, boxes, masks; exact, or as people would click them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.random import Generator

from pymaf_data.geometry.joints import COCO17
from pymaf_data.world.image import Shown
from pymaf_data.world.scene import Person
from pymaf_data.world.view import View

# Metres of flesh that lie before a joint when it is seen from outside.
_DEPTH_OF = {
    "nose": 0.03, "eye": 0.035, "ear": 0.05, "shoulder": 0.10, "elbow": 0.07, "wrist": 0.05, "hip": 0.16, "knee": 0.09,
    "ankle": 0.07,
}  # fmt: skip
# How far annotators disagree: COCO's keypoint evaluation has σ² = E[d²] / area of each joint, d in the plane.
_SIGMA_OF = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
_BOX_SIGMA = 0.02  # of the longer side


def _by_joint(values: dict[str, float]) -> np.ndarray:
    return np.array([values[name.removeprefix("left_").removeprefix("right_")] for name in COCO17.joints])


_CLOTH = 0.02  # metres that clothes or hair lie before it
_FLESH, _SIGMA = _by_joint(_DEPTH_OF) + _CLOTH, _by_joint(_SIGMA_OF)


@dataclass(frozen=True)
class Annotator:
    """How to annotate.

    Args:
        noise: 0 is exact; 1 moves keypoints as far as people disagree (root mean square distance COCO's σ · √area), and
            boxes by 2 % of their side.
        masks: "rle" keeps every pixel; "polygon" is what COCO has for single persons, simplified by half a pixel.
    """

    noise: float = 0.0
    masks: Literal["rle", "polygon"] = "rle"

    def annotate(self, shown: Shown, rng: Generator) -> list[dict[str, Any]]:
        """One COCO annotation per person, without ids; coordinates as COCO's pixel indices (continuous − ½)."""
        return [self._annotation(shown, number, rng) for number in range(len(shown.scene.people))]

    def _annotation(self, shown: Shown, number: int, rng: Generator) -> dict[str, Any]:
        mask = shown.masks[number]
        person, view = shown.scene.people[number], shown.scene.view
        keypoints, seen = keypoints_of(person, view, shown.depth, mask)
        box, area = np.array(box_of(mask)), int(mask.sum())
        if self.noise:
            spread = self.noise * _SIGMA * np.sqrt(area / 2)  # of each coordinate
            keypoints = keypoints + rng.normal(size=keypoints.shape) * spread[:, None]
            keypoints = _written(keypoints.clip(0.5, np.array(view.size) - 0.5), view.size)
            box = _shaken(box, view.size, self.noise * _BOX_SIGMA * rng.normal(size=4))
        triples = [
            (round(float(x) - 0.5, 2), round(float(y) - 0.5, 2), int(v)) if v else (0, 0, 0)
            for (x, y), v in zip(keypoints, seen, strict=True)
        ]
        return {
            "category_id": 1,
            "iscrowd": 0,
            "bbox": [round(value, 2) for value in box.tolist()],
            "area": area,
            "segmentation": rle_of(mask) if self.masks == "rle" else polygons_of(mask),
            "num_keypoints": int((seen > 0).sum()),
            "keypoints": [value for triple in triples for value in triple],
        }


def keypoints_of(person: Person, view: View, depth: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a person's COCO keypoints lie and how they are seen.

    Args:
        person: in camera space.
        view: the camera.
        depth: (H, W) metres to the nearest surface of the scene.
        mask: (H, W) bool, where that surface is the person's.

    Returns:
        Continuous pixels (17, 2), of hundredths inside the image, and visibility (17,): 2 where the pixel shows the
        person no nearer than the joint's own flesh; 1 where something else does, or another part of the person; 0
        outside the image.
    """
    coco = person.coco
    pixels = view.project(coco)
    within = view.inside(coco)
    pixels[within] = _written(pixels[within], view.size)  # else rounding might move one into the next pixel
    seen = np.zeros(len(pixels), np.int64)
    columns, rows = np.floor(pixels[within]).astype(int).T
    clear = mask[rows, columns] & (depth[rows, columns] >= coco[within, 2] - _FLESH[within])
    seen[within] = np.where(clear, 2, 1)
    return pixels, seen


def _written(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels (N, 2) as an annotation file holds them: hundredths, inside the image."""
    return np.minimum(np.round(pixels, 2), np.array(size) - 0.01)


def box_of(mask: np.ndarray) -> list[float]:
    """[x, y, width, height] of the visible pixels, continuous coordinates; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    x, y = float(columns[0]), float(rows[0])
    return [x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y]


def _shaken(box: np.ndarray, size: tuple[int, int], shares: np.ndarray) -> np.ndarray:
    """The box with each edge moved by a share of the longer side, inside the image and not empty."""
    edges = np.array([*box[:2], *(box[:2] + box[2:])]) + shares * box[2:].max()
    edges = edges.clip(0, np.array([*size, *size]))
    return np.array([*edges[:2], *np.maximum(edges[2:] - edges[:2], 1.0)])


def rle_of(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's uncompressed run lengths: column by column, beginning with the number of zeros."""
    flat = cv2.transpose(mask.view(np.uint8)).ravel()  # NumPy's own transposition takes four times as long
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]])
    counts = np.diff(bounds).tolist()
    return {"counts": counts if not flat[0] else [0, *counts], "size": list(mask.shape)}


def polygons_of(mask: np.ndarray) -> list[list[float]]:
    """COCO's polygons [x, y, x, y, …] around each visible piece; holes are lost, as in COCO.

    Contours run through the outer pixels' centres, so they are traced on a grid three times as fine, where they come
    within a sixth of a pixel of the pixels' edges.
    """
    fine = cv2.resize(mask.astype(np.uint8), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [cv2.approxPolyDP(contour, 1.0, True)[:, 0] for contour in contours]
    return [np.round((points + 0.5) / 3, 2).ravel().tolist() for points in polygons if len(points) >= 3]
