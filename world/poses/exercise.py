"""Jumping, stretching and lifting."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses import gait, gear
from pymaf_data.world.poses.goals import Aim, Balance, Goal, Rest, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan, Settled
from pymaf_data.world.poses.standing import FEET, upright
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk
from pymaf_data.world.things import Thing

_SIDES = ("left", "right")
_PALM = (0.0, -1.0, 0.0)


def star_jump(rng: Generator, build: Build) -> Plan:
    """In the air, arms and legs apart."""
    legs = [Leg(flex=u(rng, 0, 14), abduct=u(rng, 18, 36), rotate=10, knee=u(rng, 4, 30), ankle=-32) for _ in "lr"]
    arms = [Arm(flex=u(rng, 0, 20), abduct=u(rng, 90, 150), twist=-10, elbow=u(rng, 4, 30), curl=6) for _ in "lr"]
    return Plan(
        Trunk(bend=-u(rng, 0, 8), nod=-u(rng, 0, 14)), (arms[0], arms[1]), (legs[0], legs[1]), airborne=u(rng, 0.1, 0.4)
    )


def tuck_jump(rng: Generator, build: Build) -> Plan:
    """In the air, knees drawn up, arms thrown up or to the sides."""
    legs = [Leg(flex=u(rng, 55, 100), abduct=u(rng, 4, 12), rotate=4, knee=u(rng, 80, 120), ankle=-25) for _ in "lr"]
    arms = [Arm(flex=u(rng, 30, 150), abduct=u(rng, 14, 40), twist=0, elbow=u(rng, 10, 50)) for _ in "lr"]
    trunk = Trunk(pitch=u(rng, 2, 16), bend=u(rng, 0, 14), nod=-u(rng, 0, 12))
    return Plan(trunk, (arms[0], arms[1]), (legs[0], legs[1]), airborne=u(rng, 0.2, 0.5))


def leaping_over(rng: Generator, build: Build) -> Plan:
    """A running jump, one knee high."""
    legs = (
        Leg(flex=u(rng, 62, 88), abduct=2, rotate=4, knee=u(rng, 50, 90), ankle=-8),
        Leg(flex=-u(rng, 8, 22), abduct=2, knee=u(rng, 10, 50), ankle=-35),
    )
    arms = (
        Arm(flex=-u(rng, 20, 40), abduct=20, twist=10, elbow=u(rng, 30, 70)),
        Arm(flex=u(rng, 50, 110), abduct=12, twist=10, elbow=u(rng, 20, 70)),
    )
    return Plan(
        Trunk(pitch=u(rng, 2, 14), bend=u(rng, -4, 8), turn=10, look=-6), arms, legs, airborne=u(rng, 0.15, 0.45)
    )


def tree(rng: Generator, build: Build) -> Plan:
    """Yoga's tree: a sole against the other thigh, palms together."""
    raised = Leg(flex=u(rng, 42, 54), abduct=u(rng, 48, 54), rotate=49, knee=u(rng, 112, 126), ankle=-20)
    goals: list[Goal] = [
        *feet_flat(("right",)), Touch("left_sole_inside", "right_calf", (0.02, 0.14, 0.02), 0.05),
        Touch("left_palm", "right_palm", (0.012, 0, 0), 0.012), Balance(("right_sole", "right_ball_of_foot")),
        Aim("left_wrist", _PALM, (0, 1, 0), 24, "right_wrist"),
    ]  # fmt: skip
    arm = Arm(flex=u(rng, 28, 40), abduct=10, twist=38, elbow=u(rng, 112, 128), wrist=40, curl=2)
    if rng.random() < 0.4:
        arm = Arm(flex=158, abduct=4, twist=-10, elbow=u(rng, 14, 34), curl=2)
    return Plan(Trunk(nod=n(rng, 3)), (arm, arm), (raised, Leg(abduct=-2, knee=2)), goals, loose={"left_hip": 1.4})


