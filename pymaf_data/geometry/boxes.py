"""Person boxes: the square that every view of a person is cut from.

A box is (cx, cy, b): its centre in continuous pixels of the original image and its side ``b`` in pixels. The box side
relates to SPIN's ``scale`` by b = 200·scale. The stored crop is a larger square about the same centre, so that any
augmentation finds its pixels in it.

    COCO bounding box (100, 50, 80, 160), factor 1.2  →  box (140, 130, 192), scale 0.96, crop side 339.41
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.errors import ShapeError

Floats = NDArray[np.float64]

#: Side of the stored crop per side of the box, κ. The view at scale 1.25 turned by 45° reaches exactly this far.
CROP_RATIO = 1.25 * math.sqrt(2.0)

#: What SPIN multiplies a data set's bounding box by (Human3.6M takes 0.9, MPII its annotated scale).
BOX_FACTOR = 1.2


def box_from_xywh(xywh: ArrayLike, factor: float = BOX_FACTOR) -> Floats:
    """Boxes (..., 3) about bounding boxes (..., 4), given as left, top, width, height in continuous pixels.

    Raises:
        ShapeError: the last dimension is not 4.
    """
    values = _last(xywh, 4, "bounding box x, y, w, h")
    x, y, w, h = np.moveaxis(values, -1, 0)
    return np.stack(square(x, y, w, h, factor), -1)


def square(x: Any, y: Any, w: Any, h: Any, factor: float = BOX_FACTOR) -> tuple[Any, Any, Any]:
    """Centre and side of the box about a bounding box, each a number or an array."""
    return x + w / 2, y + h / 2, factor * (np.maximum(w, h) if isinstance(w, np.ndarray) else max(w, h))


def crop_side(side: Any) -> Any:
    """Side in original pixels of the square that is stored for a box of this side."""
    return CROP_RATIO * side


def check_box(box: ArrayLike) -> Floats:
    """``box`` as float64 (..., 3), known to be finite and of positive side.

    Raises:
        ShapeError: another shape, a value that is not finite, or a side that is not positive.
    """
    values = _last(box, 3, "box cx, cy, b")
    if not np.isfinite(values).all() or not (values[..., 2] > 0).all():
        raise ShapeError(
            f"box {values.tolist()}"[:200],
            expected="finite centre and a side above 0",
            action="drop persons without a box before cropping.",
        )
    return values


def _last(value: ArrayLike, count: int, name: str) -> Floats:
    values = np.asarray(value, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != count:
        raise ShapeError(f"{name} of shape {values.shape}", expected=f"(..., {count})")
    return values
