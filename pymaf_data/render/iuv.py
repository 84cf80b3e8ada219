"""IUV maps: for each pixel the body part it shows and where on that part's chart.

    vertices ─ project ─ z-buffer ─ face ─┬─ part of the face          (0 = background)
                                          └─ U, V at the pixel centre  (perspective-correct)

These are targets for a loss: part uint8 and U, V float32. What a store keeps of them is another form,
:mod:`pymaf_data.render.stored`.

Shapes: B bodies, V vertices, S pixels per side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import VIEW_SIZE, resize
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.meshes import check_indices
from pymaf_data.render import zbuffer
from pymaf_data.render.atlas import COARSE_OF_PART, LIMB_OF_PART, Atlas
from pymaf_data.render.backends import resolve_backend
from pymaf_data.render.raster import (
    NEAR,
    Pixels,
    as_matrices,
    as_size,
    as_tensor_scene,
    as_vertices,
    backend_module,
    placed,
    refuse_non_finite,
)

TARGET_SIZE = 56
"""Side of the maps that the network learns from, over the 224 px view."""


@dataclass(frozen=True)
class IUV:
    """Dense correspondences of B bodies, as NumPy arrays, or as tensors on the GPU where the vertices are.

    Attributes:
        part: (B, S, S) uint8, 0 … 24; 0 is the background.
        uv: (B, 2, S, S) float32 in [0, 1]; 0 on the background.
    """

    part: Pixels
    uv: Pixels

    @property
    def coarse(self) -> Pixels:
        """(B, S, S) uint8, the 15 coarse classes 0 … 14."""
        return _looked_up(COARSE_OF_PART, self.part)

    @property
    def limbs(self) -> Pixels:
        """(B, S, S) uint8, the six body parts of :data:`~pymaf_data.render.atlas.LIMBS`, 1 … 6."""
        return _looked_up(LIMB_OF_PART, self.part)

    @property
    def mask(self) -> Pixels:
        """Silhouettes, (B, S, S) bool."""
        return self.part > 0


def render_iuv(
    vertices: torch.Tensor | np.ndarray,
    cameras: Camera | torch.Tensor,
    atlas: Atlas,
    size: int | tuple[int, int] = TARGET_SIZE,
    backend: str = "auto",
) -> IUV:
    """Render dense correspondences.

    Args:
        vertices: (B, V, 3) metres in camera space.
        cameras: weak cameras π (B, 3) of the 224 px view, which is rendered at ``size``; or a
            :class:`~pymaf_data.geometry.cameras.Camera` in pixels of a ``size`` × ``size`` raster.
        atlas: the charts of this mesh.
        size: side of the maps in pixels; with a Camera, or (height, width).
        backend: as for :func:`~pymaf_data.render.raster.rasterize`.

    Returns:
        The maps: NumPy arrays, or tensors where the vertices are on a GPU.

    Raises:
        RenderError: a body has a coordinate that is NaN or infinite.
        ShapeError: arguments that do not fit together.
    """
    name = resolve_backend(backend, on_gpu=getattr(vertices, "is_cuda", False))
    camera = cameras if isinstance(cameras, Camera) else _view_camera(cameras, as_size(size)[0])
    if name == "numba":
        found = _paint_here(vertices, camera, atlas, size)
    else:
        scene = as_tensor_scene(vertices, atlas.mesh_faces, camera, as_size(size))
        charts = (torch.from_numpy(values).to(scene.vertices.device) for values in (atlas.face_part, atlas.corner_uv))
        found, bad = backend_module(name).paint(scene, *charts)
        refuse_non_finite(bad)
    return IUV(*(placed(values, vertices) for values in found))


def _paint_here(
    vertices: torch.Tensor | np.ndarray, camera: Camera, atlas: Atlas, size: int | tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Part and U, V by the embedded kernels."""
    points, matrices, orthographic, scratch = prepare(vertices, camera, atlas, size)
    part = np.empty((len(points), *scratch.face.shape), np.uint8)
    uv = np.empty((len(points), 2, *scratch.face.shape), np.float32)
    bad = zbuffer.fill_targets(
        points, atlas.mesh_faces, atlas.face_part, atlas.corner_uv, matrices, orthographic, NEAR, scratch, part, uv
    )
    refuse_non_finite(bad)
    return part, uv


def prepare(
    vertices: torch.Tensor | np.ndarray,
    cameras: Camera | torch.Tensor,
    atlas: Atlas,
    size: int | tuple[int, int],
    block: int = 1,
) -> tuple[np.ndarray, np.ndarray, bool, zbuffer.Scratch]:
    """What the embedded kernels take: vertices, projection matrices, whether they are orthographic, buffers.

    Points on faces are asked for at one pixel of each ``block`` × ``block``.
    """
    points = as_vertices(vertices)
    height, width = as_size(size)
    check_indices(atlas.mesh_faces, points.shape[1])
    camera = cameras if isinstance(cameras, Camera) else _view_camera(cameras, height)
    pixels = (height // block) * (width // block)
    scratch = zbuffer.Scratch.allocate(points.shape[1], len(atlas.mesh_faces), height, width, pixels)
    return points, as_matrices(camera, len(points)), camera.orthographic, scratch


def _looked_up(table: np.ndarray, part: Pixels) -> Pixels:
    if isinstance(part, torch.Tensor):
        return torch.from_numpy(table).to(part.device)[part.long()]
    return table[part]


def _view_camera(pi: torch.Tensor, size: int) -> Camera:
    """Cameras of the 224 px view, at ``size`` pixels."""
    weak = torch.as_tensor(pi)
    if weak.ndim != 2 or weak.shape[-1] != 3:
        raise ShapeError(f"cameras of shape {tuple(weak.shape)}", expected="weak cameras (B, 3), or a Camera")
    # float64, because the matrix multiplies depths of 50 m by focal lengths of thousands of pixels.
    return weak_to_camera(weak.detach().cpu().double()).warped(resize(VIEW_SIZE, size))
