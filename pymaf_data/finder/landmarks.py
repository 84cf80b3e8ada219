"""BlazePose's landmarks: a region of 256 px → whether somebody stands in it, 33 landmarks, the next region, a mask.

    (195)          x, y, z px of the region, visibility and presence as logits, of 33 landmarks and 6 further points
    (1)            the probability that somebody is there
    (64, 64, 39)   logits of where each of these is, which make the coordinates finer
    (256, 256, 1)  logits of the person's mask

Points 33 and 34 tell the region of the same person anew. Visible is a landmark that nothing hides; present, one that is
inside the image. Source: MediaPipe's graphs of ``modules/pose_landmark`` (Apache-2.0).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import Image
from pymaf_data.finder.interpreter import Network
from pymaf_data.finder.regions import Region
from pymaf_data.geometry.affines import Floats, apply, invert
from pymaf_data.geometry.joints import COCO17

SIZE = 256
_POINTS, _HEATMAP, _KERNEL, _SURE = 39, 64, 7, 0.5
_MARGIN = 1.25  # of a region about the circle that its two points tell
#: BlazePose's landmarks that are joints of COCO's: position → joint.
_LANDMARKS = {
    0: "nose", 2: "left_eye", 5: "right_eye", 7: "left_ear", 8: "right_ear", 11: "left_shoulder", 12: "right_shoulder",
    13: "left_elbow", 14: "right_elbow", 15: "left_wrist", 16: "right_wrist", 23: "left_hip", 24: "right_hip",
    25: "left_knee", 26: "right_knee", 27: "left_ankle", 28: "right_ankle",
}  # fmt: skip
_OF_COCO17 = np.array(sorted(_LANDMARKS, key=lambda position: COCO17.index(_LANDMARKS[position])))


class Landmarks(NamedTuple):
    """Somebody in a region.

    Attributes:
        score: the probability that somebody is there.
        joints: (17, 3) COCO17's, x, y in px of the image, and confidence.
        region: looked at.
        again: where to look for the same person again.
        mask: (256, 256) logits.
    """

    score: float
    joints: Floats
    region: Region
    again: Region
    mask: NDArray[np.float32]


def region_of(points: Floats) -> Region:
    """The region that the network learned on, by its two points (2, 2), px."""
    return Region.about(points[0], points[1], _MARGIN)


def look(network: Network, image: Image, region: Region) -> Landmarks:
    """What the network sees in a region of an image."""
    pixels = np.asarray(region.cut(image, SIZE) / 255, np.float32)
    values, there, heatmap, mask = network(pixels, (5 * _POINTS,), (1,), (_HEATMAP, _HEATMAP, _POINTS), (SIZE, SIZE, 1))
    values = values.reshape(_POINTS, 5).astype(np.float64)
    places = refined(values[:, :2] / SIZE, heatmap) * SIZE
    points = apply(invert(region.affine(SIZE)), places)
    confidence = sigmoid(values[:, 3:]).min(1)
    joints = np.c_[points, confidence][_OF_COCO17]
    return Landmarks(float(there[0]), joints, region, region_of(points[33:35]), mask[..., 0])


def refined(places: Floats, heatmap: NDArray[np.float32]) -> Floats:
    """Points (39, 2), shares of the region, moved to the mean of what the heatmap (64, 64, 39) says close to them.

    Only where it is sure of the best place among 7 × 7 there.
    """
    moved, reach = places.copy(), _KERNEL // 2
    for k, (column, row) in enumerate(np.floor(places * _HEATMAP).astype(int).tolist()):
        if not (0 <= column < _HEATMAP and 0 <= row < _HEATMAP):
            continue
        left, top = max(column - reach, 0), max(row - reach, 0)
        weight = sigmoid(np.asarray(heatmap[top : row + reach + 1, left : column + reach + 1, k], np.float64))
        if weight.max() >= _SURE:
            rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
            moved[k] = (
                np.array([left + np.average(columns, weights=weight), top + np.average(rows, weights=weight)])
                / _HEATMAP
            )
    return moved


def sigmoid(logits: NDArray[Any]) -> Floats:
    """Probabilities."""
    found: Floats = 1 / (1 + np.exp(-np.clip(logits, -100, 100)))
    return found
