"""BlazePose's detector: a square of 224 px → the two points of every person's region, and how sure it is.

A single-shot detector. The square is divided into 28 × 28, 14 × 14 and 7 × 7 places; 2, 2 and 6 anchors lie at the
centre of each. For every anchor it tells a face's box and four points, as offsets from the anchor in pixels, and the
logit of a person being there. Of the points the first is the middle of the hips, the second lies on the circle that
holds the person (:mod:`pymaf_data.finder.regions`); the others are those of the upper body alone.

Source: MediaPipe's graph ``pose_detection_cpu.pbtxt`` (Apache-2.0), which says these numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import Image
from pymaf_data.finder.interpreter import Network
from pymaf_data.finder.regions import tiles
from pymaf_data.geometry.affines import apply, invert

Floats = NDArray[np.float64]

SIZE = 224
_LAYERS = ((28, 2), (14, 2), (7, 6))  # places a side, anchors in each


class Candidates(NamedTuple):
    """N persons, perhaps some of them several times.

    Attributes:
        score: (N,) in (0, 1).
        face: (N, 4) left, top, right, bottom of the face's box, px of the image.
        points: (N, 2, 2) the two points of the region.
    """

    score: Floats
    face: Floats
    points: Floats


def anchors() -> Floats:
    """(2254, 2) centres x, y of the anchors as shares of the square, in the order of the network's output."""
    found = []
    for side, each in _LAYERS:
        along = (np.arange(side) + 0.5) / side
        y, x = np.meshgrid(along, along, indexing="ij")
        found.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), each, axis=0))
    return np.concatenate(found)


_ANCHORS = anchors() * SIZE


def decode(offsets: NDArray[np.float32], logits: NDArray[np.float32], least: float) -> Candidates:
    """What the network says (2254, 12), (2254,) of a square, in its pixels; only scores from ``least`` on."""
    score = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    sure = score >= least
    values, anchor = offsets[sure].astype(np.float64), _ANCHORS[sure]
    centre, half = values[:, :2] + anchor, values[:, 2:4] / 2
    points = values[:, 4:8].reshape(-1, 2, 2) + anchor[:, None]
    return Candidates(score[sure], np.concatenate([centre - half, centre + half], 1), points)


def detect(network: Network, image: Image, levels: int, least: float) -> Candidates:
    """Candidates of an image in all its tiles, those of each tile merged."""
    found = []
    for tile in tiles(image.shape[1], image.shape[0], levels):
        pixels = np.asarray(tile.cut(image, SIZE) / 127.5 - 1, np.float32)
        offsets, logits = network(pixels, (2254, 12), (2254, 1))
        here, back = merged(decode(offsets, logits[:, 0], least)), invert(tile.affine(SIZE))
        face, points = (
            apply(back, part.reshape(-1, 2)).reshape(part.shape) for part in (here.face.reshape(-1, 2, 2), here.points)
        )
        found.append(Candidates(here.score, face.reshape(-1, 4), points))
    return Candidates(*map(np.concatenate, zip(*found, strict=True)))


def merged(candidates: Candidates, overlap: float = 0.3) -> Candidates:
    """Candidates whose faces overlap by more than this IoU as one: the surest one's score, everything else in the mean.

    Weighted by score, as MediaPipe does it.
    """
    left, made = np.argsort(-candidates.score, kind="stable"), []
    while left.size:
        same = _overlap(candidates.face[left[0]], candidates.face[left]) > overlap
        same[0] = True
        group, left = left[same], left[~same]
        weight = candidates.score[group] / candidates.score[group].sum()
        made.append(
            (
                candidates.score[group[0]],
                weight @ candidates.face[group],
                np.tensordot(weight, candidates.points[group], 1),
            )
        )
    if not made:
        return candidates
    return Candidates(*map(np.stack, zip(*made, strict=True)))


def _overlap(face: Floats, others: Floats) -> Floats:
    """(N,) IoU of a box with each of (N, 4)."""
    both = np.minimum(face[2:], others[:, 2:]) - np.maximum(face[:2], others[:, :2])
    inside = np.clip(both, 0, None).prod(1)
    area = np.prod(face[2:] - face[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - inside
    return np.divide(inside, area, out=np.zeros_like(inside), where=area > 0)