def warrior(rng: Generator, build: Build) -> Plan:
    """Yoga's warrior: a wide lunge to the side, arms level."""
    knee = u(rng, 60, 88)
    legs = Leg(flex=0.8 * knee, abduct=38, rotate=46, knee=knee), Leg(flex=6, abduct=36, rotate=u(rng, 4, 16), knee=3)
    arms = [Arm(flex=4, abduct=u(rng, 78, 86), twist=-10, elbow=4, pronate=10, curl=3) for _ in "lr"]
    goals: list[Goal] = [*feet_flat(), Balance(FEET, (0.0, 0), 0.05)]
    return Plan(
        Trunk(look=u(rng, 50, 66), yaw=n(rng, 4)),
        (arms[0], arms[1]),
        legs,
        goals,
        loose={"hip": 1.4, "ankle.invert": 2.0},
    )


def push_up(rng: Generator, build: Build) -> Plan:
    """Hands and toes on the ground, the body straight: up or half-way down."""
    bend = u(rng, 4, 80)
    legs = [Leg(flex=-2, abduct=u(rng, 1, 6), rotate=0, knee=3, ankle=12, toes=50) for _ in "lr"]
    arm = Arm(flex=86 - 0.4 * bend, abduct=10 + 0.35 * bend, twist=0, elbow=bend, wrist=58, pronate=40, curl=0)
    goals: list[Goal] = [Rest(f"{s}_{p}") for s in _SIDES for p in ("toes", "hand")]
    goals += [Aim(f"{s}_wrist", _PALM, (0, -0.95, 0.3), 25) for s in _SIDES] + [
        Rest(f"{s}_ball_in", spread=0.02) for s in _SIDES
    ]
    trunk = Trunk(pitch=76 + 0.12 * bend, bend=-u(rng, 0, 6), nod=-u(rng, 6, 30))
    loose = {"root": 4.0, "wrist": 2.0, "toes": 1.5, "ankle": 1.5}
    return Plan(trunk, (arm, arm), (legs[0], legs[1]), goals, loose=loose)


def downward_dog(rng: Generator, build: Build) -> Plan:
    """Hands and feet on the ground, the hips high."""
    legs = [Leg(flex=u(rng, 90, 104), abduct=u(rng, 3, 8), rotate=4, knee=u(rng, 6, 22), ankle=30) for _ in "lr"]
    arm = Arm(flex=164, abduct=8, twist=-10, elbow=4, wrist=50, curl=0)
    goals: list[Goal] = [Rest(f"{s}_{p}") for s in _SIDES for p in ("ball_in", "toes", "hand")]
    goals += [Aim(f"{s}_wrist", _PALM, (0, -0.9, 0.4), 30) for s in _SIDES]
    trunk = Trunk(pitch=116, bend=u(rng, 4, 16), nod=u(rng, 0, 10))
    return Plan(
        trunk,
        (arm, arm),
        (legs[0], legs[1]),
        goals,
        loose={"root": 4.0, "wrist": 2.0, "hip.flex": 1.5, "shoulder": 1.3},
    )


def curl(rng: Generator, build: Build) -> Plan:
    """A dumbbell in each hand, elbows from straight to bent, or pressed overhead."""
    goals: list[Goal] = []
    if rng.random() < 0.3:
        t = u(rng, 0, 1)
        arms = [
            Arm(flex=20 + 20 * t, abduct=66 + 72 * t, twist=-80 + 50 * t, elbow=100 - 84 * t, curl=64) for _ in "lr"
        ]
    else:
        arms = [
            Arm(flex=u(rng, 0, 16), abduct=u(rng, 8, 16), twist=0, elbow=u(rng, 12, 128), pronate=-60, curl=64)
            for _ in "lr"
        ]
    plan = upright(rng, ((arms[0], arms[1]), goals), Trunk(nod=n(rng, 6)), u(rng, 4, 12))
    return replace(plan, furnish=lambda s: [gear.dumbbell(rng, s, side) for side in _SIDES])


