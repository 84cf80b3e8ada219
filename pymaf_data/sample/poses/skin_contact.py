"""Where limbs touch the rest of the body, on the surface itself.

The radial maps of :mod:`~pymaf_data.sample.poses.clash` see any clash from anywhere, but near joints the posed skin
departs from them by a centimetre or two. Once a posture is nearly settled, each probe is held against the nearest
vertex of other parts and the plane that its normal spans: exact where parts lie on each other, blind only to what is
several centimetres deep, which the maps have ruled out. About half a millisecond.

Shape letters: V vertices, F faces, P probes.
"""

from __future__ import annotations

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


def choose_probes(owner: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Vertices of hands, forearms, shins and feet, evenly thinned; right ones mirror left ones."""
    left = [np.flatnonzero(owner == SMPL24.index(f"left_{joint}"))[::step] for joint, step in _EVERY.items()]
    chosen = np.concatenate(left)
    return np.unique(np.concatenate([chosen, mirror[chosen]]))


@njit(cache=True, nogil=True)
def vertex_normals(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    """Outward normals (V, 3), weighted by area, not normalised."""
    normals[:] = 0.0
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        a0, a1, a2 = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        b0, b1, b2 = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        n0, n1, n2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        for v in (i, j, k):
            normals[v, 0] += n0
            normals[v, 1] += n1
            normals[v, 2] += n2


@njit(cache=True, nogil=True)
def find_contacts(
    vertices: np.ndarray, normals: np.ndarray, probes: np.ndarray, owner: np.ndarray, by_bone: np.ndarray,
    starts: np.ndarray, asked: np.ndarray, depths: np.ndarray, pairs: np.ndarray,
) -> None:  # fmt: skip
    """The deepest probe of each bone in the skin of each other.

    Args:
        vertices, normals: (V, 3) of the posed surface.
        probes: (P,) vertices; owner: (V,) bones.
        by_bone, starts: vertices sorted by bone, and where each of the 24 bones begins.
        asked: (24, 24).
        depths: (24, 24) out, metres inside; negative outside, −REACH where nothing is near.
        pairs: (24, 24, 2) out, probe and the vertex that it met.
    """
    B = len(starts)
    centre, radius = np.zeros((B, 3)), np.zeros(B)
    depths[:] = -REACH
    for b in range(B):
        first, last = starts[b], starts[b + 1] if b + 1 < B else len(by_bone)
        for c in range(3):
            total = 0.0
            for r in range(first, last):
                total += vertices[by_bone[r], c]
            centre[b, c] = total / (last - first)
        for r in range(first, last):
            v = by_bone[r]
            d = 0.0
            for c in range(3):
                d += (vertices[v, c] - centre[b, c]) ** 2
            radius[b] = max(radius[b], d)
        radius[b] = np.sqrt(radius[b])
    for p in probes:
        own = owner[p]
        x, y, z = vertices[p, 0], vertices[p, 1], vertices[p, 2]
        nearest, met = REACH * REACH, -1
        for b in range(B):
            if not asked[own, b]:
                continue
            u, v, w = x - centre[b, 0], y - centre[b, 1], z - centre[b, 2]
            if u * u + v * v + w * w > (radius[b] + REACH) ** 2:
                continue
            last = starts[b + 1] if b + 1 < B else len(by_bone)
            for r in range(starts[b], last):
                q = by_bone[r]
                d = (x - vertices[q, 0]) ** 2 + (y - vertices[q, 1]) ** 2 + (z - vertices[q, 2]) ** 2
                if d < nearest:
                    nearest, met = d, q
        if met < 0:
            continue
        n0, n1, n2 = normals[met, 0], normals[met, 1], normals[met, 2]
        size = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
        deep = (n0 * (vertices[met, 0] - x) + n1 * (vertices[met, 1] - y) + n2 * (vertices[met, 2] - z)) / size
        other = owner[met]
        if deep > depths[own, other]:
            depths[own, other] = deep
            pairs[own, other, 0], pairs[own, other, 1] = p, met
