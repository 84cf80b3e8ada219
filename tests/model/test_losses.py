"""Loss terms against plain NumPy, and what an empty or broken label does to them: nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.joints import J24
from pymaf_data.model import losses
from pymaf_data.model.networks.network import IUVLogits, Output, Parameters, Prediction
from pymaf_data.model.options import LossOptions
from pymaf_data.render import COARSE_OF_PART

OPTIONS = LossOptions()
LATER = slice(1, None)  # all but the mean body


def prediction_of(body: Any, B: int, seed: int) -> Prediction:
    from pymaf_data.geometry.rotations import rotation_6d_to_matrix
    from pymaf_data.model.networks.network import project_to_view

    random = torch.Generator().manual_seed(seed)
    pose6d = (body.mean_pose6d + 0.1 * torch.randn(B, 144, generator=random)).requires_grad_()
    parameters = Parameters(pose6d, torch.zeros(B, 10), torch.tensor([[0.8, 0.0, 0.0]]).repeat(B, 1))
    rotation = rotation_6d_to_matrix(pose6d.view(B, 24, 6))
    out = body(rotation, parameters.betas)
    keypoints = project_to_view(out.joints, parameters.camera)
    return Prediction(parameters, rotation, out.skeleton, out.joints, keypoints, body.downsample(out.vertices), body)


def logits_of(B: int, seed: int = 0) -> IUVLogits:
    random = torch.Generator().manual_seed(seed)
    sizes = (25, 15, 25, 25)
    return IUVLogits(*(torch.randn(B, size, 56, 56, generator=random, requires_grad=True) for size in sizes))


def test_keypoints2d_is_the_released_mean() -> None:
    random = np.random.default_rng(0)
    predicted, target = random.normal(size=(3, 49, 2)), random.normal(size=(3, 49, 3))
    target[..., 2] = random.integers(0, 2, (3, 49))
    weight = target[..., 2:] * np.r_[np.zeros(25), np.ones(24)][:, None]
    expected = (weight * (predicted - target[..., :2]) ** 2).mean()
    found = losses.keypoints2d_loss(torch.from_numpy(predicted), torch.from_numpy(target), OPTIONS)
    assert float(found) == pytest.approx(expected, rel=1e-12)
    doubled = losses.keypoints2d_loss(
        torch.from_numpy(predicted), torch.from_numpy(target), LossOptions(annotated_weight=2.0)
    )
    assert float(doubled) == pytest.approx(2 * expected, rel=1e-12)


def test_keypoints3d_is_about_the_hips_and_over_those_present() -> None:
    random = np.random.default_rng(1)
    predicted, target = random.normal(size=(4, 24, 3)), random.normal(size=(4, 24, 4))
    target[..., 3] = random.integers(0, 2, (4, 24))
    hips = [J24.index("right_hip"), J24.index("left_hip")]
    target[:3, hips, 3] = 1
    target[3, hips[0], 3] = 0  # no origin: as if it had no 3D joints
    error = (predicted - predicted[:, hips].mean(1, keepdims=True)) - (
        target[..., :3] - target[:, hips, :3].mean(1, keepdims=True)
    )
    expected = (target[:3, :, 3:] * error[:3] ** 2).mean()
    found = losses.keypoints3d_loss(torch.from_numpy(predicted), torch.from_numpy(target))
    assert float(found) == pytest.approx(expected, rel=1e-12)
    moved = losses.keypoints3d_loss(torch.from_numpy(predicted + 7.0), torch.from_numpy(target))
    assert float(moved) == pytest.approx(expected, rel=1e-9)


def test_camera_term_punishes_negative_scale() -> None:
    camera = torch.tensor([[0.1, 5.0, 5.0], [-0.1, 0.0, 0.0]])
    assert float(losses.camera_loss(camera)) == pytest.approx((np.exp(-2.0) + np.exp(2.0)) / 2, rel=1e-6)


@pytest.mark.parametrize("pixels", ["all", "foreground"])
def test_uv_is_summed_in_each_pixels_own_channel(pixels: str) -> None:
    random = np.random.default_rng(2)
    part = random.integers(0, 25, (3, 6, 6))
    part[:, :3] = 0
    predicted, target = 3 * random.normal(size=(3, 25, 6, 6)), random.random((3, 6, 6))
    valid = np.array([True, False, True])
    expected = 0.0
    for b, i, j in np.ndindex(part.shape):
        if not valid[b] or (pixels == "foreground" and part[b, i, j] == 0):
            continue
        wanted = target[b, i, j] if part[b, i, j] else 0.0
        error = abs(predicted[b, part[b, i, j], i, j] - wanted)
        expected += 0.5 * error**2 if error < 1 else error - 0.5
    found = losses.uv_loss(*(torch.from_numpy(x) for x in (predicted, target, part, valid)), pixels)
    assert float(found) == pytest.approx(expected / 3, rel=1e-10)  # by the full batch, not by the valid


@pytest.mark.parametrize("pixels", ["all", "foreground"])
def test_the_mean_of_uv_does_not_depend_on_the_size_of_the_map(pixels: str, make_batch: Callable[..., Any]) -> None:
    """The same map at half and at full size: the released sum is four times as large, the mean is the same."""
    random = torch.Generator().manual_seed(5)
    part = torch.randint(0, 25, (2, 8, 8), generator=random)
    predicted, target = torch.randn(2, 25, 8, 8, generator=random), torch.rand(2, 8, 8, generator=random)
    valid = torch.tensor([True, True])
    twice = [field.repeat_interleave(2, -1).repeat_interleave(2, -2) for field in (predicted, target, part)]
    small, large = ((predicted, target, part, valid, pixels), (*twice, valid, pixels))
    assert float(losses.uv_loss(*large)) == pytest.approx(4 * float(losses.uv_loss(*small)), rel=1e-5)
    mean = float(losses.uv_loss(*small, "mean"))
    assert float(losses.uv_loss(*large, "mean")) == pytest.approx(mean, rel=1e-5)
    assert mean == pytest.approx(float(losses.uv_loss(*small)) / 64, rel=1e-6)


def test_the_mean_of_uv_is_an_option_and_the_sum_is_released(make_batch: Callable[..., Any]) -> None:
    batch, logits = make_batch(1), logits_of(1)
    assert OPTIONS.uv_reduction == "sum"
    released = losses.dense_losses(logits, batch, OPTIONS)
    same = losses.dense_losses(logits, batch, LossOptions(uv_reduction="mean", uv=1568.0))
    for name in ("u", "v"):
        assert float(same[name].detach()) == pytest.approx(float(released[name].detach()), rel=1e-5)


def test_parts_are_plain_cross_entropy_over_valid_maps(make_batch: Callable[..., Any]) -> None:
    batch, logits = make_batch(3), logits_of(3)
    batch = replace(batch, has_iuv=torch.tensor([True, False, True]))
    terms = losses.dense_losses(logits, batch, OPTIONS)
    kept = [0, 2]
    expected = functional.cross_entropy(logits.part[kept], batch.part[kept].long())
    assert float(terms["part"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    coarse = torch.from_numpy(COARSE_OF_PART[batch.part[kept].numpy()]).long()
    expected = functional.cross_entropy(logits.coarse[kept], coarse)
    assert float(terms["coarse"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_pose_and_betas_count_valid_fits_only(free_body: Any, make_batch: Callable[..., Any]) -> None:
    batch, prediction = make_batch(2), prediction_of(free_body, 2, 0)
    half = replace(batch, has_fit=torch.tensor([False, True]))
    terms = losses.body_losses(prediction, half, OPTIONS)
    rotation = (prediction.rotation[1] - batch.pose[1]).square().mean()
    assert float(terms["pose"]) == pytest.approx(60 * float(rotation), rel=1e-5)
    betas = (prediction.parameters.betas[1] - batch.betas[1]).square().mean()
    assert float(terms["betas"]) == pytest.approx(0.06 * float(betas), rel=1e-5)


def test_the_truth_costs_only_the_camera_term(free_body: Any, make_batch: Callable[..., Any]) -> None:
    batch = make_batch(2)
    prediction = prediction_of(free_body, 2, 0)
    out = free_body(batch.pose, batch.betas)
    truth = replace(
        prediction,
        parameters=prediction.parameters._replace(betas=batch.betas, camera=batch.camera),
        rotation=batch.pose,
        joints=out.joints,
        keypoints=batch.keypoints[..., :2],
    )
    terms = losses.body_losses(truth, batch, OPTIONS)
    assert all(float(terms[name]) < 1e-9 for name in ("keypoints2d", "keypoints3d", "pose", "betas"))


def test_no_label_costs_nothing_and_breaks_nothing(free_body: Any, make_batch: Callable[..., Any]) -> None:
    """Neither fit nor visible joint, and NaN wherever a label is missing: losses 0, gradients finite."""
    batch = make_batch(2)
    nothing, nan = torch.zeros(2, dtype=torch.bool), float("nan")
    empty = replace(
        batch,
        keypoints=torch.cat([torch.full((2, 49, 2), nan), torch.zeros(2, 49, 1)], dim=-1),
        joints3d=torch.cat([torch.full((2, 24, 3), nan), torch.zeros(2, 24, 1)], dim=-1),
        pose=torch.full_like(batch.pose, nan),
        betas=torch.full_like(batch.betas, nan),
        uv=torch.full_like(batch.uv, nan),
        has_fit=nothing,
        has_iuv=nothing,
    )
    predictions = [prediction_of(free_body, 2, seed) for seed in range(3)]
    logits = logits_of(2)
    terms = losses.loss_terms(Output(predictions, LATER, logits), empty, OPTIONS)
    assert {name: float(value) for name, value in terms.items() if name != "camera"} == dict.fromkeys(
        ("keypoints2d", "keypoints3d", "pose", "betas", "part", "coarse", "u", "v"), 0.0
    )
    sum(terms.values()).backward()
    assert all(field.grad is not None and bool(torch.isfinite(field.grad).all()) for field in logits)
    assert bool(torch.isfinite(predictions[1].parameters.pose6d.grad).all())


@pytest.mark.parametrize(("supervised", "numbers"), [(LATER, (1, 2, 3)), (slice(-1, None), (3,))])
def test_the_iterations_that_the_network_names_are_supervised(
    free_body: Any, make_batch: Callable[..., Any], supervised: slice, numbers: tuple[int, ...]
) -> None:
    batch = make_batch(2)
    predictions = [prediction_of(free_body, 2, seed) for seed in range(4)]
    total = losses.loss_terms(Output(predictions, supervised, None), batch, OPTIONS)
    each = [losses.body_losses(predictions[number], batch, OPTIONS) for number in numbers]
    for name, value in total.items():
        assert float(value) == pytest.approx(sum(float(terms[name]) for terms in each), rel=1e-6)


def test_map_sizes_must_agree() -> None:
    with pytest.raises(ShapeError, match="56"):
        losses.part_loss(torch.zeros(1, 25, 28, 28), torch.zeros(1, 56, 56, dtype=torch.uint8), torch.ones(1) > 0)
