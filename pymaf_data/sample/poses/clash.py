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
def _cell(t: float, along: float, across: float, T: int, A: int) -> tuple[int, float, int, int, float]:
    """Where in a map (T, A) a point lies: the sample before it along the axis and the share of the next, and the two
    samples around it and the share of the second."""
    u = min(max(t * T - 0.5, 0.0), T - 1.0)
    i = min(int(u), T - 2)
    v = (np.arctan2(across, along) / (2 * np.pi)) % 1.0 * A
    k = int(v)
    return i, u - i, k % A, (k + 1) % A, v - k


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
    _, T, A = maps.radii.shape
    centres = np.empty((B, 3))
    _ride(probes.starts, probes.locals, probes.balls, world, place, points, centres)
    frame, origin = np.empty((3, 3)), np.empty(3)  # along the axis and two across, and where it starts, in the world
    worst = 0.0
    for s in range(S):
        j, length, widest = maps.bones[s], maps.lengths[s], min(maps.widest[s] + _NEAR, _REACH)
        for c in range(3):
            r0, r1, r2 = world[j, c, 0], world[j, c, 1], world[j, c, 2]
            frame[0, c] = r0 * maps.axes[s, 0] + r1 * maps.axes[s, 1] + r2 * maps.axes[s, 2]
            frame[1, c] = r0 * maps.first[s, 0] + r1 * maps.first[s, 1] + r2 * maps.first[s, 2]
            frame[2, c] = r0 * maps.second[s, 0] + r1 * maps.second[s, 1] + r2 * maps.second[s, 2]
            origin[c] = place[j, c] + r0 * maps.origins[s, 0] + r1 * maps.origins[s, 1] + r2 * maps.origins[s, 2]
        around = np.sqrt((0.52 * length) ** 2 + widest**2)
        for b in range(B):
            first, last, allowed = probes.starts[b], probes.starts[b + 1], tolerance[b, s]
            if first == last or allowed > 1.0:
                continue
            u = centres[b, 0] - origin[0] - 0.5 * length * frame[0, 0]
            v = centres[b, 1] - origin[1] - 0.5 * length * frame[0, 1]
            w = centres[b, 2] - origin[2] - 0.5 * length * frame[0, 2]
            if u * u + v * v + w * w > (around + probes.balls[b, 3]) ** 2:
                continue
            for p in range(first, last):
                x, y, z = points[p, 0] - origin[0], points[p, 1] - origin[1], points[p, 2] - origin[2]
                t = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) / length
                if t < -0.02 or t > 1.02:
                    continue
                along = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z
                across = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z
                square = along * along + across * across
                if square > widest * widest:
                    continue
                if square < 1e-12:
                    along, square = 1e-6, 1e-12
                rho = np.sqrt(square)
                i, u, k, n, v = _cell(t, along, across, T, A)
                skin = (1 - u) * ((1 - v) * maps.radii[s, i, k] + v * maps.radii[s, i, n]) + u * (
                    (1 - v) * maps.radii[s, i + 1, k] + v * maps.radii[s, i + 1, n]
                )
                deep = skin - rho - allowed
                if deep > depths[b, s]:
                    depths[b, s], clashes.touching[b, s] = deep, p
                    for c in range(3):
                        clashes.normals[b, s, c] = (along * frame[1, c] + across * frame[2, c]) / rho
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
