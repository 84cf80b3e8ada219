"""What the network is taught can be seen in its crop: perspective fits stand in the view's own frame.

The world here is off the axis on purpose: bodies in the camera space of a whole image, up to 40° aside. The oracles are
written down again: quaternions for the turn, the pinhole for projections.
"""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader import AugmentationOptions, Loader, LoaderOptions
from pymaf_data.loader.frame import unturned

ROWS = range(20)
FOCAL, CENTRE = 500.0, (320.0, 213.5)
K = np.array([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1]])
HIPS = [2, 3]  # of J24


def scene(persons, body, nearest: float, aside: float):
    """The 20 bodies of ``persons`` at 1 to 2.5 times ``nearest`` metres, up to the slope ``aside`` off the axis.

    The arrays of ``ingest`` and of their fits.
    """
    rng = np.random.default_rng(3)
    depth = nearest * rng.uniform(1, 2.5, 20)
    position = np.stack([*(aside * rng.uniform(-1, 1, (2, 20)) * [[1], [0.5]] * depth), depth], -1)
    _, joints = body.keypoints(axis_angle_to_matrix(torch.from_numpy(persons.pose)), torch.from_numpy(persons.betas))
    seen = pinhole(joints.double().numpy() + position[:, None])
    low, high = seen.min(1), seen.max(1)
    box = np.concatenate([(low + high) / 2, 1.2 * (high - low).max(1, keepdims=True)], 1)
    keypoints = np.concatenate([seen, np.ones((20, 49, 1))], -1).astype(np.float32)
    native = np.einsum("ij,njk->nik", K, np.concatenate([np.tile(np.eye(3), (20, 1, 1)), position[..., None]], -1))
    return {"box": box, "keypoints": keypoints}, {"native": native, "frame": np.zeros(20, np.uint8)}


def pinhole(points: np.ndarray) -> np.ndarray:
    return FOCAL * points[..., :2] / points[..., 2:] + CENTRE


@pytest.fixture(scope="module")
def world(persons, body):
    return scene(persons, body, 2.0, aside=0.8)


@pytest.fixture(scope="module")
def perspective(make_store, world):
    return make_store(ingested=world[0], fitted=world[1], kind="perspective")


def loader_of(store, body, atlas, **options) -> Loader:
    plain = {"augmentation": AugmentationOptions.none(), "workers": 0}
    return Loader([store], body, atlas, LoaderOptions(**(plain | options)))


def turn_of(box: np.ndarray) -> np.ndarray:
    """(3, 3): the ray through a box onto the axis, by the quaternion halfway between both."""
    ray = np.array([(box[0] - CENTRE[0]) / FOCAL, (box[1] - CENTRE[1]) / FOCAL, 1.0])
    ray /= math.sqrt(ray @ ray)
    half = ray + np.array([0.0, 0.0, 1.0])
    half /= math.sqrt(half @ half)
    w, (x, y, z) = half @ ray, np.cross(ray, half)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def view_errors(batch, body) -> np.ndarray:
    """(B,) mean px of the view between the posed body under its π and the keypoints."""
    _, joints = body.keypoints(batch.pose, batch.betas)
    seen = weak_to_camera(batch.camera).project(joints) / 112 - 1
    return (112 * (seen - batch.keypoints[..., :2]).norm(dim=-1)).mean(1).numpy()


@pytest.mark.parametrize("augmentation", [AugmentationOptions.none(), AugmentationOptions(upright_probability=0)])
def test_the_moved_body_projects_to_the_moved_keypoints(perspective, body, atlas, augmentation) -> None:
    """Turned, then rotated, then mirrored: another order would show here, and so does not turning at all."""
    errors = {}
    for frame in ("view", "camera"):
        loader = loader_of(perspective, body, atlas, frame=frame, augmentation=augmentation)
        errors[frame] = np.concatenate([view_errors(loader.batch(ROWS, epoch), body) for epoch in range(3)])
    # What is left under the view's frame is perspective: a body 2 m away under a camera at 5000 px.
    assert np.median(errors["view"]) < 4.5
    assert np.median(errors["view"]) < np.median(errors["camera"]) / 2
    assert errors["view"].max() < errors["camera"].max() / 2


def test_the_turned_root_is_that_of_an_independent_computation(perspective, persons, world, body, atlas) -> None:
    batch = loader_of(perspective, body, atlas).batch(ROWS)
    for row, box in enumerate(world[0]["box"]):
        root = axis_angle_to_matrix(torch.from_numpy(persons.pose[row, 0]).double()).numpy()
        difference = batch.pose[row, 0].double().numpy().T @ turn_of(box) @ root
        skew = difference - difference.T
        assert math.sqrt((skew * skew).sum() / 8) < 1e-6
        np.testing.assert_allclose(batch.turn[row], turn_of(box), atol=1e-7)
    limbs = axis_angle_to_matrix(torch.from_numpy(persons.pose[:, 1:]))
    assert torch.equal(batch.pose[:, 1:], limbs), "only the root turns"
    assert batch.has_turn.all()


