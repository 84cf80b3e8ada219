"""Dancing: ballet, salsa, disco, hip hop, ballroom, and free."""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses.goals import Balance, Goal, Rest, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.standing import FEET
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk

_RIGHT = ("right_sole", "right_ball_of_foot")


def _round(rng: Generator, flex: float, abduct: float) -> Arm:
    """A rounded arm of ballet."""
    return Arm(
        flex=flex + n(rng, 4), abduct=abduct + n(rng, 4), twist=u(rng, 5, 20), elbow=u(rng, 24, 48), wrist=-8, curl=14
    )


def _toes(rng: Generator, side: str) -> list[Goal]:
    """On the flat foot or on its ball."""
    if rng.random() < 0.55:
        return feet_flat((side,))
    return [Rest(f"{side}_{part}") for part in ("ball_in", "ball_out", "toes")]


def arabesque(rng: Generator, build: Build) -> Plan:
    """One leg far behind, the back arched, an arm forward."""
    pitch = u(rng, 26, 46)
    raised = Leg(flex=-26, abduct=4, rotate=u(rng, 12, 26), knee=u(rng, 2, 14), ankle=-46, toes=-8)
    stand = Leg(flex=pitch - 2, abduct=1, rotate=u(rng, 6, 16), knee=u(rng, 2, 8))
    arms = (
        Arm(flex=u(rng, 30, 60), abduct=u(rng, 50, 74), twist=10, elbow=12),
        Arm(flex=u(rng, 108, 130), abduct=4, twist=0, elbow=10),
    )
    trunk = Trunk(pitch=pitch, bend=-u(rng, 16, 24), nod=-u(rng, 8, 20), turn=n(rng, 5))
    return Plan(trunk, arms, (raised, stand), [*_toes(rng, "right"), Balance(_RIGHT)])


def passe(rng: Generator, build: Build) -> Plan:
    """A pirouette's position: one foot at the other knee, arms rounded before the body or overhead."""
    raised = Leg(flex=u(rng, 44, 58), abduct=u(rng, 44, 52), rotate=48, knee=u(rng, 104, 118), ankle=-44)
    stand = Leg(flex=2, abduct=-2, rotate=u(rng, 8, 24), knee=3, ankle=-20, toes=20)
    high = rng.random() < 0.4
    arms = [_round(rng, *((150, 14) if high else (58, 18))) for _ in "lr"]
    goals: list[Goal] = [
        *_toes(rng, "right"),
        Touch("left_toe", "right_knee", (0.0, -0.02, 0.0), 0.03),
        Balance(_RIGHT),
    ]
    return Plan(
        Trunk(nod=n(rng, 4), look=n(rng, 16)), (arms[0], arms[1]), (raised, stand), goals, loose={"left_hip": 1.4}
    )


def plie(rng: Generator, build: Build) -> Plan:
    """Second position, knees far out, arms to the sides or up."""
    knee = u(rng, 40, 84)
    legs = [Leg(flex=0.62 * knee, abduct=u(rng, 24, 34), rotate=u(rng, 38, 48), knee=knee) for _ in "lr"]
    arms = [_round(rng, 12, u(rng, 66, 82)) for _ in "lr"]
    if rng.random() < 0.4:
        arms[0] = _round(rng, 148, 14)
    goals: list[Goal] = [*feet_flat(), Balance(FEET)]
    return Plan(Trunk(nod=n(rng, 4), side=n(rng, 5), look=n(rng, 18)), (arms[0], arms[1]), (legs[0], legs[1]), goals)


def leap(rng: Generator, build: Build) -> Plan:
    """A leap with the legs apart, arms wide."""
    pitch = u(rng, 4, 18)
    front = Leg(flex=u(rng, 66, 92), abduct=2, rotate=14, knee=u(rng, 2, 24), ankle=-44)
    back = Leg(flex=-26, abduct=4, rotate=18, knee=u(rng, 4, 34), ankle=-44)
    arms = [Arm(flex=u(rng, 10, 70), abduct=u(rng, 62, 90), twist=5, elbow=u(rng, 6, 24)) for _ in "lr"]
    trunk = Trunk(pitch=pitch, bend=-u(rng, 4, 16), nod=-u(rng, 0, 14))
    return Plan(trunk, (arms[0], arms[1]), (front, back), airborne=u(rng, 0.2, 0.6))


def salsa(rng: Generator, build: Build) -> Plan:
    """The hip swung out over one leg, elbows bent, the chest against the hips."""
    sway = u(rng, 5, 11)
    stand = Leg(flex=2, abduct=-u(rng, 5, 9), rotate=10, knee=4)
    free = Leg(flex=u(rng, 20, 34), abduct=u(rng, 4, 12), rotate=u(rng, 6, 20), knee=u(rng, 34, 58), ankle=-14, toes=30)
    arms = (
        Arm(flex=u(rng, 0, 45), abduct=u(rng, 30, 55), twist=u(rng, -30, 10), elbow=u(rng, 70, 105), curl=20),
        Arm(flex=u(rng, -25, 30), abduct=u(rng, 22, 45), twist=u(rng, -10, 30), elbow=u(rng, 65, 105), curl=20),
    )
    if rng.random() < 0.35:
        arms = Arm(flex=u(rng, 120, 155), abduct=20, twist=0, elbow=u(rng, 30, 80)), arms[1]
    trunk = Trunk(
        roll=sway, side=-1.5 * sway, turn=u(rng, 6, 22), yaw=-u(rng, 4, 12), look=u(rng, -30, 10), tilt=n(rng, 5)
    )
    goals: list[Goal] = [
        *feet_flat(("right",)),
        Rest("left_ball_in"),
        Rest("left_ball_out"),
        Balance(_RIGHT, (0.03, 0), 0.025),
    ]
    return Plan(trunk, arms, (free, stand), goals)


