"""What the shipped asset promises, read from the asset alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from pymaf_data.body import load_body
from pymaf_data.body.arrays import BodyArrays
from pymaf_data.body.free import load_free_arrays
from pymaf_data.body.names import EXTRA, LANDMARKS
from pymaf_data.geometry.joints import H36M17, SMPL24
from pymaf_data.geometry.rotations import rotation_6d_to_matrix


@pytest.fixture(scope="module")
def arrays() -> BodyArrays:
    return load_free_arrays()


def edges_of(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def test_mesh_is_one_closed_oriented_sphere(arrays):
    V, F = len(arrays.v_template), len(arrays.faces)
    assert (V, F) == (6890, 13776)
    directed = edges_of(arrays.faces)
    codes = directed[:, 0] * V + directed[:, 1]
    reverse = directed[:, 1] * V + directed[:, 0]
    assert len(np.unique(codes)) == len(codes)  # each directed edge once: manifold, consistently oriented
    assert np.array_equal(np.sort(codes), np.sort(reverse))  # each with its partner: closed
    assert V - len(codes) // 2 + F == 2
    graph = sparse.coo_matrix((np.ones(len(codes)), directed.T), shape=(V, V))
    assert sparse.csgraph.connected_components(graph)[0] == 1


def test_faces_look_outward(arrays):
    a, b, c = np.moveaxis(arrays.v_template[arrays.faces], 1, 0)
    volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6
    assert 0.03 < volume < 0.15  # m³; negative when the faces are turned inside out


def test_frame_of_the_t_pose(arrays):
    joint = dict(zip(SMPL24.joints, arrays.joints.matrix @ arrays.v_template, strict=True))
    height = np.ptp(arrays.v_template[:, 1])
    assert 1.5 < height < 2.0
    assert joint["head"][1] > joint["pelvis"][1] > joint["left_ankle"][1]
    assert joint["left_wrist"][0] > 0.5 > -0.5 > joint["right_wrist"][0]
    assert joint["left_foot"][2] > joint["left_ankle"][2] + 0.05  # toes forward at +z
    landmark = dict(zip(LANDMARKS, arrays.v_template[arrays.landmarks], strict=True))
    assert landmark["nose"][2] > joint["head"][2] + 0.05
    for side, sign in (("left", 1), ("right", -1)):
        assert all(sign * landmark[f"{side}_{name}"][0] > 0 for name in ("eye", "ear", "heel", "thumb", "big_toe"))
        assert landmark[f"{side}_big_toe"][2] > landmark[f"{side}_heel"][2] + 0.15


def test_exact_mirror_symmetry(arrays):
    mirror, swap = arrays.mirror, SMPL24.flip_permutation
    sign = np.array([-1.0, 1.0, 1.0])
    assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
    assert np.array_equal(arrays.v_template[mirror] * sign, arrays.v_template)
    assert np.array_equal(arrays.shapedirs[mirror] * sign[:, None], arrays.shapedirs)
    assert np.array_equal(arrays.weights[mirror][:, swap], arrays.weights)
    assert np.array_equal(arrays.joints.matrix[swap][:, mirror], arrays.joints.matrix)
    assert np.array_equal(arrays.h36m.matrix[H36M17.flip_permutation][:, mirror], arrays.h36m.matrix)
    assert set(mirror[arrays.downsample]) == set(arrays.downsample)
    faces = {tuple(np.roll(face, -face.argmin())) for face in arrays.faces}
    assert faces == {tuple(np.roll(face, -face.argmin())) for face in mirror[arrays.faces][:, ::-1]}


def test_rows_sum_to_one(arrays):
    for matrix in (arrays.weights, arrays.joints.matrix, arrays.extra.matrix, arrays.h36m.matrix):
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-14)
    assert (arrays.weights > 0).sum(1).max() <= 4


def test_regressed_joints_lie_where_their_names_say(arrays):
    skeleton = dict(zip(SMPL24.joints, arrays.joints.matrix @ arrays.v_template, strict=True))
    h36m = dict(zip(H36M17.joints, arrays.h36m.matrix @ arrays.v_template, strict=True))
    for side in ("left", "right"):
        for name in ("knee", "ankle", "shoulder", "elbow", "wrist"):
            assert np.linalg.norm(h36m[f"{side}_{name}"] - skeleton[f"{side}_{name}"]) < 0.06
        assert np.linalg.norm(h36m[f"{side}_hip"] - skeleton[f"{side}_hip_smpl"]) < 0.08
    extra = dict(zip(EXTRA, arrays.extra.matrix @ arrays.v_template, strict=True))
    heights = [extra[name][1] for name in ("pelvis_mpii", "spine_h36m", "thorax_mpii", "neck_lsp", "jaw_h36m")]
    assert heights == sorted(heights)
    assert extra["head_top_lsp"][1] > extra["head_h36m"][1] > extra["jaw_h36m"][1]
    assert extra["left_hip"][0] > 0 > extra["right_hip"][0]


def test_betas_mean_what_they_say(arrays):
    stature = [np.ptp((arrays.v_template + k * arrays.shapedirs[:, :, 0])[:, 1]) for k in (-2, 0, 2)]
    assert stature == sorted(stature) and stature[2] - stature[0] > 0.1

    def volume(vertices: np.ndarray) -> float:
        a, b, c = np.moveaxis(vertices[arrays.faces], 1, 0)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    volumes = [volume(arrays.v_template + k * arrays.shapedirs[:, :, 1]) for k in (-2, 0, 2)]
    assert volumes == sorted(volumes)


def test_mean_pose_stands_upside_down_for_the_camera():
    """PyMAF starts at a body that is upright in a y-down camera: turned half about x."""
    body = load_body()
    pose = rotation_6d_to_matrix(body.mean_pose6d.view(1, 24, 6))
    out = body(pose, body.mean_betas[None])
    assert out.skeleton[0, 15, 1] < out.skeleton[0, 0, 1] - 0.4
    assert out.joints[0, 0, 2] < out.skeleton[0, 15, 2]  # the nose looks at the camera
    assert torch.allclose(body.mean_camera, torch.tensor([0.9, 0.0, 0.0]), atol=0.3)
