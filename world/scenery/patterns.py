"""Seamless patterns on a tile, made once per process and looked up anywhere at any footprint.

Each pattern is a 512 × 512 tile of mean 0, within −1 … 1 in steps of 1/127 (four of them fit one number), with a
pyramid of halves: a lookup reads the level whose texels are as large as the pixel's footprint, so what is finer than
a pixel fades to its mean instead of flickering.
The kernels live in the files that use them (numba's cache watches one file only); here are the tiles.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial import cKDTree

SIDE = 512
LEVELS = 9
CLOUD, GRAIN, FIBRE, PEBBLE, GRASS, LEAVES = range(6)
"""Which tile: smooth noise of all sizes, fine grain, streaks along u, stones, blades seen from above, leaves."""

STARTS = np.concatenate([[0], np.cumsum([6 * (SIDE >> level) ** 2 for level in range(LEVELS)])]).astype(np.int64)
"""Where each level begins in the flat array of :func:`tiles`."""

_SEED = 20_210_817


@lru_cache(maxsize=1)
def tiles() -> np.ndarray:
    """All levels of all tiles, flat int32: level by level, tile by tile, row by row.

    The lowest byte of each is a texel, 127 for 1; the others are its neighbours to the right, below, and below to the
    right, so that interpolation loads one number.
    """
    rng = np.random.default_rng(_SEED)
    made = [
        _spectrum(rng, lambda u, v: np.hypot(u, v) ** -1.75, low=1.0),
        _spectrum(rng, lambda u, v: np.hypot(u, v) ** -0.35 * np.exp(-np.hypot(u, v) / 170.0), low=6.0),
        _spectrum(rng, lambda u, v: np.hypot(16 * u, v) ** -1.15, low=3.0),
        _pebbles(rng),
        _blades(rng),
        _leaves(rng),
    ]
    levels = []
    current = np.stack([_normal(tile) for tile in made])
    for _ in range(LEVELS):
        levels.append(_with_neighbours(np.rint(127 * current).astype(np.int8)).ravel())
        side = current.shape[1] // 2
        current = current.reshape(len(current), side, 2, side, 2).mean((2, 4)) if side else current
    return np.concatenate(levels)


def _with_neighbours(tiles: np.ndarray) -> np.ndarray:
    """Bytes (6, S, S) packed with those to the right, below, and below to the right, as int32."""
    below = np.roll(tiles, -1, 1)
    four = np.stack([tiles, np.roll(tiles, -1, 2), below, np.roll(below, -1, 2)], -1)
    return four.view("<i4")[..., 0].astype(np.int32)


def _normal(tile: np.ndarray) -> np.ndarray:
    tile = tile - tile.mean()
    return np.clip(tile / (2.6 * tile.std()), -1, 1)


def _spectrum(rng: np.random.Generator, amplitude: object, low: float) -> np.ndarray:
    """Noise whose amplitude at a frequency (cycles per tile along u, along v) is given; none below ``low``."""
    v, u = np.meshgrid(np.fft.fftfreq(SIDE, 1 / SIDE), np.fft.fftfreq(SIDE, 1 / SIDE), indexing="ij")
    size = np.hypot(u, v)
    with np.errstate(divide="ignore"):
        gain = np.where(size < low, 0.0, amplitude(u, v))  # type: ignore[operator]
    return np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * gain).real


def _pebbles(rng: np.random.Generator) -> np.ndarray:
    """Stones of many sizes: bright, domed, dark between."""
    points = rng.random((900, 2)) * SIDE
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2) + 0.5
    distance, nearest = cKDTree(points, boxsize=SIDE).query(grid, k=2)
    gap = np.clip((distance[:, 1] - distance[:, 0]) / 7.0, 0, 1)
    tone = rng.normal(0, 0.35, len(points))[nearest[:, 0]]
    return (np.sqrt(gap) * (1 + tone)).reshape(SIDE, SIDE)


def _wrapped(rng: np.random.Generator, count: int, reach: int, draw: object) -> np.ndarray:
    """``count`` strokes on a tile that repeats: drawn on a larger sheet, whose margins fold back."""
    sheet = np.full((SIDE + 2 * reach, SIDE + 2 * reach), -1.0, np.float32)
    for x, y in rng.uniform(0, SIDE, (count, 2)):
        for dx in (0, SIDE) if x < reach else (0, -SIDE) if x > SIDE - reach else (0,):
            for dy in (0, SIDE) if y < reach else (0, -SIDE) if y > SIDE - reach else (0,):
                draw(sheet, x + dx + reach, y + dy + reach, int(10_000 * (x * 7.31 + y * 3.17)))  # type: ignore[operator]
    return sheet[reach:-reach, reach:-reach]


def _blades(rng: np.random.Generator) -> np.ndarray:
    def blade(sheet: np.ndarray, x: float, y: float, key: int) -> None:
        chance = np.random.default_rng(key).random(4)
        angle, length, tone = chance[0] * 2 * np.pi, 9 + 17 * chance[1], chance[2] - 0.25
        middle = (int(16 * (x + 0.5 * length * np.cos(angle))), int(16 * (y + 0.5 * length * np.sin(angle))))
        bend = angle + 1.4 * (chance[3] - 0.5)
        tip = (int(middle[0] + 8 * length * np.cos(bend)), int(middle[1] + 8 * length * np.sin(bend)))
        cv2.line(sheet, (int(16 * x), int(16 * y)), middle, tone - 0.35, 2, cv2.LINE_AA, 4)
        cv2.line(sheet, middle, tip, tone + 0.25, 1, cv2.LINE_AA, 4)

    return cv2.GaussianBlur(_wrapped(rng, 5200, 30, blade), (0, 0), 0.6)


def _leaves(rng: np.random.Generator) -> np.ndarray:
    def leaf(sheet: np.ndarray, x: float, y: float, key: int) -> None:
        chance = np.random.default_rng(key).random(4)
        axes = (int(16 * (5 + 6 * chance[0])), int(16 * (2.5 + 2.5 * chance[1])))
        centre = (int(16 * x), int(16 * y))
        tone = float(chance[2] - 0.6)
        cv2.ellipse(sheet, centre, axes, 360 * float(chance[3]), 0, 360, tone, -1, cv2.LINE_AA, 4)

    return _wrapped(rng, 3600, 14, leaf)
