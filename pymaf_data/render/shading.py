"""Images of meshes: shading, compositing over a photograph, and colours of the body parts.

Light comes from beside the camera (half-Lambert, so that no side is black). Meshes are taken as closed: their
volume tells which side is out, so mirrored ones are lit alike.
Everything here is for eyes; targets for training come from :mod:`pymaf_data.render.iuv`.

Shapes: V vertices, F faces, H × W pixels. Colours are RGB, 0 … 255.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np

from pymaf_data.errors import ShapeError, UsageError
from pymaf_data.geometry.meshes import outward_normals
from pymaf_data.render.lit import OF_FACES, OF_VERTICES, ONE, light_samples
from pymaf_data.render.raster import Lit, Raster, as_faces, as_numpy, as_size, as_vertices, blend_samples

if TYPE_CHECKING:
    import torch

    from pymaf_data.geometry.cameras import Camera

SKIN = (214, 198, 184)
"""A neutral colour for bodies whose parts do not matter."""

# Towards the light in camera space (x right, y down, z forward): from above, left of the viewer's shoulder.
_LIGHT = np.array([-0.42, -0.55, -0.72])
_AMBIENT = 0.32

_MOST_SAMPLES = 1 << 19  # of a band: what draws it has a dozen bytes a sample, and is kept for the next


def _part_colours() -> np.ndarray:
    """Hue by limb, brightness by side: right limbs are vivid, left limbs pale; front and back differ in hue."""
    limbs = {  # hue, then (part of the right side, part of the left side)
        0.00: (3, 4), 0.07: (20, 19), 0.12: (22, 21), 0.16: (16, 15), 0.21: (18, 17),
        0.36: (9, 10), 0.42: (7, 8), 0.50: (13, 14), 0.56: (11, 12), 0.64: (6, 5), 0.86: (23, 24),
    }  # fmt: skip
    colours = np.zeros((25, 3))
    for hue, (right, left) in limbs.items():
        colours[right] = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
        colours[left] = colorsys.hsv_to_rgb(hue, 0.40, 1.00)
    colours[1] = colorsys.hsv_to_rgb(0.72, 0.55, 0.65)
    colours[2] = colorsys.hsv_to_rgb(0.76, 0.35, 0.95)
    return np.round(colours * 255).astype(np.uint8)


PART_COLOURS = _part_colours()
"""(25, 3) uint8: background black, then the 24 parts; a right limb is the vivid one of its pair."""


def shade(
    raster: Raster,
    vertices: torch.Tensor | np.ndarray,
    faces: torch.Tensor | np.ndarray,
    colours: np.ndarray | tuple[int, int, int] = SKIN,
    smooth: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Light the visible surface of one mesh.

    Args:
        raster: what each pixel shows, of one mesh (``raster[b]``).
        vertices: (V, 3) metres in camera space.
        faces: (F, 3) vertex indices, as rasterized.
        colours: one colour (3,), a colour per vertex (V, 3), which is interpolated, or per face (F, 3).
        smooth: Gouraud normals; otherwise each face is lit as a flat facet.

    Returns:
        The image (H, W, 3) uint8, black outside the mesh, and the mask (H, W) bool.

    Raises:
        ShapeError: the colours fit neither the vertices nor the faces, or the raster or the faces another mesh.
    """
    points, triangles = _as_mesh(vertices, faces)
    if raster.face.max() >= len(triangles):
        raise ShapeError(f"a raster that shows face {raster.face.max()}", expected=f"of {len(triangles)} faces given")
    albedo = np.ascontiguousarray(np.atleast_2d(colours), np.float64)
    image = np.empty((*raster.face.shape, 3), np.uint8)
    light_samples(
        raster.face, raster.bary, triangles, _light(points, triangles, smooth), OF_VERTICES if smooth else OF_FACES,
        albedo, _whose(albedo, len(points), len(triangles)), image,
    )  # fmt: skip
    return image, raster.face >= 0


def overlay(
    image: np.ndarray,
    vertices: torch.Tensor | np.ndarray,
    faces: torch.Tensor | np.ndarray,
    camera: Camera,
    colours: np.ndarray | tuple[int, int, int] = SKIN,
    alpha: float = 1.0,
    supersample: int = 2,
) -> np.ndarray:
    """Draw one mesh over an image, its outline antialiased.

    Args:
        image: (H, W, 3) uint8; it is not changed.
        vertices: (V, 3) metres in camera space.
        faces: (F, 3) vertex indices.
        camera: a camera of batch 1 in pixels of ``image``.
        colours: as for :func:`shade`.
        alpha: opacity of the mesh, 0 … 1.
        supersample: samples per pixel and axis.

    Returns:
        The composed image (H, W, 3) uint8.

    Raises:
        RenderError: a vertex is not finite.
        ShapeError: an argument has another shape or type, or a face names a vertex that is not there.
        UsageError: ``alpha`` or ``supersample`` is none.
    """
    composed = image.copy()
    draw_over(composed, vertices, faces, camera, colours, alpha, supersample)
    return composed


