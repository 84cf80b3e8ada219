"""One augmentation moves everything alike: the oracle is a posed chain of joints seen by a camera."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.cameras import orthographic_view, weak_to_camera
from pymaf_data.geometry.joints import J24, J49, SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.geometry.views import (
    Augmentation,
    augment_joints3d,
    augment_pose,
    move_keypoints,
)

B = 12
FLIP = SMPL24.flip_permutation.copy()
MIRROR = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)


def rest_joints() -> torch.Tensor:
    """A symmetric T-pose (24, 3) whose pelvis is not the origin."""
    rng = torch.Generator().manual_seed(11)
    rest = torch.randn(24, 3, generator=rng, dtype=torch.float64) * 0.3
    rest = (rest + (rest * MIRROR)[FLIP]) / 2
    assert rest[0].abs()[1:].min() > 0.01
    return rest


def posed(pose: torch.Tensor) -> torch.Tensor:
    """Joints (B, 24, 3) of the kinematic chain, written out joint by joint."""
    rest = rest_joints()
    parents = dict(SMPL24.edge_indices[:, ::-1].tolist())
    turns, places = [pose[:, 0]], [rest[0].expand(len(pose), 3)]
    for joint in range(1, 24):
        parent = parents[joint]
        places.append(places[parent] + (turns[parent] @ (rest[joint] - rest[parent])[..., None])[..., 0])
        turns.append(turns[parent] @ pose[:, joint])
    return torch.stack(places, 1)


def random_pose() -> torch.Tensor:
    return torch.randn(B, 24, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 0.6


def random_pi() -> torch.Tensor:
    rng = torch.Generator().manual_seed(6)
    return torch.rand(B, 3, generator=rng, dtype=torch.float64) * 0.4 + torch.tensor([0.6, -0.2, -0.2])


def random_augmentation(scale: bool = True) -> Augmentation:
    rng = np.random.default_rng(8)
    k = rng.uniform(0.75, 1.25, B) if scale else 1.0
    return Augmentation.of(k, rng.uniform(-np.pi / 3, np.pi / 3, B), np.arange(B) % 2 == 0)


def moved_camera(pi: torch.Tensor, augmentation: Augmentation, root: torch.Tensor) -> torch.Tensor:
    """s' = s/k and t' = F·R(φ)·(root + t) − root: the body turns about its root joint, not about the camera's axis."""
    cos, sin = (torch.from_numpy(of(augmentation.rotation)) for of in (np.cos, np.sin))
    x, y = (root[:, :2] + pi[:, 1:]).unbind(-1)
    sign = torch.where(torch.from_numpy(augmentation.flip), -1.0, 1.0).double()
    moved = torch.stack([sign * (cos * x - sin * y), sin * x + cos * y], -1)
    return torch.cat([(pi[:, 0] / torch.from_numpy(augmentation.scale))[:, None], moved - root[:, :2]], -1)


def test_the_augmented_body_is_seen_where_the_affine_moves_its_image() -> None:
    """Exactly, for rotation and flip under perspective and for a scale under the orthographic camera."""
    pose, pi, root = axis_angle_to_matrix(random_pose()), random_pi(), rest_joints()[:1].expand(B, 3)
    for make, augmentation in [
        (weak_to_camera, random_augmentation(scale=False)),
        (orthographic_view, random_augmentation()),
    ]:
        seen = make(pi).project(posed(pose)).numpy()
        picture = np.concatenate([seen, np.ones((B, 24, 1))], -1)
        expected = move_keypoints(picture, augmentation.affine(), augmentation.flip, SMPL24)[..., :2]
        camera = make(moved_camera(pi, augmentation, root))
        found = camera.project(posed(augment_pose(pose, augmentation)))
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_3d_joints_move_like_the_body_they_come_from() -> None:
    pose, augmentation = axis_angle_to_matrix(random_pose()), random_augmentation()
    joints, moved = posed(pose), posed(augment_pose(pose, augmentation))
    centred = augment_joints3d(joints - joints[:, :1], augmentation, SMPL24)
    torch.testing.assert_close(centred, moved - moved[:, :1], rtol=0, atol=1e-12)


def test_the_flag_of_a_3d_joint_goes_with_its_joint() -> None:
    joints = torch.zeros(2, 24, 4)
    joints[:, J24.index("left_wrist")] = torch.tensor([0.1, 0.2, 0.3, 1.0])
    moved = augment_joints3d(joints, Augmentation.of(flip=[True, False]), J24)
    assert moved[0, J24.index("right_wrist")].tolist() == pytest.approx([-0.1, 0.2, 0.3, 1.0])
    assert moved[0, J24.index("left_wrist"), 3] == 0
    assert torch.equal(moved[1], joints[1])


def test_flip_twice_is_identity() -> None:
    flip = Augmentation.of(flip=[True] * B)
    matrices = axis_angle_to_matrix(random_pose())
    torch.testing.assert_close(augment_pose(augment_pose(matrices, flip), flip), matrices)
    joints = torch.randn(B, 24, 4, dtype=torch.float64)
    torch.testing.assert_close(augment_joints3d(augment_joints3d(joints, flip, J24), flip, J24), joints)
    keypoints = np.random.default_rng(0).uniform(0, 224, (B, 49, 3))
    twice = move_keypoints(move_keypoints(keypoints, flip.affine(), flip.flip, J49), flip.affine(), flip.flip, J49)
    np.testing.assert_allclose(twice, keypoints, atol=1e-12)


def test_a_turn_and_the_turn_back_are_identity() -> None:
    there, back = Augmentation.of(rotation=np.full(B, 0.7)), Augmentation.of(rotation=np.full(B, -0.7))
    pose = axis_angle_to_matrix(random_pose())
    torch.testing.assert_close(augment_pose(augment_pose(pose, there), back), pose)


def test_the_default_augmentation_changes_nothing() -> None:
    pose, nothing = random_pose(), Augmentation.of()
    torch.testing.assert_close(augment_pose(axis_angle_to_matrix(pose), nothing), axis_angle_to_matrix(pose))
    np.testing.assert_allclose(nothing.affine(), np.eye(2, 3), atol=1e-12)


def test_a_flip_renames_and_confidence_goes_along() -> None:
    keypoints = np.zeros((49, 3))
    keypoints[J49.index("right_knee")] = [30.0, 40.0, 0.8]
    keypoints[J49.index("openpose:left_big_toe")] = [10.0, 20.0, 0.5]
    flip = Augmentation.of(flip=True)
    moved = move_keypoints(keypoints, flip.affine(), flip.flip, J49)
    assert moved[J49.index("left_knee")].tolist() == [194.0, 40.0, 0.8]
    assert moved[J49.index("openpose:right_big_toe")].tolist() == [214.0, 20.0, 0.5]


def test_what_is_no_augmentation_is_refused() -> None:
    with pytest.raises(ShapeError):
        Augmentation.of(scale=0.0)
    with pytest.raises(ShapeError):
        Augmentation.of(rotation=np.nan)
    with pytest.raises(ShapeError, match="49"):
        move_keypoints(np.zeros((24, 3)), np.eye(2, 3), False, J49)
