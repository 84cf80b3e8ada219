"""Lying: on the back, on a side, prone, on the elbows; on a mat, a bed or the bare floor."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from pymaf_data.world.poses import furniture
from pymaf_data.world.poses.goals import Aim, Goal, Rest, Touch
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk

_SIDES = ("left", "right")
_LOOSE = {"root": 3.0, "hip": 1.3, "knee": 1.3, "shoulder": 1.4, "spine.bend": 1.3, "neck": 1.3}


def _laid(rng: Generator, plan: Plan) -> Plan:
    """On the floor, a mat or a bed: all goals were written for y = 0 and move up with the surface."""
    kind = rng.random()
    if kind < 0.35:
        return replace(plan, loose=_LOOSE)
    height, sink, furnish = (0.015, 0.0, furniture.mat(rng, 0.015))
    if kind > 0.7:
        height = u(rng, 0.42, 0.58)
        sink, furnish = 0.02, furniture.bed(rng, height)
    goals = [replace(goal, at=goal.at + height - sink) if isinstance(goal, Rest) else goal for goal in plan.goals]
    above: list[Goal] = [
        Rest(f"{s}_{p}", height - sink, lower=True) for s in _SIDES for p in ("foot", "hand", "elbow", "knee")
    ]
    return replace(plan, goals=[*goals, *above, Rest("head", height - sink, lower=True)], furnish=furnish, floor=False,
                   grounded=False, loose=_LOOSE)  # fmt: skip


def on_back(rng: Generator, build: Build) -> Plan:
    """On the back, legs out or one knee drawn up, arms beside, on the belly or under the head."""
    drawn = u(rng, 50, 80)
    bent = Leg(flex=drawn * 0.6, abduct=6, rotate=4, knee=drawn * 1.15, ankle=-10)
    straight = [Leg(flex=2, abduct=u(rng, 4, 16), rotate=u(rng, 10, 30), knee=u(rng, 2, 8), ankle=-22) for _ in "lr"]
    goals: list[Goal] = [Rest("upper_back"), Rest("seat"), Rest("head")]
    up = rng.random() < 0.5
    goals += [
        Rest("right_heel"),
        *([Rest(f"left_{p}") for p in ("heel", "ball_in", "ball_out")] if up else [Rest("left_heel")]),
    ]
    arms = [
        Arm(flex=-4, abduct=u(rng, 14, 60), twist=u(rng, -20, 25), elbow=u(rng, 8, 36), pronate=u(rng, -20, 60))
        for _ in "lr"
    ]
    goals += [Rest(f"{s}_hand") for s in _SIDES]
    if rng.random() < 0.35:
        arms[0] = Arm(flex=14, abduct=10, twist=45, elbow=82, curl=20)
        goals[-2] = Touch("left_palm", "belly", (0.02, 0.01, 0.02), 0.02)
    trunk = Trunk(pitch=-90, nod=u(rng, 4, 14), look=n(rng, 18))
    return _laid(rng, Plan(trunk, (arms[0], arms[1]), (bent if up else straight[0], straight[1]), goals))


def spread_out(rng: Generator, build: Build) -> Plan:
    """On the back, arms and legs flung wide."""
    legs = [Leg(flex=2, abduct=u(rng, 18, 34), rotate=u(rng, 14, 32), knee=u(rng, 2, 14), ankle=-22) for _ in "lr"]
    arms = [
        Arm(flex=-4, abduct=u(rng, 70, 140), twist=-u(rng, 0, 50), elbow=u(rng, 8, 50), curl=u(rng, 10, 40))
        for _ in "lr"
    ]
    goals: list[Goal] = [
        Rest("upper_back"),
        Rest("seat"),
        Rest("head"),
        *(Rest(f"{s}_{p}") for s in _SIDES for p in ("heel", "hand")),
    ]
    return _laid(rng, Plan(Trunk(pitch=-90, nod=6, look=n(rng, 20)), (arms[0], arms[1]), (legs[0], legs[1]), goals))


def on_side(rng: Generator, build: Build) -> Plan:
    """On the right side, knees drawn up, one arm before the body."""
    legs = (
        Leg(flex=u(rng, 64, 92), abduct=-12, rotate=-6, knee=u(rng, 70, 100), ankle=-12),
        Leg(flex=u(rng, 16, 36), abduct=0, rotate=4, knee=u(rng, 30, 60), ankle=-15),
    )
    arms = (
        Arm(flex=u(rng, 40, 62), abduct=-4, twist=25, elbow=u(rng, 50, 85), pronate=20),
        Arm(flex=u(rng, 80, 105), abduct=-10, twist=0, elbow=u(rng, 60, 110), pronate=-20),
    )
    goals: list[Goal] = [
        Rest("right_flank"), Rest("right_shoulder"), Rest("right_knee"), Rest("right_foot"),
        Rest("head", 0.02, spread=0.03),
        Rest("left_knee", spread=0.01), Rest("left_hand", spread=0.008), Rest("right_elbow", spread=0.01),
        Rest("left_foot", spread=0.05),
    ]  # fmt: skip
    trunk = Trunk(pitch=-90, yaw=0, roll=0, bend=u(rng, 8, 24), nod=u(rng, 4, 14), tilt=-14)
    return _laid(rng, Plan(replace(trunk, pitch=0, roll=-90), arms, legs, goals))


def prone(rng: Generator, build: Build) -> Plan:
    """Face down, the head turned aside, arms beside the head or the body."""
    legs = [Leg(flex=-2, abduct=u(rng, 4, 16), rotate=u(rng, 0, 20), knee=u(rng, 2, 14), ankle=-45) for _ in "lr"]
    up = rng.random() < 0.6
    arm = Arm(flex=u(rng, 8, 18), abduct=u(rng, 82, 105), twist=-u(rng, 70, 85), elbow=u(rng, 80, 110), curl=10)
    down = Arm(flex=8, abduct=u(rng, 16, 36), twist=10, elbow=u(rng, 6, 30), pronate=-30)
    goals: list[Goal] = [
        Rest("chest"), Rest("belly"), Rest("head"),
        *(Rest(f"{s}_{p}") for s in _SIDES for p in ("knee", "foot", "hand")),
    ]  # fmt: skip
    trunk = Trunk(pitch=90, look=u(rng, 55, 68), nod=-u(rng, 4, 12))
    return _laid(rng, Plan(trunk, (arm, arm if up and rng.random() < 0.6 else down), (legs[0], legs[1]), goals))


def on_elbows(rng: Generator, build: Build) -> Plan:
    """Face down, propped on the elbows, as when reading."""
    lift = u(rng, 0, 1)
    legs = [
        Leg(
            flex=-6,
            abduct=u(rng, 3, 10),
            rotate=4,
            knee=u(rng, 4, 12) + (u(rng, 50, 100) if lift > 0.6 else 0),
            ankle=-40,
        )
        for _ in "lr"
    ]
    arm = Arm(
        flex=u(rng, 76, 90), abduct=u(rng, 4, 14), twist=u(rng, 0, 15), elbow=u(rng, 84, 100), pronate=60, curl=20
    )
    goals: list[Goal] = [Rest("belly"), Rest("left_knee"), Rest("right_knee")]
    goals += [Rest(f"{s}_elbow") for s in _SIDES] + [Rest(f"{s}_hand", spread=0.006) for s in _SIDES]
    if lift <= 0.6:
        goals += [Rest("left_foot"), Rest("right_foot")]
    trunk = Trunk(pitch=80, bend=-22, nod=-u(rng, 14, 34))
    return _laid(rng, Plan(trunk, (arm, arm), (legs[0], legs[1]), goals))


def propped_on_side(rng: Generator, build: Build) -> Plan:
    """On the right side, propped on the elbow."""
    legs = (
        Leg(flex=u(rng, 20, 40), abduct=0, rotate=4, knee=u(rng, 30, 60), ankle=-12),
        Leg(flex=10, knee=u(rng, 8, 30), ankle=-15),
    )
    arms = (
        Arm(flex=24, abduct=4, twist=20, elbow=u(rng, 30, 60), pronate=20),
        Arm(flex=u(rng, 20, 34), abduct=u(rng, 62, 74), twist=10, elbow=u(rng, 84, 100), pronate=30),
    )
    goals: list[Goal] = [
        Rest("right_flank"), Rest("right_elbow"), Rest("right_hand", spread=0.006), Rest("right_knee", spread=0.005),
        Rest("right_foot"), Touch("left_palm", "left_thigh_side", (0.0, 0.01, 0.02), 0.05),
        Rest("left_foot", 0.03, spread=0.05),
        Aim("right_shoulder", (-1, 0, 0), (0, -1, 0), 20),
    ]  # fmt: skip
    trunk = Trunk(roll=-74, side=26, bend=6, tilt=10, nod=4)
    return _laid(rng, Plan(trunk, arms, legs, goals))


LYING = Family(
    0.03,
    (
        Variant("on the back", on_back, 1.4),
        Variant("on a side", on_side, 1.0),
        Variant("on the elbows", on_elbows, 0.9),
        Variant("spread out", spread_out, 0.6),
        Variant("prone", prone, 0.8, held_out=True),
        Variant("propped on a side", propped_on_side, 0.7, held_out=True),
    ),
)
