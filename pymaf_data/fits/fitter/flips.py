"""The other poses that look the same: every foreshortened bone may point towards the camera or away from it.

From a fitted body its rivals are made in closed form and left to the solver: each limb with its upper bone, its lower
bone or both mirrored along the ray (the classic ambiguity of Lee and Chen, 1985), and the trunk mirrored, which turns a
heading of +30° into −30°. Mirrored directions become angles by inverse kinematics of a ball joint and a hinge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_data.fits.fitter.limits import ANGLES, GROUPS, HIGH, LOW
from pymaf_data.fits.fitter.objective import Objective, State
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

# Below this sine the hinge is straight, and the twist above it cannot be read off the lower bone.
_STRAIGHT = 0.2


@dataclass(frozen=True)
class Limb:
    """Two bones: a ball joint, a hinge, an end; and the columns of their angles."""

    ball: int
    hinge: int
    end: int
    parent: int
    ball_axes: Tensor  # (3, 3) rows swing₁, swing₂, twist
    hinge_axis: Tensor  # (3,)
    bone: Tensor  # (3,) along the bones in the rest pose
    columns: tuple[int, ...]


def _limb(side: str, ball: str, hinge: str, joints: tuple[str, str, str, str], bone: tuple[float, ...]) -> Limb:
    groups = {group.name: group for group in GROUPS}
    ball_group, hinge_group = groups[side + ball], groups[side + hinge]
    names = [f"{ball_group.name}.{entry[0]}" for entry in ball_group.ranges if entry]
    parent, first, second, end = (SMPL24.index(name if name == "pelvis" else side + name) for name in joints)
    return Limb(
        ball=first,
        hinge=second,
        end=end,
        parent=parent,
        ball_axes=torch.tensor(ball_group.axes, dtype=torch.float64),
        hinge_axis=torch.tensor(hinge_group.axes[0], dtype=torch.float64),
        bone=torch.tensor(bone, dtype=torch.float64),
        columns=tuple(ANGLES.index(name) for name in (*names, f"{hinge_group.name}.flexion")),
    )


_LEG = ("pelvis", "hip_smpl", "knee", "ankle")
_ARM = ("collar", "shoulder", "elbow", "wrist")
LIMBS: tuple[Limb, ...] = (
    _limb("left_", "hip", "knee", _LEG, (0.0, -1.0, 0.0)),
    _limb("right_", "hip", "knee", _LEG, (0.0, -1.0, 0.0)),
    _limb("left_", "shoulder", "elbow", _ARM, (1.0, 0.0, 0.0)),
    _limb("right_", "shoulder", "elbow", _ARM, (-1.0, 0.0, 0.0)),
)
MIRRORS = ((True, False), (False, True), (True, True))
"""(upper bone mirrored, lower bone mirrored)."""


def flip_limb(objective: Objective, state: State, limb: Limb, mirrors: tuple[bool, bool]) -> State:
    """Bodies with one limb's bones mirrored along their rays, angles clamped to the limits."""
    posed = objective.posed(state)
    upper, lower = _bones(posed.joints, limb)
    if mirrors[0]:
        upper = _mirrored(upper, posed.joints[:, limb.hinge])
    if mirrors[1]:
        lower = _mirrored(lower, posed.joints[:, limb.end])
    return _aimed(state, limb, posed.rotations[:, limb.parent], upper, lower)


def mirror_trunk(objective: Objective, state: State) -> State:
    """Bodies whose trunk is mirrored along the ray while limbs keep their directions in space."""
    before = objective.posed(state)
    ray = state.position
    left, up = _mirrored(state.root[:, :, 0], ray), _mirrored(state.root[:, :, 1], ray)
    root = torch.stack((left, up, torch.cross(left, up, dim=-1)), -1)
    angles = state.angles.clone()
    # Front and back change places: what bent or turned one way now does the other; the head is left to the solver.
    for name in ("spine.flexion", "spine.twist"):
        angles[:, ANGLES.index(name)] *= -1
    for name in ("neck.flexion", "neck.lateral", "neck.twist"):
        angles[:, ANGLES.index(name)] = 0
    mirrored = State(root, state.position, _clamped(angles), state.betas)
    turned = objective.posed(mirrored)
    for limb in LIMBS:
        mirrored = _aimed(mirrored, limb, turned.rotations[:, limb.parent], *_bones(before.joints, limb))
    return mirrored


def _bones(joints: Tensor, limb: Limb) -> tuple[Tensor, Tensor]:
    return joints[:, limb.hinge] - joints[:, limb.ball], joints[:, limb.end] - joints[:, limb.hinge]


def _mirrored(vector: Tensor, ray: Tensor) -> Tensor:
    ray = ray / ray.norm(dim=-1, keepdim=True)
    return vector - 2 * (vector * ray).sum(-1, keepdim=True) * ray


def _aimed(state: State, limb: Limb, parent: Tensor, upper: Tensor, lower: Tensor) -> State:
    """Bodies whose limb points along (B, 3) directions given in camera space; ``parent`` (B, 3, 3) carries the limb."""
    upper, lower = (
        (parent.transpose(-1, -2) @ (v / v.norm(dim=-1, keepdim=True))[..., None])[..., 0] for v in (upper, lower)
    )
    swing = _swing(limb.bone.expand_as(upper), upper)
    unswung = (axis_angle_to_matrix(swing).transpose(-1, -2) @ lower[..., None])[..., 0]
    flexion = torch.atan2(torch.cross(upper, lower, dim=-1).norm(dim=-1), (upper * lower).sum(-1))
    start = torch.linalg.cross(limb.hinge_axis, limb.bone)
    across = torch.linalg.cross(limb.ball_axes[2], start)
    twist = torch.atan2(unswung @ across, unswung @ start)
    angles = state.angles.clone()
    twist = torch.where(flexion.sin() > _STRAIGHT, twist, angles[:, limb.columns[2]])
    swings = swing @ limb.ball_axes[:2].T
    for column, value in zip(limb.columns, (*swings.unbind(-1), twist, flexion), strict=True):
        angles[:, column] = value
    return State(state.root, state.position, _clamped(angles), state.betas)


def _swing(source: Tensor, target: Tensor) -> Tensor:
    """Rotation vector (B, 3) of the shortest turn between unit vectors."""
    axis = torch.cross(source, target, dim=-1)
    sine = axis.norm(dim=-1, keepdim=True)
    angle = torch.atan2(sine, (source * target).sum(-1, keepdim=True))
    return axis * (angle / sine.clamp_min(1e-9))


def _clamped(angles: Tensor) -> Tensor:
    return angles.clamp(torch.as_tensor(LOW, dtype=angles.dtype), torch.as_tensor(HIGH, dtype=angles.dtype))
