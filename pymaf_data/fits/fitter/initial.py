"""Where a fit may start: several headings and leans of a plain pose, placed under the keypoints in closed form.

Seventeen points in an image fit a body facing either way almost equally well, so one start is a coin toss. Every
person starts 24 times (8 headings × 3 leans along the ray); the trunk's direction *in* the image is read off the
keypoints, which also serves people who lie, dive or stand on their hands. The energies decide later.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pymaf_data.fits.fitter.objective import Objective, Observation, State
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

HEADINGS = tuple(range(0, 360, 45))
LEANS = (0, 40, -40)
_SHOULDERS = (J24.index("left_shoulder"), J24.index("right_shoulder"))
_HIPS = (J24.index("left_hip"), J24.index("right_hip"))
# A person whose keypoints do not tell a distance is placed where a body of 1.2 m spans the view.
_USUAL_SPAN = 1.2


def initial_states(objective: Objective, seen: Observation, start: Tensor) -> tuple[State, Tensor]:
    """Starting bodies for B persons.

    Args:
        objective: whose rig is placed. seen: B persons. start: (26,) the angles to start with.

    Returns:
        B·H bodies, person by person, and the person (B·H,) that each belongs to.
    """
    B, H = len(seen.target), len(HEADINGS) * len(LEANS)
    person = torch.arange(B).repeat_interleave(H)
    root = _roll(seen)[:, None] @ _headings(seen.target.dtype)
    state = State(
        root.reshape(-1, 3, 3),
        torch.zeros(B * H, 3, dtype=seen.target.dtype),
        start.expand(B * H, -1).clone(),
        torch.zeros(B * H, objective.rig.num_betas, dtype=seen.target.dtype),
    )
    return place(objective, state, seen.rows(person)), person


def _headings(dtype: torch.dtype) -> Tensor:
    """(H, 3, 3) rotations of an upright body in camera space; heading 0 faces the camera."""
    yaw = torch.tensor([math.radians(y) for y in HEADINGS for _ in LEANS], dtype=dtype)
    lean = torch.tensor([math.radians(a) for _ in HEADINGS for a in LEANS], dtype=dtype)
    zero = torch.zeros_like(yaw)
    turned = axis_angle_to_matrix(torch.stack((zero, yaw, zero), -1))
    # Half a turn about x takes the body's frame (y up, faces +z) into the camera's (y down, looks along +z).
    leaned = axis_angle_to_matrix(torch.stack((lean + math.pi, zero, zero), -1))
    return leaned @ turned


def _roll(seen: Observation) -> Tensor:
    """(B, 3, 3) turns in the image that take "up" to where shoulders lie from hips, identity where not labelled."""
    labelled = (seen.precision > 0).to(seen.target.dtype)

    def middle(joints: tuple[int, int]) -> tuple[Tensor, Tensor]:
        weight = labelled[:, joints]
        return (seen.target[:, joints] * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1), weight

    (shoulders, upper), (hips, lower) = middle(_SHOULDERS), middle(_HIPS)
    known = (upper.sum(1) > 0) & (lower.sum(1) > 0)
    x, y = (shoulders - hips).unbind(-1)
    angle = torch.where(known, torch.atan2(x, -y), torch.zeros_like(x))
    zero = torch.zeros_like(angle)
    return axis_angle_to_matrix(torch.stack((zero, zero, angle), -1))


def place(objective: Objective, state: State, seen: Observation) -> State:
    """Move bodies to where their points best project onto the keypoints: a linear 3 × 3 system each.

    (x_k + p_x) = u_k (z_k + p_z) for the ray (u, v, 1) of a keypoint is linear in the position p.
    """
    points = objective.posed(state).points - state.position[:, None]
    ray = (seen.target - seen.principal[:, None]) / seen.focal[:, None]
    weight = (seen.precision > 0).to(points.dtype)
    rows = torch.zeros(*points.shape[:2], 2, 3, dtype=points.dtype)
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -ray
    right = ray * points[..., 2:] - points[..., :2]
    normal = torch.einsum("bk,bkij,bkil->bjl", weight, rows, rows) + 1e-9 * torch.eye(3, dtype=points.dtype)
    position = torch.linalg.solve(normal, torch.einsum("bk,bkij,bki->bj", weight, rows, right))
    usual = seen.focal[:, 0] * _USUAL_SPAN / 224
    distance = position[:, 2]
    good = position.isfinite().all(-1) & (distance > 0.25 * usual) & (distance < 8 * usual)
    centre = (ray * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1)
    fallback = torch.cat((centre * usual[:, None], usual[:, None]), -1)
    return State(state.root, torch.where(good[:, None], position, fallback), state.angles, state.betas)
