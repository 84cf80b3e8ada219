"""Rasterization: which face each pixel of an image shows, where on it, and how far away.

One contract for every backend of :mod:`pymaf_data.render.backends`. Samples lie at pixel centres (j + ½, i + ½); a
camera maps camera-space metres (y down, z forward) to continuous pixels *of the raster*. Both windings are drawn. Faces
that cross the near plane are clipped there, degenerate faces have no inside, and of surfaces at equal depth the face of
the lower index shows.

Shapes: B meshes, V vertices, F faces, H × W pixels.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pymaf_data.errors import RenderError, ShapeError
from pymaf_data.geometry.meshes import check_indices
from pymaf_data.render import zbuffer
from pymaf_data.render.backends import TensorScene, resolve_backend

if TYPE_CHECKING:
    import torch

    from pymaf_data.geometry.cameras import Camera

Pixels = Any
"""A NumPy array, or a tensor on a GPU."""

NEAR = 0.01
"""Metres: surfaces nearer to the camera plane than this are clipped (perspective cameras only)."""


@dataclass(frozen=True)
class Raster:
    """What every pixel shows, as NumPy arrays, or as tensors on the GPU where the vertices are.

    Attributes:
        face: (B, H, W) int32, index of the visible face, −1 where there is none.
        bary: (B, H, W, 3) float32, perspective-correct barycentrics on that face; 0 on the background.
        depth: (B, H, W) float32, metres along the camera's z; +inf on the background.
    """

    face: Pixels
    bary: Pixels
    depth: Pixels

    @property
    def mask(self) -> Pixels:
        """Silhouettes, (B, H, W) bool."""
        return self.face >= 0

    def __len__(self) -> int:
        return len(self.face)

    def __getitem__(self, item: int) -> Raster:
        """The raster of one mesh, without the batch axis."""
        return Raster(self.face[item], self.bary[item], self.depth[item])


def rasterize(
    vertices: torch.Tensor | np.ndarray,
    faces: torch.Tensor | np.ndarray,
    camera: Camera,
    size: int | tuple[int, int],
    backend: str = "auto",
) -> Raster:
    """Find the visible surface at every pixel centre.

    Args:
        vertices: (B, V, 3) metres in camera space; float32 or float64, on any device.
        faces: (F, 3) integer vertex indices, shared by the batch.
        camera: one camera per mesh, in pixels of this raster; a camera of batch 1 serves all meshes.
        size: side of a square raster, or (H, W), in pixels.
        backend: one of :data:`~pymaf_data.render.backends.BACKENDS`.

    Returns:
        A :class:`Raster`: NumPy arrays, or tensors where the vertices are on a GPU.

    Raises:
        RenderError: a mesh has a coordinate that is NaN or infinite; the message names the item.
        ShapeError: an argument has another shape, or a face names a vertex that is not there.
        UsageError: the backend is unknown or not here.
    """
    name = resolve_backend(backend, on_gpu=getattr(vertices, "is_cuda", False))
    triangles = as_faces(faces)
    found: tuple[Pixels, Pixels, Pixels]
    if name == "numba":
        found = _rasterize_here(as_vertices(vertices), triangles, camera, as_size(size))
    else:
        found, bad = backend_module(name).rasterize(as_tensor_scene(vertices, triangles, camera, as_size(size)))
        refuse_non_finite(bad)
    return Raster(*(placed(values, vertices) for values in found))


def _rasterize_here(
    points: np.ndarray, triangles: np.ndarray, camera: Camera, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By the embedded kernels."""
    (B, V, _), (height, width) = points.shape, size
    check_indices(triangles, V)
    matrices = as_matrices(camera, B)
    face = np.empty((B, height, width), np.int32)
    bary = np.empty((B, height, width, 3), np.float32)
    depth = np.empty((B, height, width), np.float32)
    scratch = zbuffer.Scratch.allocate(V, len(triangles), height, width, height * width)
    bad = zbuffer.fill_surfaces(points, triangles, matrices, camera.orthographic, NEAR, scratch, face, bary, depth)
    refuse_non_finite(bad)
    return face, bary, depth


class Lit(NamedTuple):
    """A mesh's colours.

    Attributes:
        light: (V,) at each vertex, what its colour is multiplied by.
        colours: (1, 3), (V, 3) or (F, 3) float64, 0 … 255.
        whose: which of these, as in :mod:`pymaf_data.render.lit`.
    """

    light: np.ndarray
    colours: np.ndarray
    whose: int


