"""Feet on the ground, weight over the feet: what makes a posture stand.

1. Feet that are both planted are brought to one level by bending the knee of the longer leg.
2. Ankles turn so that planted soles lie flat, as far as they can.
3. The body leans about its ankles until its centre of mass lies over the feet; then 2. once more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import J49, SMPL24
from pymaf_data.sample.anatomy import LIMITS, Leg, Posture, joint_rotations, turn_x, turn_z

_SIDES = ("left", "right")
_TRIALS = np.linspace(0.0, 60.0, 13)  # degrees of additional knee flexion
# Mass of each segment between two joints, as a share of the body (Winter, "Biomechanics", table 4.1).
_SEGMENTS = (
    ("pelvis", "neck", 0.497), ("neck", "head", 0.081),
    *((f"{s}_{a}", f"{s}_{b}", m) for s in _SIDES for a, b, m in (
        ("shoulder", "elbow", 0.028), ("elbow", "wrist", 0.022), ("hip_smpl", "knee", 0.100),
        ("knee", "ankle", 0.0465), ("ankle", "foot", 0.0145),
    )),
)  # fmt: skip


class Stance:
    """Settles postures of one body shape."""

    def __init__(self, body: BodyModel, betas: np.ndarray) -> None:
        self._body, self._betas = body, torch.from_numpy(betas)[None]

    def settle(self, posture: Posture) -> np.ndarray:
        """Rotations (24, 3, 3) of the posture, standing as it says; the body still faces +z."""
        if posture.balanced:
            posture = self._level(posture)
        rotations = plant(posture)
        for _ in range(3 if posture.balanced else 0):
            pitch, roll = self._lean(rotations)
            trunk = replace(posture.trunk, pitch=posture.trunk.pitch + pitch, roll=posture.trunk.roll + roll)
            posture = replace(posture, trunk=trunk)
            rotations = plant(posture)
        return rotations

    def _points(self, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Skeleton (B, 24, 3) and J49 (B, 49, 3) of rotations (B, 24, 3, 3)."""
        betas = self._betas.expand(len(rotations), -1)
        skeleton, joints = self._body.keypoints(torch.from_numpy(rotations), betas)
        return skeleton.numpy(), joints.numpy()

    def _level(self, posture: Posture) -> Posture:
        """Bend the knee of the leg that reaches lower until both soles are at one height."""
        heights = self._soles([posture])[0]
        longer = int(np.argmin(heights))
        target = heights[1 - longer]
        trials = [_shortened(posture, longer, extra) for extra in _TRIALS]
        reached = self._soles(trials)[:, longer]
        return _shortened(posture, longer, float(np.interp(target, reached, _TRIALS)))

    def _soles(self, postures: list[Posture]) -> np.ndarray:
        """Height (B, 2) of the ankles' soles, metres: the ankle joint, since the sole will be turned flat."""
        skeleton, _ = self._points(np.stack([plant(posture) for posture in postures]))
        return np.stack([skeleton[:, SMPL24.index(f"{side}_ankle"), 1] for side in _SIDES], axis=1)

    def _lean(self, rotations: np.ndarray) -> tuple[float, float]:
        """Degrees of pitch and roll that bring the centre of mass over the middle of the soles."""
        skeleton, joints = (points[0] for points in self._points(rotations[None]))
        mass = np.zeros(3)
        for a, b, share in _SEGMENTS:
            mass += share * (skeleton[SMPL24.index(a)] + skeleton[SMPL24.index(b)]) / 2
        names = [f"openpose:{side}_{part}" for side in _SIDES for part in ("heel", "big_toe")]
        support = joints[[J49.index(name) for name in names]].mean(0)
        across, up, along = mass - support
        return -float(np.rad2deg(np.arctan2(along, up))), -float(np.rad2deg(np.arctan2(across, up)))


def _shortened(posture: Posture, side: int, extra: float) -> Posture:
    leg = posture.legs[side]
    bent = replace(leg, knee=leg.knee + extra, flex=leg.flex + extra / 2)
    legs = (bent, posture.legs[1]) if side == 0 else (posture.legs[0], bent)
    return replace(posture, legs=legs).clipped()


def plant(posture: Posture) -> np.ndarray:
    """Rotations (24, 3, 3) with the planted soles turned flat, within the ankle's range."""
    rotations = joint_rotations(posture)
    for side, planted in zip(_SIDES, posture.planted, strict=True):
        if planted:
            rotations[SMPL24.index(f"{side}_ankle")] = _flat_ankle(rotations, side)
    return rotations


def _flat_ankle(rotations: np.ndarray, side: str) -> np.ndarray:
    """The ankle's rotation that makes the sole level: ground normal, seen from the shin, split into pitch and roll."""
    chain = [rotations[SMPL24.index(name)] for name in ("pelvis", f"{side}_hip_smpl", f"{side}_knee")]
    shin = chain[0] @ chain[1] @ chain[2]
    up = shin.T @ np.array([0.0, 1.0, 0.0])
    # R_x(a)·R_z(b) takes y to (−sin b, cos a cos b, sin a cos b).
    low, high = LIMITS[Leg]["ankle"]
    pitch = float(np.clip(np.rad2deg(np.arctan2(up[2], up[1])), -high, -low))
    roll = float(np.clip(np.rad2deg(np.arcsin(np.clip(-up[0], -1, 1))), -20, 20))
    return turn_x(pitch) @ turn_z(roll)
