"""Stored maps under augmentations, against rendering the transformed body anew."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import CROP_SIZE, apply, compose, crop_to_view, invert, resize
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.views import Augmentation, augment_pose
from pymaf_data.render import (
    MAP_SIZE,
    Atlas,
    flip_map,
    load_atlas,
    render_iuv,
    render_maps,
    warp_maps,
)

ATLAS = load_atlas("free")
VIEW = weak_to_camera(torch.tensor([[0.85, 0.03, 0.02]], dtype=torch.float64))
STORED_OF_VIEW = compose(resize(CROP_SIZE, MAP_SIZE), invert(crop_to_view(CROP_SIZE)))


@pytest.fixture(scope="module")
def stored(bodies: np.ndarray) -> np.ndarray:
    return render_maps(bodies, VIEW.warped(STORED_OF_VIEW), ATLAS, MAP_SIZE)


@pytest.fixture(scope="module")
def comparisons(body, poses, betas, stored: np.ndarray, warps: ModuleType) -> list:
    random = np.random.default_rng(5)
    draws = zip(random.uniform(0.75, 1.25, 24), np.radians(random.uniform(-60, 60, 24)), strict=True)
    return [
        warps.compare(body, poses, betas, VIEW, stored, Augmentation.of(k, phi, flip=n % 2 == 1), ATLAS)
        for n, (k, phi) in enumerate(draws)
    ]


def test_warped_parts_are_exact_within_one_stored_pixel(comparisons: list, warps: ModuleType) -> None:
    near, exact = warps.agreement(comparisons)
    print(f"within one stored pixel {near:.4%}, exact {exact:.4%} of the union foreground")
    assert near >= 0.995
    assert exact >= 0.88


def test_the_displacement_measure_sees_a_shift(comparisons: list, warps: ModuleType) -> None:
    mask = comparisons[0].exact.mask
    np.testing.assert_allclose(warps.displacement(np.roll(mask, (1, -1), (1, 2)), mask), [-1, 1], atol=0.15)


@pytest.mark.parametrize("flipped", [0, 1])
def test_warping_moves_the_silhouette_nowhere(comparisons: list, warps: ModuleType, flipped: int) -> None:
    bias = warps.bias(comparisons[flipped::2], MAP_SIZE)
    print(f"bias {bias} stored pixels")
    assert (np.abs(bias) <= 0.05).all()


def test_warped_charts_agree(comparisons: list) -> None:
    errors = []
    for c in comparisons:
        same = (c.warped.part == c.exact.part) & c.exact.mask
        errors.append(np.abs(c.warped.uv - c.exact.uv).max(axis=1)[same])
    error = np.concatenate(errors)
    print(f"uv error median {np.median(error):.4f}, p95 {np.percentile(error, 95):.4f}")
    assert np.median(error) <= 0.01
    assert np.percentile(error, 95) <= 0.06


def test_flipping_a_map_is_rendering_the_mirrored_body(body, poses, betas, stored: np.ndarray) -> None:
    mirrored_pose = augment_pose(poses, Augmentation.of(flip=True))
    mirror = np.array([[-1.0, 0, MAP_SIZE], [0, 1, 0]])
    seen = VIEW.warped(compose(mirror, STORED_OF_VIEW)).matrix * torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64)
    rendered = render_maps(body(mirrored_pose, betas).vertices, Camera(seen), ATLAS, MAP_SIZE)
    flipped = flip_map(stored, ATLAS)
    foreground = (rendered[:, 0] > 0) | (flipped[:, 0] > 0)
    same = rendered[:, 0] == flipped[:, 0]
    assert (same & foreground).sum() >= 0.9995 * foreground.sum()
    difference = np.abs(rendered[:, 1:].astype(int) - flipped[:, 1:]).max(axis=1)
    assert (difference[same & foreground] <= 1).mean() >= 0.999


def test_render_then_warp_is_warp_then_render(bodies: np.ndarray, stored: np.ndarray) -> None:
    """At whole-pixel moves and quarter turns nothing is resampled, so both must give the same pixels."""
    for affine in (
        [[1.0, 0, 7], [0, 1, -5]],
        [[0.0, -1, MAP_SIZE], [1, 0, 0]],
        [[-1.0, 0, MAP_SIZE - 3], [0, -1, MAP_SIZE]],
    ):
        moved = warp_maps(stored, affine, False, ATLAS, MAP_SIZE)
        camera = VIEW.warped(compose(affine, STORED_OF_VIEW))
        rendered = render_iuv(bodies, camera, ATLAS, MAP_SIZE)
        inside = apply(invert(affine), np.mgrid[:MAP_SIZE, :MAP_SIZE][::-1].reshape(2, -1).T + 0.5)
        inside = ((inside > 0) & (inside < MAP_SIZE)).all(1).reshape(MAP_SIZE, MAP_SIZE)
        agree = (moved.part == rendered.part)[:, inside]
        assert agree.mean() >= 1 - 1e-5
        same = (moved.part == rendered.part) & inside & rendered.mask
        assert np.abs(moved.uv - rendered.uv).max(axis=1)[same].max() <= 0.5 / 255 + 1e-5


@settings(max_examples=50, deadline=None)
@given(arrays(np.uint8, (3, 6, 5)).map(lambda m: np.concatenate([m[:1] % 25, m[1:]])))
def test_flipping_twice_changes_nothing(stored_map: np.ndarray) -> None:
    assert np.array_equal(flip_map(flip_map(stored_map, ATLAS), ATLAS), stored_map)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (1, 3, 8, 8)).map(lambda m: np.concatenate([m[:, :1] % 25, m[:, 1:]], 1)))
def test_a_flip_by_the_warp_is_the_flip(maps: np.ndarray) -> None:
    warped = warp_maps(maps, [[-1.0, 0, 8], [0, 1, 0]], True, ATLAS, 8)
    flipped = flip_map(maps, ATLAS)
    assert np.array_equal(warped.part, flipped[:, 0])
    foreground = np.broadcast_to((flipped[:, 0] > 0)[:, None], warped.uv.shape)
    np.testing.assert_allclose(warped.uv[foreground], (flipped[:, 1:] / 255.0)[foreground], atol=1e-6)
    assert not warped.uv[~foreground].any()


def test_charts_do_not_mix_across_parts() -> None:
    maps = np.zeros((1, 3, 4, 4), np.uint8)
    maps[0, :, :, :2] = np.array([3, 255, 0])[:, None, None]
    maps[0, :, :, 2:] = np.array([5, 0, 255])[:, None, None]
    found = warp_maps(maps, [[3.0, 0, 0], [0, 3, 0]], False, ATLAS, 12)
    assert set(np.unique(found.uv[0, 0][found.part[0] == 3])) == {1.0}
    assert set(np.unique(found.uv[0, 0][found.part[0] == 5])) == {0.0}


def test_outside_the_stored_map_is_background() -> None:
    maps = np.full((1, 3, 4, 4), 7, np.uint8)
    found = warp_maps(maps, [[1.0, 0, 2], [0, 1, 0]], False, ATLAS, 6)
    assert not found.part[0, :, :2].any()
    assert not found.part[0, 4:].any()
    assert (found.part[0, :4, 2:] == 7).all()


def test_arguments_that_disagree_are_refused() -> None:
    maps = np.zeros((2, 3, 4, 4), np.uint8)
    with pytest.raises(ShapeError, match="mirrors"):
        warp_maps(maps, [[1.0, 0, 0], [0, 1, 0]], True, ATLAS)
    with pytest.raises(ShapeError, match="stored maps"):
        warp_maps(maps.astype(float), [[1.0, 0, 0], [0, 1, 0]], False, ATLAS)
    with pytest.raises(ShapeError, match="stored maps"):
        warp_maps(maps[0], [[1.0, 0, 0], [0, 1, 0]], False, ATLAS)


def test_an_empty_batch_warps_to_an_empty_batch(atlas: Atlas) -> None:
    assert warp_maps(np.zeros((0, 3, 4, 4), np.uint8), [[1.0, 0, 0], [0, 1, 0]], False, atlas).part.shape == (0, 56, 56)
