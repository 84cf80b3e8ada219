"""The steps of a round, in one kernel: forward kinematics, clashes, and damped least squares on linear goals.

A goal is a row: a direction n, a weighted sum of points that ride on bones, and a wanted value,

    n · Σ_k c_k (p_bone(k) + G_bone(k) · local_k)  =  target        (or ≥, for one-sided rows)

which covers places, planes, distances between two body points, directions (a point minus its bone's origin) and the
centre of mass. Rows are summed into normal equations; a step is kept inside the limits by fixing the angles that press
against theirs. Everything is float64 and sequential: the same on any number of threads.

All that the cached kernel calls is in this file, since numba's cache notices changes of the outermost file only.
Shape letters: J 24 joints, D freedoms, N rows, K points, S segments, P probes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.poses.clash import NEAR, Clashes, Probes
from pymaf_data.world.poses.freedoms import Chain
from pymaf_data.world.poses.maps import Maps
from pymaf_data.world.poses.rows import Table

_STEPS = 5
_LONGEST = 0.35  # radians that one step may turn a joint
_DONE = 4e-3  # radians of a step after which the rest is below what contacts are measured by
_WIDEST = 0.30  # metres beyond which nothing belongs to a segment
_APART = 0.001  # metres that clashing parts are brought apart
RELEASE = 0.015  # metres


class Bones(NamedTuple):
    """What :func:`forward` fills: rotations relative to the parents and in the world (J, 3, 3), joints (J, 3), and the
    world axis that each slot's angle turns the limb about (J, 3, 3)."""

    local: np.ndarray
    world: np.ndarray
    place: np.ndarray
    turning: np.ndarray


@njit(cache=True, nogil=True)
def _exponential(x: float, y: float, z: float, out: np.ndarray) -> None:
    """Rodrigues' formula into ``out`` (3, 3)."""
    square = x * x + y * y + z * z
    if square < 1e-12:
        a, b = 1.0 - square / 6, 0.5 - square / 24
    else:
        angle = np.sqrt(square)
        a, b = np.sin(angle) / angle, (1.0 - np.cos(angle)) / square
    out[0, 0], out[0, 1], out[0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)


@njit(cache=True, nogil=True)
def _derivative(
    x: float, y: float, z: float, a: float, b: float, c: float
) -> tuple[float, float, float]:  # fmt: skip
    """The left Jacobian of the exponential at (x, y, z) times the axis (a, b, c): about what the rotation turns."""
    square = x * x + y * y + z * z
    if square < 1e-10:
        f, g = 0.5, 1.0 / 6
    else:
        angle = np.sqrt(square)
        f, g = (1.0 - np.cos(angle)) / square, (angle - np.sin(angle)) / (square * angle)
    u, v, w = y * c - z * b, z * a - x * c, x * b - y * a
    return a + f * u + g * (y * w - z * v), b + f * v + g * (z * u - x * w), c + f * w + g * (x * v - y * u)


@njit(cache=True, nogil=True)
def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for i in range(3):
        for k in range(3):
            out[i, k] = a[i, 0] * b[0, k] + a[i, 1] * b[1, k] + a[i, 2] * b[2, k]


