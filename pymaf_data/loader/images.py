"""The pixels of a view: one warp from the stored crop straight to the augmented 224 px, then the colours.

Scale, rotation and flip are one affine, so the crop is resampled once. Where a zoom out reduces the crop by q (at most
1.26 for crops of 400 px, 1.62 for 512) the crop first passes a box filter of width q, as in :mod:`pymaf_data.crop`.
Measured on COCO persons against exact means over the view's pixels (RMS in levels of 255):

    q                 1.01   1.11   1.16   1.21   1.26   1.36   1.62
    bare bilinear     1.7    1.8    1.9    2.0    2.1    2.3    2.9
    filtered first    1.6    1.1    1.0    1.0    1.1    1.2    1.5

Cost of a view on one core: 0.62 ms decoding of a whole crop, 0.11 ms warp, 0.1 ms the filter where it is used, 0.01 ms
the colours (a look-up table takes 0.07). Most views show three quarters of a crop's rows, so only those are decoded.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.affines import Floats, invert
from pymaf_data.kernels import njit

Image = NDArray[np.uint8]

#: Up to here bilinear sampling is nearly as good as without reduction (see above); a fifth of the views is filtered.
FILTER_FROM = 1.2

_ALL = slice(None)

_ONE = 128  # of the fixed-point gain; 255 · 2 · 128 fits 16 bits


def shown_rows(matrix: Floats, size: int, height: int) -> NDArray[np.int64]:
    """First row and end (B, 2) of the crops' rows that :func:`warp_view` reads for views of ``size`` pixels.

    Args:
        matrix: (B, 2, 3) stored crop → augmented view in pixel indices.
        size: W of the views.
        height: S of the crops; a row is read at least.
    """
    across, down, at = np.moveaxis(invert(matrix)[:, 1], -1, 0)
    reach = (size - 1) * np.stack([across, down])
    low, high = at + np.minimum(reach, 0).sum(0), at + np.maximum(reach, 0).sum(0)
    # Of a position between two rows both are read, or the next where it is rounded up; the filter reads one more.
    first = np.clip(np.floor(low) - 2, 0, height - 1)
    return np.stack([first, np.clip(np.floor(high) + 4, first + 1, height)], -1).astype(np.int64)


def warp_view(crop: Image, matrix: Floats, reduction: float, out: Image, scratch: Image, rows: slice = _ALL) -> None:
    """Write the view of a crop into ``out``.

    Args:
        crop: (S, S, 3) uint8.
        matrix: (2, 3) stored crop → augmented view in pixel indices (``to_cv2``).
        reduction: q, crop pixels per view pixel (:func:`reductions`).
        out: (H, W, 3) uint8, contiguous; black where the crop does not reach.
        scratch: (S, S, 3) uint8, overwritten.
        rows: those of the crop that hold pixels, :func:`shown_rows` at least.
    """
    if reduction > FILTER_FROM:
        kernel = filter_kernel(reduction)
        cv2.sepFilter2D(crop[rows], -1, kernel, kernel, dst=scratch[rows], borderType=cv2.BORDER_REPLICATE)
        crop = scratch
    size = (out.shape[1], out.shape[0])
    cv2.warpAffine(crop, matrix, size, dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def filter_kernel(reduction: float | Floats) -> Floats:
    """The box filter of width q (...), cut at the borders of pixels: (3, ...)."""
    side = (reduction - 1.0) / (2.0 * reduction)
    return np.array([side, 1.0 - 2.0 * side, side])


def reductions(affine: Floats) -> Floats:
    """Source pixels per target pixel (...) of similarities (..., 2, 3)."""
    return 1.0 / np.hypot(affine[..., 0, 0], affine[..., 1, 0])


def gain_units(gain: Floats) -> NDArray[np.uint32]:
    """Channel factors in [0, 2) in units of 1/128."""
    return np.rint(gain * _ONE).astype(np.uint32)


def gain_rows(gain: Floats, width: int) -> NDArray[np.uint32]:
    """Channel factors (B, 3) in [0, 2) as :func:`scale_channels` takes them: (B, 3·width) in units of 1/128."""
    return np.tile(gain_units(gain), (1, width))


def scale_channels(image: Image, gain: NDArray[np.uint32]) -> None:
    """Multiply an image (H, W, 3) in place by one row (3·W,) of :func:`gain_rows`, rounded and cut at 255."""
    _scale_rows(image.reshape(len(image), -1), gain)


@njit(nogil=True, cache=True)
def _scale_rows(image: Image, gain: NDArray[np.uint32]) -> None:
    """uint32 throughout, so that the inner loop becomes SIMD: seven times a look-up table's speed."""
    half, seven, top = np.uint32(64), np.uint32(7), np.uint32(255)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            image[i, j] = min((np.uint32(image[i, j]) * gain[j] + half) >> seven, top)
