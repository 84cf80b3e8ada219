"""Rows follow the surface: which vertices carry the body now, where limbs lie on skin, and where points ride.

The kernels between :mod:`~pymaf_data.world.poses.rows` and the steps of a round. Sequential, float64. All of them are
in this file, since numba's cache notices changes of the outermost file only.
"""

from __future__ import annotations

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.poses.rows import Anchors, Supports, Table, Touching
from pymaf_data.world.poses.skin_contact import REACH, Clusters, Skin

_FIRM = 0.006  # metres of spread up to which a support is meant exactly
_NEAR_SKIN, _BESIDE = 0.012, 0.03  # metres: when a limb touches skin, and while a vertex speaks for its plane
_CLEAR, _CLEAR_SPREAD = 0.001, 0.002  # metres by which it stays outside that plane, and how exactly


@njit(cache=True, nogil=True)
def normal_at(vertex: int, vertices: np.ndarray, faces: np.ndarray, faces_at: np.ndarray) -> tuple[float, float, float]:
    """Outward unit normal, weighted by the area of the faces around."""
    x = y = z = 0.0
    for r in range(faces_at.shape[1]):
        f = faces_at[vertex, r]
        if f < 0:
            break
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        a0, a1, a2 = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        b0, b1, b2 = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        x, y, z = x + a1 * b2 - a2 * b1, y + a2 * b0 - a0 * b2, z + a0 * b1 - a1 * b0
    size = np.sqrt(x * x + y * y + z * z)
    return x / size, y / size, z / size


