"""Solids that things are built of, beside those of :mod:`pymaf_data.world.things`. Metres, y up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.world.things import Thing, beam

Point = tuple[float, float, float]
Made = tuple[Thing, float, float]
"""A thing about the origin, the radius of its disc on the ground, and its height, metres."""


def rod(
    start: Point, end: Point, radius: float, colour: np.ndarray, sides: int = 8, last: float | None = None
) -> Thing:
    """A bar between two points; ``last`` is its radius at the end."""
    return beam(np.array(start, float), np.array(end, float), radius, colour, sides, radius_end=last)


def post(
    low: float, high: float, radius: float, colour: np.ndarray, sides: int = 8, last: float | None = None
) -> Thing:
    """An upright bar over the origin."""
    return rod((0, low, 0), (0, high, 0), radius, colour, sides, last)


def varied(rng: Generator, thing: Thing, amount: float) -> Thing:
    """The thing with every face a little brighter or darker."""
    tone = 1 + amount * rng.uniform(-1, 1, (len(thing.faces), 1))
    return replace(thing, colours=np.clip(thing.colours * tone, 0, 1).astype(np.float32))


def legs(
    half_x: float, half_z: float, height: float, radius: float, colour: np.ndarray, splay: float = 0.0
) -> list[Thing]:
    """Four square legs at ± ``half_x``, ± ``half_z``, further out at the foot by ``splay``."""
    return [
        beam(np.array([a * (half_x + splay), 0.0, b * (half_z + splay)]), np.array([a * half_x, height, b * half_z]),
             radius, colour, sides=4)
        for a in (-1, 1) for b in (-1, 1)
    ]  # fmt: skip


def cushion(low: tuple[float, float, float], high: tuple[float, float, float], colour: np.ndarray, rim: float = 0.05
             ) -> Thing:  # fmt: skip
    """A box with its upper edges taken off, so that light rolls over it."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    r = min(rim, 0.45 * (x1 - x0), 0.45 * (z1 - z0), 0.45 * (y1 - y0))
    rings = [(r, y0), (0.0, y0 + r), (0.0, y1 - r), (0.35 * r, y1 - 0.35 * r), (r, y1)]
    vertices = [
        (x, y, z) for d, y in rings for x, z in ((x0 + d, z0 + d), (x1 - d, z0 + d), (x1 - d, z1 - d), (x0 + d, z1 - d))
    ]
    faces = [[0, 1, 2], [0, 2, 3]]
    for ring in range(len(rings) - 1):
        for k in range(4):
            a, b = 4 * ring + k, 4 * ring + (k + 1) % 4
            faces += [[a, a + 4, b + 4], [a, b + 4, b]]
    t = 4 * (len(rings) - 1)
    faces += [[t, t + 2, t + 1], [t, t + 3, t + 2]]
    painted = np.broadcast_to(np.asarray(colour, np.float32), (len(faces), 3)).copy()
    return Thing("cushion", np.array(vertices, np.float64), np.array(faces, np.int32), painted)
