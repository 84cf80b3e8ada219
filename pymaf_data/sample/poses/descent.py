"""The steps of a round: damped least squares on all rows, with clashing parts led out of each other at each step."""

from __future__ import annotations

import numpy as np
from numba import njit

from pymaf_data.sample.poses.clash import Clashes, Probes, find_clashes, rows_apart
from pymaf_data.sample.poses.freedoms import Chain
from pymaf_data.sample.poses.kinematics import Bones, forward, gather, step
from pymaf_data.sample.poses.maps import Maps
from pymaf_data.sample.poses.rows import Table

_STEPS = 5
_LONGEST = 0.35  # radians that one step may turn a joint
_DONE = 4e-3  # radians of a step after which the rest is below what contacts are measured by


@njit(cache=True, nogil=True)
def descend(
    q: np.ndarray, reference: np.ndarray, stiffness: np.ndarray, upright: np.ndarray, rest: np.ndarray, chain: Chain,
    bones: Bones, rows: Table, count: int, probes: Probes, maps: Maps, tolerance: np.ndarray, clashes: Clashes,
    apart: Table,
) -> tuple[float, float]:  # fmt: skip
    """Steps of one round; q, the bones and what clashes change in place.

    Args:
        q, reference, stiffness: (46,) freedoms, where they are drawn to, and how far they may well go from there.
        upright, rest, chain, bones: of :func:`~.kinematics.forward`.
        rows, count: what is asked for, and how many rows that are.
        probes, maps, tolerance, clashes: of :func:`~.clash.find_clashes`.
        apart: room for the rows of what clashes.

    Returns:
        The rows' cost before the last step, and how many radians joints turned at most.
    """
    hessian, gradient = np.empty((len(q), len(q))), np.empty(len(q))
    error = moved = 0.0
    for _ in range(_STEPS):
        hessian[:] = 0.0
        gradient[:] = 0.0
        error = gather(bones, chain.parents, chain.freedom, rows, count, hessian, gradient)
        find_clashes(probes, maps, tolerance, bones.world, bones.place, clashes)
        clashing = rows_apart(clashes, probes, maps, bones.world, bones.place, apart)
        gather(bones, chain.parents, chain.freedom, apart, clashing, hessian, gradient)
        size = step(q, reference, stiffness, chain.low, chain.high, hessian, gradient, _LONGEST)
        forward(
            q, upright, rest, chain.parents, chain.freedom, chain.share, chain.axes, bones.local, bones.world,
            bones.place, bones.turning,
        )  # fmt: skip
        moved += size
        if size < _DONE:
            break
    return error, moved
