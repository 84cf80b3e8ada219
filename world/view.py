"""The camera of a scene: a pinhole in the world.

World: metres, x right, y up, z towards the viewer; the ground is y = 0 and the camera stands above the origin, looking
along −z. Camera space is x right, y down, z forward, as everywhere: X_cam = R · (X_world − C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.rigid import placed


@dataclass(frozen=True)
class View:
    """A pinhole camera: intrinsics (3, 3) in continuous pixels, rotation (3, 3), centre (3,), size (w, h)."""

    intrinsics: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    size: tuple[int, int]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in camera space."""
        return placed(points, self.rotation, -self.rotation @ self.centre)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of camera-space points (..., 3)."""
        homogeneous = points @ self.intrinsics.T
        return homogeneous[..., :2] / homogeneous[..., 2:]

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which camera-space points (N, 3) fall into the image, (N,) bool."""
        return _inside(np.ascontiguousarray(points), self.intrinsics, *self.size)


@njit(cache=True, nogil=True)
def _inside(points: np.ndarray, intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    k, inside = intrinsics, np.zeros(len(points), np.bool_)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        if z > 0:
            w = k[2, 0] * x + k[2, 1] * y + k[2, 2] * z
            u, v = k[0, 0] * x + k[0, 1] * y + k[0, 2] * z, k[1, 0] * x + k[1, 1] * y + k[1, 2] * z
            inside[i] = 0 <= u < width * w and 0 <= v < height * w
    return inside
