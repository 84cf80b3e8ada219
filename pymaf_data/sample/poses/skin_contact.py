"""Where limbs touch the rest of the body, on the surface itself.

The radial maps of :mod:`~pymaf_data.sample.poses.clash` see any clash from anywhere, but near joints the posed skin
departs from them by a centimetre or two. Once a posture is nearly settled, each probe is held against the nearest
vertex of other parts and the plane that its normal spans: exact where parts lie on each other, blind only to what is
several centimetres deep, which the maps have ruled out.

Shape letters: V vertices, F faces, P probes, B bones, C clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.sample.poses.freedoms import SIDES

REACH = 0.05  # metres to the nearest vertex within which a probe is judged
# Limb parts that are asked, and the skin of the same side that belongs to their neighbourhood.
_AROUND = {
    "wrist": ("elbow", "wrist", "hand"), "hand": ("elbow", "wrist", "hand"),
    "elbow": ("shoulder", "elbow", "wrist", "hand"),
    "ankle": ("knee", "ankle", "foot"), "foot": ("knee", "ankle", "foot"),
    "knee": ("hip_smpl", "knee", "ankle", "foot"),
}  # fmt: skip
_CLUSTER = 24  # vertices at most that are searched together
_EVERY = {"wrist": 3, "hand": 3, "elbow": 4, "ankle": 6, "foot": 6, "knee": 5}


def _asked() -> np.ndarray:
    asked = np.zeros((len(SMPL24), len(SMPL24)), np.bool_)
    for side in SIDES:
        for joint, around in _AROUND.items():
            row = SMPL24.index(f"{side}_{joint}")
            asked[row] = True
            asked[row, [SMPL24.index(f"{side}_{name}") for name in around]] = False
    return asked


ASKED = _asked()
"""(24, 24) whether probes of a bone (row) are held against the skin of another (column)."""


def choose_fine_probes(owner: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Vertices of hands, forearms, shins and feet, bone by bone, evenly thinned; right ones mirror left ones."""
    left = [np.flatnonzero(owner == SMPL24.index(f"left_{joint}"))[::step] for joint, step in _EVERY.items()]
    chosen = np.concatenate(left)
    probes = np.unique(np.concatenate([chosen, mirror[chosen]]))
    return probes[np.argsort(owner[probes], kind="stable")]


class Skin(NamedTuple):
    """A body's mesh.

    Args:
        owner: (V,) bones.
        faces: (F, 3) vertices.
        faces_at: (V, M) faces at each vertex, −1 where there are fewer.
    """

    owner: np.ndarray
    faces: np.ndarray
    faces_at: np.ndarray

    @classmethod
    def of(cls, owner: np.ndarray, faces: np.ndarray) -> Skin:
        """Find the faces at each vertex, in ascending order."""
        corners = np.argsort(faces.ravel(), kind="stable")
        vertex = faces.ravel()[corners]
        rank = np.arange(len(vertex)) - np.searchsorted(vertex, vertex)
        faces_at = np.full((len(owner), rank.max() + 1), -1)
        faces_at[vertex, rank] = corners // 3
        return cls(owner, faces, faces_at)


class Clusters(NamedTuple):
    """The skin in small neighbourhoods, so that most of it is passed over at once.

    Args:
        order: (V,) vertices, cluster by cluster and bone by bone.
        starts: (C + 1,) where clusters begin in ``order``.
        bone_starts: (B + 1,) where bones begin among the clusters.
    """

    order: np.ndarray
    starts: np.ndarray
    bone_starts: np.ndarray


def find_clusters(template: np.ndarray, owner: np.ndarray) -> Clusters:
    """Halve each bone's vertices across their longest extent until few are left."""

    def halved(rows: np.ndarray) -> list[np.ndarray]:
        if len(rows) <= _CLUSTER:
            return [rows]
        axis = np.ptp(template[rows], axis=0).argmax()
        rows = rows[np.argsort(template[rows, axis], kind="stable")]
        return halved(rows[: len(rows) // 2]) + halved(rows[len(rows) // 2 :])

    bones = [halved(np.flatnonzero(owner == bone)) for bone in range(len(SMPL24))]
    clusters = [rows for bone in bones for rows in bone]
    return Clusters(np.concatenate(clusters), np.cumsum([0, *map(len, clusters)]), np.cumsum([0, *map(len, bones)]))


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
