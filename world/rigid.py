"""Points turned and shifted: one pass over them, each on its own, so the same in any company."""

from __future__ import annotations

import numpy as np

from pymaf_data.kernels import njit


def placed(points: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Points (..., 3) turned by a matrix (3, 3), then shifted by (3,); float64."""
    flat = np.ascontiguousarray(points, np.float64).reshape(-1, 3)
    turn = np.ascontiguousarray(rotation, np.float64)
    return _placed(flat, turn, np.ascontiguousarray(shift, np.float64)).reshape(points.shape)


@njit(cache=True, nogil=True)
def _placed(points: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    out = np.empty_like(points)
    r00, r01, r02 = rotation[0]
    r10, r11, r12 = rotation[1]
    r20, r21, r22 = rotation[2]
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        out[i, 0] = r00 * x + r01 * y + r02 * z + shift[0]
        out[i, 1] = r10 * x + r11 * y + r12 * z + shift[1]
        out[i, 2] = r20 * x + r21 * y + r22 * z + shift[2]
    return out
