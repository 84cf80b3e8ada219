"""What a fit minimises: −log of a posterior, so that terms need no weights beyond their standard deviations.

    E = Σ_k ρ(|x_k − y_k|² / σ_k²)     keypoints in view pixels; Geman-McClure, so that no one label bends a body
      + E_pose(angles)                 the habits of prior.py
      + ½ Σ β²                         shapes have unit deviation by construction
      + ½ (u_z / σ_tilt)²              photographs are taken level: trunks lean in the image, less along the ray
      + ρ(w (p_z − a_z)² / σ_foot²)    on straight legs (w → 1) the pelvis stands over the ankles

Angles stay within their limits because the solver projects onto them; there is nothing to price.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_data.fits.fitter.limits import ANGLES
from pymaf_data.fits.fitter.prior import PosePrior
from pymaf_data.fits.fitter.rig import KeypointRig, Posed
from pymaf_data.geometry.joints import J24

# A residual of this many standard deviations has lost most of its pull.
_ROBUST = 6.0
_TILT_DEVIATION = 0.34
# Depth between the pelvis and the middle of the ankles, metres; people lie down too, hence robust. Straight legs carry:
# the weight fades with the mean flexion of the knees (radians).
_FOOT_DEVIATION, _FOOT_ROBUST, _FOOT_FLEXION = 0.14, 4.0, 0.9
_KNEES = [ANGLES.index("left_knee.flexion"), ANGLES.index("right_knee.flexion")]
_ANKLES = [J24.index("left_ankle"), J24.index("right_ankle")]
# Nearer than this to the camera's plane a projection means nothing (metres).
_NEAREST = 0.2


@dataclass(frozen=True)
class State:
    """B bodies: root rotation (B, 3, 3), pelvis position (B, 3) in camera metres, angles (B, 26), betas (B, S)."""

    root: Tensor
    position: Tensor
    angles: Tensor
    betas: Tensor

    def rows(self, index: Tensor) -> State:
        """The bodies at an index or mask."""
        return State(self.root[index], self.position[index], self.angles[index], self.betas[index])

    def where(self, mask: Tensor, other: State) -> State:
        """These bodies where the mask (B,) holds, else ``other``'s."""
        pick = torch.where(mask[:, None], self.position, other.position)
        return State(
            torch.where(mask[:, None, None], self.root, other.root),
            pick,
            torch.where(mask[:, None], self.angles, other.angles),
            torch.where(mask[:, None], self.betas, other.betas),
        )

    @staticmethod
    def cat(states: list[State]) -> State:
        """Bodies one after the other."""
        return State(
            torch.cat([s.root for s in states]),
            torch.cat([s.position for s in states]),
            torch.cat([s.angles for s in states]),
            torch.cat([s.betas for s in states]),
        )


@dataclass(frozen=True)
class Observation:
    """What was seen of B persons, in continuous pixels of the 224 view of their boxes.

    Attributes:
        target: (B, K, 2) keypoints.
        precision: (B, K) 1/σ in 1/px, 0 where nothing is labelled.
        visibility: (B, K) 0 not labelled, 1 labelled but hidden, 2 seen.
        focal, principal: (B, 2) of the full image's camera, mapped into the view.
    """

    target: Tensor
    precision: Tensor
    visibility: Tensor
    focal: Tensor
    principal: Tensor

    def rows(self, index: Tensor) -> Observation:
        """The persons at an index or mask."""
        return Observation(
            self.target[index],
            self.precision[index],
            self.visibility[index],
            self.focal[index],
            self.principal[index],
        )

    def project(self, points: Tensor) -> Tensor:
        """View pixels (B, K, 2) of camera-space points (B, K, 3)."""
        depth = points[..., 2:].clamp_min(_NEAREST)
        return self.focal[:, None] * points[..., :2] / depth + self.principal[:, None]


