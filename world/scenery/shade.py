"""What the patches of an empty place are made of: the colour, normal and glow of every sample.

A material is a pattern in metres on its patch. Edges inside a pattern (joints, window frames, painted lines) are
box-filtered in closed form over the pixel's footprint, noise is read from the level of its tile that fits the
footprint in the middle of a run of neighbours, and differences from cell to cell shrink with it: nothing flickers or
rings far away.

A run of neighbours is worked on quantity by quantity, so that the processor takes several samples at once: what takes
much of an image (plaster, lawns, tiles, books) first looks up its patterns for the whole run.

All that the cached kernel calls is in this file, since numba's cache notices changes of the outermost file only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.scenery.patterns import CLOUD, FIBRE, GRAIN, GRASS, LEAVES, LEVELS, SIDE
from pymaf_data.world.scenery.visible import Patches

MOTTLED, TILED, TURF, FOLIAGE, STRIPED, FACADE, OUTLOOK, BOOKS, PAINTING, PANELLED, SHOPFRONT, WATER = range(12)
"""Kinds of material; :mod:`pymaf_data.world.scenery.materials` says what their numbers mean."""

Array = np.ndarray
Triple = tuple[float, float, float]
_NONE = (0.0, 0.0, 0.0)

RUN = 128
"""Samples of one patch that are worked on together."""

_ROWS = 24
(
    U, V, FU, FV, FOOT, T, DX, DY, DZ, LENGTH, TILT, RED, GREEN, BLUE, GLOW_RED, GLOW_GREEN, GLOW_BLUE, SHARE, VEIL,
    X, Y, FIRST, SECOND, THIRD,
) = range(0, _ROWS * RUN, RUN)  # fmt: skip
"""Where a run's quantities begin in its scratch (24 · RUN,) float64.

