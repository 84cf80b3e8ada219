"""Reaching, pointing, waving, stretching."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses.goals import Balance, Goal, Rest, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.standing import FEET, upright
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk


def _high(rng: Generator) -> Arm:
    return Arm(
        flex=u(rng, 138, 168),
        abduct=u(rng, 2, 16),
        twist=u(rng, -20, 5),
        elbow=u(rng, 4, 30),
        curl=u(rng, 5, 40),
        wrist=n(rng, 8),
    )


def up_one(rng: Generator, build: Build) -> Plan:
    """One hand high up, as to a shelf, the eyes on it."""
    other = hold.easy(rng)[0][1]
    trunk = Trunk(side=-u(rng, 2, 9), turn=u(rng, -4, 12), nod=-u(rng, 10, 28), look=u(rng, 0, 20))
    return upright(rng, ((_high(rng), other), []), trunk)


def up_both(rng: Generator, build: Build) -> Plan:
    """Both hands high up."""
    arm = _high(rng)
    other = replace(arm, flex=arm.flex + n(rng, 6), elbow=arm.elbow + abs(n(rng, 6)))
    return upright(rng, ((arm, other), []), Trunk(bend=-u(rng, 2, 10), nod=-u(rng, 8, 28)))


def on_tiptoe(rng: Generator, build: Build) -> Plan:
    """On the balls of the feet, as high as one can."""
    legs = [Leg(flex=1, abduct=u(rng, 1, 5), rotate=u(rng, 2, 8), knee=2, ankle=-26, toes=28) for _ in "lr"]
    arms = _high(rng), (_high(rng) if rng.random() < 0.4 else hold.relaxed(rng)[0])
    goals: list[Goal] = [Rest(f"{s}_{p}") for s in ("left", "right") for p in ("ball_in", "ball_out", "toes")]
    goals.append(Balance(("left_ball_of_foot", "right_ball_of_foot")))
    return Plan(Trunk(nod=-u(rng, 12, 28), side=-u(rng, 0, 6)), arms, (legs[0], legs[1]), goals)


def forward_reach(rng: Generator, build: Build) -> Plan:
    """A hand held out in front, as to a handle or a hand."""
    arm = Arm(
        flex=u(rng, 52, 86), abduct=u(rng, 2, 22), twist=u(rng, -10, 25), elbow=u(rng, 8, 40), pronate=u(rng, -60, 30)
    )
    other = replace(arm, abduct=u(rng, 2, 14)) if rng.random() < 0.3 else hold.easy(rng)[0][1]
    return upright(
        rng, ((arm, other), []), Trunk(pitch=u(rng, 0, 10), bend=u(rng, 2, 14), turn=-u(rng, 0, 14), look=u(rng, 0, 12))
    )


def aside(rng: Generator, build: Build) -> Plan:
    """An arm held out to the side, the head following."""
    arm = Arm(
        flex=u(rng, -4, 30), abduct=u(rng, 66, 100), twist=u(rng, -40, 10), elbow=u(rng, 4, 28), curl=u(rng, 5, 35)
    )
    trunk = Trunk(side=u(rng, -2, 8), look=u(rng, 15, 50), turn=u(rng, 0, 14))
    return upright(rng, ((arm, hold.relaxed(rng)[0]), []), trunk)


def pointing(rng: Generator, build: Build) -> Plan:
    """An arm stretched out to something far."""
    arm = Arm(
        flex=u(rng, 70, 105), abduct=u(rng, 0, 45), twist=u(rng, -10, 20), elbow=u(rng, 2, 14), curl=u(rng, 5, 20)
    )
    held = hold.easy(rng)
    return upright(rng, ((arm, held[0][1]), []), Trunk(look=u(rng, 5, 30), turn=u(rng, -8, 8)))


def waving(rng: Generator, build: Build) -> Plan:
    """The forearm up beside the head, the palm to the front."""
    arm = Arm(
        flex=u(rng, 10, 40),
        abduct=u(rng, 62, 100),
        twist=-u(rng, 70, 90),
        elbow=u(rng, 55, 105),
        pronate=u(rng, -20, 30),
        curl=4,
    )
    return upright(rng, ((arm, hold.relaxed(rng)[0]), []), Trunk(side=-u(rng, 0, 5), nod=n(rng, 4)))


def cheering(rng: Generator, build: Build) -> Plan:
    """Both arms thrown up and apart."""
    arms = [
        Arm(flex=u(rng, 0, 25), abduct=u(rng, 125, 152), twist=u(rng, -30, 0), elbow=u(rng, 4, 40), curl=u(rng, 0, 45))
        for _ in "lr"
    ]
    return upright(rng, ((arms[0], arms[1]), []), Trunk(bend=-u(rng, 0, 10), nod=-u(rng, 0, 20)), u(rng, 5, 14))


def lunging(rng: Generator, build: Build) -> Plan:
    """A long step forward, the arm reaching on."""
    knee = u(rng, 58, 84)
    front = Leg(flex=knee - 2, abduct=3, rotate=4, knee=knee)
    back = Leg(flex=-u(rng, 12, 20), abduct=3, rotate=10, knee=u(rng, 6, 26), ankle=14, toes=30)
    arm = Arm(flex=u(rng, 60, 90), abduct=8, twist=0, elbow=u(rng, 5, 30))
    goals: list[Goal] = [
        *feet_flat(("left",)),
        Rest("right_ball_in"),
        Rest("right_ball_out"),
        Balance(FEET, spread=0.04),
    ]
    return Plan(Trunk(pitch=u(rng, 6, 18), bend=u(rng, 0, 12)), (arm, hold.relaxed(rng)[0]), (front, back), goals)


REACHING = Family(
    0.07,
    (
        Variant("up with one hand", up_one, 1.2),
        Variant("up with both", up_both, 0.8),
        Variant("forward", forward_reach, 1.0),
        Variant("pointing", pointing, 0.8),
        Variant("waving", waving, 1.0),
        Variant("aside", aside, 0.8, held_out=True),
        Variant("on tiptoe", on_tiptoe, 0.6, held_out=True),
        Variant("cheering", cheering, 0.7),
        Variant("lunging", lunging, 0.6, held_out=True),
    ),
)
