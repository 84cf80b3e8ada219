"""Warps of stored IUV maps as numba kernels, map by map.

What is computed is told in :mod:`pymaf_data.render.warp`. Shapes as there; within the kernels x and y count blocks, and
the centre of block (r, c) is (c, r).
"""

from __future__ import annotations

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.render.atlas import PARTS, Atlas

# Both are here and not where tensors are warped, because numba's cache notices only changes of this file.
SOFTNESS = 0.1
"""Square of the distance, in blocks, within which samples weigh about alike."""

RIDGE = 1e-3
"""Variance of the places of samples, in square blocks, below which they tell no slope."""

_NO_TABLES = np.zeros((0, 2, 0, 0), np.float32)


def warp_arrays(
    parts: np.ndarray, uv: np.ndarray, inverse: np.ndarray, flips: np.ndarray, atlas: Atlas, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Warp stored maps; arguments and result are those of :func:`pymaf_data.render.warp_tensors.warp_tensors`."""
    part = np.empty((len(parts), size, size), np.uint8)
    target = np.empty((len(parts), 2, size, size), np.float32)
    warps = ArrayWarps(inverse, flips, atlas)
    for b in range(len(parts)):
        warps(b, np.ascontiguousarray(parts[b]), np.ascontiguousarray(uv[b]), part[b], target[b])
    return part, target


class ArrayWarps:
    """Warps by (B, 2, 3) ``inverse``, target → stored pixels, with ``flips`` (B,), of maps that come one by one."""

    def __init__(self, inverse: np.ndarray, flips: np.ndarray, atlas: Atlas) -> None:
        part_of, u_mirrored = _flip_tables(atlas)
        tables = _NO_TABLES if atlas.uv_mirror is None else atlas.uv_mirror
        rules = [(part_of[0], u_mirrored[0], _NO_TABLES), (part_of[1], u_mirrored[1], tables)]
        self._of = [(matrix, *rules[flip]) for matrix, flip in zip(inverse, flips.tolist(), strict=True)]

    def __call__(self, b: int, parts: np.ndarray, samples: np.ndarray, part: np.ndarray, uv: np.ndarray) -> None:
        """Warp number ``b``: a map, (Z, Z) and (2, Z/K, Z/K) uint8, contiguous, into (S, S) and (2, S, S)."""
        _warp(parts, samples, *self._of[b], part, uv)


def _flip_tables(atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(2, 25) parts and whether U is mirrored, without and with a flip."""
    part_of = np.stack([np.arange(PARTS, dtype=np.uint8), atlas.part_mirror])
    return part_of, np.stack([np.zeros(PARTS, bool), atlas.u_mirror])


@njit(nogil=True, cache=True, error_model="numpy")
def _warp(
    parts: np.ndarray,
    samples: np.ndarray,
    inverse: np.ndarray,
    part_of: np.ndarray,
    u_mirrored: np.ndarray,
    tables: np.ndarray,
    part: np.ndarray,
    uv: np.ndarray,
) -> None:
    """A map, ``parts`` (Z,Z) and ``samples`` (2,Z/K,Z/K), into ``part`` (S,S) and ``uv`` (2,S,S) by target → stored.

    ``tables`` (24,2,n,n) say what U and V become in a mirrored image; where there are none, ``u_mirrored`` does.
    """
    K = parts.shape[0] // samples.shape[1]
    for i in range(part.shape[0]):
        for j in range(part.shape[1]):
            x = inverse[0, 0] * (j + 0.5) + inverse[0, 1] * (i + 0.5) + inverse[0, 2]
            y = inverse[1, 0] * (j + 0.5) + inverse[1, 1] * (i + 0.5) + inverse[1, 2]
            column, row = int(np.floor(x)), int(np.floor(y))
            part[i, j], uv[0, i, j], uv[1, i, j] = 0, 0.0, 0.0
            if not (0 <= column < parts.shape[1] and 0 <= row < parts.shape[0]):
                continue
            shown = parts[row, column]
            if shown == 0:
                continue
            x, y = x / K - 0.5, y / K - 0.5
            c, r = int(np.floor(x)), int(np.floor(y))
            if _surrounded(parts, K, r, c, shown):
                fx, fy = x - c, y - r
                u = (1 - fy) * ((1 - fx) * samples[0, r, c] + fx * samples[0, r, c + 1])
                u += fy * ((1 - fx) * samples[0, r + 1, c] + fx * samples[0, r + 1, c + 1])
                v = (1 - fy) * ((1 - fx) * samples[1, r, c] + fx * samples[1, r, c + 1])
                v += fy * ((1 - fx) * samples[1, r + 1, c] + fx * samples[1, r + 1, c + 1])
            else:
                shown, u, v = _fit(parts, samples, x, y, shown)
            u, v = u / 255, v / 255
            if shown > 0 and len(tables) > 0:
                last = tables.shape[2] - 1
                a, b = int(v * last + 0.5), int(u * last + 0.5)
                u, v = float(tables[shown - 1, 0, a, b]), float(tables[shown - 1, 1, a, b])
            elif u_mirrored[shown]:
                u = 1.0 - u
            part[i, j], uv[0, i, j], uv[1, i, j] = part_of[shown], u, v


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _surrounded(parts: np.ndarray, K: int, r: int, c: int, shown: int) -> bool:
    """Whether the blocks (r, c) … (r + 1, c + 1) are there and all of them sample ``shown`` at their centres."""
    top, left = r * K + K // 2, c * K + K // 2
    if r < 0 or c < 0 or top + K >= parts.shape[0] or left + K >= parts.shape[1]:
        return False
    return (
        parts[top, left] == shown
        and parts[top, left + K] == shown
        and parts[top + K, left] == shown
        and parts[top + K, left + K] == shown
    )


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _sample(parts: np.ndarray, K: int, r: int, c: int) -> tuple[int, int, int]:
    """What the sample of block (r, c) shows, and its row and column within the block."""
    top, left, half = r * K, c * K, K // 2
    shown = parts[top + half, left + half]
    if shown != 0:
        return shown, half, half
    for a in range(K):
        for b in range(K):
            shown = parts[top + a, left + b]
            if shown != 0:
                return shown, a, b
    return 0, half, half


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(parts: np.ndarray, samples: np.ndarray, x: float, y: float, shown: int) -> tuple[int, float, float]:
    """Part, 255·U and 255·V at (x, y): the plane through the samples around it that show ``shown``."""
    K = parts.shape[0] // samples.shape[1]
    c, r = int(np.floor(x)), int(np.floor(y))
    for reach in (2, 3):
        # Weighted sums about (x, y), where the plane is wanted: of 1, dx, dy, their products, and these with U and V.
        w0, wx, wy, wxx, wxy, wyy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        u0, ux, uy, v0, vx, vy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for rr in range(max(r + 1 - reach, 0), min(r + 1 + reach, samples.shape[1])):
            for cc in range(max(c + 1 - reach, 0), min(c + 1 + reach, samples.shape[2])):
                found, a, b = _sample(parts, K, rr, cc)
                if found != shown:
                    continue
                dx, dy = cc + (b - K // 2) / K - x, rr + (a - K // 2) / K - y
                w = 1.0 / (dx * dx + dy * dy + SOFTNESS)
                u, v = w * samples[0, rr, cc], w * samples[1, rr, cc]
                w0, wx, wy = w0 + w, wx + w * dx, wy + w * dy
                wxx, wxy, wyy = wxx + w * dx * dx, wxy + w * dx * dy, wyy + w * dy * dy
                u0, ux, uy = u0 + u, ux + u * dx, uy + u * dy
                v0, vx, vy = v0 + v, vx + v * dx, vy + v * dy
        if w0 > 0:
            lever = _lever(w0, wx, wy, wxx, wxy, wyy)
            return shown, _level(u0, ux, uy, w0, wx, wy, lever), _level(v0, vx, vy, w0, wx, wy, lever)
    return _nearest(parts, samples, x, y)


@njit(nogil=True, cache=True, error_model="numpy")
def _lever(w0: float, wx: float, wy: float, wxx: float, wxy: float, wyy: float) -> tuple[float, float]:
    """How much the slopes of a value count: its plane is at the origin its mean minus (a, b)·(covariance with x, y).

    The ridge stands for slopes of zero where samples do not tell: one sample, or samples on a line.
    """
    mx, my = wx / w0, wy / w0
    xx, xy, yy = wxx / w0 - mx * mx + RIDGE, wxy / w0 - mx * my, wyy / w0 - my * my + RIDGE
    determinant = xx * yy - xy * xy
    return (mx * yy - my * xy) / determinant, (my * xx - mx * xy) / determinant


@njit(nogil=True, cache=True, error_model="numpy")
def _level(z0: float, zx: float, zy: float, w0: float, wx: float, wy: float, lever: tuple[float, float]) -> float:
    """The plane's value at the origin from the weighted sums of values and places; no chart ends beyond 0 … 255."""
    mean = z0 / w0
    value = mean - lever[0] * (zx / w0 - mean * wx / w0) - lever[1] * (zy / w0 - mean * wy / w0)
    return min(max(value, 0.0), 255.0)


@njit(nogil=True, cache=True, error_model="numpy")
def _nearest(parts: np.ndarray, samples: np.ndarray, x: float, y: float) -> tuple[int, float, float]:
    """Part, 255·U and 255·V of the nearest sample among 6 × 6; the first of those as near; background if all are."""
    K = parts.shape[0] // samples.shape[1]
    c, r = int(np.floor(x)), int(np.floor(y))
    shown, u, v, least = 0, 0.0, 0.0, np.inf
    for rr in range(max(r - 2, 0), min(r + 4, samples.shape[1])):
        for cc in range(max(c - 2, 0), min(c + 4, samples.shape[2])):
            found, a, b = _sample(parts, K, rr, cc)
            dx, dy = cc + (b - K // 2) / K - x, rr + (a - K // 2) / K - y
            distance = dx * dx + dy * dy
            if found != 0 and distance < least:
                shown, u, v, least = found, float(samples[0, rr, cc]), float(samples[1, rr, cc]), distance
    return shown, u, v