def test_the_frame_camera_is_what_the_store_says(perspective, persons, body, atlas) -> None:
    batch = loader_of(perspective, body, atlas, frame="camera", joints3d="fitted").batch(ROWS)
    rotation, betas = axis_angle_to_matrix(torch.from_numpy(persons.pose)), torch.from_numpy(persons.betas)
    assert torch.equal(batch.pose, rotation)
    assert torch.equal(batch.joints3d[..., :3], body.keypoints(rotation, betas)[1][:, 25:])
    assert torch.equal(batch.turn, torch.eye(3).expand(20, 3, 3))
    assert batch.has_turn.all()


def test_what_draws_maps_is_the_same_in_both_frames(perspective, body, atlas) -> None:
    view, camera = (
        loader_of(perspective, body, atlas, frame=frame, augmentation=AugmentationOptions()).batch(ROWS)
        for frame in ("view", "camera")
    )
    for name in (
        "drawn_pose",
        "drawn_camera",
        "drawn_orthographic",
        "part",
        "uv",
        "flip",
        "image",
        "keypoints",
        "betas",
    ):
        assert torch.equal(getattr(view, name), getattr(camera, name)), name
    assert not torch.equal(view.pose, camera.pose)


def test_far_away_nothing_is_left(make_store, persons, body, atlas) -> None:
    """At 100 m a body has no perspective of its own, and 9° aside an image plane hardly stretches it."""
    ingested, fitted = scene(persons, body, 100.0, aside=0.15)
    store = make_store(ingested=ingested, fitted=fitted, kind="perspective")
    moved = AugmentationOptions(upright_probability=0)
    for frame, low, high in (("view", 0, 0.6), ("camera", 1, 60)):
        loader = loader_of(store, body, atlas, frame=frame, augmentation=moved)
        errors = np.concatenate([view_errors(loader.batch(ROWS, epoch), body) for epoch in range(2)])
        assert low < np.median(errors)
        assert errors.max() < high


@pytest.mark.parametrize("augmentation", [AugmentationOptions.none(), AugmentationOptions(upright_probability=0)])
def test_joints_taken_from_a_fit_turn_once(perspective, body, atlas, augmentation) -> None:
    batch = loader_of(perspective, body, atlas, joints3d="fitted", augmentation=augmentation).batch(ROWS)
    wanted = body.keypoints(batch.pose, batch.betas)[1][:, 25:]
    assert (about_hips(batch.joints3d[..., :3]) - about_hips(wanted)).abs().max() < 1e-5


def about_hips(joints: torch.Tensor) -> torch.Tensor:
    return joints - joints[:, HIPS].mean(1, keepdim=True)


def measured(world, persons, body, **columns):
    """The same persons with their 3D joints measured, in camera space."""
    rotation, betas = axis_angle_to_matrix(torch.from_numpy(persons.pose)), torch.from_numpy(persons.betas)
    joints = np.ones((20, 24, 4), np.float32)
    joints[..., :3] = body.keypoints(rotation, betas)[1][:, 25:].numpy() + np.float32([0.3, -0.2, 4.0])
    joints[5, 7] = 0  # not measured
    return world[0] | {"joints3d": joints} | columns


def test_measured_joints_turn_by_the_k_of_the_data_set(make_store, world, persons, body, atlas) -> None:
    """Not by that of the fit, which may be a guess; where nothing was measured nothing appears."""
    twice = K * [[2.0], [2.0], [1.0]]
    known = {"intrinsics": np.tile(twice, (20, 1, 1)), "has_intrinsics": np.ones(20, bool)}
    ingested = measured(world, persons, body, **known)
    batch = loader_of(make_store(ingested=ingested, fitted=world[1], kind="perspective"), body, atlas).batch(ROWS)
    for row, box in enumerate(world[0]["box"]):
        # An image twice as fine, and its camera: the ray of a pixel is that of half its coordinates.
        wanted = ingested["joints3d"][row, :, :3] @ turn_of(box / 2).T
        error = about_hips(batch.joints3d[row : row + 1, :, :3]) - about_hips(torch.from_numpy(wanted)[None])
        assert error[:, [j for j in range(24) if (row, j) != (5, 7)]].abs().max() < 1e-5
    assert not batch.joints3d[5, 7].any()


def test_without_a_k_of_the_data_set_joints_turn_with_their_fit(make_store, world, persons, body, atlas) -> None:
    store = make_store(ingested=measured(world, persons, body), fitted=world[1], kind="perspective")
    batch = loader_of(store, body, atlas).batch(ROWS)
    wanted = body.keypoints(batch.pose, batch.betas)[1][:, 25:]
    error = (about_hips(batch.joints3d[..., :3]) - about_hips(wanted)).abs()
    error[5, 7] = 0
    assert error.max() < 1e-5


