"""Whether a fit is of another size than its person, or its mirror image: what the distance to keypoints alone hides.

A mirrored fit (of a crop that was flipped, not flipped back) may lie within any limit of reprojection where a person is
nearly symmetric. But its own mirror image then meets the keypoints better than it does, which a good fit's hardly ever
does, however noisy the keypoints are. So does a fit of other pixels when it is scaled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.joints import J49

Floats = NDArray[np.float64]

FLIP = list(J49.flip_permutation)
"""Where the joints of a mirrored body come from."""

_FEWEST = 3  # two points meet any two


class Alignment(NamedTuple):
    """Of N fits; NaN with fewer than three keypoints.

    Attributes:
        mirrored: (N,) pixels of mean distance by which mirror images lie nearer to the keypoints than the fits, each
            scaled and moved to meet them; negative where the fit is nearer.
        scale: (N,) 1 or more: how many times too large or too small a fit is; infinite where it is turned over.
    """

    mirrored: Floats
    scale: Floats


def align(projected: Floats, mirrored: Floats, keypoints: Floats, seen: NDArray[np.bool_]) -> Alignment:
    """Compare fits with their mirror images.

    Args:
        projected: (N, 49, 2) joints of the fits in pixels of a view.
        mirrored: (N, 49, 2) those of their mirror images, wherever these stand.
        keypoints: (N, 49, 2) in the same pixels; anything where not seen.
        seen: (N, 49) bool.
    """
    count, share = seen.sum(1), seen / np.maximum(seen.sum(1, keepdims=True), 1)
    target = _centred(keypoints, seen, share)
    (away, scale), (other, _) = (_met(_centred(points, seen, share), target, share) for points in (projected, mirrored))
    with np.errstate(divide="ignore"):
        factor = np.maximum(scale, 1 / scale.clip(min=0.0))
    known = count >= _FEWEST
    return Alignment(np.where(known, away - other, np.nan), np.where(known, factor, np.nan))


def flipped(projected: Floats) -> Floats:
    """The joints (N, 49, 2) of mirror images in pixels of a view: x turned about, left and right exchanged."""
    return projected[:, FLIP] * [-1.0, 1.0]


def _centred(points: Floats, seen: NDArray[np.bool_], share: Floats) -> NDArray[np.complex128]:
    """Points (N, 49, 2), as x + iy, about the middle of those seen; zeros elsewhere."""
    known = np.where(seen, np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0], 0)
    return np.where(seen, known - (known * share).sum(1, keepdims=True), 0)


def _met(points: NDArray[np.complex128], target: NDArray[np.complex128], share: Floats) -> tuple[Floats, Floats]:
    """(N,) mean distance of centred points (N, 49) to others at the scale of least squares, and that scale."""
    size = (points.real**2 + points.imag**2).sum(1)
    scale = (points.real * target.real + points.imag * target.imag).sum(1) / np.maximum(size, np.finfo(float).tiny)
    away: Floats = (np.abs(scale.clip(min=0.0)[:, None] * points - target) * share).sum(1)
    return away, scale
