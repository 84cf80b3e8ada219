"""People in poses of their own, what of the image they cover, and a report's figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render.raster import rasterize

FOCAL = 5000.0


class People:
    """N upright persons in poses of their own, seen by weak cameras (N, 3)."""

    def __init__(self, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.pose = 0.25 * rng.normal(size=(count, 24, 3))
        self.pose[:, 0] = [np.pi, 0, 0]
        self.betas = rng.normal(size=(count, 10))
        self.weak = np.column_stack([rng.uniform(0.6, 1.1, count), rng.uniform(-0.2, 0.2, (count, 2))])

    @property
    def rotation(self) -> torch.Tensor:
        return axis_angle_to_matrix(torch.from_numpy(self.pose)).float()

    @property
    def place(self) -> np.ndarray:
        """(N, 3) translation in the view."""
        s, x, y = self.weak.T
        return np.column_stack([x, y, 2 * FOCAL / (224 * s + 1e-9)])


def silhouettes(vertices: Any, faces: Any, place: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size) faces shown by cameras of 5000 px at the centre."""
    K = np.array([[FOCAL, 0, size / 2], [0, FOCAL, size / 2], [0, 0, 1]])
    matrices = np.concatenate([np.tile(K, (len(place), 1, 1)), np.einsum("ij,nj->ni", K, place)[..., None]], 2)
    return rasterize(vertices, faces, Camera(torch.from_numpy(matrices)), size, backend="numba").face


def figures(report: Any, iteration: str = "M0") -> dict[str, float | None]:
    return {name: figure.value for name, figure in report.results[0].iterations[iteration].items()}
