"""Things: rigid coloured meshes that stand in the world, and the solids they are built of.

World metres, y up. Colours are linear-light RGB albedo, 0 … 1. Faces wind counter-clockwise seen from outside.
Shape letters: V vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymaf_data.world.rigid import placed

Point = np.ndarray | Sequence[float]

_BOX_QUADS = np.array(
    [[0, 1, 2, 3], [7, 6, 5, 4], [0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0]]
)  # bottom, top, then the four sides


@dataclass(frozen=True)
class Thing:
    """A rigid object.

    Args:
        kind: what it is: "chair", "ball", "tree", …
        vertices: (V, 3) float64 world metres.
        faces: (F, 3) int32 vertex indices.
        colours: (F, 3) float32 linear albedo of each face.
        smooth: whether normals are interpolated (balls, cushions) or each face is a facet (boxes).
        gloss: strength of the highlight, 0 … 1.
        grain: relative amplitude of the noise that keeps faces from being flat colour.
    """

    kind: str
    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    smooth: bool = False
    gloss: float = 0.05
    grain: float = 0.15

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Thing:
        """The thing turned by (3, 3) about the origin, then shifted by (3,)."""
        return replace(self, vertices=placed(self.vertices, rotation, translation))


def box(low: Sequence[float], high: Sequence[float], colour: np.ndarray, kind: str = "box") -> Thing:
    """An axis-aligned box between two corners, metres."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    vertices = np.array(
        [[x0, y0, z0], [x1, y0, z0], [x1, y0, z1], [x0, y0, z1], [x0, y1, z0], [x1, y1, z0], [x1, y1, z1], [x0, y1, z1]]
    )
    faces = np.concatenate([_BOX_QUADS[:, [0, 1, 2]], _BOX_QUADS[:, [0, 2, 3]]]).astype(np.int32)
    return Thing(kind, vertices, faces, _painted(colour, len(faces)))


def beam(start: Point, end: Point, radius: float, colour: np.ndarray, sides: int = 8, kind: str = "beam",
         radius_end: float | None = None) -> Thing:  # fmt: skip
    """A round (or, with four sides, square) bar between two points, its ends closed; it may taper."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    axis = (end - start) / np.linalg.norm(end - start)
    side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.8 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    angles = np.arange(sides) * (2 * np.pi / sides) + np.pi / sides
    ring = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(axis, side)
    last = radius if radius_end is None else radius_end
    vertices = np.concatenate([start + radius * ring, end + last * ring, [start, end]])
    i = np.arange(sides)
    j = (i + 1) % sides
    quads = np.concatenate([np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1)])
    caps = np.concatenate([
        np.stack([j, i, np.full(sides, 2 * sides)], 1),
        np.stack([i + sides, j + sides, np.full(sides, 2 * sides + 1)], 1),
    ])  # fmt: skip
    faces = np.concatenate([quads, caps]).astype(np.int32)
    return Thing(kind, vertices, faces, _painted(colour, len(faces)), smooth=sides > 6)


def ball(centre: Sequence[float] | np.ndarray, radius: float | Sequence[float], colour: np.ndarray, rings: int = 12,
         kind: str = "ball") -> Thing:  # fmt: skip
    """A sphere, or an ellipsoid with three radii; ``rings`` bands of latitude, twice as many of longitude."""
    sectors = 2 * rings
    latitude = np.pi * np.arange(1, rings) / rings
    longitude = 2 * np.pi * np.arange(sectors) / sectors
    y, flat = np.cos(latitude)[:, None], np.sin(latitude)[:, None]
    grid = np.stack([flat * np.sin(longitude), y + 0 * longitude, flat * np.cos(longitude)], axis=-1).reshape(-1, 3)
    unit = np.concatenate([grid, [[0, 1, 0], [0, -1, 0]]])
    i = np.arange(sectors)
    j = (i + 1) % sectors
    faces = [np.stack([np.full(sectors, len(grid)), i, j], 1)]
    for ring in range(rings - 2):
        upper, lower = ring * sectors, (ring + 1) * sectors
        faces += [np.stack([upper + i, lower + i, lower + j], 1), np.stack([upper + i, lower + j, upper + j], 1)]
    last = (rings - 2) * sectors
    faces.append(np.stack([last + i, np.full(sectors, len(grid) + 1), last + j], 1))
    triangles = np.concatenate(faces).astype(np.int32)
    vertices = unit * np.broadcast_to(radius, (3,)) + np.asarray(centre)
    return Thing(kind, vertices, triangles, _painted(colour, len(triangles)), smooth=True)


def joined(kind: str, parts: Sequence[Thing]) -> Thing:
    """Several things as one mesh; smoothness, gloss and grain are those of the first."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts[:-1], strict=True)]
    return replace(
        parts[0],
        kind=kind,
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate(faces).astype(np.int32),
        colours=np.concatenate([part.colours for part in parts]),
    )


def _painted(colour: np.ndarray, count: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(colour, np.float32), (count, 3)).copy()
