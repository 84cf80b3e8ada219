from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.geometry import affines, boxes
from pymaf_data.geometry.cameras import (
    Camera,
    full_frame,
    orthographic_view,
    weak_of_translation,
    weak_to_camera,
)

B, N = 16, 40


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def random_pi(rng: torch.Generator) -> torch.Tensor:
    low, high = torch.tensor([0.3, -0.3, -0.3]), torch.tensor([1.4, 0.3, 0.3])
    return (low + (high - low) * torch.rand(B, 3, generator=rng)).double()


def random_points(rng: torch.Generator) -> torch.Tensor:
    return torch.randn(B, N, 3, generator=rng, dtype=torch.float64) * 0.5


def random_boxes(rng: torch.Generator) -> np.ndarray:
    return (torch.rand(B, 3, generator=rng, dtype=torch.float64) * 400 + 20).numpy()


def test_the_docstring_example() -> None:
    camera = weak_to_camera(torch.tensor([[0.9, 0.1, -0.2]], dtype=torch.float64))
    point = torch.tensor([[[0.3, -0.5, 0.2]]], dtype=torch.float64)
    assert [round(v, 2) for v in camera.project(point)[0, 0].tolist()] == [152.16, 41.72]
    assert round(camera.depth(point).item(), 2) == 49.80


def published_translation(pi: torch.Tensor) -> torch.Tensor:
    return torch.stack([pi[:, 1], pi[:, 2], 2 * 5000 / (224 * pi[:, 0] + 1e-9)], -1)


def test_weak_camera_is_the_published_formula(rng: torch.Generator) -> None:
    pi, points = random_pi(rng), random_points(rng)
    t = published_translation(pi)
    moved = points + t[:, None]
    published = 5000 * moved[..., :2] / moved[..., 2:] + 112
    torch.testing.assert_close(weak_to_camera(pi).project(points), published, rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(weak_of_translation(t), pi, rtol=1e-12, atol=1e-12)


def test_weak_perspective_is_the_far_limit_of_both_cameras(rng: torch.Generator) -> None:
    """x = s·(X + tx) in [−1, 1]: exactly for the orthographic camera, and on the plane z = 0 for the pinhole."""
    pi, points = random_pi(rng), random_points(rng)
    normalised = pi[:, None, :1] * (points[..., :2] + pi[:, None, 1:])
    torch.testing.assert_close(orthographic_view(pi).project(points) / 112 - 1, normalised, rtol=1e-12, atol=1e-12)
    flat = points * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(weak_to_camera(pi).project(flat) / 112 - 1, normalised, rtol=1e-9, atol=1e-9)


def test_eft_camera_is_the_orthographic_one_with_its_translation_divided_by_the_scale(rng: torch.Generator) -> None:
    eft, points = random_pi(rng), random_points(rng)
    s, t = eft[:, :1], eft[:, 1:]
    crop_px = 112 * (s[:, None] * points[..., :2] + t[:, None] + 1)
    torch.testing.assert_close(orthographic_view(torch.cat([s, t / s], -1)).project(points), crop_px)


@pytest.mark.parametrize("make", [weak_to_camera, orthographic_view], ids=["perspective", "orthographic"])
def test_a_warped_camera_projects_where_the_affine_takes_the_projection(make, rng: torch.Generator) -> None:
    camera, points = make(random_pi(rng)), random_points(rng)
    affine = affines.compose(
        affines.augmentation_affine(np.full(B, 1.2), np.linspace(-1, 1, B), np.arange(B) % 2 == 0),
        affines.view_affine(random_boxes(rng)),
    )
    warped = camera.warped(affine)
    np.testing.assert_allclose(warped.project(points), affines.apply(affine, camera.project(points)), rtol=1e-11)
    torch.testing.assert_close(warped.depth(points), camera.depth(points), rtol=0, atol=0)


def test_the_stored_crops_camera_has_the_documented_focal_length(rng: torch.Generator) -> None:
    pi, points, size = random_pi(rng), random_points(rng), 512
    crop = weak_to_camera(pi).warped(affines.invert(affines.crop_to_view(size)))
    focal = 5000 * size / (224 * boxes.CROP_RATIO)
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]], dtype=torch.float64).expand(B, 3, 3)
    torch.testing.assert_close(crop.matrix, full_frame(K, published_translation(pi)).matrix, rtol=1e-12, atol=1e-8)
    torch.testing.assert_close(crop.project(points), full_frame(K, published_translation(pi)).project(points))


def test_a_native_camera_and_its_view_agree_to_float64(rng: torch.Generator) -> None:
    """Full frame → view → back to the image, and the view through the stored crop."""
    points, box = random_points(rng), random_boxes(rng)
    K = torch.tensor([[1200.0, 0, 320], [0, 1200, 240], [0, 0, 1]], dtype=torch.float64).expand(B, 3, 3)
    native = full_frame(K, torch.tensor([[0.3, -0.1, 6.0]], dtype=torch.float64).expand(B, 3))
    view = native.warped(affines.view_affine(box))
    through_crop = native.warped(affines.crop_affine(box)).warped(affines.crop_to_view())
    torch.testing.assert_close(through_crop.project(points), view.project(points), rtol=1e-12, atol=1e-9)
    back = view.warped(affines.invert(affines.view_affine(box)))
    torch.testing.assert_close(back.project(points), native.project(points), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("make", [weak_to_camera, orthographic_view], ids=["perspective", "orthographic"])
def test_projection_has_exact_derivatives(make, rng: torch.Generator) -> None:
    pi, points = random_pi(rng)[:2].requires_grad_(), random_points(rng)[:2, :3].requires_grad_()
    affine = affines.augmentation_affine(1.1, 0.4, True)
    assert torch.autograd.gradcheck(lambda p, x: make(p).warped(affine).project(x), (pi, points))


def test_indexing_keeps_the_batch_dimension_and_dtype_follows(rng: torch.Generator) -> None:
    camera, points = weak_to_camera(random_pi(rng)), random_points(rng)
    assert len(camera[3]) == 1
    torch.testing.assert_close(camera[3].project(points[3:4]), camera.project(points)[3:4], rtol=0, atol=0)
    assert len(camera[2:5]) == 3
    assert orthographic_view(random_pi(rng))[0].orthographic
    assert camera.to(dtype=torch.float32).project(points.float()).dtype == torch.float32


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="3, 4"):
        Camera(torch.eye(4)[None])
    with pytest.raises(ShapeError):
        weak_to_camera(torch.zeros(3))
    with pytest.raises(ShapeError):
        full_frame(torch.zeros(1, 3, 4), torch.zeros(1, 3))
    with pytest.raises(ShapeError):
        weak_to_camera(torch.ones(1, 3)).warped(np.eye(3))


def test_a_camera_of_scale_nothing_is_far_but_finite() -> None:
    matrix = weak_to_camera(torch.zeros(1, 3, dtype=torch.float64)).matrix
    assert matrix.isfinite().all()
    assert math.isclose(matrix[0, 2, 3].item(), 1e13)
