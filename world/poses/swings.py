"""Ball sports with a swing: tennis, baseball, golf, throwing."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses import gear
from pymaf_data.world.poses.goals import Aim, Balance, Goal, Rest, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.ready import ON_BALLS, blended, ready_legs
from pymaf_data.world.poses.settle import Plan, Settled
from pymaf_data.world.poses.standing import FEET
from pymaf_data.world.poses.variants import n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk
from pymaf_data.world.things import Thing

_PALM = (0.0, -1.0, 0.0)


def tennis_serve(rng: Generator, build: Build) -> Plan:
    """The racket drawn behind the head, the other hand up after the ball."""
    racket = Arm(flex=u(rng, 5, 25), abduct=u(rng, 84, 102), twist=-u(rng, 66, 84), elbow=u(rng, 85, 115), curl=62)
    toss = Arm(flex=u(rng, 130, 158), abduct=u(rng, 4, 14), twist=-5, elbow=u(rng, 4, 14), curl=8)
    legs = ready_legs(rng, (16, 42), (5, 10))
    goals: list[Goal] = [*ON_BALLS, Balance(FEET, (0, 0.02), 0.03)]

    def furnish(s: Settled) -> list[Thing]:
        toss_to = s.at("right_fingers") + np.array([0, u(rng, 0.1, 0.9), u(rng, 0, 0.2)])
        return [gear.racket(rng, s, "left"), gear.a_ball(rng, gear.TENNIS, toss_to)]

    trunk = Trunk(
        pitch=-u(rng, 0, 8),
        bend=-u(rng, 4, 14),
        turn=u(rng, 14, 30),
        side=-u(rng, 2, 10),
        nod=-u(rng, 18, 34),
        look=-u(rng, 10, 24),
    )
    return Plan(trunk, (racket, toss), legs, goals, furnish)


def tennis_forehand(rng: Generator, build: Build) -> Plan:
    """The racket arm from drawn back to swung through."""
    t = u(rng, 0, 1)
    back, through = (
        Arm(flex=-38, abduct=58, twist=-20, elbow=42, curl=62),
        Arm(flex=82, abduct=24, twist=20, elbow=60, curl=62),
    )
    arms = (
        Arm(**blended(back, through, t)),
        Arm(flex=u(rng, 30, 60) - 30 * t, abduct=u(rng, 15, 40), twist=15, elbow=u(rng, 40, 80)),
    )
    trunk = Trunk(
        pitch=u(rng, 4, 14), yaw=18 - 30 * t, turn=28 - 50 * t, look=-26 + 40 * t, bend=u(rng, 2, 12), nod=n(rng, 5)
    )
    goals: list[Goal] = [*ON_BALLS, Balance(FEET, (0, 0.02), 0.04)]

    def furnish(s: Settled) -> list[Thing]:
        away = s.at("left_grip") + (1.0 - t) * np.array([-0.2, 0.1, 0.9]) + np.array([0.1, 0, 0.5])
        return [gear.racket(rng, s, "left"), gear.a_ball(rng, gear.TENNIS, away)]

    return Plan(trunk, arms, ready_legs(rng, (24, 56), (9, 17)), goals, furnish)


def _two_handed(spread: float = 0.012) -> list[Goal]:
    """The right hand above the left one on a handle."""
    return [
        Touch("left_grip", "right_grip", (0, 0, 0), spread, lift=0.014, shift=(0.0, 0.0, 0.085)),
        Aim("left_wrist", (0, 0, 1), (0, 0, 1), 20, "right_wrist"),
        Aim("left_wrist", _PALM, (0, 1, 0), 40, "right_wrist"),
    ]


def baseball_bat(rng: Generator, build: Build) -> Plan:
    """At bat: the bat over the right shoulder, or half-way through the swing."""
    t = u(rng, 0, 1) if rng.random() < 0.5 else 0.0
    right = Arm(flex=30 + 25 * t, abduct=52 - 30 * t, twist=-20 + 30 * t, elbow=112 - 62 * t, curl=62)
    left = Arm(flex=68, abduct=-10 + 10 * t, twist=35, elbow=88 - 50 * t, curl=62)
    trunk = Trunk(pitch=u(rng, 6, 14), turn=-28 + 48 * t, yaw=-6 + 14 * t, look=38 - 40 * t, bend=u(rng, 4, 12))
    goals: list[Goal] = [*_two_handed(), *ON_BALLS, Balance(FEET, (0, 0.02), 0.04)]

    def furnish(s: Settled) -> list[Thing]:
        return [gear.bat(rng, s, "right")]

    return Plan(trunk, (left, right), ready_legs(rng, (26, 50), (12, 20)), goals, furnish)


def golf(rng: Generator, build: Build) -> Plan:
    """At address: bent from the hips, both hands on the club."""
    arm = Arm(flex=u(rng, 34, 44), abduct=2, twist=u(rng, 10, 25), elbow=u(rng, 4, 16), deviate=10, curl=62)
    trunk = Trunk(pitch=u(rng, 24, 34), bend=u(rng, 6, 16), nod=u(rng, 4, 16), turn=n(rng, 5))
    goals: list[Goal] = [
        *_two_handed(),
        *feet_flat(),
        Balance(FEET, (0, 0.01), 0.02),
        Aim("right_wrist", (0, 0, 1), (0, -0.85, 0.5), 14),
    ]

    def furnish(s: Settled) -> list[Thing]:
        return gear.club(rng, s, "right")

    return Plan(trunk, (arm, arm), ready_legs(rng, (14, 30), (7, 13)), goals, furnish)


def throwing(rng: Generator, build: Build) -> Plan:
    """Overhand: the arm drawn back, the front foot set."""
    t = u(rng, 0, 1)
    drawn, thrown = (
        Arm(flex=-8, abduct=92, twist=-86, elbow=95, curl=40),
        Arm(flex=105, abduct=20, twist=-10, elbow=20, curl=15),
    )
    arms = Arm(**blended(drawn, thrown, t)), Arm(flex=75 - 60 * t, abduct=30, twist=15, elbow=30 + 50 * t)
    front = Leg(flex=36, abduct=4, rotate=6, knee=u(rng, 20, 44))
    back = Leg(flex=-16, abduct=6, rotate=18, knee=u(rng, 10, 34), ankle=0, toes=24)
    trunk = Trunk(pitch=-4 + 20 * t, turn=28 - 44 * t, look=-24 + 30 * t, bend=-4 + 16 * t, yaw=10 - 14 * t)
    goals: list[Goal] = [
        *feet_flat(("right",)),
        Rest("left_ball_in"),
        Rest("left_ball_out"),
        Balance(FEET, (0, 0.0), 0.08),
    ]

    def furnish(s: Settled) -> list[Thing]:
        centre = gear.centre_on_palm(s, "left", gear.TENNIS)
        return [gear.a_ball(rng, gear.TENNIS, centre if t < 0.7 else centre + np.array([0, 0.15, 0.5]))]

    return Plan(trunk, arms, (back, front), goals, furnish)