@njit(cache=True, nogil=True)
def forward(
    q: np.ndarray, upright: np.ndarray, rest: np.ndarray, parents: np.ndarray, freedom: np.ndarray,
    share: np.ndarray, axes: np.ndarray, local: np.ndarray, world: np.ndarray, place: np.ndarray,
    turning: np.ndarray,
) -> None:  # fmt: skip
    """Forward kinematics.

    Fills local rotations (J, 3, 3), world rotations (J, 3, 3), joint places (J, 3) and, for each slot, the world axis
    that its angle turns the limb about (J, 3, 3), its share included.

    Args:
        q: (D,) freedoms.
        upright: (3, 3) the root's reference rotation.
        rest: (J, 3) joints of the T-pose, metres.
        parents, freedom, share, axes: of :class:`~pymaf_data.world.poses.freedoms.Chain`.
        local, world, place, turning: outputs.
    """
    swing, twist = np.empty((3, 3)), np.empty((3, 3))
    angle, turned = np.empty(3), np.empty(3)
    _exponential(q[3], q[4], q[5], swing)
    _product(swing, upright, local[0])
    world[0] = local[0]
    for i in range(3):
        place[0, i] = rest[0, i] + q[i]
        turned[0], turned[1], turned[2] = _derivative(q[3], q[4], q[5], axes[0, i, 0], axes[0, i, 1], axes[0, i, 2])
        turning[0, i] = turned
    for j in range(1, len(parents)):
        above = parents[j]
        for slot in range(3):
            angle[slot] = share[j, slot] * q[freedom[j, slot]] if freedom[j, slot] >= 0 else 0.0
        x = angle[0] * axes[j, 0, 0] + angle[1] * axes[j, 1, 0]
        y = angle[0] * axes[j, 0, 1] + angle[1] * axes[j, 1, 1]
        z = angle[0] * axes[j, 0, 2] + angle[1] * axes[j, 1, 2]
        _exponential(x, y, z, swing)
        _exponential(angle[2] * axes[j, 2, 0], angle[2] * axes[j, 2, 1], angle[2] * axes[j, 2, 2], twist)
        _product(swing, twist, local[j])
        _product(world[above], local[j], world[j])
        for slot in range(3):
            if freedom[j, slot] < 0:
                continue
            part = share[j, slot]
            a, b, c = part * axes[j, slot, 0], part * axes[j, slot, 1], part * axes[j, slot, 2]
            if slot < 2:
                a, b, c = _derivative(x, y, z, a, b, c)
            else:
                a, b, c = (
                    swing[0, 0] * a + swing[0, 1] * b + swing[0, 2] * c,
                    swing[1, 0] * a + swing[1, 1] * b + swing[1, 2] * c,
                    swing[2, 0] * a + swing[2, 1] * b + swing[2, 2] * c,
                )
            for i in range(3):
                turning[j, slot, i] = world[above, i, 0] * a + world[above, i, 1] * b + world[above, i, 2] * c
        a, b, c = rest[j, 0] - rest[above, 0], rest[j, 1] - rest[above, 1], rest[j, 2] - rest[above, 2]
        for i in range(3):
            place[j, i] = place[above, i] + world[above, i, 0] * a + world[above, i, 1] * b + world[above, i, 2] * c


@njit(cache=True, nogil=True)
def gather(
    bones: Bones, parents: np.ndarray, freedom: np.ndarray, rows: Table, count: int, hessian: np.ndarray,
    gradient: np.ndarray,
) -> float:  # fmt: skip
    """Add the first ``count`` rows to the normal equations; returns their cost.

    Row i sums the points ``starts[i]:starts[i + 1]``; ``lower[i]`` marks rows that only ask for ≥ target: 1, or 2 once
    such a row was violated. It then holds until it has left by :data:`RELEASE`, or the reference would push it back in
    at every other step.
    """
    world, place, turning = bones.world, bones.place, bones.turning
    points, lower = rows.locals, rows.lower
    D = len(gradient)
    row, used = np.empty(D), np.empty(D, np.int64)
    cost = 0.0
    for i in range(count):
        value = 0.0
        row[:] = 0.0
        n0, n1, n2 = rows.normals[i, 0], rows.normals[i, 1], rows.normals[i, 2]
        for k in range(rows.starts[i], rows.starts[i + 1]):
            j, c = rows.bones[k], rows.factors[k]
            x, y, z = points[k, 0], points[k, 1], points[k, 2]
            p0 = world[j, 0, 0] * x + world[j, 0, 1] * y + world[j, 0, 2] * z + place[j, 0]
            p1 = world[j, 1, 0] * x + world[j, 1, 1] * y + world[j, 1, 2] * z + place[j, 1]
            p2 = world[j, 2, 0] * x + world[j, 2, 1] * y + world[j, 2, 2] * z + place[j, 2]
            value += c * (n0 * p0 + n1 * p1 + n2 * p2)
            row[0] += c * n0
            row[1] += c * n1
            row[2] += c * n2
            while j >= 0:
                a0, a1, a2 = p0 - place[j, 0], p1 - place[j, 1], p2 - place[j, 2]
                # n · (axis × arm) = axis · (arm × n)
                m0, m1, m2 = c * (a1 * n2 - a2 * n1), c * (a2 * n0 - a0 * n2), c * (a0 * n1 - a1 * n0)
                for slot in range(3):
                    d = freedom[j, slot]
                    if d >= 0:
                        row[d] += turning[j, slot, 0] * m0 + turning[j, slot, 1] * m1 + turning[j, slot, 2] * m2
                j = parents[j]
        error = value - rows.targets[i]
        if lower[i] == 1 and error >= 0:
            continue
        if lower[i] == 2 and error > RELEASE:
            lower[i] = 1
            continue
        if lower[i] == 1:
            lower[i] = 2
        w = rows.weights[i] * rows.weights[i]
        cost += w * error * error
        met = 0
        for d in range(D):
            if row[d] != 0.0:
                used[met] = d
                met += 1
        for a in range(met):
            d = used[a]
            x = w * row[d]
            gradient[d] += x * error
            for b in range(a + 1):
                hessian[d, used[b]] += x * row[used[b]]
    return cost


