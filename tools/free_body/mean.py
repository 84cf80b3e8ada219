"""Where a regressor starts: a person who stands at ease, facing the camera."""

from __future__ import annotations

import numpy as np

from .skeleton import JOINT_MIRROR, JOINTS
from .whole import SIGN

CAMERA = np.array([0.9, 0.0, 0.0])
"""Weak-perspective (s, tx, ty)."""

# Axis-angle in degrees; the right side mirrors the left. Turned half about x: upright where y points down.
_POSE = {
    "pelvis": (180.0, 0.0, 0.0),
    "spine1": (5.0, 0.0, 0.0),
    "spine3": (-2.0, 0.0, 0.0),
    "neck": (-3.0, 0.0, 0.0),
    "head": (6.0, 0.0, 0.0),
    "left_hip": (-8.0, 0.0, 4.0),
    "left_knee": (12.0, 0.0, 0.0),
    "left_ankle": (-2.0, 4.0, 0.0),
    "left_collar": (0.0, -4.0, -10.0),
    "left_shoulder": (6.0, -8.0, -50.0),
    "left_elbow": (0.0, -24.0, 0.0),
    "left_wrist": (0.0, 0.0, 0.0),
}


def mean_pose() -> np.ndarray:
    """(24, 3) axis-angle, radians."""
    pose = np.zeros((len(JOINTS), 3))
    for name, degrees in _POSE.items():
        index = JOINTS.index(name)
        pose[index] = np.radians(degrees)
        if JOINT_MIRROR[index] != index:  # a mirrored rotation keeps its angle about x and turns back about y and z
            pose[JOINT_MIRROR[index]] = -SIGN * pose[index]
    return pose


def mean_pose6d() -> np.ndarray:
    """(144,) float32: the first two columns of each rotation, row by row, as PyMAF reads ``view(-1, 3, 2)``."""
    angle = np.linalg.norm(mean_pose(), axis=1)
    axis = mean_pose() / np.maximum(angle, 1e-12)[:, None]
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    rotation = np.eye(3) + np.sin(angle)[:, None, None] * cross + (1 - np.cos(angle))[:, None, None] * (cross @ cross)
    six: np.ndarray = rotation[:, :, :2].reshape(-1).astype(np.float32)
    return six
