"""Normals of meshes, and faces that belong to another mesh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pymaf_data.body.mesh_files import glb
from pymaf_data.errors import ShapeError
from pymaf_data.geometry.meshes import outward_normals

# A box of 1 × 2 × 3 m far from the origin, each side two triangles, wound so that outside is out.
CORNERS = np.array([7.0, -4.0, 30.0]) + [[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)]
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
FACES = np.array([face for a, b, c, d in SIDES for face in ((a, b, c), (a, c, d))])
OUT = np.repeat([[-6, 0, 0], [6, 0, 0], [0, -3, 0], [0, 3, 0], [0, 0, -2], [0, 0, 2]], 2, 0)


@pytest.mark.parametrize("faces", [FACES, FACES[:, ::-1], np.asfortranarray(FACES[:, [1, 2, 0]], np.uint32)])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_normals_of_a_box_point_out_and_are_twice_its_triangles_areas_long(faces: np.ndarray, mirror: float) -> None:
    facets, summed = outward_normals(CORNERS * [mirror, 1, 1], faces)
    wanted = OUT * [mirror, 1, 1]
    np.testing.assert_allclose(facets, wanted, atol=1e-12)
    np.testing.assert_allclose(summed, [wanted[(faces == v).any(1)].sum(0) for v in range(8)], atol=1e-12)


@pytest.mark.parametrize("vertex", [-1, 8, 10_000_000])
@pytest.mark.parametrize("work", [outward_normals, lambda points, faces: glb({"one": points}, faces)])
def test_faces_of_another_mesh_are_refused_before_they_are_walked(work: Callable[..., object], vertex: int) -> None:
    faces = FACES.copy()
    faces[3, 1] = vertex
    with pytest.raises(ShapeError, match="faces name vertices"):
        work(CORNERS, faces)