@njit(cache=True, nogil=True)
def step(
    q: np.ndarray, reference: np.ndarray, stiffness: np.ndarray, low: np.ndarray, high: np.ndarray,
    hessian: np.ndarray, gradient: np.ndarray, longest: float,
) -> float:  # fmt: skip
    """One damped step of q towards its goals and its reference, inside the limits; q is changed in place."""
    D = len(q)
    for d in range(D):
        w = 1.0 / (stiffness[d] * stiffness[d])
        hessian[d, d] += w
        gradient[d] += w * (q[d] - reference[d])
    for d in range(D):  # angles at a limit that would go on stay
        stuck = (q[d] <= low[d] and gradient[d] > 0) or (q[d] >= high[d] and gradient[d] < 0)
        if stuck:
            for e in range(d):
                hessian[d, e] = 0.0
            for e in range(d + 1, D):
                hessian[e, d] = 0.0
            hessian[d, d], gradient[d] = 1.0, 0.0
        else:
            hessian[d, d] *= 1.0 + 1e-6
    for k in range(D - 1, -1, -1):  # H = Lᵀ D L, limbs' ends first: what no goal connects stays zero
        pivot = max(hessian[k, k], 1e-12)
        for i in range(k):
            factor = hessian[k, i] / pivot
            if factor != 0.0:
                for m in range(i + 1):
                    hessian[i, m] -= factor * hessian[k, m]
        for i in range(k):
            hessian[k, i] /= pivot
        for i in range(k):
            gradient[i] -= hessian[k, i] * gradient[k]
        gradient[k] /= pivot
    for k in range(D):
        for i in range(k):
            gradient[k] -= hessian[k, i] * gradient[i]
    largest = 0.0
    for d in range(3, D):
        largest = max(largest, abs(gradient[d]))
    scale = min(1.0, longest / max(largest, 1e-12))
    for d in range(D):
        q[d] = min(max(q[d] - scale * gradient[d], low[d]), high[d])
    return scale * largest


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
    depths[:] = -NEAR
    B, S = depths.shape
    _, T, A = maps.radii.shape
    centres = np.empty((B, 3))
    _ride(probes.starts, probes.locals, probes.balls, world, place, points, centres)
    frame, origin = np.empty((3, 3)), np.empty(3)  # along the axis and two across, and where it starts, in the world
    worst = 0.0
    for s in range(S):
        j, length, widest = maps.bones[s], maps.lengths[s], min(maps.widest[s] + NEAR, _WIDEST)
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
        table: out, of :func:`~.clash.rows_of_pairs`.
    """
    n = 0
    for b in range(clashes.held.shape[0]):
        for s in range(clashes.held.shape[1]):
            deep = clashes.depths[b, s]
            clashes.held[b, s] = deep > 0 or (clashes.held[b, s] and deep > -NEAR)
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


@njit(cache=True, nogil=True)
def descend(
    q: np.ndarray, reference: np.ndarray, stiffness: np.ndarray, upright: np.ndarray, rest: np.ndarray, chain: Chain,
    bones: Bones, rows: Table, count: int, probes: Probes, maps: Maps, tolerance: np.ndarray, clashes: Clashes,
    apart: Table,
) -> tuple[float, float]:  # fmt: skip
    """Steps of one round; q, the bones and what clashes change in place.

    Args:
        q, reference, stiffness: (46,) freedoms, where they are drawn to, and how far they may well go from there.
        upright, rest, chain, bones: of :func:`forward`.
        rows, count: what is asked for, and how many rows that are.
        probes, maps, tolerance, clashes: of :func:`find_clashes`.
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