@pytest.mark.parametrize("kind", ["none", "orthographic"])
def test_a_fit_without_a_perspective_camera_turns_by_the_data_set_or_not_at_all(
    make_store, world, body, atlas, kind, caplog
) -> None:
    fitted = {"frame": world[1]["frame"]}
    known = {"intrinsics": np.tile(K, (20, 1, 1)), "has_intrinsics": np.arange(20) >= 4}
    with caplog.at_level(logging.WARNING):
        loader = loader_of(make_store(ingested=world[0] | known, fitted=fitted, kind=kind), body, atlas)
    assert unturned(loader.labels).tolist() == [True] * 4 + [False] * 16
    assert "of 20 persons 4 stay in the frame of their image's camera" in caplog.text
    view, camera = loader.batch(ROWS), loader_of(loader.stores[0], body, atlas, frame="camera").batch(ROWS)
    assert torch.equal(view.pose[:4], camera.pose[:4])
    assert view.has_turn.tolist() == [False] * 4 + [True] * 16
    turned = torch.tensor(np.stack([turn_of(box) for box in world[0]["box"]]), dtype=torch.float32)
    torch.testing.assert_close(view.pose[4:, 0], turned[4:] @ camera.pose[4:, 0], rtol=0, atol=1e-6)


def test_a_camera_that_turns_the_body_itself_is_no_k(make_store, world, body, atlas) -> None:
    """K·[R | t]: its left block is K·R, by which nothing may be turned."""
    turned = axis_angle_to_matrix(torch.tensor([0.0, 0.3, 0.0], dtype=torch.float64)).numpy()
    native = world[1]["native"].copy()
    native[::2, :, :3] = K @ turned
    store = make_store(ingested=world[0], fitted=world[1] | {"native": native}, kind="perspective")
    loader = loader_of(store, body, atlas)
    assert unturned(loader.labels).tolist() == [True, False] * 10
    camera = loader_of(store, body, atlas, frame="camera")
    assert torch.equal(loader.batch(ROWS).pose[::2], camera.batch(ROWS).pose[::2])


def test_a_scaled_camera_is_the_same_camera(make_store, world, body, atlas) -> None:
    scaled = make_store(ingested=world[0], fitted=world[1] | {"native": 3 * world[1]["native"]}, kind="perspective")
    plain = make_store(ingested=world[0], fitted=world[1], kind="perspective")
    found, wanted = (loader_of(store, body, atlas).batch(ROWS).pose for store in (scaled, plain))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_a_fit_of_the_view_s_frame_stays_as_it_is(make_store, world, body, atlas) -> None:
    """Row by row; its joints stay too, but those that the data set measured are still the camera's."""
    frame = (np.arange(20) % 2).astype(np.uint8)
    store = make_store(ingested=world[0], fitted=world[1] | {"frame": frame}, kind="perspective")
    view, camera = (loader_of(store, body, atlas, frame=f, joints3d="fitted").batch(ROWS) for f in ("view", "camera"))
    for name in ("pose", "joints3d", "camera"):
        same = (getattr(view, name) == getattr(camera, name)).flatten(1).all(1)
        assert same.tolist() == (frame == 1).tolist(), name
    assert not unturned(loader_of(store, body, atlas).labels).any()


def test_a_store_without_frames_is_read_by_its_kind_of_camera(make_store, world, body, atlas) -> None:
    """Format 1.1 and before: perspective sources saw the whole image, the others the crop."""
    native = {"native": world[1]["native"]}
    old, new = (make_store(ingested=world[0], fitted=f, kind="perspective") for f in (native, world[1]))
    assert torch.equal(*(loader_of(store, body, atlas).batch(ROWS).pose for store in (old, new)))
    crop = make_store(ingested=world[0])
    assert torch.equal(*(loader_of(crop, body, atlas, frame=frame).batch(ROWS).pose for frame in ("view", "camera")))


def test_a_prediction_turns_back_into_camera_space(perspective, persons, body, atlas) -> None:
    """Turn and turn back are one identity; without a K there is nothing to turn back."""
    from dataclasses import replace

    from pymaf_data.model.measures import heading_errors, in_camera_space

    batch = loader_of(perspective, body, atlas).batch(ROWS)
    root = axis_angle_to_matrix(torch.from_numpy(persons.pose[:, 0]))
    torch.testing.assert_close(in_camera_space(batch.pose[:, 0], batch), root, rtol=0, atol=1e-6)
    assert heading_errors(in_camera_space(batch.pose[:, 0], batch), root).max() < 1e-3
    unknown = replace(batch, has_turn=torch.arange(20) > 0)
    assert in_camera_space(batch.pose[:, 0], unknown).isnan().flatten(1).any(1).tolist() == [True] + [False] * 19
