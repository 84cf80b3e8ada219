"""Rows follow the surface: which vertices carry the body now, where limbs lie on skin, and where points ride.

The kernels between :mod:`~pymaf_data.sample.poses.rows` and the steps of a round. Sequential, float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pymaf_data.sample.poses.rows import Anchors, Supports, Table, Touching
from pymaf_data.sample.poses.skin_contact import Skin, normal_at

_FIRM = 0.006  # metres of spread up to which a support is meant exactly
_NEAR_SKIN, _BESIDE = 0.012, 0.03  # metres: when a limb touches skin, and while a vertex speaks for its plane
_CLEAR, _CLEAR_SPREAD = 0.001, 0.002  # metres by which it stays outside that plane, and how exactly


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
        contacts, pairs: (24, 24), (24, 24, 2) of :func:`~.skin_contact.find_contacts`.
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
