"""Rays cast at a mesh in float64: Möller and Trumbore's intersection, "Fast, minimum storage ray/triangle" (1997).

Nothing is shared with the renderer: no edge functions, no depth buffer, no single precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_TILE = 8  # pixels: rays of a tile are tried only on faces that project near it


class Hits(NamedTuple):
    """Of P rays: the nearest face or −1, its barycentric coordinates, the distance in units of the ray."""

    face: np.ndarray  # (P,)
    bary: np.ndarray  # (P, 3)
    distance: np.ndarray  # (P,)


def cast(points: np.ndarray, faces: np.ndarray, rays: np.ndarray) -> Hits:
    """Rays (P, 3) from the origin against all faces (F, 3) of points (V, 3)."""
    first, second, third = (points[faces[:, corner]] for corner in range(3))
    one, two = second - first, third - first
    hits = Hits(np.full(len(rays), -1), np.zeros((len(rays), 3)), np.full(len(rays), np.inf))
    if not len(faces):
        return hits
    across = np.cross(rays[:, None], two[None])  # (P, F, 3)
    volume = (across * one).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / volume
        u = (across * -first).sum(-1) * inverse
        turned = np.cross(-first, one)
        v = (rays[:, None] * turned).sum(-1) * inverse
        distance = (two * turned).sum(-1) * inverse
        meets = (volume != 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    distance = np.where(meets, distance, np.inf)
    nearest = distance.argmin(1)
    rows = np.arange(len(rays))
    found = meets[rows, nearest]
    hits.face[found] = nearest[found]
    hits.distance[found] = distance[rows, nearest][found]
    u, v = u[rows, nearest][found], v[rows, nearest][found]
    hits.bary[found] = np.stack([1 - u - v, u, v], 1)
    return hits


def cast_pixels(points: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, pixels: np.ndarray) -> Hits:
    """Rays through the centres of pixels (P, 2), column and row, of a pinhole; all points lie before it."""
    shown = points @ intrinsics.T
    shown = shown[:, :2] / shown[:, 2:]
    low, high = shown[faces].min(1), shown[faces].max(1)
    rays = np.concatenate([pixels + 0.5, np.ones((len(pixels), 1))], 1) @ np.linalg.inv(intrinsics).T
    hits = Hits(np.full(len(rays), -1), np.zeros((len(rays), 3)), np.full(len(rays), np.inf))
    tile = pixels // _TILE
    for corner in np.unique(tile, axis=0):
        rows = np.flatnonzero((tile == corner).all(1))
        start = corner * _TILE
        near = np.flatnonzero(((low <= start + _TILE) & (high >= start)).all(1))
        found = cast(points, faces[near], rays[rows])
        met = found.face >= 0
        hits.face[rows[met]] = near[found.face[met]]
        hits.bary[rows], hits.distance[rows] = found.bary, found.distance
    return hits
