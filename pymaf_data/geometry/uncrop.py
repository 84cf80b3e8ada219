"""Views put back into their images, as released code (SPIN, PyMAF) does it before it counts pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 1 << 20  # pixels along an axis that are found as Pillow finds them


def uncrop(view: NDArray[Any], cut: NDArray[np.int64], size: tuple[int, int], fill: Any = 0) -> NDArray[Any]:
    """The image of which a view shows a cut, each pixel the nearest of the view: what Pillow's NEAREST gives.

    A view of 2 px put back at left 1, right 5 of an image 6 px wide: · a a b b ·

    Args:
        view: (S, S) labels.
        cut: (4,) left, top, right, bottom, as :func:`~pymaf_data.geometry.released.released_corners` gives it.
        size: width and height of the image.
        fill: what stands outside the cut.

    Returns:
        (H, W) of the view's type; all ``fill`` where the cut has no pixel of the image.
    """
    (left, top, right, bottom), (width, height) = cut.tolist(), size
    image = np.full((height, width), fill, view.dtype)
    x0, x1, y0, y1 = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    if x0 < x1 and y0 < y1:
        columns = _nearest(view.shape[1], right - left, x0 - left, x1 - left)
        image[y0:y1, x0:x1] = view[_nearest(view.shape[0], bottom - top, y0 - top, y1 - top)[:, None], columns]
    return image


def _nearest(source: int, target: int, first: int, end: int) -> NDArray[np.int64]:
    """Of places first … end of ``target`` along an axis the nearest of ``source``."""
    step = source / target
    if end > _FEW:  # of a view so enlarged nothing is to be had that is worth the memory
        places = (np.arange(first, end) + 0.5) * step
    else:
        # Summed up one after the other, as Pillow does: the product falls on another pixel now and then.
        places = np.add.accumulate(np.r_[0.5 * step, np.full(end - 1, step)])[first:]
    return np.minimum(places.astype(np.int64), source - 1)
