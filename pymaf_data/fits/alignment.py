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
    (away, scale), (other, _) = (_met(points, keypoints, seen) for points in (projected, mirrored))
    with np.errstate(divide="ignore"):
        factor = np.maximum(scale, 1 / scale.clip(min=0.0))
    known = seen.sum(1) >= _FEWEST
    return Alignment(np.where(known, away - other, np.nan), np.where(known, factor, np.nan))


def flipped(projected: Floats) -> Floats:
    """The joints (N, 49, 2) of mirror images in pixels of a view: x turned about, left and right exchanged."""
    return projected[:, FLIP] * [-1.0, 1.0]


def _met(projected: Floats, keypoints: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(N,) mean distance of points (N, 49, 2) to keypoints at the scale and place of least squares, and that scale."""
    weight, count = seen[..., None], np.maximum(seen.sum(1), 1)[:, None, None]
    a, b = np.where(weight, projected, 0.0), np.where(weight, keypoints, 0.0)
    a, b = (np.where(weight, points - points.sum(1, keepdims=True) / count, 0.0) for points in (a, b))
    scale = (a * b).sum((1, 2), keepdims=True) / np.maximum((a * a).sum((1, 2), keepdims=True), np.finfo(float).tiny)
    away: Floats = np.linalg.norm(scale.clip(min=0.0) * a - b, axis=-1).sum(1) / count[:, 0, 0]
    return away, scale[:, 0, 0]
