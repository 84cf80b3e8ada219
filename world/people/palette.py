"""Colours that people are and wear, in linear RGB."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator

# Diffuse skin from the lightest to the darkest of people, sRGB.
_SKIN = ("dfb9a4", "d8ab90", "cd9a7b", "c08a68", "ab7552", "936041", "784a30", "5e3823", "472a1b", "352016", "281912")
_HAIR = ("0b0a0a", "15100e", "241811", "38251a", "523620", "6b4a2c", "8a6a43", "b39463", "7a3f24", "5a5654", "a8a39e")
_HAIR_SHARE = (0.22, 0.17, 0.15, 0.12, 0.09, 0.06, 0.05, 0.04, 0.03, 0.04, 0.03)
# What shops sell most: blacks, blues, greys, whites; then the rest.
_CLOTH = {
    "141416": 0.13, "26272b": 0.07, "3d3f44": 0.06, "6c6e72": 0.05, "a3a4a4": 0.05, "e6e5e1": 0.09, "d9d0bd": 0.04,
    "1c2740": 0.08, "2d4263": 0.05, "4a6a94": 0.05, "8fb0cf": 0.03, "2f4a3a": 0.03, "55603c": 0.04, "8a7f5a": 0.03,
    "b59b6d": 0.03, "5b3a29": 0.03, "7b2230": 0.04, "a8262b": 0.03, "c8502f": 0.015, "d4a02c": 0.02, "b36a7c": 0.02,
    "6b4a78": 0.015, "2b7a78": 0.02, "d98fa0": 0.01,
}  # fmt: skip
_CLOTH_CODES, _CLOTH_SHARES = np.array(list(_CLOTH)), np.array(list(_CLOTH.values()))
_DENIM = ("1b2436", "28395a", "3f5a82", "6d8bae", "16171b", "8a8d92")
_BRIGHT = ("c21f2c", "1549a8", "0f7a3d", "e3b81e", "e8e8e8", "17171a", "e0691c", "5a1f86", "35a0d8", "7c1230", "d7f02a")
_LEATHER = ("17120f", "2a1b12", "4b2f1c", "70492a", "e9e6e0", "3b3b3d")
_SHOE = ("121214", "f0efec", "3a2a1e", "6b6c70", "26334d", "8c2a2a", "b8a888", "2a2a2a")


@cache
def linear(code: str) -> np.ndarray:
    """(3,) linear RGB of a hexadecimal sRGB colour; not to be written to."""
    srgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    colour = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    colour.flags.writeable = False
    return colour


def skin(rng: Generator) -> np.ndarray:
    """A skin tone anywhere on the scale."""
    place = rng.uniform(0, len(_SKIN) - 1.001)
    first = int(place)
    tone = linear(_SKIN[first]) + (place - first) * (linear(_SKIN[first + 1]) - linear(_SKIN[first]))
    return np.clip((0.85 * tone + 0.15 * tone.mean()) * rng.uniform(0.96, 1.04, 3), 0, 1)


def hair(rng: Generator) -> np.ndarray:
    """A hair colour."""
    return linear(str(rng.choice(_HAIR, p=_HAIR_SHARE))) * rng.uniform(0.85, 1.2)


def cloth(rng: Generator) -> np.ndarray:
    """An everyday garment's colour."""
    return _near(rng, str(rng.choice(_CLOTH_CODES, p=_CLOTH_SHARES / _CLOTH_SHARES.sum())))


def denim(rng: Generator) -> np.ndarray:
    """A colour of jeans."""
    return _near(rng, str(rng.choice(_DENIM)))


def bright(rng: Generator) -> np.ndarray:
    """A sports kit's colour."""
    return _near(rng, str(rng.choice(_BRIGHT)))


def shoe(rng: Generator) -> np.ndarray:
    """A shoe's colour."""
    return _near(rng, str(rng.choice(_SHOE)))


def leather(rng: Generator) -> np.ndarray:
    """A belt's or boot's colour."""
    return _near(rng, str(rng.choice(_LEATHER)))


def _near(rng: Generator, code: str) -> np.ndarray:
    return np.clip(linear(code) * rng.uniform(0.88, 1.14) * rng.uniform(0.96, 1.04, 3), 0, 0.95)
