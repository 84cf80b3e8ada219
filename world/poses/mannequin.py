"""What the settling needs of a body: once per body (:class:`Mannequin`) and once per shape (:class:`Build`)."""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from pymaf_data.body import BodyModel
from pymaf_data.errors import AssetMismatch
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.landmarks import find_markers, find_patches
from pymaf_data.world.poses.maps import Maps, cast_rays, measure
from pymaf_data.world.poses.segments import choose_probes
from pymaf_data.world.poses.skin import shape, skin_table
from pymaf_data.world.poses.skin_contact import Skin, choose_fine_probes, find_clusters

_KNOWN: WeakKeyDictionary[BodyModel, Mannequin] = WeakKeyDictionary()


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
        self.shapedirs = np.ascontiguousarray(body.shapedirs.numpy().transpose(2, 0, 1))  # (10, V, 3)
        self.faces: np.ndarray = body.faces.numpy()
        self.joint_template: np.ndarray = body._joint_template.numpy()
        self.joint_dirs: np.ndarray = body._joint_dirs.numpy()
        weights = body.lbs_weights.numpy()
        self.owner = weights.argmax(1)
        self.skinning = skin_table(body.posedirs.numpy(), weights)
        parts = self.template, self.joint_template, self.owner, self.mirror
        self.markers, self.patches = find_markers(*parts), find_patches(*parts)
        self.probes = choose_probes(*parts)
        self.probe_starts = np.searchsorted(self.owner[self.probes], np.arange(len(SMPL24) + 1))
        self.fine_probes = choose_fine_probes(self.owner, self.mirror)
        self.skin = Skin.of(self.owner, self.faces)
        self.clusters = find_clusters(self.template, self.owner)
        self.bone_vertices = tuple(np.flatnonzero(self.owner == bone) for bone in range(len(SMPL24)))
        self.rays = cast_rays(self.template, self.joint_template, self.faces, self.owner)


class Build:
    """A body's shape: surface and joints of its T-pose (metres) and the radial maps of its segments."""

    def __init__(self, mannequin: Mannequin, betas: np.ndarray) -> None:
        self.mannequin, self.betas = mannequin, betas
        self.shaped = shape(mannequin.template, mannequin.shapedirs, betas)
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
    def maps(self) -> Maps:
        """The radial maps of the shape's segments."""
        return measure(self.mannequin.rays, self.shaped, self.rest)


def mannequin_of(body: BodyModel) -> Mannequin:
    """The mannequin of a body, made once as long as the body lives."""
    if body not in _KNOWN:
        _KNOWN[body] = Mannequin(body)
    return _KNOWN[body]
