"""Whether a fit is the mirror image of its person: crops that were flipped, and fits that were not flipped back.

Such a fit may lie within any limit of reprojection where a person is nearly symmetric, or far from the keypoints and
yet nearer than its like. But its own mirror image then meets the keypoints better than it does, which a good fit's
hardly ever does, however noisy the keypoints are. In two dimensions the mirror image is where left and right joints
are seen in each other's place, x turned about: no body is posed for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.joints import J49

Floats = NDArray[np.float64]

_FEWEST = 3  # two points meet any two


def nearer_mirrored(projected: Floats, keypoints: Floats, seen: NDArray[np.bool_]) -> Floats:
    """How much nearer to the keypoints the mirror images of fits lie than the fits, each scaled and moved to meet them.

    Args:
        projected: (N, 49, 2) joints of the fits in pixels of a view.
        keypoints: (N, 49, 2) in the same pixels; anything where not seen.
        seen: (N, 49) bool.

    Returns:
        (N,) pixels of mean distance: negative where the fit is nearer; NaN with fewer than three keypoints.
    """
    mirrored = projected[:, list(J49.flip_permutation)] * [-1.0, 1.0]
    nearer = _away(projected, keypoints, seen) - _away(mirrored, keypoints, seen)
    return np.where(seen.sum(1) >= _FEWEST, nearer, np.nan)


def _away(projected: Floats, keypoints: Floats, seen: NDArray[np.bool_]) -> Floats:
    """(N,) mean distance of points (N, 49, 2) to keypoints, at the scale and place of least squares."""
    weight, count = seen[..., None], np.maximum(seen.sum(1), 1)[:, None, None]
    a, b = np.where(weight, projected, 0.0), np.where(weight, keypoints, 0.0)
    a, b = (np.where(weight, points - points.sum(1, keepdims=True) / count, 0.0) for points in (a, b))
    scale = (a * b).sum((1, 2), keepdims=True) / np.maximum((a * a).sum((1, 2), keepdims=True), np.finfo(float).tiny)
    away: Floats = np.linalg.norm(scale.clip(min=0.0) * a - b, axis=-1).sum(1) / count[:, 0, 0]
    return away
