"""Pose corrections: what linear blending lacks of dual-quaternion skinning, as SMPL's linear function of R − I.

Linear blending shrinks a bent or twisted limb; dual quaternions keep its volume but bulge. For one joint that turns
by θ about an axis through itself both are closed forms of the vertex's weight w on the joint and all below it: the
first blends I and R to A = (1 − w)·I + w·R, the second turns by φ = 2·atan2(w·sin ½θ, 1 − w + w·cos ½θ). A share of
the difference, taken back to the unposed frame, is fitted by ridge regression over sampled rotations.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from .skeleton import JOINT_MIRROR, JOINTS, PARENTS
from .whole import SIGN, Whole

SHARE = 0.7
UNIT = 1e-4
"""Metres per stored integer."""
_SAMPLES, _SEED, _RIDGE = 240, 17, 4.0
_SMALLEST = 3
"""Integers below this (0.3 mm at a full turn of the feature) are dropped."""
_HINGE = {"left_elbow": (0.0, -1.0, 0.0), "left_knee": (1.0, 0.0, 0.0)}


def pose_directions(whole: Whole, vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> csr_matrix:
    """(207, 3V) int16: correction = UNIT · (R − I).ravel() @ rows, exactly mirror symmetric."""
    moved_by = _weights_below(weights)
    table = np.zeros((len(JOINTS) - 1, 9, len(vertices), 3), np.int16)
    for index, name in enumerate(JOINTS):
        partner = int(JOINT_MIRROR[index])
        if index == 0 or name.startswith("right_"):
            continue
        fitted = _fit(vertices - joints[index], moved_by[:, index], name)
        if partner == index:
            fitted = (fitted + _mirrored(whole, fitted)) / 2
        rounded = np.rint(fitted / UNIT)
        rounded[np.abs(rounded) < _SMALLEST] = 0
        table[index - 1] = rounded
        if partner != index:
            table[partner - 1] = _mirrored(whole, table[index - 1])
    return csr_matrix(table.reshape(9 * (len(JOINTS) - 1), -1))


def _weights_below(weights: np.ndarray) -> np.ndarray:
    """(V, 24) the weight on each joint and all its descendants."""
    below = weights.astype(np.float64)
    for index in range(len(JOINTS) - 1, 0, -1):
        below[:, PARENTS[index]] += below[:, index]
    return below


def _mirrored(whole: Whole, table: np.ndarray) -> np.ndarray:
    """(9, V, 3) of one joint → that of its mirror image: features, vertices and vectors all change sides."""
    feature_sign = (SIGN[:, None] * SIGN[None]).ravel()
    mirrored: np.ndarray = table[:, whole.mirror] * feature_sign[:, None, None] * SIGN
    return mirrored.astype(table.dtype)


def _fit(offsets: np.ndarray, weight: np.ndarray, name: str) -> np.ndarray:
    """(9, V, 3) metres per unit of R − I, for vertices at ``offsets`` from the joint."""
    bending = np.flatnonzero((weight > 0.01) & (weight < 0.99))
    axes, angles = _rotations(name)
    rotations = _rodrigues(axes, angles)
    w = weight[bending]
    linear = np.eye(3) + w[None, :, None, None] * (rotations - np.eye(3))[:, None]  # (N, v, 3, 3)
    half = angles[:, None] / 2
    blended = 2 * np.arctan2(w * np.sin(half), 1 - w + w * np.cos(half))
    dual = _rodrigues(np.repeat(axes, len(w), axis=0), blended.ravel()).reshape(linear.shape)
    wanted = (dual - linear) @ offsets[bending][None, :, :, None]
    wanted = SHARE * np.linalg.solve(linear, wanted)[..., 0]  # (N, v, 3), unposed frame
    features = (rotations - np.eye(3)).reshape(len(angles), 9)
    normal = features.T @ features + _RIDGE * np.eye(9)
    fitted = np.zeros((9, len(offsets), 3))
    fitted[:, bending] = np.linalg.solve(normal, features.T @ wanted.reshape(len(angles), -1)).reshape(9, -1, 3)
    return fitted


def _rotations(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sampled axes (N, 3) and angles (N,): any direction, and for a hinge mostly about its axis."""
    rng = np.random.default_rng(_SEED)
    axes = rng.normal(size=(_SAMPLES, 3))
    angles = rng.uniform(0.0, np.radians(100.0), _SAMPLES)
    if name in _HINGE:
        axes[::3] = np.array(_HINGE[name]) + 0.1 * axes[::3]
        angles[::3] *= 1.3
    return axes / np.linalg.norm(axes, axis=1, keepdims=True), angles


def _rodrigues(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    x, y, z = axes.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    sine, versine = np.sin(angles)[:, None, None], (1 - np.cos(angles))[:, None, None]
    rotation: np.ndarray = np.eye(3) + sine * cross + versine * (cross @ cross)
    return rotation
