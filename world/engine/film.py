"""One exposure: meshes drawn over an empty place, lit and shadowed, as linear radiance."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np

from pymaf_data.world.engine import kernels
from pymaf_data.world.engine.kernels import Canvas, Eye, Sun
from pymaf_data.world.engine.rectangles import Rectangle, rasterize_part
from pymaf_data.world.things import Thing
from pymaf_data.world.view import View

FINE = 2
"""Samples per pixel and axis of meshes."""

_AO_RADIUS = 0.35  # metres
_AO_REACH = 24  # pixels around meshes in which occlusion is worked out


class Ground(Protocol):
    """What an empty place shows, see :class:`pymaf_data.world.scenery.Surfaces`."""

    @property
    def albedo(self) -> np.ndarray:
        """(H, W, 3) linear."""

    @property
    def normal(self) -> np.ndarray:
        """(H, W, 3) world."""

    @property
    def point(self) -> np.ndarray:
        """(H, W, 3) world metres."""

    @property
    def emission(self) -> np.ndarray:
        """(H, W, 3) radiance added unlit."""

    @property
    def lit(self) -> np.ndarray:
        """(H, W) whether light falls on it."""

    @property
    def catches(self) -> np.ndarray | None:
        """(H, W) where a photograph catches shadows."""


def _taps() -> np.ndarray:
    """Offsets (16, 2, K) within the unit disc: K on a golden spiral, turned for each pixel of a 4 × 4 tile.

    The blur that follows averages just this tile.
    """
    k = np.arange(kernels.TAPS)
    radius, angle = np.sqrt((k + 0.5) / kernels.TAPS), k * 2.399963 + np.pi / 8 * np.arange(16)[:, None]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)


_TAPS = _taps()


@lru_cache(maxsize=2)
def _blank(width: int, height: int) -> Canvas:
    """Buffers that every exposure of this size uses again: fresh ones cost more than the drawing of a person."""
    size = (FINE * height, FINE * width)
    return Canvas(
        np.empty(size, np.float32), np.empty((*size, 3), np.float32), np.empty((*size, 3), np.float32),
        np.empty(size, np.float32),
    )  # fmt: skip


class Film:
    """Collects meshes before one camera, then exposes."""

    def __init__(self, view: View) -> None:
        width, height = view.size
        self._view = view
        self.canvas = _blank(width, height)
        self.canvas.depth.fill(np.inf)
        self._near = np.zeros((height, width), bool)
        self.eye = Eye(view.rotation.T @ np.linalg.inv(view.intrinsics), np.asarray(view.centre, np.float64))

    def rectangle(self, points: np.ndarray, faces: np.ndarray) -> Rectangle | None:
        """The raster of world ``points`` (V, 3) on the canvas, none where it cannot be seen."""
        part = rasterize_part(self._view, self._view.to_camera(points), faces, FINE)
        if part is not None:
            rows, columns = part.place
            r, c = max(0, rows.start // FINE - _AO_REACH), max(0, columns.start // FINE - _AO_REACH)
            self._near[r : rows.stop // FINE + _AO_REACH, c : columns.stop // FINE + _AO_REACH] = True
        return part

    def add_thing(self, thing: Thing) -> None:
        """Draw a rigid thing."""
        part = self.rectangle(thing.vertices, thing.faces)
        if part is None:
            return
        normals = (
            kernels.vertex_normals(thing.vertices, thing.faces) if thing.smooth else face_normals(thing)
        )  # fmt: skip
        raster = part.raster
        kernels.draw_thing(
            raster.face, raster.bary, raster.depth, part.top, part.left, self.canvas, thing.vertices, thing.faces,
            normals, thing.colours, thing.smooth, thing.gloss, thing.grain,
        )  # fmt: skip

    def expose(self, place: Ground, sun: Sun) -> np.ndarray:
        """Radiance (H, W, 3) float32 of the place with the meshes."""
        occlusion = self._occlusion(place)
        out = np.empty(place.albedo.shape, np.float32)
        if place.catches is None:
            kernels.light_place(
                place.albedo, place.normal, place.point, place.emission, place.lit, occlusion, sun, out
            )  # fmt: skip
        else:
            kernels.shade_photograph(place.albedo, place.normal, place.point, place.catches, occlusion, sun, out)
        kernels.mix_meshes(self.canvas, self.eye, sun, self._near, occlusion, out)
        return out

    def _occlusion(self, place: Ground) -> np.ndarray:
        height, width = place.lit.shape
        shape = ((height + 1) // 2, (width + 1) // 2)
        depth, facing = np.empty(shape, np.float32), np.empty((*shape, 3), np.float32)
        lit = place.lit if place.catches is None else place.catches
        forward = np.ascontiguousarray(self._view.rotation[2])
        kernels.gather_depth(self.canvas, self.eye, forward, place.point, place.normal, lit, depth, facing)
        open_sky = np.empty(shape, np.float32)
        focal = float(self._view.intrinsics[0, 0])
        kernels.occlude(depth, facing, self.eye, focal, _AO_RADIUS, self._near[::2, ::2], _TAPS, open_sky)
        return cv2.resize(cv2.blur(open_sky, (4, 4)), (width, height), interpolation=cv2.INTER_LINEAR)


def face_normals(thing: Thing) -> np.ndarray:
    """Unit normals (F, 3) float32 of a thing's faces."""
    corner = thing.vertices[thing.faces]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)).astype(np.float32)