def disco(rng: Generator, build: Build) -> Plan:
    """One arm pointing up across, a hip out."""
    arms = (
        Arm(flex=u(rng, 20, 60), abduct=u(rng, 112, 140), twist=-10, elbow=u(rng, 2, 14), curl=20),
        Arm(flex=u(rng, -20, 10), abduct=u(rng, 22, 45), twist=u(rng, 0, 40), elbow=u(rng, 10, 80)),
    )
    legs = (
        Leg(flex=u(rng, 8, 20), abduct=u(rng, 10, 18), rotate=u(rng, 10, 22), knee=u(rng, 16, 36)),
        Leg(abduct=u(rng, 8, 14), rotate=8, knee=4),
    )
    trunk = Trunk(roll=u(rng, 3, 7), side=-u(rng, 6, 12), turn=u(rng, -6, 16), look=u(rng, 10, 38), nod=-u(rng, 5, 20))
    return Plan(trunk, arms, legs, [*feet_flat(), Balance(FEET, (-0.04, 0), 0.03)])


def hip_hop(rng: Generator, build: Build) -> Plan:
    """Low and wide, the chest turned, arms at angles."""
    knee = u(rng, 36, 72)
    legs = (
        Leg(flex=0.6 * knee + 10, abduct=u(rng, 14, 24), rotate=u(rng, 10, 26), knee=knee),
        Leg(flex=0.5 * knee, abduct=u(rng, 12, 22), rotate=u(rng, 8, 22), knee=u(rng, 20, 50)),
    )
    arms = (
        Arm(
            flex=u(rng, 40, 95), abduct=u(rng, 5, 55), twist=u(rng, -50, 45), elbow=u(rng, 55, 125), curl=u(rng, 5, 60)
        ),
        Arm(
            flex=u(rng, -30, 40),
            abduct=u(rng, 35, 85),
            twist=u(rng, -80, 50),
            elbow=u(rng, 45, 115),
            curl=u(rng, 5, 60),
        ),
    )
    trunk = Trunk(
        pitch=u(rng, 8, 26), bend=u(rng, 6, 24), side=n(rng, 9), turn=n(rng, 14), nod=-u(rng, 2, 20), look=n(rng, 18)
    )
    return Plan(trunk, arms, legs, [*feet_flat(), Balance(FEET, (0, 0), 0.04)])


def ballroom(rng: Generator, build: Build) -> Plan:
    """The hold of a waltz, as if with a partner, in the middle of a step."""
    s = u(rng, -1, 1)
    left = Arm(flex=u(rng, 18, 34), abduct=u(rng, 66, 80), twist=-u(rng, 46, 66), elbow=u(rng, 62, 86), curl=30)
    right = Arm(flex=u(rng, 42, 58), abduct=u(rng, 46, 60), twist=u(rng, 14, 30), elbow=u(rng, 66, 88), curl=12)
    legs = (
        Leg(flex=20 * s + 4, abduct=2, rotate=8, knee=10 + 10 * abs(s)),
        Leg(flex=-14 * s + 2, abduct=2, rotate=8, knee=8 + 10 * abs(s)),
    )
    goals: list[Goal] = [Rest(f"{side}_{part}") for side in ("left", "right") for part in ("ball_in", "ball_out")]
    goals.append(Balance(FEET, (0, 0.0), 0.04))
    trunk = Trunk(pitch=2, bend=-u(rng, 2, 8), look=u(rng, 15, 36), nod=-u(rng, 0, 10), turn=n(rng, 5))
    return Plan(trunk, (left, right), legs, goals)


def free_style(rng: Generator, build: Build) -> Plan:
    """Swaying with arms up and eyes anywhere."""
    arms = [
        Arm(
            flex=u(rng, 60, 150),
            abduct=u(rng, 10, 55),
            twist=u(rng, -40, 10),
            elbow=u(rng, 30, 100),
            curl=u(rng, 5, 40),
        )
        for _ in "lr"
    ]
    sway = n(rng, 5)
    legs = [Leg(flex=u(rng, 4, 28), abduct=u(rng, 3, 12), rotate=u(rng, 4, 18), knee=u(rng, 8, 46)) for _ in "lr"]
    trunk = Trunk(
        roll=sway, side=-1.4 * sway, turn=n(rng, 10), bend=n(rng, 7), nod=n(rng, 10), look=n(rng, 18), tilt=n(rng, 7)
    )
    goals: list[Goal] = [
        *feet_flat(("right",)),
        Rest("left_ball_in"),
        Rest("left_ball_out"),
        Balance(FEET, (0, 0), 0.03),
    ]
    return Plan(trunk, (arms[0], arms[1]), (legs[0], legs[1]), goals)


DANCING = Family(
    0.06,
    (
        Variant("salsa", salsa, 1.2),
        Variant("disco", disco, 1.0),
        Variant("passe", passe, 0.8),
        Variant("plie", plie, 0.7),
        Variant("free", free_style, 1.2),
        Variant("leap", leap, 0.6),
        Variant("arabesque", arabesque, 0.9, held_out=True),
        Variant("hip hop", hip_hop, 1.0, held_out=True),
        Variant("ballroom", ballroom, 0.7, held_out=True),
    ),
)
