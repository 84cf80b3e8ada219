"""What is worn besides the body's own surface: skirts, long hair, brims, buns and tails, as meshes of the T-pose.

Each is skinned like the body (24 weights per vertex) and follows the shape of the body vertex that is nearest to it.
Coordinates: the mean body's T-pose, metres. Shape letters: N vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world import things
from pymaf_data.world.people.kernels import BOTTOM, HAIR, HAT

_SECTORS = 28


@dataclass(frozen=True)
class WornMesh:
    """A skinned mesh of one material.

    Args:
        material: index of :mod:`kernels`' materials.
        rest: (N, 3) metres, T-pose.
        faces: (F, 3) int32.
        weights: (N, 24) skinning weights.
    """

    material: int
    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray


def skirt(rest: np.ndarray, top: float, hem: float, flare: float, material: int = BOTTOM) -> WornMesh:
    """A skirt around hips and thighs.

    Args:
        rest: (V, 3) the mean body.
        top: y of its upper edge.
        hem: y of its lower edge, above the knee or little below.
        flare: metres by which the hem stands off the legs.
    """
    rows = np.linspace(top, hem, 14)
    angle = 2 * np.pi * np.arange(_SECTORS) / _SECTORS
    trunk = rest[np.abs(rest[:, 0]) < 0.22]
    points = []
    for y in rows:
        near = trunk[np.abs(trunk[:, 1] - max(y, -0.36)) < 0.02]
        low, high = near[:, 2].min(), near[:, 2].max()
        off = 0.012 + flare * ((top - y) / (top - hem)) ** 1.3
        half = np.abs(near[:, 0]).max() + off
        depth, centre = (high - low) / 2 + off, (high + low) / 2
        wave = 1 + 0.035 * flare / 0.1 * np.sin(7 * angle) * (top - y) / (top - hem)
        points.append(
            np.stack([half * np.sin(angle) * wave, np.full(_SECTORS, y), centre + depth * np.cos(angle) * wave], axis=1)
        )
    vertices = np.concatenate(points)
    share = np.clip((-vertices[:, 1] - 0.2) / 0.28, 0, 1) * 0.9
    left = _smooth(vertices[:, 0] / 0.2 + 0.5)
    weights = _weights({"pelvis": 1 - share, "left_hip_smpl": share * left, "right_hip_smpl": share * (1 - left)})
    return WornMesh(material, vertices, _tube(len(rows), _SECTORS, closed=True), weights)


def long_hair(hem: float, width: float) -> WornMesh:
    """Hair that falls behind head and neck down to ``hem`` (y), ``width`` metres to each side."""
    rows = np.linspace(0.47, hem, 12)
    angle = np.deg2rad(np.linspace(-112, 112, _SECTORS))
    points = []
    for y in rows:
        down = np.clip((0.47 - y) / 0.27, 0, 1)
        half, depth = width + 0.012 * down, 0.100 + 0.012 * down - 0.03 * np.clip((0.25 - y) / 0.1, 0, 1)
        points.append(np.stack([half * np.sin(angle), np.full(len(angle), y), 0.028 - depth * np.cos(angle)], axis=1))
    vertices = np.concatenate(points)
    head = _smooth((vertices[:, 1] - 0.24) / 0.14)
    weights = _weights({"head": head, "neck": 0.6 * (1 - head), "spine3": 0.4 * (1 - head)})
    return WornMesh(HAIR, vertices, _tube(len(rows), _SECTORS, closed=False), weights)


def bun(height: float, size: float) -> WornMesh:
    """A knot at the back of the head."""
    knot = things.ball((0.0, height, -0.072 - 0.4 * size), (size, size * 0.9, size * 0.85), np.zeros(3), rings=8)
    return _on_head(HAIR, knot)


def pony_tail(length: float) -> WornMesh:
    """A tail that hangs from the back of the head."""
    top, middle = np.array([0, 0.455, -0.03]), np.array([0, 0.44, -0.095])
    end = np.array([0.0, 0.44 - length, -0.10])
    zero = np.zeros(3)
    parts = [things.beam(top, middle, 0.018, zero, 10, radius_end=0.026)]
    parts.append(things.beam(middle, end, 0.026, zero, 10, radius_end=0.006))
    return _on_head(HAIR, things.joined("tail", parts))


def brim(length: float) -> WornMesh:
    """A cap's brim: a curved plate before the forehead."""
    across, out = np.meshgrid(np.linspace(-1, 1, 11), np.linspace(0, 1, 6))
    x = across * (0.072 - 0.012 * out)
    edge = np.sqrt(np.clip(1 - (x / 0.088) ** 2, 0, 1))
    z = 0.03 + 0.108 * edge + length * out * np.sqrt(np.clip(1 - (0.92 * across) ** 2, 0, 1))
    y = 0.472 - 0.25 * out * length - 3.0 * x * x
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    faces = _tube(6, 11, closed=False)
    weights = _weights({"head": np.ones(len(vertices))})
    return WornMesh(HAT, vertices, faces, weights)


def _on_head(material: int, solid: things.Thing) -> WornMesh:
    return WornMesh(material, solid.vertices, solid.faces, _weights({"head": np.ones(len(solid.vertices))}))


def _weights(shares: Mapping[str, np.ndarray]) -> np.ndarray:
    count = len(next(iter(shares.values())))
    weights = np.zeros((count, len(SMPL24)))
    for joint, share in shares.items():
        weights[:, SMPL24.index(joint)] = share
    return weights


def _smooth(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


def _tube(rows: int, sectors: int, closed: bool) -> np.ndarray:
    """Faces (F, 3) between ``rows`` rings (or arcs) of ``sectors`` points, from the top down."""
    i = np.arange(sectors if closed else sectors - 1)
    j = (i + 1) % sectors
    bands = []
    for row in range(rows - 1):
        upper, lower = row * sectors, (row + 1) * sectors
        bands += [np.stack([upper + i, lower + i, lower + j], 1), np.stack([upper + i, lower + j, upper + j], 1)]
    return np.concatenate(bands).astype(np.int32)
