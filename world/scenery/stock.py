"""A stock of things: a few examples of each kind are made once per process and lent again and again.

The examples are constants: which ones there are does not depend on what was asked for before, so the same chance gives
the same place in any process. Each loan differs in size and tone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery.solids import Made
from pymaf_data.world.things import Thing

Maker = Callable[[Generator], Made]
EXAMPLES = 16
"""Of each kind."""

_HEAD = 1.9  # metres


@dataclass(frozen=True)
class Loan:
    """A thing about the origin: its mesh, how it is scaled and tinted, its disc's radius and its height, metres."""

    thing: Thing
    scale: float
    tint: np.ndarray
    radius: float
    height: float

    def gap(self, x: float, z: float, heading: float, px: float, pz: float) -> float:
        """Metres from a point of the ground to the rectangle that the thing, at (x, z) and turned, stands on.

        What lies higher than a head is not counted: people may stand below a tree.
        """
        low = self.thing.vertices[self.thing.vertices[:, 1] < _HEAD][:, [0, 2]] * self.scale
        c, s = np.cos(heading), np.sin(heading)
        near = np.array([c * (px - x) - s * (pz - z), s * (px - x) + c * (pz - z)])
        away = np.maximum(np.maximum(low.min(0) - near, near - low.max(0)), 0.0)
        return float(np.hypot(*away))

    @property
    def back(self) -> float:
        """Metres that it reaches behind its origin."""
        return float(-self.thing.vertices[:, 2].min()) * self.scale

    @property
    def half_width(self) -> float:
        """Metres that it reaches to either side."""
        return float(np.abs(self.thing.vertices[:, 0]).max()) * self.scale


@lru_cache(maxsize=1024)
def _example(maker: Maker, number: int) -> Made:
    return maker(np.random.default_rng([crc32(maker.__name__.encode()), number]))


def lend(rng: Generator, makers: Sequence[Maker] | Maker) -> Loan:
    """One of the examples of one of the makers."""
    maker = makers if callable(makers) else makers[int(rng.integers(len(makers)))]
    thing, radius, height = _example(maker, int(rng.integers(EXAMPLES)))
    scale = float(rng.uniform(0.95, 1.06))
    tone, warmth = rng.normal(1, 0.08), rng.normal(0, 0.02)
    tint = np.clip(tone * np.array([1 + warmth, 1.0, 1 - warmth]), 0.75, 1.25).astype(np.float32)
    return Loan(thing, scale, tint, radius * scale, height * scale)
