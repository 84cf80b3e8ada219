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
from numba import njit

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.sample.poses.maps import Maps
from pymaf_data.sample.poses.rows import Table
from pymaf_data.sample.poses.segments import SEGMENTS

_REACH = 0.30  # metres beyond which nothing belongs to a segment
_NEAR = 0.015  # metres outside a segment within which probes are still told
_APART, _SPREAD = 0.001, 0.002  # metres that clashing parts are brought apart, and how exactly


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


@njit(cache=True, nogil=True)
def _depth(
    x: float, y: float, z: float, origin: np.ndarray, axis: np.ndarray, first: np.ndarray, second: np.ndarray,
    length: float, radius: np.ndarray, out: np.ndarray,
) -> float:  # fmt: skip
    """How deep a point (in the bone's frame, metres) lies inside a segment; the way out goes into ``out``."""
    x, y, z = x - origin[0], y - origin[1], z - origin[2]
    t = (x * axis[0] + y * axis[1] + z * axis[2]) / length
    if t < -0.02 or t > 1.02:
        return -1.0
    a = x * first[0] + y * first[1] + z * first[2]
    b = x * second[0] + y * second[1] + z * second[2]
    rho = np.sqrt(a * a + b * b)
    if rho > _REACH:
        return -1.0
    T, A = radius.shape
    u = min(max(t * T - 0.5, 0.0), T - 1.0)
    i = min(int(u), T - 2)
    u -= i
    v = (np.arctan2(b, a) / (2 * np.pi)) % 1.0 * A
    k = int(v) % A
    v -= int(v)
    n = (k + 1) % A
    skin = (1 - u) * ((1 - v) * radius[i, k] + v * radius[i, n]) + u * (
        (1 - v) * radius[i + 1, k] + v * radius[i + 1, n]
    )
    if rho < 1e-6:
        rho, a = 1e-6, 1e-6
    for c in range(3):
        out[c] = (a * first[c] + b * second[c]) / rho
    return skin - rho


@njit(cache=True, nogil=True)
def find_clashes(
    probes: Probes, maps: Maps, tolerance: np.ndarray, world: np.ndarray, place: np.ndarray, clashes: Clashes
) -> float:
    """The deepest probe of each bone in each segment.

    Args:
        probes: their points are moved along with the bones.
        maps: of the shape.
        tolerance: (24, S) metres.
        world, place: bones' rotations and joints.
        clashes: out, all but ``held``.

    Returns:
        The deepest of all, metres; 0 where nothing clashes.
    """
    points, depths = probes.points, clashes.depths
    depths[:] = -_NEAR
    B, S = depths.shape
    out, middles, centres = np.empty(3), np.empty((S, 3)), np.empty((B, 3))
    for s in range(S):
        j = maps.bones[s]
        for c in range(3):
            middles[s, c] = place[j, c]
            for d in range(3):
                middles[s, c] += world[j, c, d] * (maps.origins[s, d] + 0.5 * maps.lengths[s] * maps.axes[s, d])
    _ride(probes.starts, probes.locals, probes.balls, world, place, points, centres)
    worst = 0.0
    for b in range(B):
        first, last = probes.starts[b], probes.starts[b + 1]
        if first == last:
            continue
        for s in range(S):
            allowed = tolerance[b, s]
            if allowed > 1.0:
                continue
            m0, m1, m2 = middles[s]
            around = (0.52 * maps.lengths[s]) ** 2 + (maps.widest[s] + _NEAR) ** 2
            u, v, w = centres[b, 0] - m0, centres[b, 1] - m1, centres[b, 2] - m2
            if u * u + v * v + w * w > (np.sqrt(around) + probes.balls[b, 3]) ** 2:
                continue
            j = maps.bones[s]
            for p in range(first, last):
                u, v, w = points[p, 0] - m0, points[p, 1] - m1, points[p, 2] - m2
                if u * u + v * v + w * w > around:
                    continue
                x, y, z = points[p, 0] - place[j, 0], points[p, 1] - place[j, 1], points[p, 2] - place[j, 2]
                lx = world[j, 0, 0] * x + world[j, 1, 0] * y + world[j, 2, 0] * z
                ly = world[j, 0, 1] * x + world[j, 1, 1] * y + world[j, 2, 1] * z
                lz = world[j, 0, 2] * x + world[j, 1, 2] * y + world[j, 2, 2] * z
                deep = _depth(
                    lx, ly, lz, maps.origins[s], maps.axes[s], maps.first[s], maps.second[s], maps.lengths[s],
                    maps.radii[s], out,
                ) - allowed  # fmt: skip
                if deep > depths[b, s]:
                    depths[b, s], clashes.touching[b, s] = deep, p
                    for c in range(3):
                        clashes.normals[b, s, c] = (
                            world[j, c, 0] * out[0] + world[j, c, 1] * out[1] + world[j, c, 2] * out[2]
                        )
            worst = max(worst, depths[b, s])
    return worst


@njit(cache=True, nogil=True)
def _ride(
    starts: np.ndarray, locals_: np.ndarray, balls: np.ndarray, world: np.ndarray, place: np.ndarray,
    points: np.ndarray, centres: np.ndarray,
) -> None:  # fmt: skip
    """Probes (P, 3) and the centres (24, 3) of their balls in the world."""
    for b in range(len(starts) - 1):
        for c in range(3):
            r0, r1, r2, t = world[b, c, 0], world[b, c, 1], world[b, c, 2], place[b, c]
            centres[b, c] = r0 * balls[b, 0] + r1 * balls[b, 1] + r2 * balls[b, 2] + t
            for p in range(starts[b], starts[b + 1]):
                points[p, c] = r0 * locals_[p, 0] + r1 * locals_[p, 1] + r2 * locals_[p, 2] + t


@njit(cache=True, nogil=True)
def rows_apart(clashes: Clashes, probes: Probes, maps: Maps, world: np.ndarray, place: np.ndarray, table: Table) -> int:
    """Rows that lead clashing parts out of each other; returns how many.

    A pair that once clashed is held at a hair's breadth until it has left, or the reference would push it back in at
    every other step.

    Args:
        clashes: as found; ``held`` in and out.
        probes, maps: that were held against each other.
        world, place: bones' rotations and joints.
        table: out, of :func:`rows_of_pairs`.
    """
    n = 0
    for b in range(clashes.held.shape[0]):
        for s in range(clashes.held.shape[1]):
            deep = clashes.depths[b, s]
            clashes.held[b, s] = deep > 0 or (clashes.held[b, s] and deep > -_NEAR)
            if not clashes.held[b, s]:
                continue
            p, j = clashes.touching[b, s], maps.bones[s]
            table.bones[2 * n], table.bones[2 * n + 1] = b, j
            for c in range(3):
                table.normals[n, c] = clashes.normals[b, s, c]
                table.locals[2 * n, c] = probes.locals[p, c]
                table.locals[2 * n + 1, c] = 0.0
                for d in range(3):
                    table.locals[2 * n + 1, c] += world[j, d, c] * (probes.points[p, d] - place[j, d])
            table.targets[n] = deep + _APART
            n += 1
    return n
