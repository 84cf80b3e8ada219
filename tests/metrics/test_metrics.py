"""Metrics against independent NumPy, and their invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pymaf_data import metrics
from pymaf_data.errors import ShapeError


def points(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """One person, by the formula as Umeyama prints it: columns are points, divided by n."""
    x, y = source.T, target.T
    n = x.shape[1]
    mean_x, mean_y = x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    variance = ((x - mean_x) ** 2).sum() / n
    u, d, vt = np.linalg.svd((y - mean_y) @ (x - mean_x).T / n)
    s = np.eye(3)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        s[2, 2] = -1
    rotation = u @ s @ vt
    scale = np.trace(np.diag(d) @ s) / variance
    return (scale * rotation @ (x - mean_x) + mean_y).T


def test_mpjpe_and_pve_are_mean_distances() -> None:
    a, b = points(0, 5, 17, 3), points(1, 5, 17, 3)
    expected = np.sqrt(((a - b) ** 2).sum(-1)).mean(-1)
    for measure in (metrics.mpjpe, metrics.pve):
        np.testing.assert_allclose(measure(torch.from_numpy(a), torch.from_numpy(b)), expected, rtol=1e-12)


def test_root_alignment_takes_one_joint_or_the_middle_of_several() -> None:
    a = torch.from_numpy(points(2, 3, 24, 3))
    torch.testing.assert_close(metrics.root_align(a, 3), a - a[:, 3:4])
    torch.testing.assert_close(metrics.root_align(a, (2, 3)), a - (a[:, 2:3] + a[:, 3:4]) / 2)


@pytest.mark.parametrize("mirrored", [False, True])
def test_pa_mpjpe_is_umeyamas(mirrored: bool) -> None:
    a, b = points(3, 6, 14, 3), points(4, 6, 14, 3)
    if mirrored:  # the unconstrained optimum is a reflection
        b = a * [1, 1, -1] + 0.05 * b
    expected = [np.linalg.norm(umeyama(x, y) - y, axis=-1).mean() for x, y in zip(a, b, strict=True)]
    found = metrics.pa_mpjpe(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    if mirrored:
        assert float(found.min()) > 0.1


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.2, 5.0), visible=st.integers(4, 14))
def test_pa_mpjpe_ignores_every_similarity_and_every_unweighted_joint(seed: int, scale: float, visible: int) -> None:
    target = points(seed, 1, 14, 3)
    rotation = Rotation.random(random_state=seed % 1000).as_matrix()
    moved = scale * target @ rotation.T + points(seed + 1, 1, 1, 3)
    weights = (np.arange(14) < visible).astype(float)[None]
    moved[0, visible:] = np.nan
    found = metrics.pa_mpjpe(torch.from_numpy(moved), torch.from_numpy(target), torch.from_numpy(weights))
    assert float(found) < 1e-8


def test_pa_mpjpe_survives_coinciding_points() -> None:
    flat = torch.zeros(1, 14, 3)
    target = torch.from_numpy(points(5, 1, 14, 3)).float()
    assert bool(torch.isfinite(metrics.pa_mpjpe(flat, target)).all())


def test_keypoints_count_the_visible_and_none_is_nan() -> None:
    a, b = points(6, 2, 49, 2), points(7, 2, 49, 2)
    weights = np.zeros((2, 49))
    weights[0, :10] = 1
    a[0, 20] = np.nan
    found = metrics.keypoint_error(*(torch.from_numpy(x) for x in (a, b, weights)))
    expected = np.linalg.norm(a[0, :10] - b[0, :10], axis=-1).mean()
    assert float(found[0]) == pytest.approx(expected)
    assert bool(torch.isnan(found[1]))
    assert float(metrics.mean_over_valid(found)) == pytest.approx(expected)


def test_part_accuracy_with_and_without_background() -> None:
    random = np.random.default_rng(8)
    logits, part = random.normal(size=(3, 25, 7, 7)), random.integers(0, 25, (3, 7, 7))
    part[0, :5] = 0
    right = logits.argmax(1) == part
    right[0] |= True
    logits[0] = np.eye(25)[part[0]].transpose(2, 0, 1)
    part[2] = 0
    right[2] = logits[2].argmax(0) == 0
    given_tensors = torch.from_numpy(logits), torch.from_numpy(part)
    np.testing.assert_allclose(metrics.part_accuracy(*given_tensors), right.mean((1, 2)))
    foreground = metrics.part_accuracy(*given_tensors, foreground=True)
    assert float(foreground[1]) == pytest.approx(right[1][part[1] > 0].mean())
    assert bool(torch.isnan(foreground[2]))


@pytest.mark.parametrize("name", ["mpjpe", "pa_mpjpe", "pve", "keypoint_error"])
def test_shapes_must_agree(name: str) -> None:
    with pytest.raises(ShapeError):
        getattr(metrics, name)(torch.zeros(2, 14, 3), torch.zeros(2, 17, 3))
    axes = 2 if name == "keypoint_error" else 3
    with pytest.raises(ShapeError):
        getattr(metrics, name)(torch.zeros(14, axes), torch.zeros(14, axes))


@pytest.mark.parametrize(("name", "axes"), [("mpjpe", 3), ("keypoint_error", 2)])
def test_weights_that_would_only_broadcast_are_refused(name: str, axes: int) -> None:
    both = torch.zeros(2, 14, axes), torch.zeros(2, 14, axes)
    with pytest.raises(ShapeError, match="weights"):
        getattr(metrics, name)(*both, torch.ones(2, 1))


@pytest.mark.parametrize("shapes", [((2, 25, 7, 7), (2, 7, 1)), ((25, 7, 7), (7, 7)), ((1, 25, 7, 7), (2, 7, 7))])
def test_a_part_map_of_another_size_is_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ShapeError, match="parts"):
        metrics.part_accuracy(torch.zeros(shapes[0]), torch.zeros(shapes[1], dtype=torch.long))
