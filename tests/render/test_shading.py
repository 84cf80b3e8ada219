"""Images of meshes: what is drawn, where, and how it is lit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.errors import RenderError, ShapeError, UsageError
from pymaf_data.geometry.cameras import Camera, full_frame, weak_to_camera
from pymaf_data.render import PART_COLOURS, Atlas, Raster, draw_over, overlay, part_image, rasterize, shade
from pymaf_data.render.raster import Lit, blend_samples

VIEW = weak_to_camera(torch.tensor([[0.85, 0.0, 0.0]], dtype=torch.float64))
MIRROR = torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64)


def test_colours_of_parts_differ() -> None:
    assert len(np.unique(PART_COLOURS, axis=0)) == 25
    assert not PART_COLOURS[0].any()


def test_shading_fills_the_silhouette_and_nothing_else(bodies: np.ndarray, body, atlas: Atlas) -> None:
    raster = rasterize(bodies, body.faces, VIEW, 224)
    for smooth in (True, False):
        picture, mask = shade(raster[2], bodies[2], body.faces, PART_COLOURS[atlas.face_part], smooth)
        assert np.array_equal(mask, raster.face[2] >= 0)
        assert not picture[~mask].any()
        assert (picture[mask].max(axis=1) > 40).all(), "no side is black"


def test_light_falls_on_the_side_that_is_seen(bodies: np.ndarray, body) -> None:
    """A mirrored mesh has the other winding; it must be lit like the same mesh with its faces turned."""
    faces = body.faces.numpy()
    mirrored = bodies[1] * [-1, 1, 1]
    raster = rasterize(mirrored[None], faces, VIEW, 224)[0]
    turned = rasterize(mirrored[None], faces[:, ::-1], VIEW, 224)[0]
    assert np.array_equal(shade(raster, mirrored, faces)[0], shade(turned, mirrored, faces[:, ::-1])[0])


def test_a_sphere_is_brightest_towards_the_light() -> None:
    rings, segments = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, 30), np.linspace(0, 2 * np.pi, 41)[:-1], indexing="ij"
    )
    points = np.stack([np.sin(rings) * np.cos(segments), np.cos(rings), np.sin(rings) * np.sin(segments)], -1)
    index = np.arange(30 * 40).reshape(30, 40)
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    c, d = np.roll(index, -1, 1)[1:], index[1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    raster = rasterize(points.reshape(1, -1, 3), faces, VIEW, 224)[0]
    picture, mask = shade(raster, points.reshape(-1, 3), faces, (200, 200, 200))
    brightness = np.where(mask, picture[..., 0].astype(float), 0)
    row, column = np.unravel_index(brightness.argmax(), brightness.shape)
    assert row < 112 and column < 112, "the light comes from above, left"
    assert brightness[60, 60] > brightness[160, 160] > 0


def test_an_overlay_changes_only_what_the_mesh_covers(bodies: np.ndarray, body) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    before = picture.copy()
    drawn = overlay(picture, bodies[0], body.faces, VIEW, supersample=3)
    assert np.array_equal(picture, before)
    mask = fine(bodies[0], body.faces, VIEW, 3, (224, 224)).mask
    cover = mask.reshape(224, 3, 224, 3).mean(axis=(1, 3))
    assert np.array_equal(drawn[cover == 0], picture[cover == 0])
    assert (drawn[cover == 1] != picture[cover == 1]).any(axis=1).mean() > 0.95
    assert np.array_equal(overlay(picture, bodies[0], body.faces, VIEW, alpha=0.0), picture)


def lit(raster: Raster, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(H, W, 3) of light from above, left of the viewer's shoulder, by NumPy alone; 0 where nothing shows."""
    corner = vertices[faces]
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    across *= np.sign(np.einsum("fc,fc->", corner[:, 0] - vertices.mean(0), across))
    normal = np.zeros_like(vertices)
    np.add.at(normal, faces, across[:, None])
    towards = normal @ [-0.42, -0.55, -0.72] / np.linalg.norm(normal, axis=1) / np.linalg.norm([0.42, 0.55, 0.72])
    light = 0.32 + 0.68 * (0.5 + 0.5 * towards) ** 1.5
    face, bary = raster.face[raster.mask], raster.bary[raster.mask].astype(float)
    shone = np.einsum("pk,pk->p", bary, light[faces[face]])[:, None]
    of_each = {1: lambda: colours, len(faces): lambda: colours[face]}
    colour = of_each.get(len(colours), lambda: np.einsum("pk,pkc->pc", bary, colours[faces[face]]))()
    image = np.zeros((*raster.mask.shape, 3))
    image[raster.mask] = colour * shone
    return image