def draw_over(
    image: np.ndarray,
    vertices: torch.Tensor | np.ndarray,
    faces: torch.Tensor | np.ndarray,
    camera: Camera,
    colours: np.ndarray | tuple[int, int, int] = SKIN,
    alpha: float = 1.0,
    supersample: int = 2,
) -> None:
    """As :func:`overlay`, into the image itself; band by band, so that a large image takes no more than it is."""
    if image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.flags.writeable:
        found = f"an image of shape {image.shape} and type {image.dtype}"
        raise ShapeError(found, expected="(H, W, 3) uint8 that may be written")
    if not 0 <= alpha <= 1 or supersample < 1:
        raise UsageError(
            f"a mesh is to be drawn with alpha {alpha} and supersample {supersample}",
            expected="an opacity of 0 … 1, and at least one sample a pixel and axis",
            action="give such values, or leave them out.",
        )
    points, triangles = _as_mesh(vertices, faces)
    left, top, width, height = _window(points, camera, as_size(image.shape[:2]))
    if not width or not height:
        return
    albedo = np.ascontiguousarray(np.atleast_2d(colours), np.float64)
    lit = Lit(_light(points, triangles, smooth=True), albedo, _whose(albedo, len(points), len(triangles)))
    bands = -(-height * width * supersample**2 // _MOST_SAMPLES)
    rows = -(-height // bands)
    for first in range(top, top + height, rows):
        band = image[first : min(first + rows, top + height), left : left + width]
        fine = camera.warped(supersample * np.array([[1.0, 0.0, -left], [0.0, 1.0, -first]]))
        blend_samples(points, triangles, fine, band, supersample, lit, alpha)


def _as_mesh(vertices: torch.Tensor | np.ndarray, faces: torch.Tensor | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) vertices and (F, 3) faces of one mesh, as :func:`as_vertices` and :func:`as_faces` make them."""
    return as_vertices(as_numpy(vertices)[None])[0], as_faces(faces)


def _window(points: np.ndarray, camera: Camera, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the pixels that a mesh (V, 3) may touch in an image of height and width ``size``.

    All of them where a vertex is not before the camera: then its outline says nothing.
    """
    import torch

    height, width = size
    place = torch.from_numpy(np.asarray(points, np.float64)[None])
    exact = camera.to("cpu", torch.float64)
    low, high = (bound.numpy() for bound in exact.project(place)[0].aminmax(dim=0))  # NaN is the least and the largest
    if not np.isfinite((low, high)).all() or not (camera.orthographic or bool((exact.depth(place) > 0).all())):
        return 0, 0, width, height
    low, high = np.floor(low) - 1, np.ceil(high) + 1
    (left, top), (right, bottom) = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
    return int(left), int(top), int(right - left), int(bottom - top)


def part_image(part: np.ndarray, uv: np.ndarray | None = None) -> np.ndarray:
    """Colour a part map for the eye; with U, V the charts show as a brightness ramp.

    Args:
        part: (H, W) integers 0 … 24.
        uv: (2, H, W) in 0 … 1, optional.

    Returns:
        (H, W, 3) uint8.
    """
    colours = PART_COLOURS[part].astype(np.float32)
    if uv is not None:
        colours *= (0.55 + 0.25 * uv[0] + 0.20 * uv[1])[..., None]
    return np.round(colours).astype(np.uint8)


def _whose(colours: np.ndarray, count: int, faces: int) -> int:
    """Whether colours (N, 3) are one, of the vertices or of the faces."""
    kinds = {1: ONE, faces: OF_FACES, count: OF_VERTICES}
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) not in kinds:
        raise ShapeError(
            f"colours of shape {colours.shape}",
            expected=f"(3,), one per vertex ({count}, 3) or per face ({faces}, 3)",
        )
    return kinds[len(colours)]


def _light(points: np.ndarray, triangles: np.ndarray, smooth: bool) -> np.ndarray:
    """What a colour is multiplied by at each vertex (V,), or, where nothing is to be smooth, on each face (F,)."""
    facets, summed = outward_normals(points, triangles)
    normals = summed if smooth else facets
    along = normals @ (_LIGHT / np.linalg.norm(_LIGHT))
    lambert = 0.5 + 0.5 * along / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * lambert * np.sqrt(lambert.clip(0)))
