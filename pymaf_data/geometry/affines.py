"""Affine maps between the image planes of one person.

An affine is a float64 array (..., 2, 3) that maps continuous pixel coordinates: p ↦ A[:, :2]·p + A[:, 2]. Continuous
means that the origin is the top-left corner of the top-left pixel and the centre of pixel (i, j) is (i + ½, j + ½).

    plane        size        reached by
    image        w × h       (the original image)
    crop         S = 400     crop_affine(box)          image → crop, the square of side κ·b
    view         224         view_affine(box)          image → view, the square of side b
    augmented    224         augmentation_affine(...)  view → augmented view
    map          56          resize(224, 56)           augmented view → target maps

Composition reads like mathematics: ``compose(outer, inner)`` applies ``inner`` first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.boxes import CROP_RATIO, check_box, crop_side

Floats = NDArray[np.float64]

#: Side in pixels of the view that the network sees.
VIEW_SIZE = 224

#: Default side in pixels of the stored crop, S.
CROP_SIZE = 400


def apply(affine: ArrayLike, points: ArrayLike) -> Floats:
    """Points (..., K, 2) moved by affines (..., 2, 3); the leading dimensions broadcast."""
    A = _check(affine)
    values = np.asarray(points, dtype=np.float64)
    if values.ndim < 2 or values.shape[-1] != 2:
        raise ShapeError(f"points of shape {values.shape}", expected="(..., K, 2)")
    moved: Floats = values @ np.swapaxes(A[..., :2], -1, -2) + A[..., None, :, 2]
    return moved


def compose(outer: ArrayLike, inner: ArrayLike) -> Floats:
    """The affine (..., 2, 3) that applies ``inner`` and then ``outer``."""
    first, second = _check(inner), _check(outer)
    product = second[..., :2] @ first
    product[..., 2] += second[..., 2]
    return product


def invert(affine: ArrayLike) -> Floats:
    """The affine (..., 2, 3) that undoes ``affine``.

    Raises:
        ShapeError: the affine is singular, so nothing undoes it.
    """
    A = _check(affine)
    a, b, c, d = A[..., 0, 0], A[..., 0, 1], A[..., 1, 0], A[..., 1, 1]
    determinant = a * d - b * c
    if not np.all(np.abs(determinant) > 0):
        raise ShapeError("a singular affine", expected="a map between planes, with an inverse")
    adjugate = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2)
    inverse = adjugate / determinant[..., None, None]
    return np.concatenate([inverse, -(inverse @ A[..., 2:])], -1)


def view_affine(box: ArrayLike, size: int = VIEW_SIZE) -> Floats:
    """Image → view (..., 2, 3): v = (p − c)·size/b + size/2."""
    values = check_box(box)
    return _similarity(values[..., :2], values[..., 2], size)


def crop_affine(box: ArrayLike, size: int = CROP_SIZE) -> Floats:
    """Image → stored crop (..., 2, 3): the square of side κ·b about the box centre, at ``size`` pixels."""
    values = check_box(box)
    return _similarity(values[..., :2], crop_side(values[..., 2]), size)


def crop_to_view(crop_size: int = CROP_SIZE, size: int = VIEW_SIZE) -> Floats:
    """Stored crop → view (2, 3). It is the same for every person, since both squares share the box centre."""
    centre = np.full(2, crop_size / 2)
    return _similarity(centre, np.asarray(crop_size / CROP_RATIO), size)


def augmentation_affine(scale: ArrayLike, rotation: ArrayLike, flip: ArrayLike, size: int = VIEW_SIZE) -> Floats:
    """View → augmented view (..., 2, 3): v' = h + F·R(φ)·(v − h)/k with h = size/2.

    Args:
        scale: k (...), above 1 zooms out.
        rotation: φ (...) in radians; positive turns the image clockwise (y points down).
        flip: (...) whether the image is mirrored left to right, after the rotation.
        size: side of both views in pixels.
    """
    scale, rotation, flip = np.broadcast_arrays(*map(np.asarray, (scale, rotation, flip)))
    cosine, sine = np.cos(rotation) / scale, np.sin(rotation) / scale
    sign = np.where(flip, -1.0, 1.0)
    linear = np.stack([np.stack([sign * cosine, -sign * sine], -1), np.stack([sine, cosine], -1)], -2)
    return _about_centre(linear, np.full(2, size / 2), size)


def resize(source: int, target: int) -> Floats:
    """The affine (2, 3) between two rasters of the same square at ``source`` and ``target`` pixels."""
    ratio = target / source
    return np.array([[ratio, 0.0, 0.0], [0.0, ratio, 0.0]])


def to_cv2(affine: ArrayLike) -> Floats:
    """The same map in pixel *indices*, as ``cv2.warpAffine`` wants it: the centre of pixel i is i, not i + ½."""
    A = _check(affine).copy()
    A[..., 2] += 0.5 * (A[..., 0] + A[..., 1]) - 0.5
    return A


def _similarity(centre: Floats, side: Floats, size: int) -> Floats:
    """The square of ``side`` about ``centre`` onto a raster of ``size`` pixels."""
    linear = (size / side)[..., None, None] * np.eye(2)
    return _about_centre(linear, centre, size)


def _about_centre(linear: Floats, centre: Floats, size: int) -> Floats:
    offset = size / 2 - (linear @ centre[..., None])
    return np.concatenate([linear, offset], -1)


def _check(affine: ArrayLike) -> Floats:
    A = np.asarray(affine, dtype=np.float64)
    if A.shape[-2:] != (2, 3):
        raise ShapeError(f"affine of shape {A.shape}", expected="(..., 2, 3)")
    return A
