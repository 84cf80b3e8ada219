"""Dense correspondences: the right part, the right point on its chart, the right side of the body."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.errors import RenderError, ShapeError
from pymaf_data.geometry.affines import resize
from pymaf_data.geometry.cameras import full_frame, orthographic_view, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import COARSE_OF_PART, Atlas, rasterize, render_iuv

PI = torch.tensor([[0.85, 0.0, 0.0]], dtype=torch.float64)


def standing(body, heading: float) -> torch.Tensor:
    """(1, V, 3): the mean shape in a T-pose, turned about the vertical, upright in camera space, about the origin."""
    pose = torch.eye(3, dtype=torch.float64).repeat(1, 24, 1, 1)
    upright = axis_angle_to_matrix(torch.tensor([np.pi, 0, 0], dtype=torch.float64))
    pose[:, 0] = upright @ axis_angle_to_matrix(torch.tensor([0, heading, 0], dtype=torch.float64))
    vertices = body(pose, torch.zeros(1, 10, dtype=torch.float64)).vertices
    return vertices - vertices.mean(1, keepdim=True)


def test_pixels_show_part_and_chart_of_their_face(bodies: np.ndarray, atlas: Atlas) -> None:
    K = torch.tensor([[[60.0, 0, 32], [0, 60, 32], [0, 0, 1]]], dtype=torch.float64)
    camera = full_frame(K, torch.tensor([[0, 0, 1.6]], dtype=torch.float64))
    raster = rasterize(bodies, atlas.mesh_faces, camera, 64)
    found = render_iuv(bodies, camera, atlas, 64)
    assert found.mask.sum() > 4000
    assert np.array_equal(found.mask, raster.mask)
    face = raster.face[raster.mask]
    assert np.array_equal(found.part[raster.mask], atlas.face_part[face])
    expected = np.einsum("pk,pkc->pc", raster.bary[raster.mask], atlas.uv[atlas.faces[face]])
    np.testing.assert_allclose(found.uv.transpose(0, 2, 3, 1)[raster.mask], expected, atol=1e-6)
    assert not found.uv.transpose(0, 2, 3, 1)[~raster.mask].any()
    assert np.array_equal(found.coarse, COARSE_OF_PART[found.part])


def test_front_back_left_and_right(body, atlas: Atlas) -> None:
    """Seen from the front the body's right hand is on the left of the image; from behind, on the right."""
    for heading, torso, left_of_image in ((0.0, 2, 3), (np.pi, 1, 4)):
        part = render_iuv(standing(body, heading), PI, atlas, 112).part[0]
        row, column = np.argwhere(np.isin(part, (1, 2))).mean(0).astype(int)
        assert part[row, column] == torso
        hands = {hand: np.argwhere(part == hand)[:, 1].mean() for hand in (3, 4)}
        assert min(hands, key=hands.__getitem__) == left_of_image
        assert np.argwhere(part >= 23)[:, 0].max() < np.argwhere((part == 5) | (part == 6))[:, 0].min(), (
            "head above feet"
        )
    side = render_iuv(standing(body, np.pi / 2), PI, atlas, 112).part[0]  # the left turned towards the camera's right
    counts = np.bincount(side.ravel(), minlength=25)
    assert min(counts[23], counts[24]) < 0.1 * max(counts[23], counts[24])


def test_weak_cameras_show_the_view_at_any_size(bodies: np.ndarray, atlas: Atlas) -> None:
    pi = PI.repeat(len(bodies), 1)
    for size in (56, 100):
        explicit = weak_to_camera(pi).warped(resize(224, size))
        assert np.array_equal(render_iuv(bodies, pi, atlas, size).part, render_iuv(bodies, explicit, atlas, size).part)
    # The centre of pixel i of 56 is the centre of pixel 5·i + 2 of 280: the same samples of the same image.
    coarse, fine = render_iuv(bodies, pi, atlas, 56), render_iuv(bodies, pi, atlas, 280)
    assert (coarse.part != fine.part[:, 2::5, 2::5]).mean() < 1e-4
    np.testing.assert_allclose(coarse.uv, fine.uv[:, :, 2::5, 2::5], atol=1e-5)


def test_weak_perspective_is_close_to_orthographic(bodies: np.ndarray, atlas: Atlas) -> None:
    pi = PI.repeat(len(bodies), 1)
    far = render_iuv(bodies, pi, atlas, 56)
    parallel = render_iuv(bodies, orthographic_view(pi).warped(resize(224, 56)), atlas, 56)
    assert (far.part == parallel.part)[far.mask | parallel.mask].mean() > 0.95


def test_arguments_that_do_not_fit_are_refused(bodies: np.ndarray, atlas: Atlas) -> None:
    with pytest.raises(ShapeError, match="cameras"):
        render_iuv(bodies, torch.zeros(8, 2), atlas)
    with pytest.raises(ShapeError, match="faces name vertices"):
        render_iuv(bodies[:, :100], PI, atlas)
    broken = bodies.copy()
    broken[6, 0, 0] = np.nan
    with pytest.raises(RenderError, match="mesh 6"):
        render_iuv(broken, PI, atlas)
    assert render_iuv(bodies[:0], PI[:0], atlas).uv.shape == (0, 2, 56, 56)
