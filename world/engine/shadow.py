"""The depth map that the sun sees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from pymaf_data.geometry.cameras import Camera
from pymaf_data.render import rasterize
from pymaf_data.world.engine.kernels import Sun
from pymaf_data.world.light import Light

SIZE = 512
_REACH = 5.5  # metres around the middle of the casters; what lies farther casts no shadow
_MARGIN = 4  # texels

Mesh = tuple[np.ndarray, np.ndarray]


def cast_shadows(light: Light, meshes: Sequence[Mesh], centre: np.ndarray) -> Sun:
    """Rasterize the casters along the light.

    Args:
        light: its direction and colours.
        meshes: world vertices (V, 3) and faces (F, 3) of everything that casts a shadow.
        centre: (3,) world metres around which shadows matter.
    """
    down = light.direction / np.linalg.norm(light.direction)
    across = np.cross(down, [0.0, 1.0, 0.0] if abs(down[1]) < 0.95 else [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(down, across), down])
    seen = [(points @ axes.T, faces) for points, faces in meshes]
    middle = axes @ centre
    near = [(points, faces) for points, faces in seen if np.abs(points[:, :2] - middle[:2]).min(0).max() < _REACH]
    low = np.full(2, np.inf)
    high = np.full(2, -np.inf)
    for points, _ in near:
        low, high = np.minimum(low, points[:, :2].min(0)), np.maximum(high, points[:, :2].max(0))
    low, high = np.maximum(low, middle[:2] - _REACH), np.minimum(high, middle[:2] + _REACH)
    span = float((high - low).max()) if near else 1.0
    low = low if near else np.zeros(2)
    scale = (SIZE - 2 * _MARGIN) / span
    to_map = np.concatenate([axes, np.zeros((3, 1))], axis=1)
    to_map[:2, :3] *= scale
    to_map[:2, 3] = _MARGIN - scale * low
    depth = np.full((SIZE, SIZE), np.inf, np.float32)
    for points, faces in near:
        _cast(depth, scale * (points[:, :2] - low) + _MARGIN, points[:, 2], faces)
    least = cv2.erode(depth, np.ones((3, 3), np.uint8))  # a texel's own and its neighbours'
    least = cv2.erode(least, np.ones((3, 3), np.uint8))
    coarse = np.ascontiguousarray(least.reshape(SIZE // 8, 8, SIZE // 8, 8).min((1, 3)))
    bias = 0.012 + 1.2 / scale
    sun, sky, bounce = (np.asarray(value, np.float64) for value in (light.sun, light.sky, light.bounce))
    return Sun(-down, sun, sky, bounce, to_map, depth, coarse, bias)


def _cast(depth: np.ndarray, texels: np.ndarray, along: np.ndarray, faces: np.ndarray) -> None:
    """Draw one caster, given its texels (V, 2) and its depth along the light (V,), into the map."""
    low = np.clip(np.floor(texels.min(0)), 0, SIZE).astype(int)
    high = np.clip(np.ceil(texels.max(0)) + 1, 0, SIZE).astype(int)
    if (high <= low).any():
        return
    points = np.column_stack([texels - low, along])[None]
    camera = Camera(torch.tensor([[[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]]]).double(), orthographic=True)
    raster = rasterize(points, faces, camera, (int(high[1] - low[1]), int(high[0] - low[0])))[0]
    part = depth[low[1] : high[1], low[0] : high[0]]
    np.minimum(part, raster.depth, out=part)
