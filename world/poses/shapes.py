"""Shapes of adults over the body's whole range, and the cells that keep training and validation apart.

Betas are normal with unit spread, one in six with a longer tail, cut at ±3. β₀ is mostly stature (1.37 m at −3,
2.04 m at +3 of the free body), so the shape's own stature decides what an adult is. Cells are unit cubes of
(β₀, β₁, β₂): those whose floors sum to an even number belong to training, the odd ones to validation.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses.mannequin import Build, Mannequin

STATURES = (1.40, 2.02)
"""Metres between which an adult's T-pose stands."""
BETA_LIMIT = 3.0
_CELLED = 3
_TAILED, _TAIL = 1 / 6, 1.8
_FARTHEST = 4.6  # length of the vector of betas: not every extreme at once


def cell_of(betas: np.ndarray) -> str:
    """The split whose cell a shape lies in."""
    return "val" if int(np.floor(betas[:_CELLED]).sum()) % 2 else "train"


def draw_build(rng: Generator, mannequin: Mannequin, split: str) -> Build:
    """Draw an adult's shape of a split."""
    while True:
        spread = _TAIL if rng.random() < _TAILED else 1.0
        betas = np.asarray(rng.normal(0.0, spread, size=len(mannequin.shapedirs)))
        if np.abs(betas).max() > BETA_LIMIT or np.linalg.norm(betas) > _FARTHEST or cell_of(betas) != split:
            continue
        build = Build(mannequin, betas)
        if STATURES[0] <= build.stature <= STATURES[1]:
            return build
