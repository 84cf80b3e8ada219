"""Backgrounds: a room or open ground, textured in the world and seen through the scene's own camera.

Every pixel's ray is cut with the ground y = 0 and with a wall far behind the people; textures live in metres on
those planes, so lines converge as the camera says. Nothing is flat: noise of several octaves lies on everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from pymaf_data.sample.scene import View

_TEXTURE = 256
_FADE = 9.0  # metres: beyond, patterns finer than a pixel would flicker


@dataclass(frozen=True)
class Backdrop:
    """A picture without people.

    Args:
        colour: (H, W, 3) float32, 0 … 1.
        ground: (H, W) bool, where the ground shows.
    """

    colour: np.ndarray
    ground: np.ndarray


def paint_backdrop(rng: Generator, view: View, wall_depth: float) -> Backdrop:
    """Paint ground and wall (or sky).

    Args:
        rng: the only source of chance.
        view: the camera.
        wall_depth: metres from the camera to a wall behind everybody.
    """
    directions = _rays(view)
    eye = np.float32(view.centre[1])
    to_ground = eye / np.maximum(-directions[..., 1], np.float32(1e-3))
    outdoors = rng.random() < 0.4
    to_wall = np.float32(wall_depth) / np.maximum(-directions[..., 2], np.float32(1e-3))
    ground = to_ground < (np.float32(60.0) if outdoors else np.minimum(to_wall, np.float32(60.0)))
    textures = Textures(rng)
    if outdoors:
        picture = _sky(rng, textures, directions)
    else:
        picture = _wall(rng, textures, directions[..., 0] * to_wall, directions[..., 1] * to_wall + eye)
    distance = to_ground[ground]
    hit = directions[ground] * distance[:, None]
    picture[ground] = _floor(rng, textures, hit[:, 0], hit[:, 2], distance, outdoors)
    return Backdrop(np.clip(picture, 0, 1, out=picture), ground)


def _rays(view: View) -> np.ndarray:
    """World directions (H, W, 3) of the rays through the pixel centres, with unit depth."""
    width, height = view.size
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    return (pixels @ np.linalg.inv(view.intrinsics).T @ view.rotation).astype(np.float32)


class Textures:
    """Seamless noise on a plane: octaves of smooth random values, made once, looked up anywhere."""

    def __init__(self, rng: Generator, octaves: int = 5) -> None:
        total = np.zeros((_TEXTURE, _TEXTURE), np.float32)
        for octave in range(octaves):
            cells = 8 << octave
            grid = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
            step = _TEXTURE // cells
            fine = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
            total += fine[2 * step : 2 * step + _TEXTURE, 2 * step : 2 * step + _TEXTURE] * np.float32(0.55**octave)
        total -= total.min()
        self._values = total / total.max()

    def __call__(self, x: np.ndarray, y: np.ndarray, scale: float, shift: float = 0.0) -> np.ndarray:
        """Values in 0 … 1 at plane coordinates; a tile is ``scale`` units wide, ``shift`` picks another place."""
        column = (x * np.float32(_TEXTURE / scale) + np.float32(shift)).astype(np.int32) & (_TEXTURE - 1)
        row = (y * np.float32(_TEXTURE / scale) + np.float32(3.7 * shift)).astype(np.int32) & (_TEXTURE - 1)
        return self._values.ravel()[row * _TEXTURE + column]


def colour(
    rng: Generator,
    saturation: tuple[float, float],
    value: tuple[float, float],
    hue: tuple[float, float] = (0.0, 360.0),
) -> np.ndarray:
    """A random RGB colour (3,) float32; ranges of hue in degrees, saturation and value."""
    hsv = np.array([[[rng.uniform(*hue) % 360, rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def _floor(
    rng: Generator, textures: Textures, x: np.ndarray, z: np.ndarray, distance: np.ndarray, outdoors: bool
) -> np.ndarray:
    fade = np.exp(-distance / np.float32(_FADE))
    grain = (textures(x, z, 3.0) - np.float32(0.5)) * np.float32(rng.uniform(0.25, 0.6))
    shade = 1 + grain * (np.float32(0.3) + fade) + (textures(x, z, 17.0, 91.0) - np.float32(0.5)) * np.float32(0.25)
    if outdoors:
        grass = rng.random() < 0.45
        hue, saturation = ((70, 115), (0.3, 0.6)) if grass else ((20, 50), (0.05, 0.35))
        base = colour(rng, saturation, (0.3, 0.7), hue)
    else:
        base = colour(rng, (0.05, 0.4), (0.35, 0.8), (15, 60) if rng.random() < 0.7 else (180, 250))
    if not outdoors or rng.random() < 0.2:
        shade *= _tiles(rng, x, z, fade)
    return base * shade[:, None]


def _tiles(rng: Generator, x: np.ndarray, z: np.ndarray, fade: np.ndarray) -> np.ndarray:
    """Brightness of chequered tiles, planks or bare joints, at any angle."""
    angle = rng.uniform(0, np.pi)
    width = rng.uniform(0.25, 0.7)
    length = width * rng.choice([1.0, 1.0, 5.0])
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    a, b = (x * cosine - z * sine) / np.float32(width), (x * sine + z * cosine) / np.float32(length)
    row = np.floor(a)
    if length > width:  # planks start anywhere
        b += np.float32(0.37) * row
    column = np.floor(b)
    kind = rng.integers(3)
    if kind == 0:
        tone = ((row + column) % 2) - np.float32(0.5)
    elif kind == 1:
        tone = np.sin(row * np.float32(12.99) + column * np.float32(78.23)) * np.float32(0.5)
    else:
        tone = np.where(np.minimum(a - row, (b - column) * (length / width)) < 0.06, np.float32(-1.2), np.float32(0.1))
    return 1 + np.float32(rng.uniform(0.12, 0.4)) * tone * fade


def _wall(rng: Generator, textures: Textures, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = colour(rng, (0.03, 0.4), (0.5, 0.92))
    shade = 1 + (textures(x, y, rng.uniform(2, 6)) - np.float32(0.5)) * np.float32(rng.uniform(0.15, 0.4))
    shade *= np.float32(0.85) + np.float32(0.05) * np.clip(y, 0, 4)
    kind = rng.integers(3)
    if kind == 0:  # bricks
        row, column = np.floor(y / np.float32(0.16)), x / np.float32(0.42)
        column += np.float32(0.5) * (row % 2)
        brick = np.floor(column)
        edge = np.minimum(y / np.float32(0.16) - row, (column - brick) * np.float32(2.6))
        shade *= np.where(edge < 0.1, np.float32(0.82), 1 + np.float32(0.06) * np.sin(row * 7 + brick * 3))
    elif kind == 1:  # stripes
        shade *= 1 + np.float32(rng.uniform(0.03, 0.14)) * np.sign(np.sin(x * np.float32(rng.uniform(4, 14))))
    picture = base * shade[..., None]
    for _ in range(rng.integers(2, 7)):  # posters, doors, windows
        left, bottom = rng.uniform(-7, 6), rng.choice([0.0, rng.uniform(0.4, 1.8)])
        frame = (x > left) & (x < left + rng.uniform(0.4, 1.8)) & (y > bottom) & (y < bottom + rng.uniform(0.5, 2.1))
        grain = np.float32(0.7) + np.float32(0.6) * textures(x[frame], y[frame], rng.uniform(0.5, 2.5), left * 40)
        picture[frame] = colour(rng, (0.1, 0.7), (0.2, 0.9)) * grain[:, None]
    return picture


def _sky(rng: Generator, textures: Textures, directions: np.ndarray) -> np.ndarray:
    """A gradient from the horizon up, clouds, and a line of far hills or trees."""
    across, up = directions[..., 0], directions[..., 1]  # at unit depth: the picture's own perspective serves
    high = np.clip(up, 0, 1)[..., None]
    low_colour = colour(rng, (0.02, 0.2), (0.8, 1.0), (190, 230))
    picture = low_colour + (colour(rng, (0.2, 0.6), (0.6, 0.95), (195, 225)) - low_colour) * np.sqrt(high)
    cloud = np.maximum(textures(across, up * 2, 1.8) - np.float32(0.55), 0)
    picture += (cloud * np.float32(rng.uniform(0.2, 0.9)))[..., None]
    ridge = np.float32(0.02) + np.float32(0.2 * rng.random()) * textures(across, np.zeros_like(across), 4.0)
    far = (up < ridge) & (up > -0.2)
    grain = np.float32(0.75) + np.float32(0.5) * textures(across[far], up[far], 0.5)
    picture[far] = colour(rng, (0.15, 0.45), (0.25, 0.55), (60, 160)) * grain[:, None]
    return picture
