"""Where bodies stand whose camera is known: the translation that best projects their joints onto keypoints.

Full perspective under K, by weighted least squares in pixels; the weak camera of :mod:`.weak_fit` is for views whose K
nobody knows. Everything here is float64 NumPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 5
_FEWEST = 3


def place(joints: Floats, intrinsics: Floats, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Cameras K·[I | t] that bring joints closest to keypoints.

    Args:
        joints: (B, J, 3) camera-space metres before any translation.
        intrinsics: K (B, 3, 3), upper triangular, in the keypoints' pixels.
        points: (B, J, 3) px and confidence; anything where the confidence is not above 0.

    Returns:
        (B, 3, 4), and for whom that is possible (B,): zeros for others, who have fewer than three keypoints or would
        stand behind the camera.
    """
    with np.errstate(all="ignore"):  # numbers may be anything
        t = _translations(joints, intrinsics, points.astype(np.float64))
        good = np.isfinite(t).all(1) & (joints[..., 2].min(1) + t[:, 2] > 0)
    camera = np.zeros((len(t), 3, 4))
    camera[good, :, :3] = intrinsics[good]
    camera[good, :, 3] = (intrinsics[good] @ t[good, :, None])[..., 0]
    return camera, good


def _translations(X: np.ndarray, K: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(B, 3) of joints X (B, J, 3) under cameras K (B, 3, 3): first the linear problem, then Gauss-Newton in pixels."""
    seen = (keypoints[..., 2] > 0) & np.isfinite(keypoints).all(2)
    weights = np.where(seen, keypoints[..., 2], 0.0)[..., None]
    focal = K[:, None, [0, 1], [0, 1]]
    ray = (np.where(seen[..., None], keypoints[..., :2], 0.0) - K[:, None, :2, 2]) / focal
    depth = np.ones((*X.shape[:2], 1))
    # ray·(Z + t_z) = X + t, as linear equations: of points at depth 1, standing at t = 0.
    t = _step(weights, focal, ray, depth, X[..., :2] - ray * X[..., 2:])
    for _ in range(_STEPS):
        at = X + t[:, None]
        depth = at[..., 2:]
        t = t + _step(weights, focal, at[..., :2] / depth, depth, at[..., :2] - ray * depth)
    t[(seen.sum(1) < _FEWEST) | ~np.isfinite(K).all((1, 2))] = np.nan
    return t


def _step(w: np.ndarray, focal: np.ndarray, ray: np.ndarray, depth: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """(B, 3) that lessens ``apart`` (B, J, 2), metres beside the keypoints' rays at ``depth``, most."""
    scale = np.sqrt(w) * focal / depth
    zero = np.zeros_like(scale[..., 0])
    x, y = np.moveaxis(scale, 2, 0)
    rows = np.stack([x, zero, -x * ray[..., 0]], -1), np.stack([zero, y, -y * ray[..., 1]], -1)
    jacobian, error = np.concatenate(rows, 1), np.concatenate([*np.moveaxis(scale * apart, 2, 0)], 1)
    normal = np.nan_to_num(jacobian.transpose(0, 2, 1) @ jacobian, posinf=0.0, neginf=0.0)
    # A whisper of damping keeps the system regular whatever is seen; it moves no optimum that exists.
    normal += (1e-9 * normal.trace(axis1=1, axis2=2) + 1e-30)[:, None, None] * np.eye(3)
    return -np.linalg.solve(normal, jacobian.transpose(0, 2, 1) @ error[..., None])[..., 0]
