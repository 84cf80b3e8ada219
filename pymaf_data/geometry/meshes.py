"""Meshes: their faces checked before a kernel walks them, their normals by a numba kernel.

Shapes: V vertices, F faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.errors import ShapeError
from pymaf_data.kernels import njit

Array = np.ndarray
Floats = NDArray[np.float64]


def check_indices(triangles: Array, count: int) -> None:
    """Refuse faces that name vertices outside 0 … count − 1: the kernels do not check bounds."""
    if triangles.size and (triangles.min() < 0 or triangles.max() >= count):
        raise ShapeError(
            f"faces name vertices {triangles.min()} … {triangles.max()}",
            expected=f"indices 0 … {count - 1} of the mesh given",
            action="give the faces that belong to this mesh.",
        )


def outward_normals(vertices: ArrayLike, faces: ArrayLike) -> tuple[Floats, Floats]:
    """Normals of the faces (F, 3), twice their areas long, and their sums at the vertices (V, 3).

    The volume tells which side is out, so a mirrored mesh has its own.

    Args:
        vertices: (V, 3) of a closed mesh.
        faces: (F, 3) vertex indices.

    Raises:
        ShapeError: a face names a vertex that is not there.
    """
    points = np.ascontiguousarray(vertices, np.float64)
    triangles = np.ascontiguousarray(faces, np.int32)
    check_indices(triangles, len(points))
    facets, summed = np.empty((len(triangles), 3)), np.empty_like(points)
    _fill(points, triangles, facets, summed)
    return facets, summed


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(points: Array, triangles: Array, facets: Array, summed: Array) -> None:
    volume, middle = 0.0, np.zeros(3)
    for i in range(points.shape[0]):
        for k in range(3):
            middle[k] += points[i, k] / points.shape[0]
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        for k in range(3):
            m, n = (k + 1) % 3, (k + 2) % 3
            facets[f, k] = (points[b, m] - points[a, m]) * (points[c, n] - points[a, n]) - (
                points[b, n] - points[a, n]
            ) * (points[c, m] - points[a, m])
            volume += (points[a, k] - middle[k]) * facets[f, k]
    if volume < 0:
        facets *= -1.0
    summed[:] = 0.0
    for f in range(triangles.shape[0]):
        for corner in range(3):
            for k in range(3):
                summed[triangles[f, corner], k] += facets[f, k]
