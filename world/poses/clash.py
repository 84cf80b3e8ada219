"""Does the body run into itself? Probe points of its surface against radial maps of its segments.

A segment (a forearm, the chest, …) is described by how far its skin lies from its axis: radius r(t, φ) over the length
t and the angle φ, measured on the shaped body's T-pose by rays and carried along by the segment's bone. A probe on
another part of the body at (t, φ, ρ) is r − ρ deep inside. That is exact for what does not deform, cheap (some 300
probes × 19 segments with most rejected at once, a bone's probes together), and gives the way out: radially.

Shape letters: S segments, T × A map samples, P probes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.kernels import njit
from pymaf_data.world.poses.rows import Table
from pymaf_data.world.poses.segments import SEGMENTS

NEAR = 0.015  # metres outside a segment within which probes are still told
_SPREAD = 0.002  # metres, how exactly clashing parts are brought apart


class Probes(NamedTuple):
    """Probes that ride on their bones.

    Args:
        starts: (25,) where the probes of each bone begin.
        locals: (P, 3) places in their bones' frames.
        balls: (24, 4) around each bone's probes, in its frame: centre and radius.
        points: (P, 3) places in the world.
    """

    starts: np.ndarray
    locals: np.ndarray
    balls: np.ndarray
    points: np.ndarray


class Clashes(NamedTuple):
    """What was found, for each bone that carries probes and each segment.

    Args:
        depths: (24, S) metres beyond the tolerance; negative outside, −0.015 where nothing is near.
        normals: (24, S, 3) the way out in the world.
        touching: (24, S) index of the deepest probe.
        held: (24, S) pairs that clashed and are kept just apart.
    """

    depths: np.ndarray
    normals: np.ndarray
    touching: np.ndarray
    held: np.ndarray


def no_clashes() -> Clashes:
    """Nothing found yet."""
    B, S = len(SMPL24), len(SEGMENTS)
    return Clashes(np.empty((B, S)), np.empty((B, S, 3)), np.zeros((B, S), np.int64), np.zeros((B, S), np.bool_))


def rows_of_pairs() -> Table:
    """Room for a row for every bone and segment: the probe minus the point that it lies in."""
    N = len(SMPL24) * len(SEGMENTS)
    return Table(
        2 * np.arange(N + 1), np.tile([1.0, -1.0], N), np.zeros(2 * N, np.int64), np.zeros((2 * N, 3)),
        np.zeros((N, 3)), np.zeros(N), np.full(N, 1.0 / _SPREAD), np.zeros(N, np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def seat_probes(probes: Probes, vertices: np.ndarray, ids: np.ndarray, world: np.ndarray, place: np.ndarray) -> None:
    """Where the probes (vertices ``ids``) of a posed surface ride on their bones from now on."""
    for b in range(len(probes.starts) - 1):
        first, last = probes.starts[b], probes.starts[b + 1]
        if first == last:
            continue
        for c in range(3):
            middle = 0.0
            for p in range(first, last):
                local = 0.0
                for d in range(3):
                    local += world[b, d, c] * (vertices[ids[p], d] - place[b, d])
                probes.locals[p, c] = local
                middle += local
            probes.balls[b, c] = middle / (last - first)
        farthest = 0.0
        for p in range(first, last):
            square = 0.0
            for c in range(3):
                square += (probes.locals[p, c] - probes.balls[b, c]) ** 2
            farthest = max(farthest, square)
        probes.balls[b, 3] = np.sqrt(farthest)
