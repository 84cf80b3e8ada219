"""The z-buffer against a rasterizer of another kind, and on the geometry that breaks rasterizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.errors import RenderError, ShapeError, UsageError
from pymaf_data.geometry.cameras import Camera, full_frame, orthographic_view, weak_to_camera
from pymaf_data.render import NEAR, rasterize

PLANE = Camera(torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]], dtype=torch.float64), orthographic=True)


def cast_rays(vertices: np.ndarray, faces: np.ndarray, camera: Camera, size: int) -> tuple[np.ndarray, ...]:
    """Every face against every pixel by solving for the point where its ray meets the face's plane, in float64.

    Returns face (S, S), bary (S, S, 3) and depth (S, S) of one mesh.
    """
    matrix = camera.matrix[0].numpy()
    points = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1) @ matrix.T
    corners = np.swapaxes(points[faces], 1, 2)  # (F, 3, 3), a column per corner
    whole = np.abs(np.linalg.det(corners)) > 0
    inverse = np.zeros_like(corners)
    inverse[whole] = np.linalg.inv(corners[whole])
    inverse[~whole] = np.nan
    inverse = np.ascontiguousarray(np.swapaxes(inverse, 0, 1))  # (3, F, 3): a corner's weights in one stretch of memory
    z = vertices[faces][..., 2].T
    i, j = np.mgrid[:size, :size]
    centres = np.stack([j + 0.5, i + 0.5, np.ones_like(i)], axis=-1).reshape(-1, 3)
    face, bary, depth = np.full(size**2, -1), np.zeros((size**2, 3)), np.full(size**2, np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        for p, centre in enumerate(centres):
            weights = (inverse.reshape(-1, 3) @ centre).reshape(3, -1)
            inside = (weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0)
            distance = (weights * z).sum(axis=0) if camera.orthographic else 1 / weights.sum(axis=0)
            inside &= camera.orthographic | (distance >= NEAR)
            distance = np.where(inside, distance, np.inf)
            nearest = int(distance.argmin())
            if inside[nearest]:
                face[p], depth[p] = nearest, distance[nearest]
                bary[p] = weights[:, nearest] / weights[:, nearest].sum()
    return face.reshape(size, size), bary.reshape(size, size, 3), depth.reshape(size, size)


def pinhole(focal: float, size: int, translation: tuple[float, float, float]) -> Camera:
    K = torch.tensor([[[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]], dtype=torch.float64)
    return full_frame(K, torch.tensor([translation], dtype=torch.float64))


def view(size: int, s: float, tx: float = 0.0, ty: float = 0.0) -> Camera:
    pi = torch.tensor([[s, tx, ty]], dtype=torch.float64)
    return weak_to_camera(pi).warped(np.array([[size / 224, 0, 0], [0, size / 224, 0]]))


CAMERAS = {
    "far": view(28, 0.9),
    "half outside": view(28, 1.6, 0.5, 0.4),
    "wide angle": pinhole(28.0, 28, (0.1, 0.0, 1.6)),
    "across the camera plane": pinhole(14.0, 28, (0.0, 0.2, 0.12)),
    "orthographic": orthographic_view(torch.tensor([[0.9, 0.0, 0.1]], dtype=torch.float64)).warped(
        np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]])
    ),
}


@pytest.fixture(scope="module")
def rays() -> Callable[..., tuple[np.ndarray, ...]]:
    """:func:`cast_rays` that remembers: it takes longer than the rasterizers, and all of them meet the same bodies."""
    cast: dict[Any, tuple[np.ndarray, ...]] = {}

    def of(key: Any, vertices: np.ndarray, faces: np.ndarray, camera: Camera, size: int) -> tuple[np.ndarray, ...]:
        if key not in cast:
            cast[key] = cast_rays(vertices, faces, camera, size)
        return cast[key]

    return of


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_agrees_with_ray_casting(name: str, mirrored: bool, backend: str, bodies: np.ndarray, body, rays) -> None:
    camera, faces = CAMERAS[name], body.faces.numpy()
    meshes = bodies[1:2] * [-1, 1, 1] if mirrored else bodies[:1]
    found = rasterize(meshes, faces, camera, 28, backend)
    agreeing = foreground = 0
    for b, vertices in enumerate(meshes):
        face, bary, depth = rays((name, mirrored, b), vertices, faces, camera, 28)
        same = found.face[b] == face
        covered = (face >= 0) | (found.face[b] >= 0)
        foreground += covered.sum()
        agreeing += (same & covered).sum()
        shown = same & (face >= 0)
        np.testing.assert_allclose(found.depth[b][shown], depth[shown], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.bary[b][shown], bary[shown], atol=2e-3 if backend == "pytorch3d" else 2e-5)
    assert foreground > 40, "the camera must show the body"
    assert agreeing >= 0.9999 * foreground


def test_barycentrics_reproduce_the_pixel_centre(bodies: np.ndarray, body, backend: str) -> None:
    camera, faces = CAMERAS["wide angle"], body.faces.numpy()
    found = rasterize(bodies[:1], faces, camera, 28, backend)[0]
    row, column = np.nonzero(found.mask)
    surface = np.einsum("pk,pkc->pc", found.bary[found.mask], bodies[0][faces[found.face[found.mask]]])
    pixels = camera.project(torch.as_tensor(surface)[None])[0].numpy()
    np.testing.assert_allclose(pixels, np.stack([column + 0.5, row + 0.5], 1), atol=2e-4)
    np.testing.assert_allclose(camera.depth(torch.as_tensor(surface)[None])[0], found.depth[found.mask], rtol=1e-5)


def flat(points: list[tuple[float, float]], depth: float = 1.0) -> np.ndarray:
    return np.array([[(x, y, depth) for x, y in points]])


def test_samples_lie_at_pixel_centres(own_backend: str) -> None:
    square = flat([(1.4, 2.4), (3.6, 2.4), (3.6, 4.6), (1.4, 4.6)])
    mask = rasterize(square, np.array([[0, 1, 2], [0, 2, 3]]), PLANE, (6, 5), own_backend).mask[0]
    assert mask.shape == (6, 5)
    expected = np.zeros((6, 5), bool)
    expected[2:5, 1:4] = True
    assert np.array_equal(mask, expected)


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.sampled_from([1, 2, 4, 1024]))
def test_a_tiling_covers_every_pixel_exactly_once(seed: int, grid: int) -> None:
    """Jittered meshes of the plane, many of whose vertices and edges meet pixel centres exactly."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:7, 0:7].astype(float)
    points = np.stack([x, y], -1) * 2 - 0.5
    points[1:-1, 1:-1] += np.round(random.uniform(-0.9, 0.9, (5, 5, 2)) * grid / 2) / grid
    index = np.arange(49).reshape(7, 7)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    a, b, c, d = (corner.ravel() for corner in corners)
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    faces = random.permutation(faces)
    turned = random.random(len(faces)) < 0.5
    faces[turned] = faces[turned][:, ::-1]  # winding must not matter
    vertices = np.concatenate([points.reshape(1, 49, 2), np.ones((1, 49, 1))], -1)
    drawn = sum(rasterize(vertices, face[None], PLANE, 10).mask[0].astype(int) for face in faces)
    assert np.array_equal(drawn, np.ones((10, 10)))


