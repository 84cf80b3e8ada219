"""Colours of real materials, as sRGB one would measure on them, given as linear albedo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator


def linear(*codes: str) -> np.ndarray:
    """Linear RGB (n, 3) float64 of hexadecimal sRGB codes."""
    value = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes]) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


WALLS = linear(
    "d9d5cb", "e3dfd6", "cfcac0", "d4cdbd", "c9c9c4", "b9bab4", "c7bfae", "bcb5a6", "a9b0ab", "a6aeb4", "93a0a3",
    "b5a89a", "c2b09b", "9aa08e", "7f8a86", "6c7880", "8b5e52", "a58a78", "d8cfc4", "e6e3dc", "dcdad2", "cdd0cf",
)  # fmt: skip
WHITES = linear("e4e2dc", "dedcd5", "d8d6d0", "e8e6e1")
WOODS = linear("a9825a", "8f6b48", "b8946b", "74553b", "c2a27c", "5c4231", "9b7a58", "8a7560", "6a4a35")
PALE_WOODS = linear("c4aa86", "bfa37a", "b49a78", "cdb694", "a98f6d")
STONES = linear("8f8a80", "a39d91", "7b7770", "b3aca0", "98948c", "6d6b67", "857e74")
CONCRETES = linear("8c8a85", "9a9893", "7f7e7a", "a5a29b", "8a8780")
ASPHALTS = linear("5a5a5b", "656463", "4e4f51", "6d6b68", "575552")
BRICKS = linear("8a5544", "7c4a3b", "96634f", "a0705a", "6e4a40", "9b7f6b", "84604f")
FACADES = linear(
    "b7ab98", "c8bda9", "a89d8d", "9c958a", "bdb5a8", "c2ab8c", "a88d72", "cbc6bd", "8f8a83", "b39f8d", "98a09f",
)  # fmt: skip
CARPETS = linear("6f6a66", "5b5f66", "7d7267", "8a8378", "4c5157", "6a5650", "57624f", "70767c")
FABRICS = linear(
    "6b6d70", "7d766c", "4b4f57", "8b8175", "5d5148", "42505c", "6e5a4e", "9a9488", "3d3f42", "566052", "7a4f45",
    "b1a898",
)  # fmt: skip
METALS = linear("7a7d80", "55585b", "9a9c9d", "35373a", "686a6c")
ACCENTS = linear("8c3b33", "2f4f6f", "3d5f4a", "b08a3e", "6b3f52", "31565c", "a85a34", "274060", "5a6b3a", "94473c")
CARS = linear(
    "b9bbbd", "2a2c2f", "e0e1e0", "4a4e53", "8d9094", "1d2733", "6e1f22", "2c4a6b", "7b7466", "355045",
    "c9c6be", "16181a",
)  # fmt: skip
LEAVES = linear("3d4f26", "47582b", "33452a", "52602f", "5d6534", "3a4c33")
GRASSES = linear("4f5c36", "586538", "485633", "62693f", "6b6f47")
DRY = linear("8d8455", "97895c", "7e7750", "a0905f")
EARTHS = linear("6e5a45", "7d6750", "5f4e3d", "88735a")
SANDS = linear("c2ad8a", "b8a27e", "cbb896", "ad9878")
ROOFS = linear("7a4a3b", "5a4f4a", "6b6763", "8a5a46")


def pick(rng: Generator, colours: np.ndarray, spread: float = 0.08) -> np.ndarray:
    """One of the colours (3,), a little brighter or darker and a little warmer or cooler than the list says."""
    colour = colours[rng.integers(len(colours))] * (1 + spread * rng.normal())
    warmth = 0.35 * spread * rng.normal()
    return np.clip(colour * (1 + warmth * np.array([1.0, 0.0, -1.0])), 0.004, 0.9)


def mixed(a: np.ndarray, b: np.ndarray | Sequence[float], share: float) -> np.ndarray:
    """A colour between two."""
    return np.asarray(a) * (1 - share) + np.asarray(b) * share
