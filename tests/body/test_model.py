from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import ShapeError, UsageError
from pymaf_data.geometry.joints import J49, SMPL24

MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


def test_shapes_and_dtypes(random_bodies):
    body = load_body()
    pose, _, betas, translation = random_bodies(3, dtype=torch.float32)
    out = body(pose, betas, translation)
    assert out.vertices.shape == (3, 6890, 3)
    assert out.skeleton.shape == (3, 24, 3)
    assert out.joints.shape == (3, 49, 3)
    assert body.j24(out).shape == (3, 24, 3)
    assert body.h36m(out.vertices).shape == (3, 17, 3)
    assert body.downsample(out.vertices).shape == (3, 431, 3)
    assert {value.dtype for value in out} == {torch.float32}


def test_nothing_enters_a_checkpoint():
    assert not load_body().state_dict()


def test_rest_pose_is_the_template(free64: BodyModel):
    identity = torch.eye(3, dtype=torch.float64).expand(1, 24, 3, 3)
    out = free64(identity, torch.zeros(1, 10, dtype=torch.float64))
    torch.testing.assert_close(out.vertices[0], free64.v_template, atol=1e-12, rtol=0)
    torch.testing.assert_close(out.skeleton[0], free64.J_regressor @ free64.v_template, atol=1e-12, rtol=0)


def test_root_rotation_and_translation_move_the_body_rigidly(free64: BodyModel, random_bodies):
    pose, _, betas, translation = random_bodies(2)
    turned = pose.clone()
    turned[:, 0] = torch.eye(3, dtype=torch.float64)
    upright, moved = free64(turned, betas), free64(pose, betas, translation)
    pivot = upright.skeleton[:, :1]
    for before, after in zip(upright, moved, strict=True):
        expected = (before - pivot) @ pose[:, 0].mT + pivot + translation[:, None]
        torch.testing.assert_close(after, expected, atol=1e-12, rtol=0)


def test_bones_keep_their_length(free64: BodyModel, random_bodies):
    pose, _, betas, _ = random_bodies(3)
    posed, rest = free64(pose, betas).skeleton, free64.rest_joints(betas)
    parents = free64.parents[1:]
    lengths = [(joints[:, 1:] - joints[:, parents]).norm(dim=-1) for joints in (posed, rest)]
    torch.testing.assert_close(*lengths, atol=1e-12, rtol=0)


def test_keypoints_equal_the_full_forward(free64: BodyModel, random_bodies):
    pose, _, betas, translation = random_bodies(3)
    full = free64(pose, betas, translation)
    skeleton, joints = free64.keypoints(pose, betas, translation)
    torch.testing.assert_close(skeleton, full.skeleton, atol=0, rtol=0)
    torch.testing.assert_close(joints, full.joints, atol=1e-12, rtol=0)


def test_the_reduced_body_equals_the_full_forward_and_so_do_its_gradients(free64: BodyModel, random_bodies):
    pose, _, betas, _ = random_bodies(3)
    found = []
    for reduced in (True, False):
        given = [value.clone().requires_grad_() for value in (pose, betas)]
        if reduced:
            some = free64.reduced(*given)
            points = torch.cat([some.sampled, some.skeleton, some.joints], 1)
        else:
            full = free64(*given)
            points = torch.cat([free64.downsample(full.vertices), full.skeleton, full.joints], 1)
        weights = torch.linspace(-1, 1, points[0].numel(), dtype=torch.float64).view_as(points[0])
        found.append((points, *torch.autograd.grad((points * weights).sum(), given)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("count", [0, 1, 8, 11])
def test_the_mesh_alone_is_that_of_the_full_forward(free64: BodyModel, random_bodies, count: int):
    pose, _, betas, _ = random_bodies(count)
    full = free64(pose, betas)
    torch.testing.assert_close(free64.mesh(pose, betas), full.vertices, atol=1e-13, rtol=0)
    assert full.joints.shape == (count, 49, 3)


def test_batch_rows_are_independent(free64: BodyModel, random_bodies):
    pose, _, betas, _ = random_bodies(3)
    alone = free64(pose[1:2], betas[1:2]).vertices
    torch.testing.assert_close(free64(pose, betas).vertices[1:2], alone, atol=1e-13, rtol=0)


def test_flip_is_an_index_permutation(free64: BodyModel, random_bodies):
    """A mirrored pose gives the mirrored body, vertex for vertex and joint for joint."""
    pose, _, betas, translation = random_bodies(4)
    straight = free64(pose, betas, translation)
    swap = torch.from_numpy(SMPL24.flip_permutation.copy())
    flipped = free64(MIRROR @ pose[:, swap] @ MIRROR, betas, translation @ MIRROR)
    mirrored = straight.vertices @ MIRROR
    torch.testing.assert_close(flipped.vertices, mirrored[:, free64.mirror], atol=1e-12, rtol=0)
    torch.testing.assert_close(flipped.skeleton, (straight.skeleton @ MIRROR)[:, swap], atol=1e-12, rtol=0)
    partner = torch.from_numpy(J49.flip_permutation.copy())
    torch.testing.assert_close(flipped.joints, (straight.joints @ MIRROR)[:, partner], atol=1e-12, rtol=0)


def test_gradient_of_skinning(free64: BodyModel, random_bodies):
    """float64 gradcheck of the keypoint path in pose, shape and translation; the mesh shares its code."""
    pose, _, betas, translation = (value.requires_grad_() for value in random_bodies(1))
    columns = [J49.index(name) for name in ("openpose:left_wrist", "openpose:right_big_toe", "head_top_lsp")]

    def function(pose, betas, translation):
        return free64.keypoints(pose, betas, translation)[1][:, columns]

    assert torch.autograd.gradcheck(function, (pose, betas, translation), atol=1e-7)


def test_gradient_of_the_mesh(free64: BodyModel, random_bodies):
    pose, _, betas, _ = (value.requires_grad_() for value in random_bodies(1))
    some = torch.arange(0, 6890, 997)
    assert torch.autograd.gradcheck(lambda p, b: free64(p, b).vertices[:, some], (pose, betas), fast_mode=True)


@pytest.mark.parametrize(
    ("pose", "betas", "translation"),
    [((2, 24, 3), (2, 10), None), ((2, 24, 3, 3), (2, 11), None), ((2, 24, 3, 3), (2, 10), (1, 3))],
)
def test_wrong_shapes_are_refused(pose, betas, translation):
    with pytest.raises(ShapeError, match="has shape"):
        load_body()(torch.zeros(pose), torch.zeros(betas), None if translation is None else torch.zeros(translation))


def test_unknown_body_is_refused():
    with pytest.raises(UsageError, match="smpl-neutral"):
        load_body("smplx")


def test_float32_agrees_with_float64(free64: BodyModel, random_bodies):
    pose, _, betas, _ = random_bodies(2)
    single = load_body()(pose.float(), betas.float()).vertices
    assert np.abs(single.numpy() - free64(pose, betas).vertices.numpy()).max() < 5e-6
