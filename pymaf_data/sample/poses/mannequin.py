"""What the settling needs of a body: once per body (:class:`Mannequin`) and once per shape (:class:`Build`)."""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from pymaf_data.body import BodyModel
from pymaf_data.errors import AssetMismatch
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.sample.poses import clash, skin_contact
from pymaf_data.sample.poses.landmarks import find_markers, find_patches
from pymaf_data.sample.poses.skin import skin_table

_KNOWN: WeakKeyDictionary[BodyModel, Mannequin] = WeakKeyDictionary()
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


class Mannequin:
    """Constants of one body model, float64.

    Raises:
        AssetMismatch: the body's mesh has no mirror partners, which left-right balance needs.
    """

    def __init__(self, body: BodyModel) -> None:
        if body.mirror is None:
            raise AssetMismatch(
                f"the body {body.name} does not say which vertices mirror each other.",
                expected="a mesh with a mirror permutation.",
                action='generate samples with load_body("free").',
            )
        self.mirror: np.ndarray = body.mirror.numpy()
        self.template: np.ndarray = body.v_template.numpy()
        self.shapedirs: np.ndarray = body.shapedirs.numpy()
        self.faces: np.ndarray = body.faces.numpy()
        self.joint_template: np.ndarray = body._joint_template.numpy()
        self.joint_dirs: np.ndarray = body._joint_dirs.numpy()
        weights = body.lbs_weights.numpy()
        self.owner = weights.argmax(1)
        self.skin = skin_table(body.posedirs.numpy(), weights)
        parts = self.template, self.joint_template, self.owner, self.mirror
        self.markers, self.patches = find_markers(*parts), find_patches(*parts)
        self.probes = clash.choose_probes(*parts)
        self.probe_bones = self.owner[self.probes]
        self.fine_probes = skin_contact.choose_probes(self.owner, self.mirror)
        self.clusters = skin_contact.find_clusters(self.template, self.faces, self.owner)
        # Vertices sorted by bone, to find each bone's lowest.
        self.by_bone = np.argsort(self.owner, kind="stable")
        self.bone_starts = np.searchsorted(self.owner[self.by_bone], np.arange(len(SMPL24)))
        self._map_segments()

    def _map_segments(self) -> None:
        """For every sample of every radial map the triangle that its ray leaves the body through."""
        starts, ends = clash.segment_ends(self.joint_template)
        axis = (ends - starts) / np.linalg.norm(ends - starts, axis=1, keepdims=True)
        first, second = clash.frames(axis)
        S, T, A = len(starts), clash.LENGTHS, clash.ANGLES
        self.ray_face, self.ray_bary = np.zeros((S, T, A), np.int64), np.zeros((S, T, A, 3))
        self.ray_met = np.zeros((S, T, A), bool)
        angle = 2 * np.pi * np.arange(A) / A
        for s, name in enumerate(clash.SEGMENTS):
            faces = np.flatnonzero(np.isin(self.owner[self.faces], _skin_bones(name)).all(1))
            toward = np.cos(angle)[:, None] * first[s] + np.sin(angle)[:, None] * second[s]
            for t in range(T):
                origin = starts[s] + (t + 0.5) / T * (ends[s] - starts[s])
                face, bary, met = _cast(origin, toward, self.template[self.faces[faces]])
                self.ray_face[s, t], self.ray_bary[s, t], self.ray_met[s, t] = faces[face], bary, met
        self.ray_before, self.ray_after, self.ray_between = _bridge(self.ray_met)


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


class Build:
    """A body's shape: surface and joints of its T-pose (metres) and the radial maps of its segments."""

    def __init__(self, mannequin: Mannequin, betas: np.ndarray) -> None:
        self.mannequin, self.betas = mannequin, betas
        self.shaped = mannequin.template + mannequin.shapedirs @ betas
        self.rest = mannequin.joint_template + mannequin.joint_dirs @ betas

    @cached_property
    def stature(self) -> float:
        """Height of the T-pose, metres."""
        return float(np.ptp(self.shaped[:, 1]))

    @cached_property
    def scale(self) -> float:
        """Stature against the average body's."""
        return self.stature / float(np.ptp(self.mannequin.template[:, 1]))

    @cached_property
    def knee_height(self) -> float:
        """Height of the knee joints above the soles of the T-pose, metres."""
        return float(self.rest[SMPL24.index("left_knee"), 1] - self.shaped[:, 1].min())

    def length(self, joint: str, other: str) -> float:
        """Metres between two joints of the T-pose."""
        return float(np.linalg.norm(self.rest[SMPL24.index(joint)] - self.rest[SMPL24.index(other)]))

    @cached_property
    def segments(self) -> tuple[np.ndarray, ...]:
        """Origins (in the bones' frames), axes, two across, lengths and radii (S, T, A), for the kernel."""
        starts, ends = clash.segment_ends(self.rest)
        lengths = np.linalg.norm(ends - starts, axis=1)
        axis = (ends - starts) / lengths[:, None]
        first, second = clash.frames(axis)
        m = self.mannequin
        skin = np.einsum("stac,stacd->stad", m.ray_bary, self.shaped[m.faces[m.ray_face]])
        share = (np.arange(clash.LENGTHS) + 0.5) / clash.LENGTHS
        spine = starts[:, None] + share[None, :, None] * (ends - starts)[:, None]
        radii = np.linalg.norm(skin - spine[:, :, None], axis=-1)
        # Where a ray left through no skin of its own (a joint's opening) its neighbours around the ring stand in.
        radii = np.take_along_axis(radii, m.ray_before, 2) * (1 - m.ray_between) + (
            np.take_along_axis(radii, m.ray_after, 2) * m.ray_between
        )
        return starts - self.rest[clash.SEGMENT_BONES], axis, first, second, lengths, radii


def mannequin_of(body: BodyModel) -> Mannequin:
    """The mannequin of a body, made once as long as the body lives."""
    if body not in _KNOWN:
        _KNOWN[body] = Mannequin(body)
    return _KNOWN[body]
