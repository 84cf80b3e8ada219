"""The settling's parts: freedoms, the fast surface, goals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses import descent
from pymaf_data.world.poses.freedoms import CHAIN, FREEDOMS, LIMITS, PLACE
from pymaf_data.world.poses.goals import Reach, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build, mannequin_of
from pymaf_data.world.poses.settle import Plan, Settler
from pymaf_data.world.poses.words import Arm, Leg, Trunk, freedoms_of

# angle raised, joint that moves, axis it must move along (x: the body's left, y: up, z: forward)
MOVES = [
    (Arm(flex=60), "left_wrist", 2, +1),
    (Arm(flex=-30), "left_wrist", 2, -1),
    (Arm(abduct=80), "left_wrist", 0, +1),
    (Arm(abduct=150), "left_wrist", 1, +1),
    (Arm(elbow=100), "left_wrist", 2, +1),
    (Leg(flex=70), "left_knee", 2, +1),
    (Leg(abduct=40), "left_knee", 0, +1),
    (Leg(knee=80), "left_ankle", 2, -1),
    (Leg(rotate=40), "left_foot", 0, +1),
    (Leg(ankle=25), "left_foot", 1, +1),
]


@pytest.fixture(scope="module")
def build(body):
    return Build(mannequin_of(body), np.zeros(10))


def pose(build, q):
    """Local rotations, joints and the axes that freedoms turn about."""
    local, world, turning = np.empty((24, 3, 3)), np.empty((24, 3, 3)), np.zeros((24, 3, 3))
    place = np.empty((24, 3))
    chain = CHAIN
    descent.forward(
        q, np.eye(3), build.rest, chain.parents, chain.freedom, chain.share, chain.axes, local, world, place, turning
    )
    return local, place


def words(arm=None, leg=None):
    return freedoms_of(Trunk(), (arm or Arm(), Arm()), (leg or Leg(), Leg()))


@pytest.mark.parametrize(("limb", "joint", "axis", "sign"), MOVES)
def test_words_move_limbs_the_way_they_say(build, limb, joint, axis, sign):
    named = {"arm" if isinstance(limb, Arm) else "leg": limb}
    before, after = pose(build, words())[1], pose(build, words(**named))[1]
    assert sign * (after - before)[SMPL24.index(joint), axis] > 0.03
    right = SMPL24.index(joint.replace("left", "right"))
    np.testing.assert_allclose(after[right], before[right], atol=1e-12)


def test_words_are_clipped_to_limits():
    q = freedoms_of(Trunk(bend=200), (Arm(elbow=400), Arm()), (Leg(knee=-50), Leg()))
    assert (q >= CHAIN.low).all() and (q <= CHAIN.high).all()
    assert np.rad2deg(q[PLACE["left_elbow.flex"]]) == pytest.approx(LIMITS["elbow.flex"][1])


def test_the_fast_surface_is_the_bodys(body, build):
    q = np.clip(np.random.default_rng(2).normal(0, 0.4, len(FREEDOMS)), CHAIN.low, CHAIN.high)
    settler = Settler(build)
    settler._pose(q, np.eye(3))
    out = body(torch.from_numpy(settler._bones.local)[None], torch.zeros(1, 10).double(), torch.from_numpy(q[:3])[None])
    np.testing.assert_allclose(settler._vertices, out.vertices[0].numpy(), atol=1e-6)


def test_a_hand_goes_where_it_is_told(build):
    target = (0.35, 1.25, 0.35)
    goals = [*feet_flat(), Reach("left_palm", target)]
    settled = Settler(build).settle(Plan(arms=(Arm(flex=60, elbow=50), Arm()), goals=goals))
    assert np.linalg.norm(settled.at("left_palm") - target) < 0.02
    assert settled.gap < 0.005


def test_what_cannot_be_reached_is_told(build):
    settled = Settler(build).settle(Plan(goals=[*feet_flat(), Reach("left_palm", (0.0, 5.0, 0.0))]))
    assert settled.strain > 10


def test_a_hand_drawn_through_the_belly_is_pushed_out(build):
    through = Arm(flex=10, abduct=0, twist=70, elbow=95)
    goals = [*feet_flat(), Touch("left_palm", "low_back", spread=0.1)]
    settled = Settler(build).settle(Plan(arms=(through, Arm()), goals=goals))
    assert settled.depth < 0.01
    assert (settled.patch("left_hand")[:, 2] > settled.at("low_back")[2]).all()
