"""One transform for all: what a batch says about images, keypoints, pose, camera and maps agrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.joints import J24, J49, SMPL24
from pymaf_data.loader import AugmentationOptions, Batch, Loader, LoaderOptions
from pymaf_data.render import render_iuv

ROWS = range(20)
FLIPPED = AugmentationOptions.none().model_copy(update={"flip_probability": 1.0})


def batch_of(store, body, atlas, augmentation: AugmentationOptions | None = None, epoch: int = 0) -> Batch:
    options = LoaderOptions(augmentation=augmentation or AugmentationOptions(), workers=0)
    return Loader([store], body, atlas, options).batch(ROWS, epoch)


def test_shapes_and_types_are_the_documented_ones(store, body, atlas) -> None:
    batch = batch_of(store, body, atlas)
    found = {name: (tuple(value.shape), value.dtype) for name, value in vars(batch).items()}
    single, flags = torch.float32, torch.bool
    assert found == {
        "image": ((20, 3, 224, 224), torch.uint8),
        "keypoints": ((20, 49, 3), single),
        "joints3d": ((20, 24, 4), single),
        "pose": ((20, 24, 3, 3), single),
        "betas": ((20, 10), single),
        "has_fit": ((20,), flags),
        "camera": ((20, 3), single),
        "has_camera": ((20,), flags),
        "part": ((20, 56, 56), torch.uint8),
        "uv": ((20, 2, 56, 56), single),
        "has_iuv": ((20,), flags),
        "turn": ((20, 3, 3), single),
        "has_turn": ((20,), flags),
        "drawn_pose": ((20, 24, 3, 3), single),
        "drawn_camera": ((20, 3, 4), torch.float64),
        "drawn_orthographic": ((20,), flags),
        "flip": ((20,), flags),
        "row": ((20,), torch.int64),
    }
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert len(batch.to("cpu")) == 20


def test_a_smaller_view_shows_the_same_and_says_the_same(store, body, atlas) -> None:
    """Images and maps change their size; numbers go on speaking of the view at 224 px."""
    shared = LoaderOptions(workers=0)
    whole, half = (
        Loader([store], body, atlas, shared.model_copy(update=sizes)).batch(ROWS)
        for sizes in ({}, {"view_size": 112, "map_size": 28})
    )
    assert half.image.shape == (20, 3, 112, 112)
    assert half.part.shape == (20, 28, 28)
    reduced = torch.nn.functional.avg_pool2d(whole.image.float(), 2)
    # A shift of half a pixel would show as several levels at the images' slopes; resampling differs by less.
    assert (half.image.float() - reduced).abs().mean() < 1.0
    assert (half.image.float() - reduced).mean().abs() < 0.2
    for name in ("keypoints", "pose", "betas", "camera", "drawn_pose"):
        assert torch.equal(getattr(half, name), getattr(whole, name)), name
    borders = (whole.part[:, ::2, ::2] != whole.part[:, 1::2, 1::2]).float().mean()
    assert (half.part != whole.part[:, 1::2, 1::2]).float().mean() <= borders


def test_the_posed_body_projects_onto_the_keypoints(store, body, atlas) -> None:
    """The body model is the oracle: augmented pose, shape and camera against augmented keypoints."""
    for epoch in range(3):
        batch = batch_of(store, body, atlas, epoch=epoch)
        assert batch.has_fit.all() and batch.has_camera.all()
        joints = body(batch.pose, batch.betas).joints
        seen = weak_to_camera(batch.camera).project(joints) / 112 - 1
        pixels = 112 * (seen - batch.keypoints[..., :2]).norm(dim=-1)
        assert pixels.max() < 0.5
        assert pixels.mean() < 0.1


def test_without_augmentation_the_camera_is_the_one_that_made_the_keypoints(store, persons, body, atlas) -> None:
    batch = batch_of(store, body, atlas, AugmentationOptions.none())
    np.testing.assert_allclose(batch.camera, persons.pi, atol=2e-5)
    np.testing.assert_allclose(batch.betas, persons.betas)


def test_maps_agree_with_rendering_the_augmented_body(store, body, atlas) -> None:
    batch = batch_of(store, body, atlas)
    assert batch.has_iuv.all()
    rendered = render_iuv(body(batch.pose, batch.betas).vertices, batch.camera, atlas, 56)
    shown = batch.part.numpy()
    # A border of two parts may lie a stored pixel away, which is 0.4 px here: compare what is inside.
    inside = _uniform(rendered.part)
    assert inside.sum() > 1000
    assert (shown == rendered.part)[inside].mean() > 0.998
    assert (shown == rendered.part)[(shown > 0) | (rendered.part > 0)].mean() > 0.94
    both = (batch.part.numpy() == rendered.part) & (rendered.part > 0)
    error = np.abs(batch.uv.numpy() - rendered.uv).max(1)[both]
    assert np.median(error) < 0.01


def test_a_flipped_batch_is_the_mirror_image_of_the_plain_one(store, body, atlas) -> None:
    plain, flipped = (batch_of(store, body, atlas, a) for a in (AugmentationOptions.none(), FLIPPED))
    again = _mirrored(flipped, atlas)
    # OpenCV rounds sampling positions to 1/32 px, not symmetrically; that moves a value by a level or two.
    assert (again.image.int() - plain.image.int()).abs().max() <= 4
    for name in ("keypoints", "joints3d", "pose", "betas"):
        torch.testing.assert_close(getattr(again, name), getattr(plain, name), rtol=0, atol=1e-5)
    torch.testing.assert_close(again.camera, plain.camera, rtol=0, atol=1e-4)
    assert (again.part == plain.part).float().mean() > 0.999
    assert not torch.equal(flipped.part, plain.part)


def test_flipping_twice_is_identity_on_a_batch(store, body, atlas) -> None:
    batch = batch_of(store, body, atlas)
    twice = _mirrored(_mirrored(batch, atlas), atlas)
    for name, value in vars(batch).items():
        torch.testing.assert_close(getattr(twice, name), value, rtol=0, atol=1e-6)


def test_fitted_joints_are_those_of_the_augmented_body(make_store, body, atlas) -> None:
    """Under flips and rotations too, about the hips; persons without a fit have none."""
    options = LoaderOptions(workers=0, joints3d="fitted")
    loader = Loader([make_store(unfitted=(3, 5))], body, atlas, options)
    batch = loader.batch(ROWS)
    assert batch.flip.any() and not batch.flip.all()
    flags = batch.joints3d[..., 3]
    assert torch.equal(flags, batch.has_fit[:, None].expand(-1, 24).float())
    wanted = body(batch.pose, batch.betas).joints[:, 25:]
    hips = [J24.index("right_hip"), J24.index("left_hip")]
    shown, wanted = (joints - joints[:, hips].mean(1, keepdim=True) for joints in (batch.joints3d[..., :3], wanted))
    torch.testing.assert_close(shown[batch.has_fit], wanted[batch.has_fit], rtol=0, atol=1e-5)
    assert not batch.joints3d[~batch.has_fit].any()
    measured = Loader([make_store()], body, atlas, LoaderOptions(workers=0)).batch(ROWS)
    assert not measured.joints3d.any(), "without being asked, nothing takes the place of what was not measured"


def test_measured_joints_stay_beside_fitted_ones(make_store, body, atlas) -> None:
    joints = np.zeros((20, 24, 4), np.float32)
    joints[4, 7] = (-0.1, -0.2, -0.3, 1)  # one joint of one person was measured: the fit adds none
    made = make_store(ingested={"joints3d": joints})
    options = LoaderOptions(workers=0, joints3d="fitted")
    found = Loader([made], body, atlas, options).persons(np.arange(20))
    assert np.array_equal(found.joints3d[4], joints[4])
    assert np.array_equal(found.joints3d[3, :, :3], found.fit_joints[3, 25:])


def test_missing_is_missing(make_store, body, atlas) -> None:
    store = make_store(unfitted=(3, 5))
    batch = batch_of(store, body, atlas)
    without = torch.tensor([row in (3, 5) for row in ROWS])
    for flag in (batch.has_fit, batch.has_camera, batch.has_iuv):
        assert torch.equal(flag, ~without)
    assert torch.equal(batch.pose[without], torch.eye(3).expand(2, 24, 3, 3))
    assert (batch.betas[without] == 0).all()
    assert torch.equal(batch.camera[without], torch.tensor([[1.0, 0, 0]] * 2))
    assert (batch.part[without] == 0).all() and (batch.uv[without] == 0).all()


@pytest.mark.parametrize("maps", [True, False])
def test_maps_are_read_when_asked_for(store, body, atlas, maps: bool) -> None:
    loader = Loader([store], body, atlas, LoaderOptions(maps=maps, workers=0, map_size=28))
    batch = loader.batch([0, 1])
    assert batch.part.shape == (2, 28, 28)
    assert bool(batch.has_iuv.all()) is maps
    assert bool((batch.part > 0).any()) is maps


def _uniform(part: np.ndarray) -> np.ndarray:
    """(B, S, S) whether a pixel and its eight neighbours show one part of the body."""
    windows = np.lib.stride_tricks.sliding_window_view(part, (3, 3), axis=(1, 2))
    same = (windows == windows[..., 1:2, 1:2]).all(axis=(-2, -1))
    return np.pad(same, ((0, 0), (1, 1), (1, 1))) & (part > 0)


def _mirrored(batch: Batch, atlas) -> Batch:
    """The mirror image of a batch, written without the loader's own transform."""
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    keypoints = (batch.keypoints * mirror)[:, J49.flip_permutation.copy()]
    joints3d = (batch.joints3d * torch.tensor([-1.0, 1.0, 1.0, 1.0]))[:, J24.flip_permutation.copy()]
    pose = (torch.diag(mirror) @ batch.pose @ torch.diag(mirror))[:, SMPL24.flip_permutation.copy()]
    part = torch.from_numpy(atlas.part_mirror[batch.part.numpy()]).flip(-1)
    uv = batch.uv.flip(-1).clone()
    turned = torch.from_numpy(atlas.u_mirror[part.numpy()])
    uv[:, 0] = torch.where(turned & (part > 0), 1 - uv[:, 0], uv[:, 0])
    changed = {"image": batch.image.flip(-1), "keypoints": keypoints, "joints3d": joints3d, "pose": pose}
    changed |= {"camera": batch.camera * torch.tensor([1.0, -1.0, 1.0]), "part": part, "uv": uv}
    return Batch(**(vars(batch) | changed))
