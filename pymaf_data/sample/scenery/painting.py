"""From a place and a camera to what every pixel of the empty picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pymaf_data.sample.scenery.patterns import SIDE, tiles
from pymaf_data.sample.scenery.place import Place, Shell, Surfaces
from pymaf_data.sample.scenery.shade import shade
from pymaf_data.sample.scenery.sky import paint_sky
from pymaf_data.sample.scenery.visible import find_edges, find_patches, lens_of

if TYPE_CHECKING:
    from pymaf_data.sample.view import View

_SHIFTS = np.array([[-0.125, -0.375], [0.375, -0.125], [0.125, 0.375], [-0.375, 0.125]])
_EDGES = 0.15  # of a picture's pixels at most get more than one sample


def rays_of(view: View) -> np.ndarray:
    """(3, 3): takes a pixel (x, y, 1) to its ray's direction in the world, with unit depth along the camera's axis."""
    return np.ascontiguousarray(view.rotation.T @ np.linalg.inv(view.intrinsics))


def paint(place: Place, view: View) -> Surfaces:
    """What each pixel of the empty place shows; things are not drawn."""
    if place.photograph is not None:
        return _show_photograph(place.photograph, view)
    assert place.shell is not None
    shell, (width, height) = place.shell, view.size
    rays, eye = rays_of(view), np.ascontiguousarray(view.centre, np.float64)
    lens, profile = lens_of(shell.patches, rays, eye), _profile()
    nearness, shown = np.empty((height, width)), np.empty((height, width), np.int32)
    find_patches(lens, shell.patches, profile, nearness, shown)
    pixels = np.empty(int(_EDGES * height * width), np.int32)
    samples = np.empty((len(pixels), len(_SHIFTS)), np.int32)
    count = find_edges(shown, lens, shell.patches, profile, _SHIFTS, pixels, samples)
    pixels, samples = pixels[:count], samples[:count]
    x = np.tile(np.arange(width, dtype=np.float32) + 0.5, height)
    y = np.repeat(np.arange(height, dtype=np.float32) + 0.5, width)
    picture = _sampled(shell, lens, rays, eye, x, y, shown.ravel())
    fine_x, fine_y = (x[pixels, None] + _SHIFTS[:, 0]).ravel(), (y[pixels, None] + _SHIFTS[:, 1]).ravel()
    fine = _sampled(shell, lens, rays, eye, fine_x.astype(np.float32), fine_y.astype(np.float32), samples.ravel())
    lit = shown.ravel() >= 0
    _smooth(picture, lit, pixels, [part.reshape(count, len(_SHIFTS), 3) for part in fine], samples >= 0)
    albedo, normal, point, emission = (part.reshape(height, width, 3) for part in picture)
    return Surfaces(albedo, normal, point, emission, lit.reshape(height, width))


def _profile() -> np.ndarray:
    """The uneven line of tree tops, one period: a row of the tile of clouds, roughened."""
    table = tiles()
    rough = table[4 * SIDE * SIDE + 77 * SIDE :][:SIDE]
    return np.ascontiguousarray(np.clip(table[100 * SIDE :][:SIDE] + 0.3 * rough, -1, 1))


def _sampled(
    shell: Shell, lens: np.ndarray, rays: np.ndarray, eye: np.ndarray, x: np.ndarray, y: np.ndarray, shown: np.ndarray
) -> list[np.ndarray]:
    """Albedo, normal, point, emission (N, 3) of samples."""
    parts = [np.zeros((len(x), 3), np.float32) for _ in range(4)]
    shade(x, y, shown, lens, shell.patches, shell.materials, shell.decals, shell.air, rays, eye, tiles(), *parts)
    paint_sky(x, y, shown, shell.sky, rays, tiles(), parts[3])
    return parts


def _smooth(
    picture: list[np.ndarray], lit: np.ndarray, pixels: np.ndarray, fine: list[np.ndarray], solid: np.ndarray
) -> None:
    """Give edge pixels the mean of their samples; where part is sky, the sky's share is emission on no albedo.

    The point stays the centre's where that is solid, else it is that of the first solid sample.
    """
    albedo, normal, point, emission = picture
    albedo[pixels], emission[pixels] = fine[0].mean(1), fine[3].mean(1)
    any_solid = solid.any(1)
    mean = fine[1].sum(1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    first = np.take_along_axis(fine[1], solid.argmax(1)[:, None, None], 1)[:, 0]
    turned = np.where(length > 0.3, mean / np.maximum(length, 0.3), first)
    normal[pixels[any_solid]] = turned[any_solid]
    empty = any_solid & ~lit[pixels]
    chosen = np.take_along_axis(fine[2], solid.argmax(1)[:, None, None], 1)[:, 0]
    point[pixels[empty]] = chosen[empty]
    nothing = ~any_solid & lit[pixels]
    emission[pixels[nothing]] += albedo[pixels[nothing]]
    lit[pixels] = any_solid
    normal[pixels[nothing]] = 0


def _show_photograph(photograph: np.ndarray, view: View) -> Surfaces:
    """A photograph as the far side of an unseen ground that catches shadows."""
    from pymaf_data.sample.scenery.photographs import fitted, linear

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
