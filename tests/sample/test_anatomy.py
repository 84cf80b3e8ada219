from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.joints import J49, SMPL24
from pymaf_data.sample.anatomy import LIMITS, Arm, Leg, Posture, Trunk, joint_rotations
from pymaf_data.sample.postures import FAMILIES, draw_posture
from pymaf_data.sample.stance import Stance

MIRROR = np.diag([-1.0, 1.0, 1.0])
ZERO = np.zeros(10)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


def skeleton(body: BodyModel, rotations: np.ndarray) -> dict[str, np.ndarray]:
    joints, _ = body.keypoints(torch.from_numpy(rotations)[None], torch.zeros(1, 10, dtype=torch.float64))
    return dict(zip(SMPL24.joints, joints[0].numpy(), strict=True))


def posture(arm: Arm | None = None, leg: Leg | None = None, trunk: Trunk | None = None) -> Posture:
    """One limb as told, on the left; the rest at ease."""
    return Posture(trunk or Trunk(), (arm or Arm(), Arm()), (leg or Leg(), Leg()))


# angle raised, joint that moves, axis it must move along (x: the body's left, y: up, z: forward)
MOVES = [
    (Arm(flex=60), "left_wrist", 2, +1),
    (Arm(flex=-30), "left_wrist", 2, -1),
    (Arm(abduct=80), "left_wrist", 0, +1),
    (Arm(abduct=150), "left_wrist", 1, +1),
    (Arm(elbow=100), "left_wrist", 2, +1),
    (Arm(elbow=90, twist=60), "left_wrist", 0, -1),
    (Leg(flex=70), "left_knee", 2, +1),
    (Leg(abduct=40), "left_knee", 0, +1),
    (Leg(knee=80), "left_ankle", 2, -1),
    (Leg(rotate=40), "left_foot", 0, +1),
    (Leg(ankle=25), "left_foot", 1, +1),
]


@pytest.mark.parametrize(("limb", "joint", "axis", "sign"), MOVES)
def test_angles_move_limbs_the_way_their_names_say(body, limb, joint, axis, sign):
    rest = Arm(abduct=8) if isinstance(limb, Arm) else Leg()
    if isinstance(limb, Arm) and limb.twist:
        rest = replace(limb, twist=0.0)
    before, after = (
        skeleton(body, joint_rotations(posture(**{"arm" if isinstance(value, Arm) else "leg": value})))
        for value in (rest, limb)
    )
    assert sign * (after[joint] - before[joint])[axis] > 0.03
    other = joint.replace("left", "right")
    np.testing.assert_allclose(after[other], before[other], atol=1e-12)


@pytest.mark.parametrize(
    ("trunk", "axis", "sign"), [(Trunk(bend=40), 2, +1), (Trunk(side=25), 0, +1), (Trunk(pitch=40), 2, +1)]
)
def test_trunk_bends_forward_and_to_the_left(body, trunk, axis, sign):
    after = skeleton(body, joint_rotations(posture(trunk=trunk)))
    before = skeleton(body, joint_rotations(posture()))
    assert sign * (after["head"] - before["head"])[axis] > 0.05


def test_turning_looks_to_the_left(body):
    rotations = joint_rotations(posture(trunk=Trunk(look=50)))
    _, joints = body.keypoints(torch.from_numpy(rotations)[None], torch.zeros(1, 10, dtype=torch.float64))
    assert joints[0, J49.index("nose"), 0] > 0.04


def test_mirrored_posture_is_the_mirrored_body():
    rng = np.random.default_rng(1)
    _, one = draw_posture(rng)
    swap = SMPL24.flip_permutation
    expected = MIRROR @ joint_rotations(one)[swap] @ MIRROR
    np.testing.assert_allclose(joint_rotations(one.mirrored()), expected, atol=1e-12)


def test_rotations_are_rotations():
    rotations = joint_rotations(draw_posture(np.random.default_rng(2))[1])
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (24, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_families_stay_near_their_limits_before_clipping(name):
    """Clipping is a safety net: families aim inside the limits themselves."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        drawn = FAMILIES[name][1](rng)
        for part in (drawn.trunk, *drawn.arms, *drawn.legs):
            for key, (low, high) in LIMITS[type(part)].items():
                assert low - 5 <= getattr(part, key) <= high + 5, (name, key)


def test_draws_are_inside_limits_and_balanced_between_sides():
    rng = np.random.default_rng(4)
    drawn = [draw_posture(rng)[1] for _ in range(400)]
    for one in drawn:
        for part in (one.trunk, *one.arms, *one.legs):
            for key, (low, high) in LIMITS[type(part)].items():
                assert low <= getattr(part, key) <= high
    raised = [one for one in drawn if abs(one.arms[0].flex - one.arms[1].flex) > 30]
    assert 0.35 < np.mean([one.arms[0].flex > one.arms[1].flex for one in raised]) < 0.65


@pytest.mark.parametrize("name", ["standing", "squatting", "bending", "reaching", "stepping"])
def test_balanced_postures_stand_over_flat_feet(body, name):
    rng = np.random.default_rng(5)
    for _ in range(5):
        drawn = FAMILIES[name][1](rng).clipped()
        rotations = Stance(body, ZERO).settle(drawn)
        betas = torch.zeros(1, 10, dtype=torch.float64)
        bones, joints = (points[0].numpy() for points in body.keypoints(torch.from_numpy(rotations)[None], betas))
        vertices = body(torch.from_numpy(rotations)[None], betas).vertices[0].numpy()
        floor = vertices[:, 1].min()
        soles = [
            joints[J49.index(f"openpose:{side}_{part}")] for side in ("left", "right") for part in ("heel", "big_toe")
        ]
        assert max(point[1] for point in soles) - floor < 0.13  # both feet on the ground, heels may lift in a squat
        middle = np.mean(soles, axis=0)
        trunk = bones[[SMPL24.index(j) for j in ("pelvis", "spine3", "head", "left_knee", "right_knee")]].mean(0)
        assert np.linalg.norm((trunk - middle)[[0, 2]]) < 0.22
