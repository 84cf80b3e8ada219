"""Backend ``warp``: rasterizes on the device where the vertices are, torch tensors in and out, without a copy.

Meshes go through in groups, so that projected vertices and depth keys stay within a fixed amount of memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from torch import Tensor

from pymaf_data.errors import RenderError
from pymaf_data.kernels import cache_folder
from pymaf_data.render.backends import TensorScene
from pymaf_data.render.backends import warp_kernels as kernels

_SCRATCH_BYTES = 1 << 28
_VERTEX_BYTES, _PIXEL_BYTES = 28, 12
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Drawn:
    """A group of meshes after both passes; everything that the last kernel needs.

    Attributes:
        rows: which meshes of the batch.
        place: (b, V) vectors of three float64, pixels and depth key.
        cell: (b, V) int32.
        key: (b, H, W) int64.
        nearest: (b, H, W) int32, the face or the largest integer.
    """

    rows: slice
    place: Any
    cell: Tensor
    key: Tensor
    nearest: Tensor


def rasterize(scene: TensorScene) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
    """Face (B, H, W) int32, barycentrics (B, H, W, 3) float32 and depth (B, H, W) float32, on the scene's device.

    Returns:
        These three, and −1 or the first mesh that is not finite.
    """
    B, device = len(scene.vertices), scene.vertices.device
    face = torch.empty((B, *scene.size), dtype=torch.int32, device=device)
    bary = torch.zeros((B, *scene.size, 3), device=device)
    depth = torch.full((B, *scene.size), torch.inf, device=device)
    broken = torch.zeros(B, dtype=torch.int32, device=device)
    with _launcher(scene) as launch:
        for drawn in _groups(launch, scene, broken):
            rows = drawn.rows
            inputs = [int(scene.orthographic), scene.faces, drawn.place, drawn.cell, drawn.key, drawn.nearest]
            launch(kernels.weigh, drawn.nearest.shape, [*inputs, bary[rows], depth[rows]])
            face[rows] = drawn.nearest
    return (face, bary, depth), _first(broken)


def paint(scene: TensorScene, face_part: Tensor, corner_uv: Tensor) -> tuple[tuple[Tensor, Tensor], int]:
    """Part (B, H, W) uint8 and U, V (B, 2, H, W) float32 of charts (F,) and (F, 3, 2); else as :func:`rasterize`."""
    B, device = len(scene.vertices), scene.vertices.device
    part = torch.zeros((B, *scene.size), dtype=torch.uint8, device=device)
    uv = torch.zeros((B, 2, *scene.size), device=device)
    broken = torch.zeros(B, dtype=torch.int32, device=device)
    with _launcher(scene) as launch:
        for drawn in _groups(launch, scene, broken):
            rows = drawn.rows
            inputs = [int(scene.orthographic), scene.faces, drawn.place, drawn.cell, drawn.nearest]
            launch(kernels.paint, drawn.nearest.shape, [*inputs, face_part, corner_uv, part[rows], uv[rows]])
    return (part, uv), _first(broken)


def _groups(launch: Any, scene: TensorScene, broken: Tensor) -> Iterator[Drawn]:
    """Project and draw the meshes, a group at a time; ``broken`` (B,) marks those that are not finite."""
    vertices, faces, matrices, orthographic, near, size = scene
    B, V, _ = vertices.shape
    device = vertices.device
    at_once = max(1, _SCRATCH_BYTES // (_VERTEX_BYTES * max(V, 1) + _PIXEL_BYTES * size[0] * size[1]))
    for first in range(0, B, at_once):
        rows = slice(first, min(first + at_once, B))
        b = rows.stop - rows.start
        place = wp.from_torch(torch.empty((b, V, 3), dtype=torch.float64, device=device), dtype=wp.vec3d)
        cell = torch.empty((b, V), dtype=torch.int32, device=device)
        key = torch.full((b, *size), int(kernels.FARTHEST), dtype=torch.int64, device=device)
        nearest = torch.full((b, *size), int(kernels.NOTHING), dtype=torch.int32, device=device)
        inputs = [vertices[rows], matrices[rows], int(orthographic), wp.float64(near), *size]
        launch(kernels.project, (b, V), [*inputs, place, cell, broken[rows]])
        for claim in (0, 1):
            launch(kernels.draw, (b, len(faces)), [claim, faces, place, cell, wp.float64(near), key, nearest])
        yield Drawn(rows, place, cell, key, nearest)


@contextmanager
def _launcher(scene: TensorScene) -> Iterator[Any]:
    """A function (kernel, threads, inputs) that launches on the scene's device, in torch's own stream there.

    One thread at a time: warp keeps the current stream, and the modules it is compiling, per process.
    """
    with _ONE_AT_A_TIME:
        _start()
        device = wp.device_from_torch(scene.vertices.device)

        def launch(kernel: Any, threads: tuple[int, ...], inputs: list[Any]) -> None:
            given = [wp.from_torch(value) if isinstance(value, Tensor) else value for value in inputs]
            wp.launch(kernel, dim=tuple(threads), inputs=given, device=device)

        if scene.vertices.is_cuda:
            with wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(scene.vertices.device))):
                yield launch
        else:
            yield launch


def _start() -> None:
    """Start warp, once; what it compiles is kept in the user's cache, else where our other kernels are.

    Raises:
        RenderError: there is no folder to keep it in.
    """
    # Or it greets on standard output; its later versions ask for a level, its earlier ones for quiet.
    wp.config.quiet, wp.config.log_level = True, getattr(wp, "LOG_WARNING", 30)
    try:
        wp.init()
    except OSError as error:  # it has no home that can be written
        folder = cache_folder()
        if folder is None:
            raise RenderError(
                f"warp cannot keep its compiled kernels: {error}",
                expected="a folder that only this user may write",
                action="set WARP_CACHE_PATH to one, or render with --renderer numba.",
            ) from None
        wp.config.kernel_cache_dir = str(folder)
        wp.init()


def _first(broken: Tensor) -> int:
    found = broken.nonzero()
    return int(found[0, 0]) if len(found) else -1