@njit(cache=True, nogil=True)
def _enclose(
    vertices: np.ndarray, order: np.ndarray, starts: np.ndarray, bone_starts: np.ndarray, points: np.ndarray,
    balls: np.ndarray, bones: np.ndarray,
) -> None:  # fmt: skip
    """Points (V, 3) in the clusters' order, and balls, centre and radius, around clusters (C, 4) and bones (B, 4)."""
    for c in range(len(balls)):
        x = y = z = 0.0
        for i in range(starts[c], starts[c + 1]):
            v = order[i]
            points[i, 0], points[i, 1], points[i, 2] = vertices[v, 0], vertices[v, 1], vertices[v, 2]
            x, y, z = x + points[i, 0], y + points[i, 1], z + points[i, 2]
        count = starts[c + 1] - starts[c]
        x, y, z = x / count, y / count, z / count
        farthest = 0.0
        for i in range(starts[c], starts[c + 1]):
            farthest = max(farthest, (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2 + (points[i, 2] - z) ** 2)
        balls[c, 0], balls[c, 1], balls[c, 2], balls[c, 3] = x, y, z, np.sqrt(farthest)
    for b in range(len(bones)):
        first, last = bone_starts[b], bone_starts[b + 1]
        x, y, z = balls[first:last, 0].mean(), balls[first:last, 1].mean(), balls[first:last, 2].mean()
        farthest = 0.0
        for c in range(first, last):
            u, v, w = balls[c, 0] - x, balls[c, 1] - y, balls[c, 2] - z
            farthest = max(farthest, np.sqrt(u * u + v * v + w * w) + balls[c, 3])
        bones[b, 0], bones[b, 1], bones[b, 2], bones[b, 3] = x, y, z, farthest


@njit(cache=True, nogil=True)
def _within_reach(
    own: int, asked: np.ndarray, bones: np.ndarray, balls: np.ndarray, bone_starts: np.ndarray, found: np.ndarray
) -> int:
    """Clusters that anything of a bone can be within reach of, into ``found``; returns how many."""
    n, x, y, z, reach = 0, bones[own, 0], bones[own, 1], bones[own, 2], bones[own, 3] + REACH
    for b in range(len(bones)):
        if not asked[own, b]:
            continue
        u, v, w = x - bones[b, 0], y - bones[b, 1], z - bones[b, 2]
        if u * u + v * v + w * w > (bones[b, 3] + reach) ** 2:
            continue
        for c in range(bone_starts[b], bone_starts[b + 1]):
            u, v, w = x - balls[c, 0], y - balls[c, 1], z - balls[c, 2]
            if u * u + v * v + w * w <= (balls[c, 3] + reach) ** 2:
                found[n] = c
                n += 1
    return n


@njit(cache=True, nogil=True)
def find_contacts(
    vertices: np.ndarray, skin: Skin, clusters: Clusters, probes: np.ndarray, asked: np.ndarray, depths: np.ndarray,
    pairs: np.ndarray,
) -> float:  # fmt: skip
    """The deepest probe of each bone in the skin of each other.

    Args:
        vertices: (V, 3) of the posed surface.
        skin, clusters: of the body.
        probes: (P,) vertices, bone by bone.
        asked: (24, 24).
        depths: (24, 24) out, metres inside; negative outside, −REACH where nothing is near.
        pairs: (24, 24, 2) out, probe and the vertex that it met.

    Returns:
        The deepest of all, metres; 0 where nothing is inside.
    """
    owner, order, starts, bone_starts = skin.owner, clusters.order, clusters.starts, clusters.bone_starts
    depths[:] = -REACH
    points, balls, bones = np.empty_like(vertices), np.empty((len(starts) - 1, 4)), np.empty((len(depths), 4))
    _enclose(vertices, order, starts, bone_starts, points, balls, bones)
    near, count, searched = np.empty(len(balls), np.int64), 0, -1
    for p in probes:
        own = owner[p]
        if own != searched:  # probes come bone by bone
            count, searched = _within_reach(own, asked, bones, balls, bone_starts, near), own
        x, y, z = vertices[p, 0], vertices[p, 1], vertices[p, 2]
        nearest, reach, met = REACH * REACH, REACH, -1
        for k in range(count):
            c = near[k]
            u, v, w = x - balls[c, 0], y - balls[c, 1], z - balls[c, 2]
            if u * u + v * v + w * w > (balls[c, 3] + reach) ** 2:
                continue
            for i in range(starts[c], starts[c + 1]):
                d = (x - points[i, 0]) ** 2 + (y - points[i, 1]) ** 2 + (z - points[i, 2]) ** 2
                if d < nearest:
                    nearest, met = d, order[i]
            reach = np.sqrt(nearest)
        if met < 0:
            continue
        n0, n1, n2 = normal_at(met, vertices, skin.faces, skin.faces_at)
        deep = n0 * (vertices[met, 0] - x) + n1 * (vertices[met, 1] - y) + n2 * (vertices[met, 2] - z)
        other = owner[met]
        if deep > depths[own, other]:
            depths[own, other] = deep
            pairs[own, other, 0], pairs[own, other, 1] = p, met
    return max(depths.max(), 0.0)


@njit(cache=True, nogil=True)
def find_lowest(supports: Supports, vertices: np.ndarray) -> float:
    """Fill the lowest vertices of supports; the largest distance of a firm one from its plane, or depth below it."""
    worst = 0.0
    for s in range(len(supports.ats)):
        n0, n1, n2 = supports.normals[s]
        lowest, least = -1, np.inf
        for i in range(supports.starts[s], supports.starts[s + 1]):
            v = supports.ids[i]
            height = n0 * vertices[v, 0] + n1 * vertices[v, 1] + n2 * vertices[v, 2]
            if height < least:
                lowest, least = v, height
        supports.lowest[s], supports.heights[s] = lowest, least
        if supports.spreads[s] <= _FIRM:
            error = least - supports.ats[s]
            worst = max(worst, -error if supports.lower[s] else abs(error))
    return worst


@njit(cache=True, nogil=True)
def follow(
    table: Table, anchors: Anchors, supports: Supports, touching: Touching, skin: Skin, contacts: np.ndarray,
    pairs: np.ndarray, fine: bool, world: np.ndarray, place: np.ndarray, vertices: np.ndarray,
) -> int:  # fmt: skip
    """Bring the table up to the posed surface; returns how many rows it has now.

    Args:
        table: out.
        anchors, supports, touching: what asks for rows; what is seen of supports and touch is added to them.
        skin: of the body.
        contacts, pairs: (24, 24), (24, 24, 2) of :func:`find_contacts`.
        fine: whether limbs are kept on the skin that they touch.
        world, place, vertices: bones' rotations and joints, and the surface.
    """
    for k in range(len(anchors.vertices)):
        v = anchors.vertices[k]
        if v >= 0:
            _ride(v, table.bones[k], world, place, vertices, table.locals[k])
            table.locals[k] += anchors.shifts[k]
        else:
            table.locals[k] = anchors.shifts[k]
    n = anchors.rows
    for s in range(len(supports.ats)):
        if supports.heights[s] - supports.ats[s] >= supports.near[s]:
            continue
        v, before = supports.lowest[s], supports.counts[s]
        normal, at, weight = supports.normals[s], supports.ats[s], 1.0 / supports.spreads[s]
        _ask(table, n, v, -1, normal, at, weight, supports.lower[s], skin, world, place, vertices)
        n += 1
        new = True
        for r in range(before):  # those of earlier rounds must not sink when it is lifted
            other = supports.seen[s, r]
            if other == v:
                new = False
                continue
            _ask(table, n, other, -1, normal, at, weight, True, skin, world, place, vertices)
            n += 1
        if new:
            supports.seen[s, before] = v
            supports.counts[s] += 1
    return _lie_on(table, n, touching, skin, contacts, pairs, world, place, vertices) if fine else n


@njit(cache=True, nogil=True)
def _lie_on(
    table: Table, n: int, touching: Touching, skin: Skin, contacts: np.ndarray, pairs: np.ndarray, world: np.ndarray,
    place: np.ndarray, vertices: np.ndarray,
) -> int:  # fmt: skip
    """Limbs that touch the body stay outside the planes of the skin that they touch."""
    for own in range(len(contacts)):
        for other in range(len(contacts)):
            if contacts[own, other] > -_NEAR_SKIN:
                _remember(touching, pairs[own, other, 0], pairs[own, other, 1])
    normal = np.empty(3)
    for i in range(touching.number[0]):  # those of earlier rounds too: a hand must not tip over the one it stands on
        probe, met = touching.pairs[i]
        square = 0.0
        for c in range(3):
            square += (vertices[probe, c] - vertices[met, c]) ** 2
        if square > _BESIDE**2:
            continue
        normal[:] = normal_at(met, vertices, skin.faces, skin.faces_at)
        _ask(table, n, probe, met, normal, _CLEAR, 1.0 / _CLEAR_SPREAD, True, skin, world, place, vertices)
        n += 1
    return n


@njit(cache=True, nogil=True)
def _remember(touching: Touching, probe: int, met: int) -> None:
    count = touching.number[0]
    for i in range(count):
        if touching.pairs[i, 0] == probe and touching.pairs[i, 1] == met:
            return
    if count < len(touching.pairs):
        touching.pairs[count, 0], touching.pairs[count, 1] = probe, met
        touching.number[0] += 1


@njit(cache=True, nogil=True)
def _ask(
    table: Table, n: int, vertex: int, minus: int, normal: np.ndarray, target: float, weight: float, lower: bool,
    skin: Skin, world: np.ndarray, place: np.ndarray, vertices: np.ndarray,
) -> None:  # fmt: skip
    """Row n: a vertex, less another one where that is not −1, along a direction."""
    k = table.starts[n]
    for v, factor in ((vertex, 1.0), (minus, -1.0)):
        if v >= 0:
            table.factors[k], table.bones[k] = factor, skin.owner[v]
            _ride(v, skin.owner[v], world, place, vertices, table.locals[k])
            k += 1
    table.starts[n + 1] = k
    table.normals[n] = normal
    table.targets[n], table.weights[n], table.lower[n] = target, weight, lower


@njit(cache=True, nogil=True)
def _ride(vertex: int, bone: int, world: np.ndarray, place: np.ndarray, vertices: np.ndarray, out: np.ndarray) -> None:
    """Where a vertex lies in a bone's frame (3,)."""
    x, y = vertices[vertex, 0] - place[bone, 0], vertices[vertex, 1] - place[bone, 1]
    z = vertices[vertex, 2] - place[bone, 2]
    for c in range(3):
        out[c] = world[bone, 0, c] * x + world[bone, 1, c] * y + world[bone, 2, c] * z