class Objective:
    """Energy and its Gauss-Newton system for a rig and a prior."""

    def __init__(self, rig: KeypointRig, prior: PosePrior) -> None:
        self.rig, self.prior = rig, prior

    def posed(self, state: State) -> Posed:
        """The rig in a state."""
        return self.rig.pose(state.root, state.position, state.angles, state.betas)

    def energy(self, state: State, seen: Observation, posed: Posed | None = None) -> Tensor:
        """(B,) energies; infinite where a labelled point lies behind the camera."""
        posed = posed or self.posed(state)
        square = ((seen.project(posed.points) - seen.target) * seen.precision[..., None]).square().sum(-1)
        data = 0.5 * (square / (1 + square / _ROBUST**2)).sum(-1)
        tilt = 0.5 * (state.root[:, 2, 1] / _TILT_DEVIATION).square()
        square = self._overhang(state, posed).square()
        foot = 0.5 * square / (1 + square / _FOOT_ROBUST**2)
        total = data + self.prior.energy(state.angles) + 0.5 * state.betas.square().sum(-1) + tilt + foot
        behind = (posed.points[..., 2] < _NEAREST).any(-1) | ~total.isfinite()
        return torch.where(behind, torch.inf, total)

    def normal_equations(self, state: State, seen: Observation, posed: Posed) -> tuple[Tensor, Tensor]:
        """Gauss-Newton matrix (B, D, D) and gradient (B, D); D = 3 rotation, 3 position, 26 angles, S betas."""
        residual, jacobian = self._data(state, seen, posed)
        transposed = jacobian.transpose(1, 2)
        matrix, gradient = transposed @ jacobian, (transposed @ residual[..., None])[..., 0]
        diagonal, slope = torch.zeros_like(gradient), torch.zeros_like(gradient)
        pose_residual, pose_slope, _ = self.prior.residuals(state.angles)
        A = state.angles.shape[1]
        diagonal[:, 6 : 6 + A], slope[:, 6 : 6 + A] = pose_slope.square(), pose_residual * pose_slope
        diagonal[:, 6 + A :], slope[:, 6 + A :] = 1.0, state.betas
        matrix = matrix + torch.diag_embed(diagonal)
        up, tilt = state.root[:, :, 1], torch.zeros_like(gradient)
        tilt[:, 0], tilt[:, 1] = up[:, 1] / _TILT_DEVIATION, -up[:, 0] / _TILT_DEVIATION
        matrix = matrix + tilt[:, :, None] * tilt[:, None]
        return matrix, gradient + slope + tilt * (up[:, 2:] / _TILT_DEVIATION)

    def _overhang(self, state: State, posed: Posed) -> Tensor:
        """(B,) by how many deviations the pelvis stands behind the ankles, faded where knees are bent."""
        depth = state.position[:, 2] - posed.points[:, _ANKLES, 2].mean(-1)
        return self._straightness(state) * depth / _FOOT_DEVIATION

    @staticmethod
    def _straightness(state: State) -> Tensor:
        return torch.exp(-0.5 * (state.angles[:, _KNEES].mean(-1) / _FOOT_FLEXION).square())

    def _data(self, state: State, seen: Observation, posed: Posed) -> tuple[Tensor, Tensor]:
        points = posed.points
        depth = points[..., 2:].clamp_min(_NEAREST)
        error = (seen.project(points) - seen.target) * seen.precision[..., None]
        pull = 1 / (1 + error.square().sum(-1) / _ROBUST**2)  # √ of the Geman-McClure weight
        scale = (pull * seen.precision)[..., None] * seen.focal[:, None] / depth  # (B, K, 2)
        slope = self.rig.jacobian(posed)  # (B, K, 3, D)
        ratio = points[..., :2] / depth
        moved = scale[..., None] * (slope[..., :2, :] - ratio[..., None] * slope[..., 2:, :])
        foot, foot_slope = self._foot(state, posed, slope)
        return torch.cat(((error * pull[..., None]).flatten(1), foot), 1), torch.cat(
            (moved.flatten(1, 2), foot_slope), 1
        )

    def _foot(self, state: State, posed: Posed, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Residual (B, 1) and derivatives (B, 1, D) of the overhang, both with the root of its robust weight."""
        overhang = self._overhang(state, posed)
        moved = -slope[:, _ANKLES, 2].mean(1)
        moved[:, 5] += 1.0
        moved = moved * (self._straightness(state) / _FOOT_DEVIATION)[:, None]
        knees = state.angles[:, _KNEES].mean(-1)
        fading = -overhang * knees / (len(_KNEES) * _FOOT_FLEXION**2)
        moved[:, [6 + column for column in _KNEES]] += fading[:, None]
        pull = (1 / (1 + overhang.square() / _FOOT_ROBUST**2))[:, None]
        return overhang[:, None] * pull, moved[:, None] * pull[..., None]
