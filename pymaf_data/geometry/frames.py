"""The view's own frame: what a network that sees only the crop can know of where a body points.

A crop does not tell where in the image it was cut. A body off the optical axis is seen from another side than its
camera-space rotation says, by the angle between the axis and the ray through its box. The *view's frame* is camera
space turned so that this ray becomes the optical axis, by the least rotation that does:

    d = K⁻¹·(cx, cy, 1), of unit length        w = d × ẑ        R = I + [w]× + [w]×²/(1 + d_z)        R·d = ẑ

Of a body only the root rotation changes, and its joints turn about its root joint J₀: R·(j − J₀) + J₀. Everything
here is float64 NumPy.

    K = [[769.3692, 0, 320], [0, 769.3692, 213.5], [0, 0, 1]] and the box centre (285, 203.5)
    →  d = (−0.0454, −0.0130, 0.9989), a turn of 2.7088°
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.errors import ShapeError

FRAMES = ("camera", "view")
"""From where a root rotation is seen: the camera of the whole image, or the ray through the person's box."""

Floats = NDArray[np.float64]
_AXIS = np.array([0.0, 0.0, 1.0])
# What the entries of K below the diagonal may be, against its focal length: rounding, and nothing that turns.
_NO_ROTATION = 1e-9


def intrinsics_of(native: ArrayLike) -> Floats:
    """K (..., 3, 3) of native cameras (..., 3, 4) of the form K·[I | t]; NaN where one has another form.

    The left block of K·[R | t] is no K: taking it for one would turn the body twice.

    Raises:
        ShapeError: another shape.
    """
    matrix = np.asarray(native, np.float64)
    if matrix.shape[-2:] != (3, 4):
        raise ShapeError(f"native cameras of shape {matrix.shape}", expected="(..., 3, 4)")
    left = matrix[..., :3]
    with np.errstate(divide="ignore", invalid="ignore"):
        K = left / left[..., 2:, 2:]
    below = np.abs(np.stack([K[..., 1, 0], K[..., 2, 0], K[..., 2, 1]], -1)).max(-1)
    focal = np.minimum(K[..., 0, 0], K[..., 1, 1])
    form = (left[..., 2, 2] > 0) & (focal > 0) & (below <= _NO_ROTATION * focal) & np.isfinite(K).all((-1, -2))
    return np.where(form[..., None, None], K, np.nan)


def box_ray(intrinsics: ArrayLike, box: ArrayLike) -> Floats:
    """Unit rays (..., 3) in camera space through the centres of boxes; NaN where K is not known.

    Args:
        intrinsics: K (..., 3, 3), upper triangular, in continuous pixels of the image.
        box: (..., 3) centre and side in the same pixels.

    Raises:
        ShapeError: another shape.
    """
    K, places = np.asarray(intrinsics, np.float64), np.asarray(box, np.float64)
    if K.shape[-2:] != (3, 3) or places.shape[-1:] != (3,):
        raise ShapeError(f"intrinsics {K.shape} and boxes {places.shape}", expected="(..., 3, 3) and (..., 3)")
    y = (places[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    x = (places[..., 0] - K[..., 0, 2] - K[..., 0, 1] * y) / K[..., 0, 0]
    ray = np.stack([x, y, np.ones_like(x)], -1)
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True)


def turn_of_ray(ray: ArrayLike) -> Floats:
    """R (..., 3, 3): camera space → the frame in which unit rays (..., 3) before the camera are the optical axis.

    The identity where a ray is NaN. Its transpose turns back.

    Raises:
        ShapeError: another shape.
    """
    d = np.asarray(ray, np.float64)
    if d.shape[-1:] != (3,):
        raise ShapeError(f"rays of shape {d.shape}", expected="(..., 3)")
    d = np.where(np.isfinite(d).all(-1, keepdims=True), d, _AXIS)
    w = np.cross(d, _AXIS)
    zero = np.zeros_like(w[..., 0])
    rows = [zero, -w[..., 2], w[..., 1], w[..., 2], zero, -w[..., 0], -w[..., 1], w[..., 0], zero]
    cross = np.stack(rows, -1).reshape(*d.shape[:-1], 3, 3)
    R: Floats = np.eye(3) + cross + cross @ cross / (1 + d[..., 2])[..., None, None]
    return R


def turn_about(turn: Floats, points: NDArray[np.floating], pivot: NDArray[np.floating]) -> Floats:
    """Points (..., J, 3) turned by R (..., 3, 3) about pivots (..., 3): R·(p − pivot) + pivot."""
    centre = np.asarray(pivot, np.float64)[..., None, :]
    turned: Floats = (np.asarray(points, np.float64) - centre) @ np.swapaxes(turn, -1, -2) + centre
    return turned
