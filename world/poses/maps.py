"""Radial maps: how far the skin of a segment lies from its axis, for one shape.

Where rays from the axis leave the body is found once per body, on the average shape; a shape's radii are then the
distances of these points of its own skin. Shape letters: S segments, T × A samples along the axis and around it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.kernels import njit
from pymaf_data.world.poses.segments import ENDS, SEGMENT_BONES, SEGMENTS

_LENGTHS, _ANGLES = 10, 20
# Bones whose skin closes a segment: its own and those that join it.
_SKIN_OF = {
    "head": ("head", "neck"),
    "pelvis": ("pelvis", "spine1", "left_hip_smpl", "right_hip_smpl"),
    "belly": ("pelvis", "spine1", "spine2"),
    "waist": ("spine1", "spine2", "spine3"),
    "chest": ("spine2", "spine3", "neck", "left_collar", "right_collar"),
    "upper_arm": ("shoulder", "elbow", "collar"), "forearm": ("elbow", "shoulder", "wrist"),
    "hand": ("wrist", "elbow", "hand"),
    "thigh": ("hip_smpl", "knee", "!pelvis"), "shin": ("knee", "hip_smpl", "ankle"), "foot": ("ankle", "foot"),
}  # fmt: skip


class Rays(NamedTuple):
    """Where each sample's ray leaves the body.

    Args:
        corners, shares: (S, T, A, 3) vertices of the triangle, and their shares in the point.
        before, after, between: (S, T, A) the nearest samples around the ring whose rays met skin, and where between
            them the sample lies: through a joint's opening a ray leaves without meeting skin of its own.
    """

    corners: np.ndarray
    shares: np.ndarray
    before: np.ndarray
    after: np.ndarray
    between: np.ndarray


class Maps(NamedTuple):
    """The segments of one shape.

    Args:
        bones: (S,).
        origins: (S, 3) starts of the axes in the bones' frames.
        axes, first, second: (S, 3) unit vectors along and across.
        lengths: (S,) metres.
        radii: (S, T, A) metres.
        widest: (S,) the largest radius.
    """

    bones: np.ndarray
    origins: np.ndarray
    axes: np.ndarray
    first: np.ndarray
    second: np.ndarray
    lengths: np.ndarray
    radii: np.ndarray
    widest: np.ndarray


def cast_rays(template: np.ndarray, joints: np.ndarray, faces: np.ndarray, owner: np.ndarray) -> Rays:
    """For every sample of every map the triangle that its ray leaves the body through."""
    starts, ends = ENDS @ joints
    axis = (ends - starts) / np.linalg.norm(ends - starts, axis=1, keepdims=True)
    first, second = _frames(axis)
    S, T, A = len(starts), _LENGTHS, _ANGLES
    corners, shares, met = np.zeros((S, T, A, 3), np.int64), np.zeros((S, T, A, 3)), np.zeros((S, T, A), bool)
    angle = 2 * np.pi * np.arange(A) / A
    for s, name in enumerate(SEGMENTS):
        own = faces[np.isin(owner[faces], _skin_bones(name)).all(1)]
        toward = np.cos(angle)[:, None] * first[s] + np.sin(angle)[:, None] * second[s]
        for t in range(T):
            origin = starts[s] + (t + 0.5) / T * (ends[s] - starts[s])
            face, shares[s, t], met[s, t] = _cast(origin, toward, template[own])
            corners[s, t] = own[face]
    return Rays(corners, shares, *_bridge(met))


def measure(rays: Rays, shaped: np.ndarray, joints: np.ndarray) -> Maps:
    """The maps of a shape: its T-pose (V, 3) and joints (24, 3)."""
    starts, ends = ENDS @ joints
    lengths = np.sqrt(((ends - starts) ** 2).sum(1))
    axes = (ends - starts) / lengths[:, None]
    radii = np.empty(rays.between.shape)
    _measure(*rays, shaped, starts, ends, radii)
    first, second = _frames(axes)
    widest = radii.max((1, 2))
    return Maps(SEGMENT_BONES, starts - joints[SEGMENT_BONES], axes, first, second, lengths, radii, widest)


@njit(cache=True, nogil=True)
def _frames(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors (S, 3) across each axis; angles of the maps count from the first to the second."""
    first, second = np.empty_like(axes), np.empty_like(axes)
    for s in range(len(axes)):
        x, y, z = axes[s]
        u, v, w = (y, -x, 0.0) if abs(z) < 0.7 else (0.0, z, -y)  # axis × z, or axis × x
        size = np.sqrt(u * u + v * v + w * w)
        u, v, w = u / size, v / size, w / size
        first[s, 0], first[s, 1], first[s, 2] = u, v, w
        second[s, 0], second[s, 1], second[s, 2] = y * w - z * v, z * u - x * w, x * v - y * u
    return first, second


@njit(cache=True, nogil=True)
def _measure(
    corners: np.ndarray, shares: np.ndarray, before: np.ndarray, after: np.ndarray, between: np.ndarray,
    shaped: np.ndarray, starts: np.ndarray, ends: np.ndarray, radii: np.ndarray,
) -> None:  # fmt: skip
    """Distances of the rays' ends from the axes into ``radii``; see :class:`Rays`."""
    S, T, A = radii.shape
    ring = np.empty(A)
    for s in range(S):
        for t in range(T):
            share = (t + 0.5) / T
            for a in range(A):
                square = 0.0
                for c in range(3):
                    d = -starts[s, c] - share * (ends[s, c] - starts[s, c])
                    for k in range(3):
                        d += shares[s, t, a, k] * shaped[corners[s, t, a, k], c]
                    square += d * d
                ring[a] = np.sqrt(square)
            for a in range(A):
                share_after = between[s, t, a]
                radii[s, t, a] = ring[before[s, t, a]] * (1 - share_after) + ring[after[s, t, a]] * share_after


def _skin_bones(segment: str) -> list[int]:
    side = segment.partition("_")[0] + "_" if segment.startswith(("left_", "right_")) else ""
    bones = _SKIN_OF[segment.removeprefix(side)]
    return [SMPL24.index(bone[1:] if bone.startswith("!") else side + bone) for bone in bones]


def _cast(origin: np.ndarray, toward: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest triangle (A,) that each ray meets, where on it (A, 3), and whether it meets one. Möller and Trumbore."""
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(toward[:, None], e2[None])
    det = np.einsum("afc,fc->af", p, e1)
    safe = np.where(np.abs(det) < 1e-14, 1e-14, det)
    s = origin - corners[:, 0]
    u = np.einsum("afc,fc->af", p, s) / safe
    q = np.cross(s, e1)
    v = np.einsum("ac,fc->af", toward, q) / safe
    distance = np.einsum("fc,fc->f", e2, q) / safe
    hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 1e-6)
    face = np.argmin(np.where(hit, distance, np.inf), axis=1)
    rays = np.arange(len(toward))
    u, v = u[rays, face], v[rays, face]
    return face, np.stack([1 - u - v, u, v], 1), hit[rays, face]


def _bridge(met: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each sample of rings (S, T, A) the nearest met samples before and after it, and where it lies between."""
    A = met.shape[2]
    around = (np.arange(A)[:, None] - np.arange(A)[None]) % A  # steps back from a sample to another
    back = np.where(met[:, :, None, :], around, A)
    ahead = np.where(met[:, :, None, :], (-around) % A, A)
    before, after = back.argmin(3), ahead.argmin(3)
    b, a = back.min(3), ahead.min(3)
    return before, after, np.where(a + b > 0, b / np.maximum(a + b, 1), 0.0)
