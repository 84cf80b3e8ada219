"""A batched, bounded Levenberg-Marquardt solver in which persons never meet.

Every body of the batch has its own damping, its own acceptance test and its own active limits, and every body takes
the same number of steps; so a result does not depend on who else is in the batch. A few dozen unknowns each: one
Cholesky factorisation of 42 × 42 a step, where gradient descent would take hundreds of steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pymaf_data.fits.fitter.limits import HIGH, LOW
from pymaf_data.fits.fitter.objective import Objective, Observation, State
from pymaf_data.geometry.rotations import axis_angle_to_matrix

_START_DAMPING = 1e-2
_LOOSEN, _TIGHTEN = 0.25, 6.0
_DAMPING_RANGE = (1e-6, 1e6)
# The longest step: radians for rotations and angles, metres for position (relative to distance), units for betas.
_LONGEST = 0.6


def solve(objective: Objective, state: State, seen: Observation, steps: int) -> tuple[State, Tensor]:
    """Take ``steps`` damped Gauss-Newton steps.

    Args:
        objective: what to minimise. state: B starting bodies, angles within the limits. seen: B observations.
        steps: how many.

    Returns:
        The improved bodies and their energies (B,), never above those of the start.
    """
    posed = objective.posed(state)
    energy = objective.energy(state, seen, posed)
    matrix, gradient = objective.normal_equations(state, seen, posed)
    damping = torch.full_like(energy, _START_DAMPING)
    for _ in range(steps):
        trial = _moved(state, _step(state, matrix, gradient, damping))
        trial_posed = objective.posed(trial)
        trial_energy = objective.energy(trial, seen, trial_posed)
        better = trial_energy < energy
        damping = torch.where(better, damping * _LOOSEN, damping * _TIGHTEN).clamp(*_DAMPING_RANGE)
        state, energy = trial.where(better, state), torch.where(better, trial_energy, energy)
        trial_matrix, trial_gradient = objective.normal_equations(trial, seen, trial_posed)
        matrix = torch.where(better[:, None, None], trial_matrix, matrix)
        gradient = torch.where(better[:, None], trial_gradient, gradient)
    return state, energy


def _step(state: State, matrix: Tensor, gradient: Tensor, damping: Tensor) -> Tensor:
    """(B, D) the damped step; an angle at its limit that would leave it stands still."""
    low, high = _limits(state.angles)
    A = state.angles.shape[1]
    held = torch.zeros_like(gradient, dtype=torch.bool)
    pull = gradient[:, 6 : 6 + A]
    held[:, 6 : 6 + A] = ((state.angles <= low) & (pull > 0)) | ((state.angles >= high) & (pull < 0))
    free = (~held).to(matrix.dtype)
    damped = matrix + torch.diag_embed(damping[:, None] * matrix.diagonal(dim1=1, dim2=2) + 1e-9)
    damped = damped * free[:, :, None] * free[:, None] + torch.diag_embed(1 - free)
    factor, info = torch.linalg.cholesky_ex(damped)
    step = -torch.cholesky_solve((gradient * free)[..., None], factor)[..., 0]
    step = torch.where((info == 0)[:, None] & step.isfinite(), step, torch.zeros_like(step))
    return step * (_LONGEST / _length(state, step).clamp_min(_LONGEST))[:, None]


def _length(state: State, step: Tensor) -> Tensor:
    """The largest component (B,), with position measured against the distance to the camera."""
    distance = state.position.norm(dim=-1, keepdim=True).clamp_min(0.5)
    A = state.angles.shape[1]
    parts = (step[:, :3], step[:, 3:6] / distance, step[:, 6 : 6 + A], step[:, 6 + A :] / 3)
    return torch.cat(parts, 1).abs().amax(1)


def _moved(state: State, step: Tensor) -> State:
    low, high = _limits(state.angles)
    A = state.angles.shape[1]
    return State(
        axis_angle_to_matrix(step[:, :3]) @ state.root,
        state.position + step[:, 3:6],
        (state.angles + step[:, 6 : 6 + A]).clamp(low, high),
        state.betas + step[:, 6 + A :],
    )


def _limits(like: Tensor) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(LOW, dtype=like.dtype), torch.as_tensor(HIGH, dtype=like.dtype)
