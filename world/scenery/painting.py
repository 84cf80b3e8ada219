"""From a place and a camera to what every pixel of the empty image shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pymaf_data.errors import RenderError
from pymaf_data.world.scenery.patterns import CLOUD, GRASS, SIDE, tiles
from pymaf_data.world.scenery.place import Place, Shell, Surfaces
from pymaf_data.world.scenery.shade import shade
from pymaf_data.world.scenery.sky import paint_sky
from pymaf_data.world.scenery.visible import blend_edges, find_edges, find_patches, lens_of

if TYPE_CHECKING:
    from pymaf_data.world.view import View

_SHIFTS = np.array([[-0.125, -0.375], [0.375, -0.125], [0.125, 0.375], [-0.375, 0.125]])
_EDGES = 0.15  # of an image's pixels at most get more than one sample


def rays_of(view: View) -> np.ndarray:
    """(3, 3): takes a pixel (x, y, 1) to its ray's direction in the world, with unit depth along the camera's axis."""
    return np.ascontiguousarray(view.rotation.T @ np.linalg.inv(view.intrinsics))


def paint(place: Place, view: View) -> Surfaces:
    """What each pixel of the empty place shows; things are not drawn.

    Raises:
        RenderError: the place has neither planes nor a photograph.
    """
    if place.photograph is not None:
        return _show_photograph(place.photograph, view)
    if place.shell is None:
        raise RenderError("a place with neither planes nor a photograph", action="draw it with draw_place.")
    shell, (width, height) = place.shell, view.size
    rays, eye = rays_of(view), np.ascontiguousarray(view.centre, np.float64)
    lens, profile = lens_of(shell.patches, rays, eye), _profile()
    nearness, shown = np.empty((height, width)), np.empty((height, width), np.int32)
    find_patches(lens, shell.patches, profile, nearness, shown)
    pixels = np.empty(int(_EDGES * height * width), np.int32)
    samples = np.empty((len(pixels), len(_SHIFTS)), np.int32)
    count = find_edges(shown, lens, shell.patches, profile, _SHIFTS, pixels, samples)
    pixels, samples = pixels[:count], samples[:count]
    x, y = _centres(width, height)
    flat = shown.ravel()
    image = _sampled(shell, lens, rays, eye, x, y, flat)
    lit = flat >= 0
    if count:
        # What a sample shows of its pixel's own patch is there already: patterns are averaged over a pixel's footprint.
        seen = samples.ravel()
        other = np.flatnonzero(seen != np.repeat(flat[pixels], len(_SHIFTS)))
        other = other[np.argsort(seen[other].astype(np.int16), kind="stable")]  # long runs of one patch
        at, shift = pixels[other // len(_SHIFTS)], _SHIFTS[other % len(_SHIFTS)].astype(np.float32)
        fine = _sampled(shell, lens, rays, eye, x[at] + shift[:, 0], y[at] + shift[:, 1], seen[other])
        slots = np.full(len(seen), -1, np.int32)
        slots[other] = np.arange(len(other), dtype=np.int32)
        albedo, normal, point, emission = image
        blend_edges(pixels, samples, flat, slots, np.stack(fine), albedo, normal, point, emission, lit)
    albedo, normal, point, emission = (part.reshape(height, width, 3) for part in image)
    return Surfaces(albedo, normal, point, emission, lit.reshape(height, width))


@lru_cache(maxsize=8)
def _centres(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y (H · W,) float32 of all pixel centres; not to be written to.

    They are not marked so, because numba would compile the kernels once more for read-only arrays.
    """
    x = np.tile(np.arange(width, dtype=np.float32) + 0.5, height)
    y = np.repeat(np.arange(height, dtype=np.float32) + 0.5, width)
    return x, y


@lru_cache(maxsize=1)
def _profile() -> np.ndarray:
    """The uneven line of tree tops, one period: a row of the tile of clouds, roughened."""
    table = tiles()[: 6 * SIDE * SIDE].astype(np.int8).reshape(6, SIDE, SIDE) / 127.0
    return np.clip(table[CLOUD, 100] + 0.3 * table[GRASS, 77], -1, 1)


def _sampled(
    shell: Shell, lens: np.ndarray, rays: np.ndarray, eye: np.ndarray, x: np.ndarray, y: np.ndarray, shown: np.ndarray
) -> list[np.ndarray]:
    """Albedo, normal, point, emission (N, 3) of samples."""
    albedo, normal, point, emission = parts = [np.empty((len(x), 3), np.float32) for _ in range(4)]
    made_of = (shell.patches, shell.materials, shell.decals, shell.air)
    shade(x, y, shown, lens, *made_of, rays, eye, tiles(), albedo, normal, point, emission)
    paint_sky(x, y, shown, shell.sky, rays, tiles(), albedo, normal, point, emission)
    return parts


def _show_photograph(photograph: np.ndarray, view: View) -> Surfaces:
    """A photograph as the far side of an unseen ground that catches shadows."""
    from pymaf_data.world.scenery.photographs import fitted, linear

    width, height = view.size
    colour = linear(fitted(photograph, view.size))
    rays = rays_of(view).astype(np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    directions = np.stack([x, y, np.ones_like(x)], -1) @ rays.T
    down = directions[..., 1] < -0.02
    t = np.where(down, view.centre[1] / np.maximum(-directions[..., 1], 0.02), 0.0)
    point = (np.asarray(view.centre) + directions * t[..., None]).astype(np.float32)
    normal = np.zeros_like(colour)
    normal[down] = (0, 1, 0)
    return Surfaces(colour, normal, point, colour, np.zeros((height, width), bool), down)
