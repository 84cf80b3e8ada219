"""A body with SMPL's semantics: shape and pose blend shapes, then linear blend skinning.

    v(β, θ) = template + S·β + P·vec(R(θ) − I)              blend shapes in the T-pose
    J(β)    = regressor · (template + S·β)                  the skeleton moves with the shape
    G_j     = G_parent(j) · [R_j | J_j − J_parent(j)]       forward kinematics, one step per depth of the tree
    x       = Σ_j w_j (G_j · [v − J_j])                     skinning

J(β) is affine in β, so its template and its ten directions are multiplied out once (in float64) instead of
regressing 24 joints from all vertices at every call. A batch of 64 takes about 30 ms in float32 on one core, 5 of
them the product with the blend shapes. It stays dense: SMPL's is. Who needs no gradients takes :meth:`BodyModel.mesh`,
8 ms; whoever needs joints alone needs no mesh, :meth:`BodyModel.keypoints` takes 1.

Semantics follow Loper et al., "SMPL", SIGGRAPH Asia 2015, and agree with the ``smplx`` package within 1e-5 m.
Shape letters: B batch, V vertices, F faces.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pymaf_data.body.arrays import NUM_BETAS, NUM_JOINTS, BodyArrays
from pymaf_data.body.names import J49_INDEX
from pymaf_data.body.skinning import Influences
from pymaf_data.errors import ShapeError

_OF_JOINTS = {"mean_betas", "_joint_template", "_joint_dirs", "_j49", "_order", "_position", "_above"}
_OF_JOINTS |= {f"_part_{name}" for name in ("template", "blendshapes", "bones", "mass", "joints")}


class BodyOutput(NamedTuple):
    """A posed batch, metres.

    Attributes:
        vertices: (B, V, 3).
        skeleton: (B, 24, 3) the kinematic joints.
        joints: (B, 49, 3) J49.
    """

    vertices: Tensor
    skeleton: Tensor
    joints: Tensor


class ReducedOutput(NamedTuple):
    """A posed batch without its mesh, metres.

    Attributes:
        sampled: (B, 431, 3) the vertices that PyMAF samples features at.
        skeleton: (B, 24, 3) the kinematic joints.
        joints: (B, 49, 3) J49.
    """

    sampled: Tensor
    skeleton: Tensor
    joints: Tensor


class BodyModel(nn.Module):
    """Batched forward pass of one body, differentiable in pose, shape and translation.

    Coordinates: metres, T-pose with y up, facing +z, the body's left at +x. Every buffer is non-persistent: the body
    comes from its asset, a checkpoint never carries a copy.

    Args:
        name: "free", "smpl-neutral", …
        arrays: the checked arrays.
        dtype: of all floating buffers.
    """

    v_template: Tensor
    faces: Tensor
    blendshapes: Tensor
    J_regressor: Tensor
    lbs_weights: Tensor
    parents: Tensor
    mean_pose6d: Tensor
    mean_betas: Tensor
    mean_camera: Tensor
    mirror: Tensor | None
    _extra: Tensor
    _h36m: Tensor
    _landmarks: Tensor
    _downsample: Tensor
    _joint_template: Tensor
    _joint_dirs: Tensor
    _j49: Tensor
    _order: Tensor
    _position: Tensor
    _above: Tensor
    _sampled_template: Tensor
    _sampled_blendshapes: Tensor
    _sampled_weights: Tensor
    _part_template: Tensor
    _part_blendshapes: Tensor
    _part_bones: Tensor
    _part_mass: Tensor
    _part_joints: Tensor

    def __init__(self, name: str, arrays: BodyArrays, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.name = name
        self.fingerprint = arrays.fingerprint
        self.digest = arrays.digest()
        self.num_betas = NUM_BETAS
        self._dtype = dtype
        self._register_arrays(arrays)
        self._register_derived(arrays)

    def _buffer(self, name: str, value: np.ndarray | None) -> None:
        if value is None:
            self.register_buffer(name, None, persistent=False)
            return
        dtype = torch.int64 if value.dtype.kind in "iu" else self._dtype
        self.register_buffer(name, torch.tensor(value, dtype=dtype), persistent=False)

    def _register_arrays(self, arrays: BodyArrays) -> None:
        for name in ("v_template", "faces", "parents", "mirror"):
            self._buffer(name, getattr(arrays, name))
        for name in ("mean_pose6d", "mean_betas", "mean_camera"):
            self._buffer(name, getattr(arrays, name))
        shape = np.asarray(arrays.shapedirs).reshape(-1, NUM_BETAS).T
        self._buffer("blendshapes", np.concatenate([shape, arrays.posedirs]))
        self._buffer("lbs_weights", arrays.weights)
        self._buffer("J_regressor", arrays.joints.matrix)
        self._buffer("_extra", arrays.extra.matrix)
        self._buffer("_h36m", arrays.h36m.matrix)
        self._buffer("_landmarks", arrays.landmarks)
        self._buffer("_downsample", arrays.downsample)

    def _register_derived(self, arrays: BodyArrays) -> None:
        regress = arrays.joints.matrix
        self._buffer("_joint_template", regress @ arrays.v_template)
        self._buffer("_joint_dirs", np.einsum("jv,vck->jck", regress, arrays.shapedirs))
        self._buffer("_j49", np.asarray(J49_INDEX))
        self._register_parts(arrays)
        some = arrays.downsample
        self._buffer("_sampled_template", arrays.v_template[some])
        blend = self.blendshapes.view(len(self.blendshapes), -1, 3)[:, some].flatten(1)
        self._buffer("_sampled_blendshapes", blend.numpy())
        self._buffer("_sampled_weights", arrays.weights[some])
        depth = np.zeros(NUM_JOINTS, dtype=np.int64)
        for joint, parent in enumerate(arrays.parents[1:], start=1):
            depth[joint] = depth[parent] + 1
        order = np.argsort(depth, kind="stable")
        position = np.argsort(order, kind="stable")
        self._influences = Influences.of(self.lbs_weights.numpy())
        # In order of depth a level of the tree is a slice. Indices are buffers: a list would be copied to a GPU, and
        # waited for, at each use.
        self._levels = [tuple(np.searchsorted(depth[order], [d, d + 1]).tolist()) for d in range(1, depth.max() + 1)]
        self._buffer("_order", order)
        self._buffer("_position", position)
        self._buffer("_above", position[arrays.parents[order].clip(0)])

    def _register_parts(self, arrays: BodyArrays) -> None:
        """What J49 needs of the mesh. Skinning is linear, so what a joint has of the vertices that one bone moves is a
        point that moves with that bone: a hundred or two such parts of joints, instead of half the mesh.
        """
        used = np.union1d(arrays.landmarks, np.flatnonzero(arrays.extra.matrix.any(0)))
        picked = np.concatenate([used == arrays.landmarks[:, None], arrays.extra.matrix[:, used]])
        weights = arrays.weights[used].T
        joints, bones = np.nonzero((picked != 0).astype(np.float32) @ (weights != 0).astype(np.float32).T)
        shares = picked[joints] * weights[bones]  # (P, U): of each vertex in a part
        shape = [arrays.shapedirs[used, axis].T @ shares.T for axis in range(3)]
        pose = [arrays.posedirs[:, 3 * used + axis] @ shares.T for axis in range(3)]
        blend = np.concatenate([np.stack(shape, 2), np.stack(pose, 2)])
        self._buffer("_part_template", shares @ arrays.v_template[used])
        self._buffer("_part_blendshapes", blend.reshape(len(blend), -1))
        self._buffer("_part_bones", bones)
        self._buffer("_part_mass", shares.sum(1)[:, None])
        self._buffer("_part_joints", np.eye(len(picked))[:, joints])

    def forward(self, pose: Tensor, betas: Tensor, translation: Tensor | None = None) -> BodyOutput:
        """Pose the whole body.

        Args:
            pose: (B, 24, 3, 3) rotation matrices, each joint relative to its parent.
            betas: (B, 10).
            translation: (B, 3) metres, or none.

        Returns:
            Vertices, skeleton and J49 in the frame that the root rotation and the translation put the body in.

        Raises:
            ShapeError: an argument has another shape.
        """
        self._check(pose, betas, translation)
        transforms, skeleton = self.kinematics(pose, betas)
        vertices = _skin(self._blend(pose, betas, self.v_template, self.blendshapes), self.lbs_weights, transforms)
        joints = self.j49(skeleton, vertices)
        if translation is not None:
            shift = translation[:, None]
            vertices, skeleton, joints = vertices + shift, skeleton + shift, joints + shift
        return BodyOutput(vertices, skeleton, joints)

    @torch.no_grad()
    def mesh(self, pose: Tensor, betas: Tensor) -> Tensor:
        """Vertices (B, V, 3) alone, ``forward``'s but for rounding; meant for rendering: no joints, no gradients.

        Args:
            pose: (B, 24, 3, 3) rotation matrices, each joint relative to its parent.
            betas: (B, 10).

        Returns:
            Metres, in the frame that the root rotation puts the body in.

        Raises:
            ShapeError: an argument has another shape.
        """
        self._check(pose, betas, None)
        transforms, _ = self.kinematics(pose, betas)
        rest = self._blend(pose, betas, self.v_template, self.blendshapes)
        if rest.device.type != "cpu":
            return _skin(rest, self.lbs_weights, transforms)
        self._influences.skin(rest.numpy(), transforms.numpy())
        return rest

    def keypoints(self, pose: Tensor, betas: Tensor, translation: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Skeleton (B, 24, 3) and J49 (B, 49, 3) without the mesh: equal to ``forward``'s, many times cheaper.

        No vertex is posed, but what landmarks and extra joints have of each bone; meant for fitting loops and proofs.

        Raises:
            ShapeError: an argument has another shape.
        """
        self._check(pose, betas, translation)
        transforms, skeleton = self.kinematics(pose, betas)
        joints = self._joints(pose, betas, transforms, skeleton)
        if translation is not None:
            skeleton, joints = skeleton + translation[:, None], joints + translation[:, None]
        return skeleton, joints

    def of_joints(self) -> BodyModel:
        """A copy on the CPU that gives :meth:`keypoints` and :meth:`rest_joints` and nothing else: 0.3 MB, which go to
        workers and stay where they are when this body moves to a GPU."""
        light = copy.copy(self)
        kept = {name: value for name, value in self._buffers.items() if name in _OF_JOINTS and value is not None}
        light._buffers = {name: value.cpu().clone() for name, value in kept.items()}
        return light

    def reduced(self, pose: Tensor, betas: Tensor) -> ReducedOutput:
        """What a feedback loop needs: J49 and the 431 vertices, ``forward``'s but for rounding, differentiable.

        Raises:
            ShapeError: an argument has another shape.
        """
        self._check(pose, betas, None)
        transforms, skeleton = self.kinematics(pose, betas)
        rest = self._blend(pose, betas, self._sampled_template, self._sampled_blendshapes)
        sampled = _skin(rest, self._sampled_weights, transforms)
        return ReducedOutput(sampled, skeleton, self._joints(pose, betas, transforms, skeleton))

    def _joints(self, pose: Tensor, betas: Tensor, transforms: Tensor, skeleton: Tensor) -> Tensor:
        """J49 (B, 49, 3) from parts of joints that move with a bone each."""
        parts = self._blend(pose, betas, self._part_template, self._part_blendshapes)
        moved = transforms[:, self._part_bones]
        placed = self._part_mass * moved[..., 3] + (moved[..., :3] @ parts[..., None])[..., 0]
        return torch.cat([skeleton, self._part_joints @ placed], dim=1)[:, self._j49]

    def j49(self, skeleton: Tensor, vertices: Tensor) -> Tensor:
        """J49 (B, 49, 3) of a posed skeleton (B, 24, 3) and its vertices (B, V, 3), metres."""
        surface = vertices[:, self._landmarks]
        return torch.cat([skeleton, surface, self._extra @ vertices], dim=1)[:, self._j49]

    @property
    def shapedirs(self) -> Tensor:
        """Blend shapes of shape, (V, 3, 10) metres; a view."""
        return self.blendshapes[: self.num_betas].view(self.num_betas, -1, 3).permute(1, 2, 0)

    @property
    def posedirs(self) -> Tensor:
        """Blend shapes of pose, (207, 3V) metres for the joints' rotations less the identity; a view."""
        return self.blendshapes[self.num_betas :]

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Skeleton (B, 24, 3) of the T-pose."""
        return self._joint_template + torch.einsum("jck,bk->bjc", self._joint_dirs, betas)

    @staticmethod
    def j24(output: BodyOutput) -> Tensor:
        """The 24 "ground-truth" joints (B, 24, 3): the second part of J49."""
        return output.joints[:, 25:]

    def h36m(self, vertices: Tensor) -> Tensor:
        """Human3.6M's 17 joints (B, 17, 3) of posed vertices (B, V, 3)."""
        return self._h36m @ vertices

    def downsample(self, vertices: Tensor) -> Tensor:
        """The 431 vertices (B, 431, 3) that PyMAF samples features at: an exact gather."""
        return vertices[:, self._downsample]

    def _check(self, pose: Tensor, betas: Tensor, translation: Tensor | None) -> None:
        B = pose.shape[0]
        expected = {"pose": (B, NUM_JOINTS, 3, 3), "betas": (B, self.num_betas), "translation": (B, 3)}
        for name, value in (("pose", pose), ("betas", betas), ("translation", translation)):
            if value is not None and tuple(value.shape) != expected[name]:
                raise ShapeError(
                    f"{name} has shape {tuple(value.shape)}.",
                    expected=f"{expected[name]}.",
                    action="pass rotation matrices and one row per body.",
                )

    @staticmethod
    def _blend(pose: Tensor, betas: Tensor, template: Tensor, blendshapes: Tensor) -> Tensor:
        """Blend shapes in the T-pose (B, V, 3), those of shape and of pose in one product."""
        identity = torch.eye(3, dtype=pose.dtype, device=pose.device)
        amounts = torch.cat([betas, (pose[:, 1:] - identity).flatten(1)], dim=1)  # (B, 10 + 207)
        return torch.addmm(template.reshape(-1), amounts, blendshapes).view(-1, *template.shape)

    def kinematics(self, pose: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Forward kinematics: skinning transforms (B, 24, 3, 4) of the T-pose, and posed joints (B, 24, 3)."""
        rest = self.rest_joints(betas)
        # Joints in order of depth: each level is one batched product with the levels above it.
        local, joints = pose.index_select(1, self._order), rest.index_select(1, self._order)
        bones = (joints - joints.index_select(1, self._above))[..., None]
        rotation, place = local[:, :1], joints[:, :1]
        for first, last in self._levels:
            parents = self._above[first:last]
            above = rotation.index_select(1, parents)
            moved = place.index_select(1, parents) + (above @ bones[:, first:last])[..., 0]
            place = torch.cat([place, moved], dim=1)
            rotation = torch.cat([rotation, above @ local[:, first:last]], dim=1)
        rotation, skeleton = rotation.index_select(1, self._position), place.index_select(1, self._position)
        offset = skeleton - (rotation @ rest[..., None])[..., 0]
        return torch.cat([rotation, offset[..., None]], dim=-1), skeleton


def _skin(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Linear blend skinning: (B, V, 3), (V, 24), (B, 24, 3, 4) → (B, V, 3)."""
    B, V, _ = vertices.shape
    blended = (weights @ transforms.reshape(B, NUM_JOINTS, 12)).view(B, V, 3, 4)
    # Column by column: as products of 3 × 3 matrices with vectors it takes a third longer.
    placed = blended[..., 3]
    for axis in range(3):
        placed = torch.addcmul(placed, blended[..., axis], vertices[..., axis, None])
    return placed
