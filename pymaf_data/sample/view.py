"""The camera of a scene: a pinhole in the world.

World: metres, x right, y up, z towards the viewer; the ground is y = 0 and the camera stands above the origin, looking
along −z. Camera space is x right, y down, z forward, as everywhere: X_cam = R · (X_world − C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """A pinhole camera: intrinsics (3, 3) in continuous pixels, rotation (3, 3), centre (3,), size (w, h)."""

    intrinsics: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    size: tuple[int, int]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in camera space."""
        return (points - self.centre) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of camera-space points (..., 3)."""
        homogeneous = points @ self.intrinsics.T
        return homogeneous[..., :2] / homogeneous[..., 2:]

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which camera-space points (N, 3) fall into the picture, (N,) bool."""
        pixels = self.project(np.where(points[:, 2:] > 0, points, 1.0))
        return (points[:, 2] > 0) & (pixels >= 0).all(1) & (pixels < np.array(self.size)).all(1)