def pinhole(z: float) -> Camera:
    K = torch.tensor([[[60.0, 0, 40], [0, 60, 30], [0, 0, 1]]], dtype=torch.float64)
    return full_frame(K, torch.tensor([[0.1, 0.2, z]], dtype=torch.float64))


def fine(vertices: np.ndarray, faces: np.ndarray, camera: Camera, K: int, size: tuple[int, int]) -> Raster:
    """What K × K samples of each pixel show."""
    finer = camera.warped([[float(K), 0, 0], [0, float(K), 0]])
    return rasterize(vertices[None], faces, finer, (K * size[0], K * size[1]))[0]


def blended(
    picture: np.ndarray, samples: np.ndarray, mask: np.ndarray, K: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the samples over the picture, and how much of each pixel they cover."""
    height, width = picture.shape[:2]
    mean, cover = (x.reshape(height, K, width, K, -1).mean((1, 3)) for x in (samples, mask))
    return np.floor(picture * (1 - alpha * cover) + alpha * mean + 0.5), cover


CAMERAS = {
    "far": VIEW.warped([[0.3, 0.0, 6], [0.0, 0.3, 0]]),
    "half outside, right and below": VIEW.warped([[0.6, 0.0, 10], [0.0, 0.6, 5]]),
    "half outside, left and above": VIEW.warped([[0.6, 0.0, -75], [0.0, 0.6, -70]]),
    "lying, orthographic": Camera(torch.tensor([[[0.0, 40, 0, 45], [35, 0, 0, 30], [0, 0, 0, 1]]]).double(), True),
    "across the camera plane": pinhole(0.1),
    "behind": pinhole(-3.0),
}


@pytest.mark.parametrize("of", ["one", "vertices", "faces"])
@pytest.mark.parametrize("name", CAMERAS)
def test_an_overlay_is_the_mean_of_what_is_lit(name: str, of: str, bodies: np.ndarray, body) -> None:
    generator, faces, (height, width) = np.random.default_rng(1), body.faces.numpy(), (61, 83)
    colours = generator.integers(0, 256, ({"one": 1, "vertices": bodies.shape[1], "faces": len(faces)}[of], 3))
    picture = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for K, alpha in ((1, 1.0), (2, 1.0), (3, 0.7)):
        raster = fine(bodies[1], faces, CAMERAS[name], K, (height, width))
        wanted = lit(raster, bodies[1], faces, colours)
        assert np.abs(shade(raster, bodies[1], faces, colours)[0] - np.floor(wanted + 0.5)).max() <= 1
        wanted, cover = blended(picture, wanted, raster.mask, K, alpha)
        assert bool(cover.any()) == (name != "behind")
        drawn = overlay(picture, bodies[1], faces, CAMERAS[name], colours, alpha, K)
        assert np.abs(drawn - wanted).max() <= 1 and (drawn != wanted).mean() < 0.01


@pytest.mark.parametrize("K", [1, 2, 3, 4])
@pytest.mark.parametrize("z", [1.5, 0.2])
def test_an_overlay_of_faces_of_many_pixels_is_the_mean_of_what_is_lit(z: float, K: int) -> None:
    corners = np.array([[0.9, 0.1, 0.3], [-0.8, 0, 0.1], [0.2, 0.7, 0], [0, -0.6, 0.2], [0.1, 0, 0.9], [0, 0.1, 0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    colours, picture = 255 * np.eye(6, 3, dtype=np.uint8), np.full((61, 83, 3), 77, np.uint8)
    raster = fine(corners, faces, pinhole(z), K, (61, 83))
    wanted, cover = blended(picture, lit(raster, corners, faces, colours), raster.mask, K, 0.8)
    assert (cover == 1).mean() > 0.05 and ((cover > 0) & (cover < 1)).any() == (K > 1)
    drawn = overlay(picture, corners, faces, pinhole(z), colours, 0.8, K)
    assert np.abs(drawn - wanted).max() <= 1 and (drawn != wanted).mean() < 0.01


def test_a_floor_that_reaches_behind_the_camera_is_drawn_to_the_lower_edge() -> None:
    floor, faces = np.array([[0.0, 1, 5], [-9, 1, -1], [9, 1, -1]]), np.array([[0, 1, 2]])
    drawn = overlay(np.zeros((60, 80, 3), np.uint8), floor, faces, pinhole(0.0), (255, 255, 255), supersample=1)
    mask = rasterize(floor[None], faces, pinhole(0.0), (60, 80)).mask[0]
    assert mask[-1].all() and np.array_equal(drawn.any(2), mask)


def test_a_body_that_is_not_finite_is_refused_not_drawn(bodies: np.ndarray, body) -> None:
    broken = bodies[0].copy()
    broken[7] = np.nan
    with pytest.raises(RenderError, match="NaN"):
        overlay(np.zeros((64, 64, 3), np.uint8), broken, body.faces, VIEW)


def test_overlays_of_images_that_are_not_square(bodies: np.ndarray, body) -> None:
    drawn = overlay(np.zeros((240, 320, 3), np.uint8), bodies[0], body.faces, Camera(VIEW.matrix))
    assert drawn.shape == (240, 320, 3)
    assert drawn.any()


@pytest.mark.parametrize("shift", [(0.3, -0.7), (-60.0, 60.0), (400.0, 0.0)])
def test_an_overlay_is_the_same_when_more_than_the_body_is_drawn(
    bodies: np.ndarray, body, monkeypatch: pytest.MonkeyPatch, shift: tuple[float, float]
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 260, 3), dtype=np.uint8)
    camera = VIEW.warped([[0.7, 0.0, shift[0]], [0.0, 0.7, shift[1]]])
    drawn = overlay(picture, bodies[0], body.faces, camera)
    monkeypatch.setattr("pymaf_data.render.shading._window", lambda *_: (0, 0, 260, 200))
    whole = overlay(picture, bodies[0], body.faces, camera)
    assert (np.abs(drawn.astype(int) - whole).max(2) > 1).mean() < 1e-4
    assert (drawn != picture).any() == (shift[0] < 300)


def test_an_overlay_drawn_in_bands_is_the_same(bodies: np.ndarray, body, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large image is drawn so."""
    picture = np.random.default_rng(0).integers(0, 255, (200, 260, 3), dtype=np.uint8)
    whole, sizes = overlay(picture, bodies[0], body.faces, VIEW), list[tuple[int, int]]()

    def told(points, triangles, camera, image, K, lit, alpha):
        sizes.append((K * image.shape[0], K * image.shape[1]))
        blend_samples(points, triangles, camera, image, K, lit, alpha)

    monkeypatch.setattr("pymaf_data.render.shading.blend_samples", told)
    monkeypatch.setattr("pymaf_data.render.shading._MOST_SAMPLES", 10_000)
    banded = overlay(picture, bodies[0], body.faces, VIEW)
    assert len(sizes) > 5 and all(height * width <= 11_000 for height, width in sizes)
    assert (np.abs(banded.astype(int) - whole).max(2) > 1).mean() < 1e-4


@pytest.mark.parametrize("said", [{"alpha": 1.5}, {"alpha": -0.1}, {"alpha": np.nan}, {"supersample": 0}])
def test_no_opacity_and_no_samples_are_refused(bodies: np.ndarray, body, said: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="alpha"):
        overlay(np.zeros((9, 9, 3), np.uint8), bodies[0], body.faces, VIEW, **said)


def test_part_images() -> None:
    part = np.array([[0, 3], [4, 24]])
    assert np.array_equal(part_image(part), PART_COLOURS[part])
    assert not part_image(part, np.ones((2, 2, 2), np.float32))[0, 0].any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint16),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64), np.uint8),
        np.broadcast_to(np.uint8(0), (64, 64, 3)),
    ],
)
def test_an_image_of_another_kind_is_refused_not_drawn_over(image: np.ndarray, bodies: np.ndarray, body) -> None:
    with pytest.raises(ShapeError, match=r"Expected: \(H, W, 3\) uint8 that may be written"):
        draw_over(image, bodies[0], body.faces, VIEW)


def test_a_mesh_whose_faces_name_vertices_of_another_is_refused(bodies: np.ndarray, body) -> None:
    raster, few = rasterize(bodies[:1], body.faces, VIEW, 56)[0], bodies[0, :-1]
    for vertices, faces, told in ((few, body.faces, "faces name"), (bodies[0], body.faces[:9], "shows face")):
        with pytest.raises(ShapeError, match=told):
            shade(raster, vertices, faces)
    with pytest.raises(ShapeError, match="faces name"):
        overlay(np.zeros((64, 64, 3), np.uint8), few, body.faces, VIEW)
    with pytest.raises(ShapeError, match="faces name"):
        lit = Lit(np.ones(len(few)), np.ones((1, 3)), 0)
        blend_samples(few, body.faces.numpy(), VIEW, np.zeros((8, 8, 3), np.uint8), 2, lit, 1.0)


def test_colours_of_another_length_are_refused(bodies: np.ndarray, body) -> None:
    raster = rasterize(bodies[:1], body.faces, VIEW, 56)[0]
    with pytest.raises(ShapeError, match="colours"):
        shade(raster, bodies[0], body.faces, np.zeros((7, 3)))
