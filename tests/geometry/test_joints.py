"""Joint conventions against the index lists of the published code (SPIN, PyMAF)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import ShapeError, UsageError
from pymaf_data.geometry import joints
from pymaf_data.geometry.joints import COCO17, H36M17, J14, J24, J49, LSP14, MPII16, OPENPOSE25, SMPL24, Convention

ALL = [COCO17, H36M17, J14, J24, J49, LSP14, MPII16, OPENPOSE25, SMPL24]

# For each joint of a data set its index in J24, as published.
TO_J24 = {
    "COCO17": [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0],
    "MPII16": [0, 1, 2, 3, 4, 5, 14, 15, 12, 13, 6, 7, 8, 9, 10, 11],
    "H36M17": [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6],
    "LSP14": list(range(14)),
    "J14": [*range(13), 18],
}


@pytest.mark.parametrize("convention", [COCO17, MPII16, H36M17, LSP14, J14], ids=lambda c: c.name)
def test_index_maps_are_the_published_ones(convention: Convention) -> None:
    assert joints.index_map(J24, convention).tolist() == TO_J24[convention.name]


def test_human36m_regressed_joints_to_the_fourteen_of_evaluation() -> None:
    assert joints.index_map(H36M17, J14).tolist() == [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]


def test_openpose_order() -> None:
    upper = ["Nose", "Neck", "RSho", "RElb", "RWri", "LSho", "LElb", "LWri", "MidHip", "RHip", "RKnee", "RAnk"]
    short = [*upper, "LHip", "LKnee", "LAnk", "REye", "LEye", "REar", "LEar"]
    words = {"R": "right_", "L": "left_"}
    parts = {"Sho": "shoulder", "Elb": "elbow", "Wri": "wrist", "Hip": "hip", "Knee": "knee", "Ank": "ankle"}
    parts |= {"Eye": "eye", "Ear": "ear"}
    fixed = {"Nose": "nose", "Neck": "neck", "MidHip": "mid_hip"}
    names = [fixed.get(s) or words[s[0]] + parts[s[1:]] for s in short]
    names += ["left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"]
    assert OPENPOSE25.joints == tuple("openpose:" + name for name in names)


def test_j49_is_openpose_then_j24() -> None:
    assert joints.index_map(J49, OPENPOSE25).tolist() == list(range(25))
    assert joints.index_map(J49, J24).tolist() == list(range(25, 49))


@pytest.mark.parametrize(
    ("convention", "flip"),
    [
        (J24, [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 15, 16, 17, 18, 19, 21, 20, 23, 22]),
        (SMPL24, [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]),
        (COCO17, [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]),
    ],
    ids=["J24", "SMPL24", "COCO17"],
)
def test_flip_pairs_are_the_published_ones(convention: Convention, flip: list[int]) -> None:
    assert convention.flip_permutation.tolist() == flip


def test_openpose_half_of_j49_flips_within_itself() -> None:
    published = [0, 1, 5, 6, 7, 2, 3, 4, 8, 12, 13, 14, 9, 10, 11, 16, 15, 18, 17, 22, 23, 24, 19, 20, 21]
    assert J49.flip_permutation[:25].tolist() == published
    assert (J49.flip_permutation[25:] - 25).tolist() == J24.flip_permutation.tolist()


@pytest.mark.parametrize("convention", ALL, ids=lambda c: c.name)
def test_names_are_unique_flips_undo_themselves_and_edges_mirror(convention: Convention) -> None:
    assert len(set(convention.joints)) == len(convention)
    flip = convention.flip_permutation
    assert flip[flip].tolist() == list(range(len(convention)))
    edges = {frozenset(edge) for edge in convention.edge_indices.tolist()}
    assert edges == {frozenset(flip[list(edge)].tolist()) for edge in edges}
    assert not flip.flags.writeable


@pytest.mark.parametrize("convention", [COCO17, H36M17, J24, LSP14, MPII16, OPENPOSE25, SMPL24], ids=lambda c: c.name)
def test_a_skeleton_touches_every_joint(convention: Convention) -> None:
    assert set(convention.edge_indices.ravel().tolist()) == set(range(len(convention)))


def test_smpl_edges_are_its_kinematic_tree() -> None:
    parents = dict(SMPL24.edge_indices[:, ::-1].tolist())
    published = [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    assert [parents[child] for child in range(1, 24)] == published


def test_equal_names_are_equal_joints_only() -> None:
    """SMPL's hips are not the annotated ones; its knees are."""
    found = joints.index_map(SMPL24, J24)
    assert found[J24.index("left_hip")] == found[J24.index("right_hip")] == -1
    assert found[J24.index("left_knee")] == SMPL24.index("left_knee") == 4


def test_an_unknown_joint_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match="left_hip_smpl"):
        SMPL24.index("left_hip")


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_joints_are_picked_by_name(kind: Any) -> None:
    values = kind(np.arange(2 * 49 * 3.0).reshape(2, 49, 3))
    j24 = joints.pick(values, J49, J24)
    assert j24.shape == (2, 24, 3) and float(j24[0, 0, 0]) == 25 * 3, "J24 stands behind OpenPose's 25"
    wrist = joints.pick(values, J49, ["left_wrist", "openpose:left_wrist"])[0, :, 0].tolist()
    assert wrist == [3.0 * J49.index("left_wrist"), 3.0 * OPENPOSE25.index("openpose:left_wrist")]
    with pytest.raises(UsageError, match="has no joint 'left_rist'"):
        joints.pick(values, J49, ["left_rist"])
    with pytest.raises(ShapeError, match="24, 3"):
        joints.pick(values[:, :24], J49, J24)
