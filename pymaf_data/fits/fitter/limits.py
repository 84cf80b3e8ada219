"""Anatomical angles of the body and their limits: the coordinates in which a pose is fitted, priced and judged.

SMPL lets all 23 joints rotate freely about all axes; people do not. Here a pose is 26 angles with names a physician
would use, in radians. Every group of joints (a limb's joint, the three of the spine, neck and head) turns by a *swing*
(a rotation vector in the plane of its two swing axes, so there is no gimbal lock in front of the body) after a *twist*
about the bone:

    R = Exp(a₁·swing₁ + a₂·swing₂) · Exp(a₃·twist)

Axes are those of the rest pose (T-pose: y up, body faces +z, its left at +x). The right side's axes are the mirror
images of the left's, so equal numbers on both sides are a symmetric pose. Joints that 17 keypoints say nothing about
(wrists, hands, ankles, feet) stay at rest.

Ranges are those of active movement in adults as tabulated in textbooks of clinical goniometry (e.g. Norkin and White,
*Measurement of Joint Motion*; the AAOS tables), rounded outward by up to 10° for sport.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_quaternion

Axis = tuple[float, float, float]
Range = tuple[str, float, float]


@dataclass(frozen=True)
class Group:
    """Joints that turn together.

    Attributes:
        name: what the group is called, with its side ("left_hip", "spine").
        joints: its SMPL joints; each takes an equal share of the angles.
        axes: (swing₁, swing₂, twist) as unit vectors of the rest pose.
        ranges: (name, low, high) in degrees for each axis, () where that axis does not turn.
    """

    name: str
    joints: tuple[str, ...]
    axes: tuple[Axis, Axis, Axis]
    ranges: tuple[Range | tuple[()], Range | tuple[()], Range | tuple[()]]


def _mirrored(group: Group) -> Group:
    """The right side's group: rotation axes are pseudo-vectors, so x stays and y, z change sign."""
    axes = tuple((x, -y, -z) for x, y, z in group.axes)
    names = tuple(name.replace("left_", "right_") for name in group.joints)
    return Group(group.name.replace("left_", "right_"), names, axes, group.ranges)  # type: ignore[arg-type]


_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_NX, _NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)

_SPINE_RANGES = (("flexion", -35.0, 85.0), ("lateral", -40.0, 40.0), ("twist", -50.0, 50.0))
_NECK_RANGES = (("flexion", -55.0, 60.0), ("lateral", -40.0, 40.0), ("twist", -80.0, 80.0))
_MIDLINE = (
    Group("spine", ("spine1", "spine2", "spine3"), (_X, _Z, _Y), _SPINE_RANGES),
    Group("neck", ("neck", "head"), (_X, _Z, _Y), _NECK_RANGES),
)
_LEFT = (
    Group(
        "left_hip",
        ("left_hip_smpl",),
        (_NX, _Z, _Y),
        (("flexion", -30.0, 130.0), ("abduction", -35.0, 60.0), ("external", -45.0, 55.0)),
    ),
    Group("left_knee", ("left_knee",), (_X, _Z, _Y), (("flexion", 0.0, 150.0), (), ())),
    Group(
        "left_collar",
        ("left_collar",),
        (_Z, _NY, _X),
        (("elevation", -10.0, 35.0), ("protraction", -20.0, 25.0), ()),
    ),
    Group(
        "left_shoulder",
        ("left_shoulder",),
        (_Z, _NY, _X),
        (("elevation", -110.0, 100.0), ("forward", -70.0, 125.0), ("internal", -100.0, 90.0)),
    ),
    Group("left_elbow", ("left_elbow",), (_NY, _Z, _X), (("flexion", 0.0, 150.0), (), ())),
)
GROUPS: tuple[Group, ...] = (*_MIDLINE, *_LEFT, *(_mirrored(group) for group in _LEFT))


def _angle_names() -> tuple[str, ...]:
    return tuple(f"{group.name}.{entry[0]}" for group in GROUPS for entry in group.ranges if entry)


ANGLES: tuple[str, ...] = _angle_names()
"""Names of the 26 angles ("left_knee.flexion"), the order of every angle vector."""