def blend_samples(
    points: np.ndarray, triangles: np.ndarray, camera: Camera, image: np.ndarray, K: int, lit: Lit, alpha: float
) -> None:
    """Blend one mesh, lit, into an image: of each pixel the mean of its K × K samples.

    Args:
        points: (V, 3), as of :func:`as_vertices`.
        triangles: (F, 3), as of :func:`as_faces`.
        camera: a camera of batch 1, in samples.
        image: (H, W, 3) uint8, which is changed.
        K: samples per pixel and axis.
        lit: the mesh's colours.
        alpha: opacity of the mesh, 0 … 1.

    Raises:
        RenderError: a coordinate is NaN or infinite.
        ShapeError: a face names a vertex that is not there.
    """
    check_indices(triangles, len(points))
    height, width = as_size((K * image.shape[0], K * image.shape[1]))
    scratch = zbuffer.Scratch.allocate(len(points), len(triangles), height, width, 0)
    matrix = as_matrices(camera, 1)[0]
    finite = zbuffer.blend_mesh(
        points, triangles, matrix, camera.orthographic, NEAR, scratch, *lit, K, float(alpha), image
    )
    refuse_non_finite(-1 if finite else 0)


def as_tensor_scene(
    vertices: torch.Tensor | np.ndarray, triangles: np.ndarray, camera: Camera, size: tuple[int, int]
) -> TensorScene:
    """Checked as the embedded backend checks; a float tensor's memory is taken as it is.

    Raises:
        ShapeError: as :func:`rasterize`.
    """
    import torch

    points = torch.as_tensor(vertices).detach()
    if points.ndim != 3 or points.shape[-1] != 3:
        raise ShapeError(f"vertices of shape {tuple(points.shape)}", expected="(B, V, 3) metres in camera space")
    if points.dtype != torch.float64:
        points = points.float()
    check_indices(triangles, points.shape[1])
    matrices = torch.from_numpy(as_matrices(camera, len(points)))
    device = points.device
    faces = torch.from_numpy(triangles).to(device)
    return TensorScene(points.contiguous(), faces, matrices.to(device), camera.orthographic, NEAR, size)


def placed(values: Pixels, vertices: Any) -> Pixels:
    """Pixels where their vertices are: a tensor on the vertices' GPU, else a NumPy array."""
    import torch

    if getattr(vertices, "is_cuda", False):
        return torch.as_tensor(values, device=vertices.device)
    return as_numpy(values)


def backend_module(name: str) -> Any:
    """The module of a backend other than the embedded one; imports what it needs."""
    return importlib.import_module(f"pymaf_data.render.backends.{name}_backend")


def as_vertices(vertices: torch.Tensor | np.ndarray) -> np.ndarray:
    """(B, V, 3) vertices as a contiguous float32 or float64 array."""
    points = as_numpy(vertices)
    if points.ndim != 3 or points.shape[-1] != 3:
        raise ShapeError(f"vertices of shape {points.shape}", expected="(B, V, 3) metres in camera space")
    dtype = np.float64 if points.dtype == np.float64 else np.float32
    return np.ascontiguousarray(points, dtype)


def as_faces(faces: torch.Tensor | np.ndarray) -> np.ndarray:
    """(F, 3) faces as a contiguous int32 array."""
    triangles = as_numpy(faces)
    if triangles.ndim != 2 or triangles.shape[-1] != 3 or not np.issubdtype(triangles.dtype, np.integer):
        raise ShapeError(f"faces of shape {triangles.shape} and type {triangles.dtype}", expected="(F, 3) integers")
    return np.ascontiguousarray(triangles, np.int32)


def as_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """(H, W) of a raster."""
    height, width = (size, size) if isinstance(size, int | np.integer) else size
    if not (0 < height <= zbuffer.MAX_SIZE and 0 < width <= zbuffer.MAX_SIZE):
        raise ShapeError(f"a raster of {height} × {width}", expected=f"sides of 1 … {zbuffer.MAX_SIZE} pixels")
    return int(height), int(width)


def as_matrices(camera: Camera, count: int) -> np.ndarray:
    """(B, 3, 4) float64 projection matrices, one per mesh."""
    matrices = np.ascontiguousarray(as_numpy(camera.matrix), np.float64)
    if matrices.shape not in ((1, 3, 4), (count, 3, 4)):
        raise ShapeError(
            f"camera matrices of shape {matrices.shape} for {count} meshes", expected=f"({count}, 3, 4) or (1, 3, 4)"
        )
    return np.array(np.broadcast_to(matrices, (count, 3, 4)))


def as_numpy(values: Any) -> np.ndarray:
    """A tensor of any device, or anything array-like, as a NumPy array without a copy where possible."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def refuse_non_finite(item: int) -> None:
    """Raise for the item that a kernel reported; −1 means that all is well."""
    if item >= 0:
        raise RenderError(
            f"mesh {item} of the batch has a coordinate that is NaN or infinite once projected",
            expected="finite vertices in metres and a finite camera",
            action="leave this person out, or mend its fit.",
        )
