"""Rasterizing a mesh into no more of the image than it can reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.geometry.cameras import Camera
from pymaf_data.render import Raster, rasterize
from pymaf_data.world.view import View

_CLOSE = 0.05  # metres before the camera; a nearer mesh may reach any pixel


class Rectangle(NamedTuple):
    """The raster (h, w) of one mesh, and where its top left pixel lies."""

    raster: Raster
    top: int
    left: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the whole image."""
        height, width = self.raster.face.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def window(view: View, points: np.ndarray, fine: int = 1) -> tuple[np.ndarray, tuple[int, int], Camera] | None:
    """The part of the image that a mesh can reach.

    Args:
        view: the camera.
        points: (V, 3) camera-space metres.
        fine: samples per pixel and axis.

    Returns:
        Its first (column, row) and its (height, width), in samples, and the camera of that part; none where the mesh is
        outside the image.
    """
    width, height = view.size[0] * fine, view.size[1] * fine
    low, high = np.zeros(2, int), np.array([width, height])
    nearest = float(points[:, 2].min())
    if nearest > _CLOSE:
        pixels = view.project(points) * fine
        low = np.clip(np.floor(pixels.min(0)) - 1, 0, high).astype(int)
        low -= low % fine  # whole pixels
        high = np.clip(np.ceil(pixels.max(0)) + 1, 0, high).astype(int)
    elif points[:, 2].max() <= _CLOSE:
        return None
    if (high <= low).any():
        return None
    matrix = np.diag([fine, fine, 1.0]) @ np.concatenate([view.intrinsics, np.zeros((3, 1))], axis=1)
    matrix[:2] -= low[:, None] * matrix[2:]
    return low, (int(high[1] - low[1]), int(high[0] - low[0])), Camera(torch.from_numpy(matrix[None]))


def rasterize_part(view: View, points: np.ndarray, faces: np.ndarray, fine: int = 1) -> Rectangle | None:
    """Rasterize a mesh where it can be seen.

    Args:
        view: the camera.
        points: (V, 3) camera-space metres.
        faces: (F, 3).
        fine: samples per pixel and axis.

    Returns:
        The rectangle in samples, or none where the mesh is outside the image.
    """
    part = window(view, points, fine)
    if part is None:
        return None
    low, size, camera = part
    return Rectangle(rasterize(points[None], faces, camera, size)[0], int(low[1]), int(low[0]))
