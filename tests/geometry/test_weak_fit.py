from __future__ import annotations

import pytest
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.weak_fit import fit_weak_camera

B, J = 8, 49
PI = torch.tensor([[0.9, 0.1, -0.2]], dtype=torch.float64)


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Joints, where π sees them, and confidences."""
    rng = torch.Generator().manual_seed(3)
    joints = torch.randn(B, J, 3, generator=rng, dtype=torch.float64) * torch.tensor([0.3, 0.5, 0.2])
    return joints, weak_to_camera(PI.expand(B, 3)).project(joints), torch.rand(B, J, generator=rng).double()


def cost(pi: torch.Tensor, joints: torch.Tensor, seen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (weights * (weak_to_camera(pi).project(joints) - seen).square().sum(-1)).sum(-1) / weights.sum(-1)


def test_the_camera_that_took_the_image_is_found_exactly(scene) -> None:
    fit = fit_weak_camera(*scene)
    assert fit.valid.all()
    assert (fit.pi - PI).abs().max() < 1e-12
    assert fit.residual.max() < 1e-9


def test_with_noise_no_other_camera_is_better(scene) -> None:
    joints, seen, weights = scene
    rng = torch.Generator().manual_seed(4)
    seen = seen + 4 * torch.randn(seen.shape, generator=rng, dtype=torch.float64)
    fit = fit_weak_camera(joints, seen, weights)
    pi = fit.pi.clone().requires_grad_()
    best = cost(pi, joints, seen, weights)
    torch.testing.assert_close(fit.residual, best.detach().sqrt())
    gradient = torch.autograd.grad(best.sum(), pi)[0]
    assert gradient.abs().max() < 1e-6 * best.max()
    for step in torch.eye(3, dtype=torch.float64) * 1e-3:
        assert (cost(fit.pi + step, joints, seen, weights) > best).all()
        assert (cost(fit.pi - step, joints, seen, weights) > best).all()


def test_what_is_not_visible_may_be_anything(scene) -> None:
    joints, seen, weights = scene
    weights[:, ::2] = 0
    expected = fit_weak_camera(joints, seen, weights)
    seen[:, ::4], joints[:, 2::4] = torch.nan, 1e9
    found = fit_weak_camera(joints, seen, weights)
    torch.testing.assert_close(found.pi, expected.pi, rtol=0, atol=0)


@pytest.mark.parametrize("visible", [0, 1])
def test_too_few_joints_harm_neither_their_person_nor_the_batch(scene, visible: int) -> None:
    joints, seen, weights = scene
    weights[2, visible:] = 0
    fit = fit_weak_camera(joints, seen, weights)
    assert fit.valid.tolist() == [i != 2 for i in range(B)]
    assert fit.pi.isfinite().all()
    assert fit.residual[2] == torch.inf
    assert (fit.pi[fit.valid] - PI).abs().max() < 1e-12


def test_two_joints_are_enough(scene) -> None:
    joints, seen, weights = scene
    weights[:, 2:] = 0
    fit = fit_weak_camera(joints, seen, weights.clamp_min(0))
    assert fit.valid.all()
    assert (fit.pi - PI).abs().max() < 1e-6


def test_joints_on_one_ray_tell_no_scale(scene) -> None:
    joints, seen, weights = scene
    joints[5, :, :2] = 0.0
    seen[5] = 112 + torch.randn(J, 2, generator=torch.Generator().manual_seed(0)).double()
    assert not fit_weak_camera(joints, seen, weights).valid[5]


def test_a_mirrored_person_and_coinciding_keypoints_have_no_camera(scene) -> None:
    joints, seen, weights = scene
    seen[1] = 224 - seen[1]
    seen[3] = 100.0
    fit = fit_weak_camera(joints, seen, weights)
    assert fit.valid.tolist() == [i not in (1, 3) for i in range(B)]
    assert fit.pi.isfinite().all()


def test_a_joint_behind_the_camera_is_no_fit(scene) -> None:
    """One joint 80 m nearer than the others, which stand 50 m away."""
    joints, seen, weights = scene
    joints[4, 0, 2] = -80.0
    fit = fit_weak_camera(joints, seen, weights)
    assert fit.valid.tolist() == [i != 4 for i in range(B)]
    assert fit.pi.isfinite().all()


def test_float32_in_float32_out(scene) -> None:
    fit = fit_weak_camera(*(value.float() for value in scene))
    assert fit.pi.dtype == fit.residual.dtype == torch.float32
    assert (fit.pi - PI).abs().max() < 1e-5


def test_shapes_that_do_not_belong_together_are_refused(scene) -> None:
    joints, seen, weights = scene
    with pytest.raises(ShapeError, match="Expected"):
        fit_weak_camera(joints, seen[:, :4], weights)
    with pytest.raises(ShapeError):
        fit_weak_camera(joints[0], seen[0], weights[0])
