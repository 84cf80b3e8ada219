"""Light and sky: sun, clouds and haze out of doors; windows and lamps within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pymaf_data.world.light import Light
from pymaf_data.world.scenery.palette import LEAVES, mixed, pick
from pymaf_data.world.scenery.sky import HILLS, TOWN, WOODS, Sky

_BLUE = np.array([0.16, 0.30, 0.62])


@dataclass(frozen=True)
class Weather:
    """What it is like outside: light, sky, and how much haze a metre of air adds."""

    light: Light
    sky: Sky
    density: float


def draw_weather(rng: Generator, ground: np.ndarray, town: float = 0.2) -> Weather:
    """Sun or clouds, and what stands at the horizon.

    Args:
        rng: the only source of chance.
        ground: (3,) albedo of the ground, whose light comes back from below.
        town: probability of a town at the horizon, else hills and woods.
    """
    overcast = rng.random() < 0.35
    cover = rng.uniform(0.65, 0.95) if overcast else rng.uniform(0.0, 0.55)
    height = np.deg2rad(rng.uniform(20, 65))
    # Photographers seldom shoot into the sun: it stands mostly behind or beside the camera.
    heading = rng.normal(0, 1.05)
    to_sun = np.array([np.sin(heading) * np.cos(height), np.sin(height), np.cos(heading) * np.cos(height)])
    low = 1 - np.sin(height)
    colour = np.array([1.0, 0.93 - 0.1 * low, 0.82 - 0.28 * low])
    strength = rng.uniform(0.05, 0.22) if overcast else rng.uniform(0.8, 1.0)
    blue = mixed(np.array([0.86, 0.95, 1.1]), np.array([1.0, 1.0, 1.02]), cover)
    ambient = blue * (rng.uniform(0.65, 0.8) if overcast else rng.uniform(0.24, 0.36))
    sun = colour * strength
    bounce = np.asarray(ground) * (sun * to_sun[1] + ambient) * 0.8
    light = Light(-to_sun, sun, ambient, bounce)
    haze = mixed(np.array([0.62, 0.72, 0.85]), np.array([0.78, 0.8, 0.82]), min(1.0, 1.1 * cover))
    haze = mixed(haze, haze * colour, 0.6 * low) * rng.uniform(0.85, 1.1)
    zenith = mixed(_BLUE * rng.uniform(0.8, 1.3), np.array([0.5, 0.54, 0.6]), cover**2)
    cloud = mixed(np.array([1.05, 1.04, 1.02]), np.array([0.8, 0.82, 0.85]), cover) * rng.uniform(0.85, 1.1)
    glow = colour * (0.25 if overcast else 1.0)
    ridges, colours = _horizon(rng, haze, rng.random() < town)
    sky = Sky(zenith, haze, cloud, glow, to_sun, float(cover), rng.random(2) * 9, ridges, colours)
    return Weather(light, sky, 1.0 / rng.uniform(250, 1200))


def _horizon(rng: Generator, haze: np.ndarray, town: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ridges from far to near, each less veiled than the last."""
    rows, colours = [], []
    count = int(rng.integers(1, 4))
    for index in range(count):
        near = (index + 1) / count
        kind = (
            (TOWN if rng.random() < 0.6 else HILLS) if town else (WOODS if rng.random() < 0.3 + 0.5 * near else HILLS)
        )
        height = {HILLS: rng.uniform(0.04, 0.16), WOODS: rng.uniform(0.03, 0.08), TOWN: rng.uniform(0.05, 0.14)}[kind]
        height *= 1.15 - 0.6 * near
        tiles = {HILLS: rng.uniform(0.5, 1.2), WOODS: rng.uniform(1.5, 3.0), TOWN: rng.uniform(0.8, 1.8)}[kind]
        rows.append([kind, height, 0.45 if kind != TOWN else 0.6, tiles, rng.random() * 7])
        base = pick(rng, LEAVES) * 0.55 if kind != TOWN else np.array([0.22, 0.21, 0.21])
        colours.append(mixed(base, haze, rng.uniform(0.6, 0.85) * (1.25 - 0.85 * near)))
    return np.array(rows, np.float64), np.array(colours, np.float64)


def room_light(rng: Generator, toward_window: np.ndarray | None, wall: np.ndarray) -> Light:
    """Light of a room.

    Args:
        rng: the only source of chance.
        toward_window: (2,) unit x, z in the world towards the window that lights it, or none: lamps do.
        wall: (3,) albedo of the walls, which tint what they throw back.
    """
    if toward_window is None:
        angle = rng.uniform(0, 2 * np.pi)
        flat, height = np.array([np.sin(angle), np.cos(angle)]), np.deg2rad(rng.uniform(55, 80))
        colour = mixed(np.array([1.0, 0.86, 0.66]), np.array([0.95, 1.0, 1.0]), rng.random())
        strength, ambient = rng.uniform(0.3, 0.55), rng.uniform(0.4, 0.55)
    else:
        flat, height = toward_window, np.deg2rad(rng.uniform(25, 50))
        colour = mixed(np.array([1.0, 0.95, 0.88]), np.array([0.9, 0.97, 1.06]), rng.random())
        strength, ambient = rng.uniform(0.35, 0.7), rng.uniform(0.32, 0.5)
    to_sun = np.array([flat[0] * np.cos(height), np.sin(height), flat[1] * np.cos(height)])
    tint = mixed(colour, wall / max(float(wall.mean()), 1e-3), 0.35)
    sky = tint * ambient
    return Light(-to_sun, colour * strength, sky, sky * rng.uniform(0.55, 0.75))


def no_sky() -> Sky:
    """What lies outside a closed room: nothing."""
    grey = np.full(3, 0.3)
    return Sky(grey, grey, grey, grey, np.array([0.0, 1.0, 0.0]), 0.0, np.zeros(2), np.zeros((0, 5)), np.zeros((0, 3)))
