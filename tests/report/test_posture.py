"""Angles that are read out of a pose are those that a person would see."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import ShapeError
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.report.posture import posture

YAWS = np.array([0.0, 90.0, -90.0, 45.0, 179.0, -135.0])


def rest(stores: ModuleType, yaw: np.ndarray | float = 0.0) -> np.ndarray:
    yaws = np.atleast_1d(yaw)
    pose = np.zeros((len(yaws), 24, 3))
    pose[:, 0] = stores.turned(yaws)
    return pose


def angles(pose: np.ndarray) -> dict[str, np.ndarray]:
    return posture(pose.reshape(len(pose), 72))


def bent(pose: np.ndarray, joint: str, degrees: float, axis: tuple[float, float, float]) -> np.ndarray:
    changed = pose.copy()
    changed[:, SMPL24.index(joint)] = np.radians(degrees) * np.array(axis)
    return changed


def test_the_heading_is_where_the_nose_points(stores: ModuleType, body: BodyModel) -> None:
    pose = rest(stores, YAWS)
    np.testing.assert_allclose(angles(pose)["heading"][0], YAWS, atol=1e-3)
    rotation = axis_angle_to_matrix(torch.from_numpy(pose)).float()
    joints = body(rotation, torch.zeros(len(pose), 10)).joints.numpy()
    from pymaf_data.geometry.joints import J49

    ears = joints[:, [J49.index("left_ear"), J49.index("right_ear")]].mean(1)
    ahead = joints[:, J49.index("nose")] - ears
    seen = np.degrees(np.arctan2(ahead[:, 0], -ahead[:, 2]))  # x: the image's right, −z: towards the camera
    np.testing.assert_allclose((seen - YAWS + 180) % 360 - 180, 0, atol=3)


def test_bowing_does_not_turn_the_heading_and_leans_the_trunk(stores: ModuleType) -> None:
    bowed = bent(rest(stores, YAWS), "spine2", 60, (1, 0, 0))
    found = angles(bowed)
    np.testing.assert_allclose(found["heading"][0], YAWS, atol=1e-3)
    np.testing.assert_allclose(found["lean"][0], 60, atol=1e-3)
    np.testing.assert_allclose(found["bend"][0], 60, atol=1e-3)
    upright = angles(rest(stores, YAWS))
    np.testing.assert_allclose(upright["lean"], 0, atol=1e-3)


@pytest.mark.parametrize(
    ("joint", "axis", "degrees", "measure", "side", "expected"),
    [
        ("left_knee", (1, 0, 0), 80, "knee", 0, 80),
        ("right_knee", (1, 0, 0), 80, "knee", 1, 80),
        ("left_hip_smpl", (-1, 0, 0), 70, "hip", 0, 70),  # forwards
        ("right_hip_smpl", (1, 0, 0), 20, "hip", 1, -20),  # backwards
        ("left_elbow", (0, -1, 0), 90, "elbow", 0, 90),
        ("left_elbow", (1, 0, 0), 90, "elbow", 0, 0),  # a twist of the forearm bends nothing
        ("left_shoulder", (0, 0, -1), 70, "shoulder", 0, 20),  # the left arm lies along +x and is lowered
        ("right_shoulder", (0, 0, -1), 70, "shoulder", 1, 160),
    ],
)
def test_each_limb_has_its_angle_and_no_other_limb_does(
    stores: ModuleType,
    joint: str,
    axis: tuple[float, float, float],
    degrees: float,
    measure: str,
    side: int,
    expected: float,
) -> None:
    plain, changed = angles(rest(stores)), angles(bent(rest(stores), joint, degrees, axis))
    assert changed[measure][side, 0] == pytest.approx(expected, abs=1e-3)
    for name, values in plain.items():
        for s in range(len(values)):
            if (name, s) != (measure, side):
                assert changed[name][s, 0] == pytest.approx(values[s, 0], abs=1e-3), name


def test_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="72"):
        posture(np.zeros((3, 24, 3)))
