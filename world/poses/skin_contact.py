"""What is held against what, to see where limbs touch the rest of the body on the surface itself.

The radial maps of :mod:`~pymaf_data.world.poses.clash` see any clash from anywhere, but near joints the posed skin
departs from them by a centimetre or two. Once a posture is nearly settled, each probe is held against the nearest
vertex of other parts and the plane that its normal spans: exact where parts lie on each other, blind only to what is
several centimetres deep, which the maps have ruled out. The search is :func:`~.follow.find_contacts`.

Shape letters: V vertices, F faces, P probes, B bones, C clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.freedoms import SIDES

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