Position and footprint on the patch in metres, distance, the ray (of unit depth), its length and its share along the
normal, albedo, emission, the light's share and what the air leaves of it, a place on a tile, values of three patterns.
One array holds all, since only so can the compiler tell that what it writes is not what it will read.
"""


class Materials(NamedTuple):
    """M materials: their kind (M,), three linear colours (M, 3, 3) and numbers (M, 12)."""

    kind: np.ndarray
    colours: np.ndarray
    numbers: np.ndarray


class Decals(NamedTuple):
    """Marks on patches: ``shape`` (D, 5) is u0, u1, v0, v1 and 0, or centre u, v, radius, line width and 1, in metres;
    ``colour`` (D, 3) linear, ``strength`` (D,) how much they cover, ``wear`` (D,) how much of them has gone."""

    shape: np.ndarray
    colour: np.ndarray
    strength: np.ndarray
    wear: np.ndarray


class Air(NamedTuple):
    """Lamps and distance. ``lamps`` (L, 5): x, y, z, brightness on a surface at ``reach`` metres, reach.

    ``base`` is the share of the light that reaches every surface alike; ``haze`` (3,) the colour of far things, and
    ``density`` how much of it a metre of air adds.
    """

    lamps: np.ndarray
    base: float
    haze: np.ndarray
    density: float


@njit(cache=True, nogil=True, error_model="numpy")
def _colour(table: Array, row: int) -> Triple:
    return table[row, 0], table[row, 1], table[row, 2]


@njit(cache=True, nogil=True, error_model="numpy")
def _rows(table: Array) -> tuple[Triple, Triple, Triple]:
    return _colour(table, 0), _colour(table, 1), _colour(table, 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _dot(a: Triple, b: Triple) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _put(run: Array, k: int, colour: Triple, glow: Triple) -> None:
    run[RED + k], run[GREEN + k], run[BLUE + k] = colour
    run[GLOW_RED + k], run[GLOW_GREEN + k], run[GLOW_BLUE + k] = glow


@njit(cache=True, nogil=True, error_model="numpy")
def _level(foot: float) -> int:
    """Which level of a tile fits a footprint, as a share of the tile."""
    texels, level = foot * SIDE, 0
    while texels > 1.4 and level < LEVELS - 1:
        texels *= 0.5
        level += 1
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def _start(which: int, level: int) -> int:
    """Where a tile begins on a level of the pyramid: 6 tiles on each level, each level a quarter of the last."""
    square = (SIDE >> level) * (SIDE >> level)
    return 8 * (SIDE * SIDE - square) + which * square


@njit(cache=True, nogil=True, error_model="numpy")
def _between(four: int, a: float, b: float) -> float:
    """The value at (a, b) between the four texels of one number; about −1 … 1, mean 0."""
    upper = (1 - a) * np.int8(four) + a * np.int8(four >> 8)
    lower = (1 - a) * np.int8(four >> 16) + a * np.int8(four >> 24)
    return ((1 - b) * upper + b * lower) * (1.0 / 127.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _tile(tiles: Array, which: int, u: float, v: float, level: int) -> float:
    """A pattern at (u, v), with one tile per unit, on a level of its pyramid."""
    side = SIDE >> level
    x, y = u * side - 0.5, v * side - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    mask = side - 1
    return _between(tiles[_start(which, level) + (j & mask) * side + (i & mask)], x - i, y - j)


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(tiles: Array, which: int, level: int, run: Array, cells: Array, count: int, into: int) -> None:
    """A pattern at the places ``X``, ``Y`` of a run, which are lost.

    In three loops, of which the first and the last work on several samples at once; loading cannot.
    """
    side, start = SIDE >> level, _start(which, level)
    mask = side - 1
    for k in range(count):
        x, y = run[X + k] * side - 0.5, run[Y + k] * side - 0.5
        i, j = np.floor(x), np.floor(y)
        run[X + k], run[Y + k] = x - i, y - j
        cells[k] = start + (int(j) & mask) * side + (int(i) & mask)
    for k in range(count):
        cells[k] = tiles[cells[k]]
    for k in range(count):
        run[into + k] = _between(cells[k], run[X + k], run[Y + k])


@njit(cache=True, nogil=True, error_model="numpy")
def _pattern(tiles: Array, which: int, level: int, run: Array, cells: Array, count: int, per_u: float, at_u: float,
             per_v: float, at_v: float, into: int) -> None:  # fmt: skip
    """A pattern along a run, at tiles per metre of u and of v, shifted."""
    for k in range(count):
        run[X + k], run[Y + k] = run[U + k] * per_u + at_u, run[V + k] * per_v + at_v
    _look_up(tiles, which, level, run, cells, count, into)


@njit(cache=True, nogil=True, error_model="numpy")
def _chance(i: int, j: int, k: int) -> float:
    """A fixed random value in 0 … 1 of a cell."""
    n = (i * 374761393 + j * 668265263 + k * 1442695041) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@njit(cache=True, nogil=True, error_model="numpy")
def _train(x: float, low: float, high: float, foot: float) -> float:
    """Share of x ± foot / 2 that lies within low … high of its unit: a pulse train, box-filtered."""
    w = max(foot, 1e-4)
    a, b = x - 0.5 * w - low, x + 0.5 * w - low
    duty = high - low
    fa, fb = np.floor(a), np.floor(b)
    return ((fb * duty + min(b - fb, duty)) - (fa * duty + min(a - fa, duty))) / w


@njit(cache=True, nogil=True, error_model="numpy")
def _within(x: float, low: float, high: float, foot: float) -> float:
    """Share of x ± foot / 2 that lies within low … high."""
    w = max(foot, 1e-4)
    return max(0.0, min(x + 0.5 * w, high) - max(x - 0.5 * w, low)) / w


@njit(cache=True, nogil=True, error_model="numpy")
def _ramp(x: float, low: float, high: float) -> float:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True, error_model="numpy")
def _step(condition: bool) -> float:
    return 1.0 if condition else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(a: Triple, b: Triple, share: float) -> Triple:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share


@njit(cache=True, nogil=True, error_model="numpy")
def _times(a: Triple, factor: float) -> Triple:
    f = max(factor, 0.02)
    return a[0] * f, a[1] * f, a[2] * f


@njit(cache=True, nogil=True, error_model="numpy")
def _mottled(n: Array, c: Array, run: Array, cells: Array, count: int, tiles: Array) -> None:
    c0, c1 = _colour(c, 0), _colour(c, 1)
    middle = run[FOOT + count // 2]
    often, uneven, rough, stains, cracks = n[0], n[1], n[4], n[5], n[8]
    _pattern(tiles, CLOUD, _level(middle * often), run, cells, count, often, n[6], often, n[7], FIRST)
    _pattern(tiles, int(n[2]), _level(middle * n[3]), run, cells, count, n[3], n[7], n[3], n[6], SECOND)
    if stains > 0.0:
        rare = 0.37 * often
        _pattern(tiles, CLOUD, _level(middle * rare), run, cells, count, rare, n[7], rare, -n[6], THIRD)
    for k in range(count):
        coarse, fine = run[FIRST + k], run[SECOND + k]
        colour = _times(c0, 1.0 + uneven * coarse + rough * fine)
        if cracks > 0.0:  # along a level of the noise
            crack = (1.0 - _ramp(abs(coarse + 0.08 * fine), 0.004, 0.02)) / (1.0 + 40.0 * run[FOOT + k])
            colour = _times(colour, 1.0 - cracks * crack)
        if stains > 0.0:
            share = stains * _ramp(run[THIRD + k] + 0.3 * fine + 0.25 * coarse, 0.0, 0.6)
            colour = _mix(colour, _times(c1, 1.0 + rough * fine), share)
        _put(run, k, colour, _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _tiled(n: Array, c: Array, run: Array, cells: Array, count: int, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    width, height, joint = n[0], n[1], n[2]
    middle = run[FOOT + count // 2]
    for k in range(count):
        y = run[V + k] / height + n[10]
        row = int(np.floor(y))
        shift = n[3] * row if n[3] >= 0.0 else 7.0 * _chance(row, 11, 5)
        x = run[U + k] / width + shift + n[9]
        apart = 3.7 * _chance(int(np.floor(x)), row, 3) if n[7] > 0.0 else 0.0
        run[THIRD + k] = x
        run[X + k], run[Y + k] = run[U + k] * n[6] + apart, run[V + k] * n[6] + 1.7 * apart
    _look_up(tiles, int(n[5]), _level(middle * n[6]), run, cells, count, FIRST)
    _pattern(tiles, CLOUD, _level(middle * 0.23), run, cells, count, 0.23, n[9], 0.23, n[10], SECOND)
    for k in range(count):
        x, y = run[THIRD + k], run[V + k] / height + n[10]
        column, row = int(np.floor(x)), int(np.floor(y))
        fu, fv, fine, coarse = run[FU + k], run[FV + k], run[FIRST + k], run[SECOND + k]
        wu, wv = fu / width, fv / height
        keep = min(max(1.0 - 0.8 * max(wu, wv), 0.0), 1.0)
        tone = 1.0 + n[4] * keep * (2.0 * _chance(column, row, 1) - 1.0)
        if n[11] > 0.0:  # chequered
            share = keep * float((row + column) & 1) + (1.0 - keep) * 0.5
        else:
            share = keep * _chance(column, row, 2) + (1.0 - keep) * 0.5
        # The light edge above and the dark one below give the tile a thickness.
        bevel = 0.06 * keep * (_within(y - row, 0.0, 0.06, wv) - _within(y - row, 0.93, 1.0, wv))
        colour = _times(_mix(c0, c1, share), tone * (1.0 + abs(n[7]) * fine + n[8] * coarse + bevel))
        along = 1.0 - _train(x, 0.5 * joint / width, 1.0 - 0.5 * joint / width, wu)
        across = 1.0 - _train(y, 0.5 * joint / height, 1.0 - 0.5 * joint / height, wv)
        gap = 1.0 - (1.0 - along) * (1.0 - across)
        _put(run, k, _mix(colour, _times(c2, 1.0 + 0.5 * n[8] * coarse + 0.5 * abs(n[7]) * fine), gap), _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _turf(n: Array, c: Array, run: Array, cells: Array, count: int, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    middle = run[FOOT + count // 2]
    often, bare, rough, mown, contrast, at_u, at_v = n[0], n[1], n[2], n[3], n[4], n[6], n[7]
    _pattern(tiles, CLOUD, _level(middle * 0.043), run, cells, count, 0.043, at_u, 0.043, at_v, FIRST)
    for k in range(count):
        run[X + k], run[Y + k] = run[U + k] * 0.21 + at_v + 0.13 * run[V + k], run[V + k] * 0.21 + at_u
    _look_up(tiles, CLOUD, _level(middle * 0.21), run, cells, count, SECOND)
    for k in range(count):
        run[X + k], run[Y + k] = run[U + k] * often + 0.1 * run[SECOND + k], run[V + k] * often + 0.1 * run[FIRST + k]
    _look_up(tiles, GRASS, _level(middle * often), run, cells, count, THIRD)
    for k in range(count):
        big, patch, blade = run[FIRST + k], run[SECOND + k], run[THIRD + k]
        colour = _mix(c0, c1, min(max(0.5 + 0.42 * blade + 0.22 * patch, 0.0), 1.0))
        share = bare * _ramp(0.7 * big + 0.6 * patch + 0.25 * blade, -0.1, 0.75)
        colour = _mix(colour, _times(c2, 1.0 + 0.3 * blade), share)
        if mown > 0.0:  # in stripes
            stripe = 2.0 * _train(run[U + k] / mown, 0.0, 0.5, run[FOOT + k] / mown) - 1.0
            colour = _times(colour, 1.0 + contrast * stripe)
        _put(run, k, _times(colour, 1.0 + 0.14 * big + rough * blade), _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _foliage(n: Array, c: Array, run: Array, count: int, a: float, b: float, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    middle = run[FOOT + count // 2]
    l0 = _level(middle * n[1])
    l1 = _level(middle * n[0])
    for k in range(count):
        u, v = run[U + k], run[V + k]
        clump = _tile(tiles, CLOUD, u * n[1] + n[6], v * n[1] + n[7], l0)
        leaf = _tile(tiles, LEAVES, u * n[0] + n[7], v * n[0] + n[6], l1)
        share = min(max(0.42 + 0.36 * leaf + 0.5 * clump + 0.25 * (v / b - 0.5), 0.0), 1.0)
        colour = _mix(c0, c1, share * share * (3.0 - 2.0 * share))
        _put(
            run,
            k,
            _mix(colour, c2, n[2] * _ramp(_chance(int(np.floor(u / n[3])), 3, int(n[4])) + 0.3 * clump, 0.5, 0.9)),
            _NONE,
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _striped(n: Array, c: Array, run: Array, count: int, tiles: Array) -> None:
    c0, c1 = _colour(c, 0), _colour(c, 1)
    middle = run[FOOT + count // 2]
    l0 = _level(middle * 0.3)
    l1 = _level(middle * n[4])
    l2 = _level(middle * 0.31)
    for k in range(count):
        u, v, fu = run[U + k], run[V + k], run[FU + k]
        period = n[0]
        bend = n[5] * _tile(tiles, CLOUD, u * 0.3 + n[6], v * 0.06 + n[7], l0) if n[5] > 0.0 else 0.0
        x, w = (u + bend) / period, fu / period
        colour = _mix(c0, c1, _train(x, 0.0, n[1], w))
        wave = np.cos(2 * np.pi * x) * max(0.0, 1.0 - w)
        fine = _tile(tiles, int(n[3]), u * n[4] + n[7], v * n[4] + n[6], l1)
        coarse = _tile(tiles, CLOUD, u * 0.31 + n[6], v * 0.31 + n[7], l2)
        _put(run, k, _times(colour, 1.0 + n[2] * wave + n[8] * fine + n[9] * coarse), _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _facade(n: Array, c: Array, run: Array, count: int, haze: Array, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    middle = run[FOOT + count // 2]
    l0 = _level(middle * 0.17)
    l1 = _level(middle * 1.1)
    for k in range(count):
        u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
        x, y, wu, wv = u / n[0] + 0.5, v / n[1], fu / n[0], fv / n[1]
        column, row = int(np.floor(x)), int(np.floor(y))
        coarse = _tile(tiles, CLOUD, u * 0.17 + n[6], v * 0.11 + n[7], l0)
        fine = _tile(tiles, 1, u * 1.1 + n[6], v * 1.1 + n[7], l1)
        wall = _times(c0, 1.0 + 0.12 * coarse + 0.09 * fine)
        if n[8] > 0.0:  # bricks
            bricks = v / 0.075
            course = np.floor(bricks)
            long = u / 0.24 + 0.5 * course
            keep = min(max(1.0 - max(fu / 0.24, fv / 0.075), 0.0), 1.0)
            wall = _times(wall, 1.0 + 0.3 * keep * (_chance(int(np.floor(long)), int(course), 7) - 0.5))
            gap = 1.0 - _train(bricks, 0.07, 0.93, fv / 0.075) * _train(long, 0.02, 0.98, fu / 0.24)
            wall = _mix(wall, c1, 0.55 * gap)
        ledge = _train(y, 0.0, n[9], wv)
        wall = _mix(wall, _times(c1, 1.0 + 0.1 * coarse), ledge)
        wall = _times(wall, 1.0 - 0.25 * _train(y, 1.0 - 0.5 * n[9] - 0.01, 1.0, wv) * min(1.0, 60.0 * n[9]))
        w0, w1 = 0.5 - 0.5 * n[2] / n[0], 0.5 + 0.5 * n[2] / n[0]
        h0, h1 = n[4] / n[1], (n[4] + n[3]) / n[1]
        edge_u, edge_v = n[5] / n[0], n[5] / n[1]
        sill = _train(x, w0 - edge_u, w1 + edge_u, wu) * _train(y, h0 - 1.3 * edge_v, h0, wv)
        wall = _mix(wall, c1, sill)
        under = _train(x, w0 - edge_u, w1 + edge_u, wu) * _train(y, h0 - 4.5 * edge_v, h0 - 1.3 * edge_v, wv)
        wall = _times(wall, 1.0 - 0.22 * under)
        opening = _train(x, w0, w1, wu) * _train(y, h0, h1, wv)
        if opening <= 0.0:
            _put(run, k, wall, (0.0, 0.0, 0.0))
            continue
        px, py = (x - column - w0) / (w1 - w0), (y - row - h0) / (h1 - h0)
        lane, storey = wu / (w1 - w0), wv / (h1 - h0)
        part = 1.0 / max(n[10], 1.0)
        pane = _train(px / part, 0.5 * n[5] / (n[2] * part), 1.0 - 0.5 * n[5] / (n[2] * part), lane / part)
        pane *= _train(py, n[5] / n[3], 1.0 - n[5] / n[3], storey)
        shade = 1.0 - 0.55 * _within(py, 0.9, 1.0, storey) - 0.35 * _within(px, 0.0, 0.08, lane)
        drawn = _chance(column, row, 21 + int(n[11]))
        cloth = _within(py, 1.0 - 0.9 * max(drawn - 0.45, 0.0), 1.0, storey) * _step(drawn > 0.45)
        cloth = max(cloth, _step(drawn < 0.25) * (_within(px, 0.0, 0.25, lane) + _within(px, 0.75, 1.0, lane)))
        glass = _mix(c2, (0.42, 0.40, 0.36), 0.55 * min(cloth, 1.0))
        mirror = 0.16 + 0.5 * _ramp(py + 0.5 * drawn + 0.15 * coarse, 0.35, 1.3)
        glow = (haze[0] * mirror * 0.55, haze[1] * mirror * 0.6, haze[2] * mirror * 0.66)
        surface = _mix(c1, glass, pane)
        share = opening * pane * (1.0 - 0.5 * min(cloth, 1.0)) * shade
        _put(run, k, _mix(wall, _times(surface, shade), opening), (glow[0] * share, glow[1] * share, glow[2] * share))


@njit(cache=True, nogil=True, error_model="numpy")
def _outlook(n: Array, c: Array, run: Array, count: int, a: float, b: float, tiles: Array) -> None:
    """A window seen from inside: frame c0, and outside sky c1 above whatever is c2, far away and out of focus."""
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    l0 = _level(0.03)
    l1 = _level(0.06)
    for k in range(count):
        u, v, fu, fv, dx, dy, dz = (
            run[U + k],
            run[V + k],
            run[FU + k],
            run[FV + k],
            run[DX + k],
            run[DY + k],
            run[DZ + k],
        )
        columns, rows = max(n[0], 1.0), max(n[1], 1.0)
        x, y = u * columns / a, v * rows / b
        edge_u, edge_v = 0.5 * n[2] * columns / a, 0.5 * n[2] * rows / b
        pane = _train(x, edge_u, 1.0 - edge_u, fu * columns / a) * _train(y, edge_v, 1.0 - edge_v, fv * rows / b)
        pane *= _within(u, n[2], a - n[2], fu) * _within(v, n[2], b - n[2], fv)
        flat = max(np.sqrt(dx * dx + dz * dz), 1e-3)
        slope = dy / flat
        across = np.arctan2(dx, -dz)
        cloud = _tile(tiles, CLOUD, across * 0.6 + n[6], slope * 0.9 + n[7], l0)
        top = n[4] + 0.3 * _tile(tiles, CLOUD, across * 0.35 + n[7], 0.3, l1)
        land = _times(c2, 1.0 + 0.55 * cloud)
        view = _mix(land, _times(c1, 1.0 + 0.12 * cloud), _ramp(slope, top - 0.05, top + 0.05))
        if n[5] > 0.0:  # a blind, partly down
            slats = _within(v, b * (1.0 - n[5]), b, fv)
            blind = 0.5 + 0.28 * _train(v / 0.05, 0.0, 0.55, fv / 0.05)
            view = _mix(view, (0.9 * blind, 0.88 * blind, 0.82 * blind), slats)
        gain = n[3] * pane
        _put(run, k, _times(c0, 1.0 - pane), (view[0] * gain, view[1] * gain, view[2] * gain))


@njit(cache=True, nogil=True, error_model="numpy")
def _books(n: Array, c: Array, run: Array, cells: Array, count: int, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    pitch, board = n[0], n[1]
    for k in range(count):
        run[X + k], run[Y + k] = run[U + k] * 0.8, run[V + k] * 0.8 + 0.37 * np.floor(run[V + k] / pitch)
    _look_up(tiles, FIBRE, _level(run[FV + count // 2]), run, cells, count, FIRST)
    for k in range(count):
        u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
        y = v / pitch
        row = int(np.floor(y))
        spine = n[2] * (0.75 + 0.5 * _chance(row, 1, 17))
        x = u / spine
        column = int(np.floor(x))
        keep = min(max(1.0 - fu / spine, 0.0), 1.0)
        dark = _times(c0, 0.35)
        group = _chance(int(np.floor(u / 0.42)), row, 31)
        tall = 0.58 + 0.26 * (0.5 + keep * (_chance(column, row, 4) - 0.5)) - 0.1 * group
        hue, tone = _chance(column + int(9 * group), row, 5), _chance(column, row, 6)
        cover = _mix(_mix(c1, c2, hue), (0.62, 0.58, 0.5), _step(tone > 0.72) * 0.9)
        cover = _times(cover, 0.35 + 0.9 * tone)
        label = _within(y - row, 0.45, 0.56, fv / pitch) * _step(hue > 0.5)
        cover = _mix(cover, (0.7, 0.66, 0.55), 0.6 * label * keep)
        cover = _mix(_times(_mix(_mix(c1, c2, 0.5), (0.62, 0.58, 0.5), 0.25), 0.71), cover, keep)
        round_ = 1.0 - 0.45 * keep * abs(2.0 * (x - column) - 1.0) ** 3
        filled = _within(y - row, board / pitch, tall, fv / pitch) * _step(group > 0.22)
        inside = _mix(_times(dark, 0.5 + (y - row)), _times(cover, round_), filled)
        wood = _times(c0, 1.0 + 0.2 * run[FIRST + k])
        _put(run, k, _mix(inside, wood, _train(y, 0.0, board / pitch, fv / pitch)), _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _painting(n: Array, c: Array, run: Array, count: int, a: float, b: float, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    l0 = _level(max(run[FU + count // 2], run[FV + count // 2]))
    for k in range(count):
        u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
        s, t = u / max(a, b), v / max(a, b)
        warp = _tile(tiles, CLOUD, s * 0.5 + n[6], t * 0.5 + n[7], l0)
        if n[2] < 0.5:  # land and sky
            skyline = 0.35 * b / max(a, b) + 0.2 * _tile(tiles, CLOUD, s * 0.35 + n[7], n[6], l0)
            near = _ramp(t + 0.03 * warp, skyline - 0.02, skyline + 0.02)
            inner = _mix(_times(c1, 0.8 + 0.5 * warp), _times(c2, 0.9 + 0.3 * warp + 0.3 * t), near)
        elif n[2] < 1.5:  # planes of colour
            inner = _mix(c1, c2, _ramp(_tile(tiles, CLOUD, s * 0.22 + n[6], t * 0.22 + n[7], l0), -0.02, 0.02))
            third = _tile(tiles, CLOUD, s * 0.15 + n[7], t * 0.3 + n[6], l0)
            inner = _mix(inner, _times(c1, 0.25), _ramp(third, 0.22, 0.26))
        else:  # print: blocks and lines of text on paper
            line = _train(t / 0.06, 0.3, 0.7, fv / (0.06 * max(a, b))) * _step(t * max(a, b) < 0.45 * b)
            block = _within(v, 0.52 * b, 0.86 * b, fv) * _within(u, 0.14 * a, 0.86 * a, fu)
            written = line * _within(u, 0.14 * a, (0.55 + 0.3 * _chance(int(t / 0.06), 2, 9)) * a, fu)
            inner = _mix(c2, c1, max(block * (0.75 + 0.3 * warp), 0.6 * written * _within(v, 0.12 * b, b, fv)))
        if n[1] > 0.0:  # mount
            paper = _within(u, n[0] + n[1], a - n[0] - n[1], fu) * _within(v, n[0] + n[1], b - n[0] - n[1], fv)
            inner = _mix((0.72, 0.7, 0.66), inner, paper)
        _put(run, k, _mix(c0, inner, _within(u, n[0], a - n[0], fu) * _within(v, n[0], b - n[0], fv)), _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _panelled(n: Array, c: Array, run: Array, count: int, a: float, b: float, tiles: Array) -> None:
    """A door or cupboard front: panels with a lit and a dark edge, and a handle of colour c1."""
    c0, c1 = _colour(c, 0), _colour(c, 1)
    middle = run[FOOT + count // 2]
    l0 = _level(middle * n[6])
    for k in range(count):
        u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
        columns, rows, rim, groove = max(n[0], 1.0), max(n[1], 1.0), n[2], n[3]
        w, h = a / columns, b / rows
        x, y = u - w * np.floor(u / w), v - h * np.floor(v / h)
        fine = _tile(tiles, int(n[5]), v * n[6] + n[8], u * n[6] + n[7], l0)
        inside_x, inside_y = _within(x, rim, w - rim, fu), _within(y, rim, h - rim, fv)
        low = _within(y, rim, rim + groove, fv) * inside_x
        high = _within(y, h - rim - groove, h - rim, fv) * inside_x
        left = _within(x, rim, rim + groove, fu) * inside_y
        colour = _times(c0, 1.0 + n[9] * fine + 0.25 * low - 0.4 * high - 0.25 * left)
        gap = 1.0 - _within(x, 0.003, w - 0.003, fu) * _within(y, 0.003, h - 0.003, fv)
        colour = _times(colour, 1.0 - 0.6 * gap)
        grip = _within(x, w - 0.11, w - 0.05, fu) * _within(y, n[4] - 0.012, n[4] + 0.012, fv)
        _put(run, k, _mix(colour, c1, grip) if n[4] > 0.0 else colour, _NONE)


@njit(cache=True, nogil=True, error_model="numpy")
def _shopfront(n: Array, c: Array, run: Array, count: int, a: float, b: float, haze: Array, tiles: Array) -> None:
    c0, c1, c2 = _colour(c, 0), _colour(c, 1), _colour(c, 2)
    for k in range(count):
        u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
        bay = n[0]
        number = int(np.floor(u / bay))
        frame = 1.0 - _train(u / bay, 0.03, 0.97, fu / bay) * _within(v, n[1], b - n[2], fv)
        sign = _within(v, b - n[2] + 0.08, b - 0.08, fv)
        letter = _train(u / 0.32 + 0.3 * _chance(int(u / 0.32), number, 3), 0.15, 0.75, fu / 0.32)
        letter *= sign * _within(v, b - 0.66 * n[2], b - 0.34 * n[2], fv) * _train(u / (2 * bay), 0.25, 0.75, fu)
        front = _mix(_mix(c0, c1, sign), (0.75, 0.73, 0.68), letter * 0.85)
        # Within: shelves of goods up to the height of a head, a pale back wall above, all dim.
        x, y = u / 0.23, (v - n[1]) / 0.34
        column, row = int(np.floor(x)), int(np.floor(y))
        item, tone = _chance(column // 2, row, number + int(n[8])), _chance(column, row, 77)
        keep = min(max(1.0 - fu / 0.23, 0.0), 1.0)
        shelf = _within(v, n[1], n[1] + 1.36, fv) * _train(y, 0.06, 0.5 + 0.4 * item, fv / 0.34)
        shelf *= (1.0 - keep) * 0.7 + keep * _step(item > 0.3)
        wares = (0.16 + 0.3 * item * tone, 0.15 + 0.22 * tone, 0.17 + 0.26 * (1.0 - item) * tone)
        inside = _mix(_times(c2, 0.35 + 0.3 * (v / b)), wares, 0.75 * shelf)
        # The other side of the street, dark against a bright sky, as the glass throws it back.
        house = u / 4.3 + 0.4 * n[6]
        roof = b * (0.5 + 0.35 * _chance(int(np.floor(house)), 5, int(n[8])))
        mirror = 0.05 + 0.22 * _ramp(v, roof - 0.02, roof + 0.25)
        glass = 1.0 - frame
        glow = n[3] * (0.5 + 0.2 * v) * glass
        _put(
            run,
            k,
            _mix(front, (0.02, 0.02, 0.02), glass),
            (
                inside[0] * glow + haze[0] * mirror * glass,
                inside[1] * 0.95 * glow + haze[1] * mirror * glass,
                inside[2] * 0.85 * glow + haze[2] * mirror * glass,
            ),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _water(n: Array, c: Array, run: Array, count: int, haze: Array, tiles: Array) -> None:
    """``tilt`` is the sine of the angle between ray and surface."""
    c0, c1 = _colour(c, 0), _colour(c, 1)
    middle = run[FOOT + count // 2]
    l0 = _level(0.3 * middle)
    l1 = _level(middle)
    for k in range(count):
        u, v, tilt = run[U + k], run[V + k], run[TILT + k] / run[LENGTH + k]
        ripple = _tile(tiles, CLOUD, u * 0.13 + n[6], v * 0.31 + n[7], l0)
        fine = _tile(tiles, CLOUD, u * 0.7 + n[7], v * 1.6, l1)
        mirror = 0.04 + 0.9 * (1.0 - min(tilt + 0.06 * ripple + 0.04 * fine, 1.0)) ** 5
        mirror *= 1.0 + 0.3 * ripple + 0.25 * fine
        foam = _ramp(ripple + 0.5 * fine + n[0] * max(0.0, 1.0 - v / n[1]), 0.75, 1.05) if n[1] > 0.0 else 0.0
        body = _mix(_times(c0, 1.0 + 0.25 * ripple), c1, foam)
        _put(run, k, body, (haze[0] * mirror, haze[1] * mirror, haze[2] * mirror))


@njit(cache=True, nogil=True, error_model="numpy")
def _decals(first: int, total: int, decals: Decals, run: Array, count: int, tiles: Array) -> None:
    """Lay the marks of a patch over a run."""
    middle = run[FOOT + count // 2]
    l0 = _level(middle * 0.5)
    l1 = _level(middle * 1.3)
    u0, u1, v0, v1 = np.inf, -np.inf, np.inf, -np.inf  # what the run covers: most marks lie elsewhere
    for k in range(count):
        foot = run[FU + k] + run[FV + k]
        u0, u1 = min(u0, run[U + k] - foot), max(u1, run[U + k] + foot)
        v0, v1 = min(v0, run[V + k] - foot), max(v1, run[V + k] + foot)
    for d in range(first, first + total):
        s0, s1, s2, s3 = decals.shape[d, 0], decals.shape[d, 1], decals.shape[d, 2], decals.shape[d, 3]
        ring, wear, strength = decals.shape[d, 4] != 0.0, decals.wear[d], decals.strength[d]
        mark = _colour(decals.colour, d)
        far = s2 + s3
        extent = (s0 - far, s0 + far, s1 - far, s1 + far) if ring else (s0, s1, s2, s3)
        if u1 < extent[0] or u0 > extent[1] or v1 < extent[2] or v0 > extent[3]:
            continue
        for k in range(count):
            u, v, fu, fv = run[U + k], run[V + k], run[FU + k], run[FV + k]
            if ring:
                off = abs(np.sqrt((u - s0) ** 2 + (v - s1) ** 2) - s2)
                foot = max(0.5 * (fu + fv), 1e-4)
                cover = min(max((0.5 * s3 - off) / foot + 0.5, 0.0), 1.0) * min(1.0, s3 / foot)
            elif u + fu < s0 or u - fu > s1 or v + fv < s2 or v - fv > s3:
                continue
            else:
                cover = _within(u, s0, s1, fu) * _within(v, s2, s3, fv)
            if cover <= 0.0:
                continue
            if wear > 0.0:
                foot = run[FOOT + k]
                rub = _tile(tiles, CLOUD, u * 0.5, v * 0.5, l0)
                rub += 0.6 * _tile(tiles, GRAIN, u * 1.3, v * 1.3, l1)
                cover *= 1.0 - wear * _ramp(rub, -0.3, 0.5)
            cover *= strength
            run[RED + k] += (mark[0] - run[RED + k]) * cover
            run[GREEN + k] += (mark[1] - run[GREEN + k]) * cover
            run[BLUE + k] += (mark[2] - run[BLUE + k]) * cover


@njit(cache=True, nogil=True, error_model="numpy")
def _surfaces(kind: int, c: Array, n: Array, run: Array, cells: Array, count: int, a: float, b: float, haze: Array,
              tiles: Array) -> None:  # fmt: skip
    """Albedo and emission of the first ``count`` samples of a run, all of one material."""
    if kind == MOTTLED:
        _mottled(n, c, run, cells, count, tiles)
    elif kind == TILED:
        _tiled(n, c, run, cells, count, tiles)
    elif kind == TURF:
        _turf(n, c, run, cells, count, tiles)
    elif kind == FOLIAGE:
        _foliage(n, c, run, count, a, b, tiles)
    elif kind == STRIPED:
        _striped(n, c, run, count, tiles)
    elif kind == FACADE:
        _facade(n, c, run, count, haze, tiles)
    elif kind == OUTLOOK:
        _outlook(n, c, run, count, a, b, tiles)
    elif kind == BOOKS:
        _books(n, c, run, cells, count, tiles)
    elif kind == PAINTING:
        _painting(n, c, run, count, a, b, tiles)
    elif kind == PANELLED:
        _panelled(n, c, run, count, a, b, tiles)
    elif kind == SHOPFRONT:
        _shopfront(n, c, run, count, a, b, haze, tiles)
    else:
        _water(n, c, run, count, haze, tiles)


@njit(cache=True, nogil=True, error_model="numpy")
def _darken(run: Array, count: int, along: int, first: float, step: float, dark: float) -> None:
    """Take from a run what a corner keeps of the light from all sides; it lies ``first + step · u`` (or v) metres away.

    Falls like e^−2d, without its cost.
    """
    for k in range(count):
        gap = first + step * run[along + k]
        rise = 1.0 + gap * (2.0 + gap * (2.0 + 2.0 * gap))
        run[SHARE + k] *= (rise - dark) / rise if gap < 4.0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _lamplight(x: float, y: float, z: float, nx: float, ny: float, nz: float, bright: float, narrow: float) -> float:
    """Light of a lamp that lies (x, y, z) from a surface of that normal; ``narrow`` is 1 / reach²."""
    square = x * x + y * y + z * z
    far = np.sqrt(square)
    facing = max(0.3 * far + 0.7 * (x * nx + y * ny + z * nz), 0.0)
    return 2.0 * bright * facing / (far * (1.0 + square * narrow) + 1e-6)


@njit(cache=True, nogil=True, error_model="numpy")
def _trace(x: Array, y: Array, lens: Array, rays: Array, normal: Array, run: Array, count: int) -> float:
    """Where the rays of a run meet its patch and how much of it a pixel takes in. 1 if they meet its front, else −1."""
    (q, u_lens, v_lens), (rx, ry, rz) = _rows(lens), _rows(rays)
    n = (normal[0], normal[1], normal[2])
    for k in range(count):
        p = (float(x[k]), float(y[k]), 1.0)
        t = 1.0 / max(_dot(q, p), 1e-6)
        u, v = _dot(u_lens, p) * t, _dot(v_lens, p) * t
        fu = (abs(u_lens[0] - u * q[0]) + abs(u_lens[1] - u * q[1])) * t
        fv = (abs(v_lens[0] - v * q[0]) + abs(v_lens[1] - v * q[1])) * t
        ray = (_dot(rx, p), _dot(ry, p), _dot(rz, p))
        run[U + k], run[V + k], run[FU + k], run[FV + k], run[T + k] = u, v, fu, fv, t
        run[DX + k], run[DY + k], run[DZ + k] = ray
        run[LENGTH + k], run[TILT + k] = np.sqrt(_dot(ray, ray)), abs(_dot(n, ray))
        run[FOOT + k] = min(fu, fv) + 0.25 * max(fu, fv)
    return -1.0 if _dot(n, (run[DX], run[DY], run[DZ])) > 0.0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _reach(run: Array, count: int, normal: Triple, dark: Array, a: float, b: float, air: Air, eye: Triple) -> None:
    """The share of light that corners, lamps and air leave a run, and how much of its own look the air does."""
    base, density, lamps = air.base, air.density, air.lamps
    for k in range(count):
        run[SHARE + k] = base
    for m in range(lamps.shape[0]):
        x, y, z = lamps[m, 0] - eye[0], lamps[m, 1] - eye[1], lamps[m, 2] - eye[2]
        bright, narrow = lamps[m, 3], 1.0 / (lamps[m, 4] * lamps[m, 4])
        for k in range(count):
            dx, dy, dz = x - run[T + k] * run[DX + k], y - run[T + k] * run[DY + k], z - run[T + k] * run[DZ + k]
            run[SHARE + k] += _lamplight(dx, dy, dz, normal[0], normal[1], normal[2], bright, narrow)
    for side in range(4):
        if dark[side] > 0.0:
            size = (0.0, a, 0.0, b)[side]
            _darken(run, count, U if side < 2 else V, size, -1.0 if side & 1 else 1.0, dark[side])
    for k in range(count):
        thick = density * run[T + k] * run[LENGTH + k]
        veil = 1.0 / (1.0 + thick * (1.0 + 0.5 * thick))
        run[VEIL + k] = veil
        run[SHARE + k] *= veil


@njit(cache=True, nogil=True, error_model="numpy")
def _hand_over(run: Array, count: int, own: Triple, haze: Array, eye: Triple, albedo: Array, normal: Array,
               point: Array, emission: Array) -> None:  # fmt: skip
    """Write a run to its part of the samples, flat (3 · count,): rows of three numbers would go one by one."""
    h0, h1, h2 = haze[0], haze[1], haze[2]
    for k in range(count):
        normal[3 * k], normal[3 * k + 1], normal[3 * k + 2] = own
    for k in range(count):
        point[3 * k] = eye[0] + run[T + k] * run[DX + k]
        point[3 * k + 1] = eye[1] + run[T + k] * run[DY + k]
        point[3 * k + 2] = eye[2] + run[T + k] * run[DZ + k]
    for k in range(count):
        albedo[3 * k] = run[RED + k] * run[SHARE + k]
        albedo[3 * k + 1] = run[GREEN + k] * run[SHARE + k]
        albedo[3 * k + 2] = run[BLUE + k] * run[SHARE + k]
    for k in range(count):
        emission[3 * k] = h0 + (run[GLOW_RED + k] - h0) * run[VEIL + k]
        emission[3 * k + 1] = h1 + (run[GLOW_GREEN + k] - h1) * run[VEIL + k]
        emission[3 * k + 2] = h2 + (run[GLOW_BLUE + k] - h2) * run[VEIL + k]


@njit(cache=True, nogil=True, error_model="numpy")
def shade(x: Array, y: Array, shown: Array, lens: Array, patches: Patches, materials: Materials, decals: Decals,
          air: Air, rays: Array, eye: Array, tiles: Array, albedo: Array, normal: Array, point: Array,
          emission: Array) -> None:  # fmt: skip
    """Fill what N samples at pixels ``x``, ``y`` (N,) show of the patches ``shown`` (N,); −1 is left alone.

    ``albedo``, ``normal``, ``point``, ``emission`` are (N, 3) float32; the lens and rays are those of
    :func:`pymaf_data.world.scenery.visible.lens_of`. Albedo carries what corners and lamps do to the light.
    Samples are worked on in runs of one patch, so that what they share is looked up once.
    """
    run, cells = np.empty(_ROWS * RUN), np.empty(RUN, np.int32)
    where = (eye[0], eye[1], eye[2])
    albedos, normals, points, emissions = albedo.ravel(), normal.ravel(), point.ravel(), emission.ravel()
    start, total = 0, x.shape[0]
    while start < total:
        p = shown[start]
        end = start + 1
        while end < total and shown[end] == p and end - start < RUN:
            end += 1
        if p >= 0:
            count, m, n = end - start, patches.material[p], patches.normal[p]
            a, b, marks = patches.size[p, 0], patches.size[p, 1], patches.decals[p]
            side = _trace(x[start:end], y[start:end], lens[p], rays, n, run, count)
            _surfaces(
                materials.kind[m], materials.colours[m], materials.numbers[m], run, cells, count, a, b, air.haze, tiles
            )
            if marks[1] > 0:
                _decals(marks[0], marks[1], decals, run, count, tiles)
            own = (n[0] * side, n[1] * side, n[2] * side)
            _reach(run, count, own, patches.corner_dark[p], a, b, air, where)
            part = slice(3 * start, 3 * end)
            _hand_over(
                run, count, own, air.haze, where, albedos[part], normals[part], points[part], emissions[part]
            )  # fmt: skip
        start = end