LOW: np.ndarray = np.radians([entry[1] for group in GROUPS for entry in group.ranges if entry])
HIGH: np.ndarray = np.radians([entry[2] for group in GROUPS for entry in group.ranges if entry])


def _flip() -> tuple[np.ndarray, np.ndarray]:
    sides = {"left_": "right_", "right_": "left_"}
    order, signs = [], []
    for name in ANGLES:
        side = next((s for s in sides if name.startswith(s)), "")
        order.append(ANGLES.index(sides[side] + name[len(side) :] if side else name))
        signs.append(-1.0 if not side and not name.endswith("flexion") else 1.0)
    return np.array(order), np.array(signs)


FLIP_ORDER, FLIP_SIGNS = _flip()
"""The mirrored person's angles are ``angles[FLIP_ORDER] * FLIP_SIGNS``."""


def swing_twist(group: Group, rotation: Tensor) -> Tensor:
    """Angles (..., 3) (swing₁, swing₂, twist) in radians of one joint's rotation (..., 3, 3).

    The inverse of ``Exp(swing) · Exp(twist)`` for swings below π. Axes that the group does not turn about are reported
    too: what stands there in someone else's pose is a violation.
    """
    axes = torch.tensor(group.axes, dtype=rotation.dtype, device=rotation.device)
    return _swing_twist(axes, matrix_to_quaternion(rotation))


def _swing_twist(axes: Tensor, quaternion: Tensor) -> Tensor:
    """Angles (..., 3) of rotations as unit quaternions (..., 4), real part not negative, about axes (..., 3, 3)."""
    real, imaginary = quaternion[..., 0], quaternion[..., 1:]
    s1, s2, along = (axes @ imaginary[..., None])[..., 0].unbind(-1)
    twist = 2 * torch.atan2(along, real)
    twist = torch.remainder(twist + math.pi, 2 * math.pi) - math.pi
    # q = swing·twist; multiplying by the inverse twist leaves a vector in the swing plane, turned back by half a twist.
    cosine, sine = torch.cos(twist / 2), torch.sin(twist / 2)
    handed = torch.linalg.det(axes).sign()
    v1, v2 = s1 * cosine - handed * s2 * sine, s2 * cosine + handed * s1 * sine
    length = (v1 * v1 + v2 * v2).sqrt()
    half = torch.atan2(length, real * cosine + along * sine)
    scale = torch.where(length > 1e-12, 2 * half / length.clamp_min(1e-12), torch.full_like(length, 2.0))
    return torch.stack((v1 * scale, v2 * scale, twist), -1)


_TURNING = [(group, joint) for group in GROUPS for joint in group.joints]
_SHARES = np.array(
    [
        [group is of and axis == at for of, joint in _TURNING for axis in range(3)]
        for group in GROUPS
        for at, entry in enumerate(group.ranges)
        if entry
    ],
    float,
)
"""(26, 3 · joints): which joints' angles an angle is the sum of."""


def angles_of(pose: Tensor) -> Tensor:
    """The angles (B, 26) in radians of a body pose (B, 72); a group's are the sums over its joints."""
    joints = [SMPL24.index(joint) for _, joint in _TURNING]
    axes = torch.tensor([group.axes for group, _ in _TURNING], dtype=pose.dtype, device=pose.device)
    turns = matrix_to_quaternion(axis_angle_to_matrix(pose.reshape(-1, 24, 3)[:, joints]))
    return _swing_twist(axes, turns).flatten(1) @ torch.as_tensor(_SHARES.T, dtype=pose.dtype, device=pose.device)


def limit_violation(angles: Tensor) -> Tensor:
    """By how much angles (B, 26) leave their limits: (B, 26) radians beyond the nearer one, 0 inside."""
    low, high = (torch.as_tensor(a, dtype=angles.dtype, device=angles.device) for a in (LOW, HIGH))
    return (low - angles).clamp_min(0) + (angles - high).clamp_min(0)


def worst_violation(pose: Tensor) -> tuple[Tensor, list[str]]:
    """The worst violation of each body pose (B, 72), (B,) in degrees, and the name of its angle. The root is free."""
    worst = limit_violation(angles_of(pose)).max(-1)
    return torch.rad2deg(worst.values), [ANGLES[i] for i in worst.indices.tolist()]