@pytest.mark.parametrize("first", [0, 1, 2])
def test_of_equal_depths_the_lower_index_shows(first: int, own_backend: str) -> None:
    """Whichever way it is wound: sides are drawn one after the other."""
    triangle = flat([(0, 0), (8, 0), (0, 8)])
    faces = np.roll(np.array([[0, 1, 2], [1, 2, 0], [2, 1, 0]]), first, axis=0)
    assert set(np.unique(rasterize(triangle, faces, PLANE, 8, own_backend).face)) == {-1, 0}


def test_the_nearer_surface_shows_whatever_the_order(backend: str) -> None:
    far, near = flat([(0, 0), (8, 0), (0, 8)], 2.0), flat([(0, 0), (8, 0), (0, 8)], 1.0)
    both = np.concatenate([far, near], axis=1)
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        found = rasterize(both, np.array(faces), PLANE, 8, backend)
        assert np.unique(found.depth[found.mask]).tolist() == [1.0]
        assert (found.depth[~found.mask] == np.inf).all()


def test_behind_the_camera_nothing_shows(bodies: np.ndarray, body, backend: str) -> None:
    assert not rasterize(bodies[:1], body.faces, pinhole(30, 28, (0, 0, -5.0)), 28, backend).mask.any()


def test_outside_the_view_nothing_shows(bodies: np.ndarray, body, backend: str) -> None:
    assert not rasterize(bodies[:1] + 50.0, body.faces, CAMERAS["far"], 28, backend).mask.any()


def test_degenerate_faces_are_skipped(backend: str) -> None:
    triangle = flat([(0, 0), (8, 0), (0, 8), (4, 4)])
    lines = np.array([[0, 0, 1], [1, 2, 3], [2, 2, 2]])
    assert not rasterize(triangle, lines, PLANE, 8, backend).mask.any()


def test_empty_batch_and_no_faces(body, backend: str) -> None:
    empty = rasterize(np.zeros((0, 6890, 3)), body.faces, CAMERAS["far"], (5, 7), backend)
    assert len(empty) == 0
    assert empty.bary.shape == (0, 5, 7, 3)
    assert not rasterize(flat([(0, 0), (8, 0), (0, 8)]), np.zeros((0, 3), int), PLANE, 8, backend).mask.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_vertex_that_is_not_finite_is_refused_by_name(
    value: float, axis: int, bodies: np.ndarray, body, backend: str
) -> None:
    broken = bodies[:3].astype(np.float32)
    broken[1, 4000, axis] = value
    with pytest.raises(RenderError, match="mesh 1 of the batch"):
        rasterize(broken, body.faces, CAMERAS["far"], 28, backend)


def test_tensors_and_arrays_of_either_precision_agree(bodies: np.ndarray, body, own_backend: str) -> None:
    camera = CAMERAS["far"]
    double = rasterize(torch.as_tensor(bodies), body.faces, camera, 28, own_backend)
    single = rasterize(bodies.astype(np.float32), body.faces.numpy(), camera, 28, own_backend)
    assert (double.face != single.face).mean() < 1e-3
    alone = rasterize(bodies[5:6], body.faces, camera, 28, own_backend)
    assert np.array_equal(alone.face[0], double.face[5]), "an item must not depend on its batch"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"faces": np.array([[0, 1, 3]])}, ShapeError),
        ({"faces": np.array([[0, 1, -1]])}, ShapeError),
        ({"faces": np.array([[0.0, 1.0, 2.0]])}, ShapeError),
        ({"vertices": np.zeros((3, 3))}, ShapeError),
        ({"size": 0}, ShapeError),
        ({"size": 40000}, ShapeError),
        ({"camera": Camera(PLANE.matrix.expand(2, 3, 4), True)}, ShapeError),
        ({"backend": "voodoo"}, UsageError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict, error: type[Exception]) -> None:
    arguments = {"vertices": np.zeros((1, 3, 3)), "faces": np.array([[0, 1, 2]]), "camera": PLANE, "size": 8}
    with pytest.raises(error):
        rasterize(**{**arguments, **change})
