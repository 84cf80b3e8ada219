"""Warps of stored IUV maps: what a map of the crop's frame becomes under an augmentation.

A target pixel takes the part of the stored pixel that its centre falls into, which is exact to half a stored pixel.
U and V are interpolated between those of the four stored pixels around that centre which show the same part, and
no others: charts do not mix, and the background does not pull U, V to zero. A flip renames the parts to
their partners and mirrors U where the atlas says so.

Shapes: B maps, Z × Z stored pixels, S × S target pixels. A stored map is uint8 (3, Z, Z): part, 255·U, 255·V.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import invert
from pymaf_data.render.atlas import PARTS, Atlas
from pymaf_data.render.iuv import IUV, TARGET_SIZE


def flip_map(stored: np.ndarray, atlas: Atlas) -> np.ndarray:
    """Mirror a stored map left to right, exactly; doing it twice changes nothing.

    Args:
        stored: (..., 3, Z, Z) uint8.
        atlas: whose charts the map shows.
    """
    _check_maps(stored)
    mirrored = stored[..., ::-1]
    part = mirrored[..., 0, :, :]
    u = np.where(atlas.u_mirror[part], 255 - mirrored[..., 1, :, :], mirrored[..., 1, :, :])
    return np.stack([atlas.part_mirror[part], u, mirrored[..., 2, :, :]], axis=-3)


def warp_maps(stored: np.ndarray, affine: ArrayLike, flip: ArrayLike, atlas: Atlas, size: int = TARGET_SIZE) -> IUV:
    """Warp stored maps into target maps.

    Args:
        stored: (B, 3, Z, Z) uint8.
        affine: (2, 3) or (B, 2, 3), stored pixels → target pixels, both continuous. It contains the mirroring where
            ``flip`` is set.
        flip: () or (B,) bool: whether the affine mirrors, so that parts change sides.
        atlas: whose charts the maps show.
        size: S, side of the targets.

    Returns:
        The targets, as :func:`~pymaf_data.render.iuv.render_iuv` would render them.

    Raises:
        ShapeError: maps of another form, or ``flip`` disagrees with the affine's determinant.
    """
    _check_maps(stored)
    if stored.ndim != 4:
        raise ShapeError(f"stored maps of shape {stored.shape}", expected="(B, 3, Z, Z)")
    B = len(stored)
    forward = np.broadcast_to(np.asarray(affine, np.float64), (B, 2, 3))
    flips = np.broadcast_to(np.asarray(flip, bool), (B,))
    determinant = np.linalg.det(forward[..., :2])
    if not np.array_equal(determinant < 0, flips):
        raise ShapeError(
            "the affine mirrors where flip is not set, or the reverse",
            expected="a negative determinant exactly where flip is true",
        )
    part = np.empty((B, size, size), np.uint8)
    uv = np.empty((B, 2, size, size), np.float32)
    part_of, u_sign = _flip_tables(atlas)
    inverse = invert(forward)  # of all at once: one by one it would cost as much as the warps
    for b in range(B):
        table = int(flips[b])
        _warp(np.ascontiguousarray(stored[b]), inverse[b], part_of[table], u_sign[table], part[b], uv[b])
    return IUV(part, uv)


def _flip_tables(atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(2, 25) parts and whether U is mirrored, without and with a flip."""
    part_of = np.stack([np.arange(PARTS, dtype=np.uint8), atlas.part_mirror])
    return part_of, np.stack([np.zeros(PARTS, bool), atlas.u_mirror])


def _check_maps(stored: np.ndarray) -> None:
    if stored.dtype != np.uint8 or stored.ndim < 3 or stored.shape[-3] != 3:
        raise ShapeError(f"stored maps of shape {stored.shape} and type {stored.dtype}", expected="(B, 3, Z, Z) uint8")


@njit(nogil=True, cache=True, error_model="numpy")
def _warp(
    stored: np.ndarray,
    inverse: np.ndarray,
    part_of: np.ndarray,
    u_mirrored: np.ndarray,
    part: np.ndarray,
    uv: np.ndarray,
) -> None:
    """One stored map (3,Z,Z) into ``part`` (S,S) and ``uv`` (2,S,S) by the affine target → stored."""
    rows, columns = stored.shape[1], stored.shape[2]
    for i in range(part.shape[0]):
        for j in range(part.shape[1]):
            x = inverse[0, 0] * (j + 0.5) + inverse[0, 1] * (i + 0.5) + inverse[0, 2]
            y = inverse[1, 0] * (j + 0.5) + inverse[1, 1] * (i + 0.5) + inverse[1, 2]
            column, row = int(np.floor(x)), int(np.floor(y))
            part[i, j], uv[0, i, j], uv[1, i, j] = 0, 0.0, 0.0
            if not (0 <= column < columns and 0 <= row < rows):
                continue
            shown = stored[0, row, column]
            if shown == 0:
                continue
            # The four stored centres around (x, y) are those of pixels (r, c) … (r + 1, c + 1).
            c, r = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
            fx, fy = x - 0.5 - c, y - 0.5 - r
            total, u, v = 0.0, 0.0, 0.0
            for k in range(4):
                cc, rr = c + (k & 1), r + (k >> 1)
                if 0 <= cc < columns and 0 <= rr < rows and stored[0, rr, cc] == shown:
                    weight = (fx if k & 1 else 1.0 - fx) * (fy if k >> 1 else 1.0 - fy)
                    total += weight
                    u += weight * stored[1, rr, cc]
                    v += weight * stored[2, rr, cc]
            # The nearest pixel is one of the four with at least a quarter of the weight, so the total is positive.
            u, v = u / (255.0 * total), v / (255.0 * total)
            part[i, j] = part_of[shown]
            uv[0, i, j] = 1.0 - u if u_mirrored[shown] else u
            uv[1, i, j] = v
