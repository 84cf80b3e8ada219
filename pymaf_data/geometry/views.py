"""How one augmentation of the view moves everything at once.

An augmentation is a scale k, a rotation φ and a flip F of the 224 view: v' = 112 + F·R(φ)·(v − 112)/k. The same
transform moves

    image, keypoints   by the affine; a flip also renames left and right
    3D joints            by Rz(φ) about the optical axis, then x ↦ −x and the renaming
    pose                 the root turns by Rz(φ); a flip mirrors every rotation and swaps the sides
    π                    fitted anew to the moved keypoints: a scale is exact for the orthographic camera alone

so that a body posed by the moved pose projects to the moved keypoints, where its root was seen along the view's axis to
begin with: a perspective fit is turned into the view's frame first (:mod:`~pymaf_data.geometry.frames`), then rotated,
then mirrored. The least turn does not commute with a rotation in the image plane. The mirrored body is the same body
because the templates are symmetric (the free body exactly, SMPL's to about a millimetre).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import VIEW_SIZE, Floats, apply, augmentation_affine
from pymaf_data.geometry.joints import SMPL24, Convention
from pymaf_data.geometry.rotations import rotation_about_z


@dataclass(frozen=True)
class Augmentation:
    """One augmentation, or B of them.

    Attributes:
        scale: k () or (B,), above 1 zooms out.
        rotation: φ () or (B,) in radians, positive turns the image clockwise.
        flip: () or (B,) bool, mirrors left to right after the rotation.
    """

    scale: NDArray[np.float64]
    rotation: NDArray[np.float64]
    flip: NDArray[np.bool_]

    @classmethod
    def of(cls, scale: ArrayLike = 1.0, rotation: ArrayLike = 0.0, flip: ArrayLike = False) -> Augmentation:
        """Build from numbers or arrays that broadcast together; the default changes nothing."""
        k, phi, mirror = np.broadcast_arrays(
            np.asarray(scale, np.float64), np.asarray(rotation, np.float64), np.asarray(flip, np.bool_)
        )
        if not (np.isfinite(k).all() and np.isfinite(phi).all() and (k > 0).all()):
            raise ShapeError(f"scale {k}, rotation {phi}", expected="finite numbers and a scale above 0")
        return cls(k, phi, mirror)

    def affine(self, size: int = VIEW_SIZE) -> Floats:
        """View → augmented view (2, 3) or (B, 2, 3)."""
        return augmentation_affine(self.scale, self.rotation, self.flip, size)


def move_keypoints(keypoints: ArrayLike, affine: ArrayLike, flip: ArrayLike, convention: Convention) -> Floats:
    """Keypoints (..., J, 3) with confidence, moved by affines (..., 2, 3) of the image plane.

    Args:
        keypoints: x and y in continuous pixels of the plane that the affine starts from, then a confidence.
        affine: the whole way to the target plane; it contains the mirroring where ``flip`` is set.
        flip: (...) whether it mirrors: left and right are then renamed.
        convention: names the J joints.
    """
    values = np.asarray(keypoints, dtype=np.float64)
    if values.shape[-2:] != (len(convention), 3):
        raise ShapeError(f"keypoints of shape {values.shape}", expected=f"(..., {len(convention)}, 3)")
    moved = np.concatenate([apply(affine, values[..., :2]), values[..., 2:]], -1)
    mirrored = np.asarray(flip, np.bool_)[..., None, None]
    return np.where(mirrored, moved[..., convention.flip_permutation, :], moved)


def augment_joints3d(joints: Tensor, augmentation: Augmentation, convention: Convention) -> Tensor:
    """3D joints (B, J, 3 or 4) turned about the optical axis and mirrored; a fourth channel, a flag, goes along."""
    R = _turn(augmentation, joints)
    moved = torch.cat([joints[..., :3] @ R.transpose(-1, -2), joints[..., 3:]], -1)
    mirrored = moved[:, torch.as_tensor(convention.flip_permutation.copy(), device=joints.device)]
    mirrored = torch.cat([-mirrored[..., :1], mirrored[..., 1:]], -1)
    return torch.where(_flags(augmentation, joints, 2), mirrored, moved)


def augment_pose(pose: Tensor, augmentation: Augmentation) -> Tensor:
    """SMPL poses (B, 24, 3, 3) as rotation matrices, seen in the augmented view."""
    root = _turn(augmentation, pose)[:, None] @ pose[:, :1]
    turned = torch.cat([root, pose[:, 1:]], 1)
    # M·R·M with M = diag(−1, 1, 1) changes the sign of the entries that mix x with another axis.
    signs = pose.new_tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    mirrored = turned[:, torch.as_tensor(SMPL24.flip_permutation.copy(), device=pose.device)] * signs
    return torch.where(_flags(augmentation, pose, 3), mirrored, turned)


def _turn(augmentation: Augmentation, like: Tensor) -> Tensor:
    """Rz(φ) (B or 1, 3, 3) in the dtype and on the device of ``like``."""
    angle = torch.as_tensor(np.atleast_1d(augmentation.rotation).copy())
    return rotation_about_z(angle).to(like)


def _flags(augmentation: Augmentation, like: Tensor, trailing: int) -> Tensor:
    flags = torch.as_tensor(np.atleast_1d(augmentation.flip).copy(), device=like.device)
    return flags.reshape(-1, *[1] * trailing)
