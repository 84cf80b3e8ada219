"""Meshes on disk, opened by another program."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import load_body
from pymaf_data.body.mesh_files import glb, obj
from tests.factories.gltf import read_glb

trimesh = pytest.importorskip("trimesh", reason="trimesh opens what we write")


@pytest.fixture(scope="module")
def body() -> tuple[np.ndarray, np.ndarray]:
    """Vertices in camera space, 3 m away to the right, and faces."""
    free = load_body("free")
    standing = free.v_template.double().numpy() * [1, -1, -1]  # y down, facing the camera
    return standing + np.array([0.4, 0.1, 3.0]), free.faces.numpy()


def opened(data: bytes, kind: str) -> Any:
    return trimesh.load(io.BytesIO(data), file_type=kind, process=False)


def test_a_scene_holds_every_body_under_its_name_turned_upright_and_not_mirrored(body: Any) -> None:
    vertices, faces = body
    scene = opened(glb({"near": vertices, "far": vertices + np.array([0, 0, 2.0])}, faces), "glb")
    assert sorted(scene.geometry) == ["far", "near"]
    near = scene.geometry["near"]
    np.testing.assert_array_equal(near.faces, faces)
    np.testing.assert_allclose(near.vertices, vertices * [1, -1, -1], atol=1e-6)
    assert near.volume == pytest.approx(trimesh.Trimesh(vertices, faces, process=False).volume, rel=1e-4)
    assert near.volume > 0, "the inside is out"
    assert scene.geometry["far"].centroid[2] == pytest.approx(near.centroid[2] - 2, abs=1e-5), "the far one is nearer"
    outward = np.einsum(
        "vc,vc->v", near.vertex_normals, trimesh.Trimesh(near.vertices, faces, process=False).vertex_normals
    )
    assert np.quantile(outward, 0.01) > 0.8


def test_an_obj_is_the_same_body(body: Any) -> None:
    vertices, faces = body
    mesh = opened(obj(vertices, faces), "obj")
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_allclose(mesh.vertices, vertices * [1, -1, -1], atol=1e-6)


def test_a_vertex_without_a_face_has_a_normal_all_the_same() -> None:
    vertices = np.array([[0.0, 0, 1], [1, 0, 1], [0, 1, 1], [5, 5, 5]])
    (mesh,) = opened(glb({"one": vertices}, [[0, 1, 2]]), "glb").geometry.values()
    np.testing.assert_allclose(np.linalg.norm(mesh.vertex_normals, axis=1), 1)


def test_a_scene_is_what_the_specification_demands(body: Any) -> None:
    vertices, faces = body
    odd = np.array([[0.1, 0.2, 3], [0.4, 0.2, 3], [0.1, 0.7, 3], [5, 5, 5]])
    found = read_glb(glb({"near": vertices, 'far "é"': vertices + 1}, faces))
    assert list(found) == ["near", 'far "é"']
    np.testing.assert_array_equal(found["near"]["faces"], faces)
    np.testing.assert_allclose(found["near"]["POSITION"], vertices * [1, -1, -1], atol=1e-6)
    assert len(read_glb(glb({"one": odd}, [[0, 1, 2]]))["one"]["faces"]) == 1
