"""Anatomical angles: they come back from rotations, and limits mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import (
    ANGLES,
    FLIP_ORDER,
    FLIP_SIGNS,
    GROUPS,
    HIGH,
    LOW,
    angles_of,
    limit_violation,
    swing_twist,
    worst_violation,
)
from pymaf_data.fits.fitter.objective import State
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle


def random_angles(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(LOW + (HIGH - LOW) * np.random.default_rng(seed).random((count, len(ANGLES))))


def pose_of(fitter: KeypointFitter, angles: torch.Tensor) -> torch.Tensor:
    B = len(angles)
    root = torch.eye(3, dtype=torch.float64).expand(B, 3, 3)
    return fitter.pose_of(State(root, torch.zeros(B, 3), angles, torch.zeros(B, 10)))


#: Degrees that a person reaches without help, as goniometry tables (AAOS) give them, told from a T pose: an arm that
#: hangs has an elevation of -90, one that points forward a `forward` of 90. Trunk and neck are sums of their joints.
REACHED = {
    "spine.flexion": (-25, 80), "spine.lateral": (-35, 35), "spine.twist": (-45, 45),
    "neck.flexion": (-45, 45), "neck.lateral": (-45, 45), "neck.twist": (-80, 80),
    "hip.flexion": (-30, 120), "hip.abduction": (-30, 45), "hip.external": (-45, 45),
    "knee.flexion": (0, 135), "elbow.flexion": (0, 150),
    "collar.elevation": (-10, 40), "collar.protraction": (-15, 15),
    "shoulder.elevation": (-90, 90), "shoulder.forward": (-60, 130), "shoulder.internal": (-90, 70),
}  # fmt: skip


def test_limits_are_those_of_people() -> None:
    """Within 20 degrees of what tables say on either side; both sides of the body alike, and never the wrong way."""
    for name, low, high in zip(ANGLES, np.degrees(LOW), np.degrees(HIGH), strict=True):
        reached = REACHED[name.removeprefix("left_").removeprefix("right_")]
        assert (low, high) == pytest.approx(reached, abs=20.5), name
        assert low <= 0 < high


def test_swing_and_twist_come_back(fitter: KeypointFitter) -> None:
    angles = random_angles(200)
    local, _, shares = fitter.rig.local_rotations(angles)
    joint = 0
    for group in GROUPS:
        for _ in group.joints:
            assert torch.allclose(swing_twist(group, local[:, joint]), shares[:, joint], atol=1e-9), group.name
            joint += 1


def test_no_violation_within_the_limits(fitter: KeypointFitter) -> None:
    assert limit_violation(angles_of(pose_of(fitter, random_angles(100)))).max() < 1e-9


@pytest.mark.parametrize("name", ["left_knee.flexion", "right_elbow.flexion", "spine.twist", "left_hip.flexion"])
def test_a_violation_is_measured_and_named(fitter: KeypointFitter, name: str) -> None:
    angles = torch.zeros(1, len(ANGLES), dtype=torch.float64)
    angles[0, ANGLES.index(name)] = LOW[ANGLES.index(name)] - np.radians(12)
    degrees, names = worst_violation(pose_of(fitter, angles))
    assert degrees[0] == pytest.approx(12, abs=1e-6)
    assert names == [name]


@pytest.mark.parametrize(
    ("joint", "rotation", "name"),
    [
        ("left_knee", (-0.5, 0, 0), "left_knee.flexion"),  # the shin forward: a knee does not
        ("right_elbow", (0, -0.5, 0), "right_elbow.flexion"),  # the right forearm backward
        ("left_elbow", (0, 0.5, 0), "left_elbow.flexion"),
        ("left_hip_smpl", (1.2, 0, 0), "left_hip.flexion"),  # the thigh far behind
    ],
)
def test_limbs_bend_the_way_limbs_bend(joint: str, rotation: tuple[float, ...], name: str) -> None:
    pose = torch.zeros(1, 24, 3, dtype=torch.float64)
    pose[0, SMPL24.index(joint)] = torch.tensor(rotation, dtype=torch.float64)
    degrees, names = worst_violation(pose.reshape(1, 72))
    assert degrees[0] > 20
    assert names == [name]


def test_mirrored_angles_are_the_mirrored_pose(fitter: KeypointFitter) -> None:
    angles = random_angles(20)
    mirrored = angles[:, FLIP_ORDER] * torch.from_numpy(FLIP_SIGNS)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    matrices = axis_angle_to_matrix(pose_of(fitter, angles).reshape(-1, 24, 3))
    expected = mirror @ matrices[:, SMPL24.flip_permutation.tolist()] @ mirror
    found = axis_angle_to_matrix(pose_of(fitter, mirrored).reshape(-1, 24, 3))
    assert torch.allclose(found, expected, atol=1e-9)
    assert torch.allclose(matrix_to_axis_angle(found).norm(dim=-1), matrix_to_axis_angle(expected).norm(dim=-1))
