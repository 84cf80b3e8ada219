"""Where released code (SPIN, PyMAF) cuts a person's view: at whole pixels of the image.

The square of the box is mapped back from a view of 224 px, and its corners lose what is behind their points: towards
zero, so that a corner left of the image or above it moves inwards. Sides may differ by a pixel.

    box (100.5, 100.5, 201)   exact corners 0, 201      cut 0 … 201
    box (10.3, 60, 100)       exact −39.7, 60.3         cut −39 … 60 in x, so that the view shows 99 px

The arithmetic is theirs to the last bit: at corners that are whole numbers but for rounding, it decides where they
fall. Source: `crop` and `transform` of both, without rotation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.geometry.affines import VIEW_SIZE, Floats
from pymaf_data.geometry.boxes import check_box


def released_corners(box: ArrayLike, size: int = VIEW_SIZE) -> NDArray[np.int64]:
    """The cut (K, 4) left, top, right, bottom of boxes (K, 3), as their files say them; right and bottom are excluded.

    Raises:
        ShapeError: a box is not finite, or has no side.
    """
    found = [_corners(x, y, side, size) for x, y, side in check_box(box).tolist()]
    return np.array(found, np.int64).reshape(-1, 4)


def released_affine(corners: NDArray[np.int64], size: int = VIEW_SIZE) -> Floats:
    """Continuous pixels of the image → those of the view (K, 2, 3) that such cuts (K, 4) are resized to."""
    low, extent = corners[:, :2].astype(np.float64), (corners[:, 2:] - corners[:, :2]).astype(np.float64)
    affine = np.zeros((len(corners), 2, 3))
    affine[:, [0, 1], [0, 1]] = size / extent
    affine[:, :, 2] = -low * size / extent
    return affine


def _corners(x: float, y: float, side: float, size: int) -> list[int]:
    to_view = np.diag([size / side, size / side, 1.0])
    to_view[:2, 2] = size * (-x / side + 0.5), size * (-y / side + 0.5)
    to_image = np.linalg.inv(to_view)
    return [int(value) for end in (0.0, float(size)) for value in np.dot(to_image, [end, end, 1.0])[:2]]
