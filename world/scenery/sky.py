"""The sky and what stands far away before it: air, clouds, hills, woods, a town.

All of it is light without shadow: emission by the direction of the ray alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.scenery.patterns import LEVELS, SIDE

HILLS, WOODS, TOWN = range(3)
"""Kinds of ridge."""

Array = np.ndarray
Triple = tuple[float, float, float]


class Sky(NamedTuple):
    """Linear radiance by direction.

    ``zenith``, ``horizon``, ``cloud``, ``glow`` are colours (3,); ``sun`` (3,) points to the sun; ``cover`` 0 … 1 how
    much is clouded; ``shift`` (2,) which clouds. ``ridges`` (R, 5), far to near: kind, tangent of the height, share of
    it that varies, tiles per radian, shift; ``ridge_colours`` (R, 3).
    """

    zenith: np.ndarray
    horizon: np.ndarray
    cloud: np.ndarray
    glow: np.ndarray
    sun: np.ndarray
    cover: float
    shift: np.ndarray
    ridges: np.ndarray
    ridge_colours: np.ndarray


class Dome(NamedTuple):
    """What a sky is without its ridges, in numbers alone: arrays would be counted at every sample."""

    zenith: Triple
    horizon: Triple
    cloud: Triple
    glow: Triple
    sun: Triple
    cover: float
    shift: tuple[float, float]


@njit(cache=True, nogil=True, error_model="numpy")
def _triple(vector: Array) -> Triple:
    return vector[0], vector[1], vector[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _tile(tiles: Array, which: int, u: float, v: float, foot: float) -> float:
    """As in ``shade``: numba's cache wants it in this file."""
    texels = foot * SIDE
    level, side, start = 0, SIDE, 0
    while texels > 1.4 and level < LEVELS - 1:
        texels *= 0.5
        start += 6 * side * side
        side >>= 1
        level += 1
    x, y = u * side - 0.5, v * side - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    a, b = x - i, y - j
    mask = side - 1
    four = tiles[start + which * side * side + (j & mask) * side + (i & mask)]
    upper = (1 - a) * np.int8(four) + a * np.int8(four >> 8)
    lower = (1 - a) * np.int8(four >> 16) + a * np.int8(four >> 24)
    return ((1 - b) * upper + b * lower) * (1.0 / 127.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _ramp(x: float, low: float, high: float) -> float:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(a: Triple, b: Triple, share: float) -> Triple:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share


@njit(cache=True, nogil=True, error_model="numpy")
def _air(sky: Dome, x: float, y: float, z: float, foot: float, tiles: Array) -> Triple:
    """Air and clouds in the unit direction (x, y, z)."""
    up = max(y, 0.0)
    clear = (1.0 - up) * (1.0 - up)
    colour = _mix(sky.horizon, sky.zenith, 1.0 - clear * clear)
    towards = max(x * sky.sun[0] + y * sky.sun[1] + z * sky.sun[2], 0.0)
    fourth = towards * towards * towards * towards
    warm = 0.35 * fourth * fourth
    if towards > 0.98:
        warm += 2.5 * np.exp(220.0 * np.log(towards))
    colour = (colour[0] + warm * sky.glow[0], colour[1] + warm * sky.glow[1], colour[2] + warm * sky.glow[2])
    if sky.cover <= 0.0 or y <= 0.0:
        return colour
    far = 1.0 / (up + 0.09)
    u, v = 0.16 * x * far + sky.shift[0], 0.16 * z * far + sky.shift[1]
    spread = 0.16 * foot * far * (1.0 + far * 0.3)
    mass = _tile(tiles, 0, u, v, spread) + 0.45 * _tile(tiles, 0, 3.1 * u + 0.4, 3.1 * v, 3.1 * spread)
    edge = 0.75 - 1.5 * sky.cover
    dense = _ramp(mass, edge, edge + 0.55) * _ramp(up, 0.0, 0.12)
    # Thick cloud is grey below; its thin edges are lit through.
    tone = 1.0 - 0.42 * _ramp(mass, edge + 0.25, edge + 1.2) + 0.25 * fourth * towards * towards
    c = sky.cloud
    return _mix(colour, (c[0] * tone, c[1] * tone, c[2] * (tone + 0.02)), 0.94 * dense)


@njit(cache=True, nogil=True, error_model="numpy")
def _ridge_top(ridges: Array, r: int, across: float, foot: float, tiles: Array) -> float:
    """Tangent of a ridge's height in the direction ``across``, radians."""
    place = across * ridges[r, 3] + ridges[r, 4]
    if ridges[r, 0] == TOWN:
        cell = np.floor(place * 24.0)
        n = (int(cell) * 374761393 + 668265263) & 0xFFFFFFFF
        n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
        return ridges[r, 1] * (1.0 - ridges[r, 2] * ((n ^ (n >> 16)) & 0xFFFF) / 65535.0)
    shape = _tile(tiles, 0, place * 0.25, ridges[r, 4], 0.25 * foot)
    if ridges[r, 0] == WOODS:
        shape += 0.4 * _tile(tiles, 0, place * 1.7, 0.31, 1.7 * foot) + 0.25 * _tile(tiles, 4, place * 2.3, 0.7, foot)
    return ridges[r, 1] * (1.0 + ridges[r, 2] * shape)


@njit(cache=True, nogil=True, error_model="numpy")
def paint_sky(x: Array, y: Array, shown: Array, sky: Sky, rays: Array, tiles: Array, albedo: Array, normal: Array,
              point: Array, emission: Array) -> None:  # fmt: skip
    """Fill ``emission`` (N, 3) of the samples at pixels ``x``, ``y`` (N,) that show no patch (``shown`` is −1).

    Their albedo, normal and point become zero.
    """
    dome = Dome(
        _triple(sky.zenith), _triple(sky.horizon), _triple(sky.cloud), _triple(sky.glow), _triple(sky.sun), sky.cover,
        (sky.shift[0], sky.shift[1]),
    )  # fmt: skip
    rows, tints, highest = sky.ridges, sky.ridge_colours, -1.0
    for r in range(rows.shape[0]):
        highest = max(highest, rows[r, 1] * (1.0 + 1.7 * rows[r, 2]))
    wide = np.sqrt(rays[0, 0] ** 2 + rays[1, 0] ** 2 + rays[2, 0] ** 2)
    for s in range(x.shape[0]):
        if shown[s] >= 0:
            continue
        dx = rays[0, 0] * x[s] + rays[0, 1] * y[s] + rays[0, 2]
        dy = rays[1, 0] * x[s] + rays[1, 1] * y[s] + rays[1, 2]
        dz = rays[2, 0] * x[s] + rays[2, 1] * y[s] + rays[2, 2]
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        foot = wide / length
        flat = max(np.sqrt(dx * dx + dz * dz), 1e-6)
        slope = dy / flat
        across = np.arctan2(dx, -dz) if slope < highest + foot else 0.0
        colour = (0.0, 0.0, 0.0)
        cover = 1.0
        ridges = rows.shape[0] if slope < highest + foot else 0
        for r in range(ridges - 1, -1, -1):  # from near to far, until nothing is left to cover
            top = _ridge_top(rows, r, across, foot, tiles)
            share = cover * min(max((top - slope) / foot + 0.5, 0.0), 1.0)
            if share <= 0.0:
                continue
            scale = 3.0 if rows[r, 0] == WOODS else 1.0
            tone = 1.0 + 0.22 * _tile(tiles, 0, scale * across, 3.0 * scale * slope + rows[r, 4], scale * foot)
            if rows[r, 0] == WOODS:
                tone += 0.3 * _tile(tiles, 5, 2.0 * across, 2.0 * slope, 2.0 * foot) + 0.35 * (slope / top - 0.6)
            tint = (tints[r, 0], tints[r, 1], tints[r, 2])
            part = share * tone
            colour = (colour[0] + part * tint[0], colour[1] + part * tint[1], colour[2] + part * tint[2])
            cover -= share
            if cover <= 0.004:
                break
        if cover > 0.004:
            air = _air(dome, dx / length, dy / length, dz / length, foot, tiles)
            colour = (colour[0] + cover * air[0], colour[1] + cover * air[1], colour[2] + cover * air[2])
        for k in range(3):
            albedo[s, k], normal[s, k], point[s, k] = 0.0, 0.0, 0.0
        emission[s, 0], emission[s, 1], emission[s, 2] = colour[0], colour[1], colour[2]