def carrying_box(rng: Generator, build: Build) -> Plan:
    """A box in both hands before the body, standing or walking."""
    half = u(rng, 0.13, 0.21)
    arm = Arm(flex=u(rng, 10, 26), abduct=u(rng, 8, 14), twist=8, elbow=u(rng, 68, 92), pronate=-10, curl=6)
    goals: list[Goal] = [
        Touch("left_palm", "right_palm", (2 * half, 0.0, 0.0), 0.01),
        Aim("left_wrist", _PALM, (-1, 0, 0), 12, "spine1"),
        Aim("right_wrist", _PALM, (1, 0, 0), 12, "spine1"), Rest("left_palm", 0.0, lower=True),
    ]  # fmt: skip

    def furnish(s: Settled) -> list[Thing]:
        return [gear.carton(rng, s)]

    plan = gait.strolling(rng, build) if rng.random() < 0.5 else upright(rng, ((arm, arm), []))
    trunk = replace(plan.trunk, bend=-u(rng, 0, 8), yaw=0.0, turn=n(rng, 2), nod=u(rng, -4, 8))
    return replace(plan, trunk=trunk, arms=(arm, arm), goals=[*plan.goals, *goals], furnish=furnish)


def carrying_bag(rng: Generator, build: Build) -> Plan:
    """A bag in the left hand, walking or standing."""
    arm = Arm(flex=n(rng, 4), abduct=u(rng, 8, 14), twist=8, elbow=u(rng, 4, 14), curl=64)
    plan = gait.walking(rng, build) if rng.random() < 0.6 else upright(rng, hold.easy(rng))
    kept = [goal for goal in plan.goals if not getattr(goal, "one", getattr(goal, "bone", "")).startswith("left")]

    def furnish(s: Settled) -> list[Thing]:
        return [gear.bag(rng, s, "left")]

    trunk = replace(plan.trunk, side=-u(rng, 1, 6))
    return replace(plan, trunk=trunk, arms=(arm, plan.arms[1]), goals=kept, furnish=furnish)


def looking_at_telephone(rng: Generator, build: Build) -> Plan:
    """A telephone held before the chest, the head bent over it."""
    arm = Arm(
        flex=u(rng, 16, 34), abduct=u(rng, 6, 14), twist=u(rng, 20, 36), elbow=u(rng, 92, 116), pronate=-50, curl=34
    )
    plan = gait.strolling(rng, build) if rng.random() < 0.4 else upright(rng, hold.easy(rng))
    kept = [goal for goal in plan.goals if not getattr(goal, "one", getattr(goal, "bone", "")).startswith("left")]
    kept.append(Aim("left_wrist", _PALM, (0.0, 0.45, -0.85), 24, "spine3"))

    def furnish(s: Settled) -> list[Thing]:
        return [gear.telephone(rng, s, "left")]

    trunk = replace(plan.trunk, nod=u(rng, 22, 38), bend=u(rng, 4, 12), look=n(rng, 6))
    return replace(plan, trunk=trunk, arms=(arm, plan.arms[1]), goals=kept, furnish=furnish)


JUMPING = Family(
    0.02,
    (
        Variant("star jump", star_jump, 1.0),
        Variant("over something", leaping_over, 1.0),
        Variant("tuck jump", tuck_jump, 0.8, held_out=True),
    ),
)
EXERCISING = Family(
    0.03,
    (
        Variant("warrior", warrior, 0.8),
        Variant("push-up", push_up, 0.8),
        Variant("dumbbells", curl, 1.0),
        Variant("tree", tree, 0.8, held_out=True),
        Variant("downward dog", downward_dog, 0.8, held_out=True),
    ),
)
CARRYING = Family(
    0.04,
    (
        Variant("a bag", carrying_bag, 1.0),
        Variant("a telephone", looking_at_telephone, 1.0),
        Variant("a box", carrying_box, 1.0, held_out=True),
    ),
)
