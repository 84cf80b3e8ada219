"""Stored IUV maps: parts at every pixel, U and V at one pixel of each block.

What a map is good for after a warp hangs on its parts: a border between two parts can be no finer than their pixels,
and parts compress to nothing. U and V vary slowly and do not compress. So a stored map is a fine plane of parts
(Z × Z) and a coarse plane of U, V (Z/K × Z/K, by default K = 3), both in the frame of the stored crop:

    block of K × K parts ─┬─ its centre shows a part ───────────── U, V of the centre
                          ├─ another of its pixels shows a part ── U, V of the first in reading order
                          └─ all background ────────────────────── 0

Which pixel a sample belongs to is therefore written in the parts themselves, and K is the ratio of the two planes.
With K = 1 every pixel has its U, V. :mod:`pymaf_data.render.warp` moves stored maps under an augmentation.

Z = 576 and K = 3 are a measured choice, of 50 people of the generated world under 200 augmentations (scale 0.75 … 1.25,
±60°) against rendering at 56 px:

    Z     K   right parts   bytes of parts + U, V   error of U, V: median, 95 %
    256   1   92.9 %         612 + 6825             0.0019  0.023
    480   3   96.1 %        1218 + 3137             0.0040  0.042
    576   3   96.8 %        1518 + 4321             0.0030  0.034
    768   3   97.5 %        2092 + 7244             0.0020  0.025
    600   5   96.8 %        1607 + 1923             0.0062  0.058

Shapes: B maps, Z pixels per side, K pixels per side of a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.cameras import Camera
from pymaf_data.render import zbuffer
from pymaf_data.render.atlas import Atlas
from pymaf_data.render.backends import resolve_backend
from pymaf_data.render.iuv import prepare, render_iuv
from pymaf_data.render.raster import NEAR, Pixels, as_size, placed, refuse_non_finite

MAP_SIZE = 576
"""Default side Z of stored maps, in pixels of the stored crop's frame."""

UV_BLOCK = 3
"""Side K of the blocks of pixels of a stored map that share one U, V."""


@dataclass(frozen=True)
class StoredMaps:
    """B maps in their stored form: arrays, or tensors on one device.

    Attributes:
        part: (B, Z, Z) uint8, 0 … 24; 0 is the background.
        uv: (B, 2, Z/K, Z/K) uint8, 255·U and 255·V, rounded.

    Raises:
        ShapeError: the two do not fit together.
    """

    part: Pixels
    uv: Pixels

    def __post_init__(self) -> None:
        part, uv = tuple(self.part.shape), tuple(self.uv.shape)
        fits = len(part) == 3 and len(uv) == 4 and uv[:2] == (part[0], 2) and min(uv[2:]) > 0
        block = part[1] // uv[2] if fits else 0
        fits = fits and block % 2 == 1 and part[1:] == (block * uv[2], block * uv[3])
        if not fits or not {str(self.part.dtype), str(self.uv.dtype)} <= {"uint8", "torch.uint8"}:
            raise ShapeError(
                f"stored maps of shapes {part} and {uv}, types {self.part.dtype} and {self.uv.dtype}",
                expected="parts (B, Z, Z) and U, V (B, 2, Z/K, Z/K) for an odd K, both uint8",
            )

    @property
    def block(self) -> int:
        """K, pixels of ``part`` per pixel of ``uv`` and axis."""
        return int(self.part.shape[1] // self.uv.shape[2])

    def __getitem__(self, maps: slice | np.ndarray) -> StoredMaps:
        return StoredMaps(self.part[maps], self.uv[maps])

    def __len__(self) -> int:
        return len(self.part)


def render_stored(
    vertices: torch.Tensor | np.ndarray,
    cameras: Camera | torch.Tensor,
    atlas: Atlas,
    size: int | tuple[int, int] = MAP_SIZE,
    block: int = UV_BLOCK,
    backend: str = "auto",
) -> StoredMaps:
    """Render maps in the stored form.

    Args:
        vertices: (B, V, 3) metres in camera space.
        cameras: as for :func:`~pymaf_data.render.iuv.render_iuv`, for a raster of ``size``.
        atlas: the charts of this mesh.
        size: Z, or (height, width) with a :class:`~pymaf_data.geometry.cameras.Camera`.
        block: K, odd; divides ``size``.
        backend: as for :func:`~pymaf_data.render.raster.rasterize`.

    Returns:
        The maps: NumPy arrays, or tensors where the vertices are on a GPU.

    Raises:
        RenderError: a body has a coordinate that is NaN or infinite.
        ShapeError: arguments that do not fit together.
    """
    height, width = as_size(size)
    _require_blocks(height, block)
    _require_blocks(width, block)
    name = resolve_backend(backend, on_gpu=getattr(vertices, "is_cuda", False))
    if name != "numba":
        full = render_iuv(vertices, cameras, atlas, size, name)
        uv = _sampled(torch.as_tensor(full.part), torch.as_tensor(full.uv), block)
        return StoredMaps(full.part, placed(uv, vertices))
    points, matrices, orthographic, scratch = prepare(vertices, cameras, atlas, size, block)
    part = np.empty((len(points), height, width), np.uint8)
    samples = np.empty((len(points), 2, height // block, width // block), np.uint8)
    bad = zbuffer.fill_stored(
        points, atlas.mesh_faces, atlas.face_part, atlas.corner_uv, matrices, orthographic, NEAR, scratch, part, samples
    )
    refuse_non_finite(bad)
    return StoredMaps(part, samples)


def blocks(plane: torch.Tensor, block: int) -> torch.Tensor:
    """The pixels of each block in reading order, (..., Z, Z) → (..., Z/K, Z/K, K²)."""
    rows, columns = plane.shape[-2] // block, plane.shape[-1] // block
    return plane.reshape(*plane.shape[:-2], rows, block, columns, block).transpose(-3, -2).flatten(-2)


def sample_pixels(part: torch.Tensor, block: int) -> torch.Tensor:
    """Which of its pixels, 0 … K² − 1, each block samples, (..., Z, Z) → (..., Z/K, Z/K); the kernels do the same."""
    pixels, centre = blocks(part, block), block * block // 2
    # argmax names the first of equals, and 0 where all are background.
    first = (pixels > 0).to(torch.uint8).argmax(-1)
    return torch.where(pixels[..., centre] > 0, centre, first)


def _sampled(part: torch.Tensor, uv: torch.Tensor, block: int) -> torch.Tensor:
    """(B, 2, Z/K, Z/K) uint8 of full planes: parts (B, Z, Z), U and V (B, 2, Z, Z)."""
    chosen = sample_pixels(part, block)[:, None, ..., None].expand(-1, 2, -1, -1, -1)
    values = blocks(uv, block).gather(-1, chosen)[..., 0]
    return (values.double() * 255 + 0.5).to(torch.uint8)


def _require_blocks(size: int, block: int) -> None:
    """Refuse a side that is not made of whole blocks.

    Raises:
        ShapeError: it is not, or the blocks have no centre.
    """
    if block < 1 or block % 2 == 0 or size % block:
        raise ShapeError(
            f"maps of {size} px with one U, V for {block} × {block} pixels",
            expected="a side of whole blocks, and blocks with a centre",
        )
