"""Families of everyday postures, drawn at random with natural variation.

Each family returns a posture for one handedness; :func:`draw_posture` mirrors half of them, so a set of people
is balanced between left and right. Degrees throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.sample.anatomy import Arm, Leg, Posture, Trunk

Family = Callable[[Generator], Posture]


def draw_posture(rng: Generator) -> tuple[str, Posture]:
    """Draw a family by its weight, a posture of it, and its handedness; all angles inside their limits."""
    name = str(rng.choice(list(FAMILIES), p=_probabilities()))
    posture = _jitter(rng, FAMILIES[name][1](rng))
    return name, (posture.mirrored() if rng.random() < 0.5 else posture).clipped()


def _probabilities() -> np.ndarray:
    weights = np.array([weight for weight, _ in FAMILIES.values()])
    return weights / weights.sum()


def _jitter(rng: Generator, posture: Posture) -> Posture:
    """Small differences that no family speaks of: where the head looks, how hands hang."""
    t = posture.trunk
    trunk = replace(
        t,
        bend=t.bend + rng.normal(0, 2),
        side=t.side + rng.normal(0, 2),
        turn=t.turn + rng.normal(0, 4),
        nod=t.nod + rng.normal(2, 6),
        tilt=t.tilt + rng.normal(0, 4),
        look=t.look + rng.normal(0, 14),
    )
    arms = tuple(
        replace(arm, wrist=arm.wrist + rng.normal(0, 7), curl=arm.curl + rng.uniform(0, 18)) for arm in posture.arms
    )
    return replace(posture, trunk=trunk, arms=(arms[0], arms[1]))


def _relaxed(rng: Generator) -> Arm:
    return Arm(flex=rng.normal(3, 6), abduct=rng.uniform(7, 17), twist=rng.uniform(0, 25), elbow=rng.uniform(8, 32))


def _akimbo(rng: Generator) -> Arm:
    """Hand on the hip: the elbow stands out, the forearm turns inward to the waist."""
    return Arm(
        flex=rng.uniform(-18, -8), abduct=rng.uniform(40, 48), twist=rng.uniform(52, 62), elbow=rng.uniform(82, 92),
        wrist=rng.uniform(15, 35), curl=25,
    )  # fmt: skip


def _before_the_body(rng: Generator) -> Arm:
    """Forearms forward, as when holding a telephone or talking."""
    return Arm(
        flex=rng.uniform(5, 30), abduct=rng.uniform(8, 18), twist=rng.uniform(-5, 25), elbow=rng.uniform(60, 115),
        pronate=rng.uniform(-30, 40),
    )  # fmt: skip


def _easy_arms(rng: Generator) -> tuple[Arm, Arm]:
    kind = rng.choice(4, p=[0.5, 0.15, 0.2, 0.15])
    if kind == 0:
        return _relaxed(rng), _relaxed(rng)
    if kind == 1:
        return _akimbo(rng), _akimbo(rng)
    if kind == 2:
        return _before_the_body(rng), _relaxed(rng)
    return _akimbo(rng), _relaxed(rng)


def _standing_legs(rng: Generator) -> tuple[Leg, Leg]:
    width = rng.uniform(2, 10)
    legs = [Leg(flex=rng.normal(1, 2), abduct=width, rotate=rng.uniform(2, 14), knee=rng.uniform(1, 7)) for _ in "lr"]
    return legs[0], legs[1]


def _upright(rng: Generator, trunk: Trunk, arms: tuple[Arm, Arm]) -> Posture:
    return Posture(trunk, arms, _standing_legs(rng), planted=(True, True), balanced=True)


def standing(rng: Generator) -> Posture:
    """On both feet, arms at ease."""
    return _upright(rng, Trunk(turn=rng.normal(0, 6), nod=rng.uniform(-4, 10)), _easy_arms(rng))


def stepping(rng: Generator) -> Posture:
    """Weight on one leg, the other set forward or aside."""
    free = Leg(flex=rng.uniform(12, 28), abduct=rng.uniform(4, 14), rotate=rng.uniform(6, 20), knee=rng.uniform(12, 32))
    rest = Leg(flex=rng.uniform(-4, 2), abduct=rng.uniform(2, 6), rotate=rng.uniform(4, 12), knee=2)
    return Posture(Trunk(turn=rng.normal(0, 8)), _easy_arms(rng), (free, rest), planted=(True, True), balanced=True)


def walking(rng: Generator) -> Posture:
    """Mid-stride; the arms swing against the legs."""
    s = rng.uniform(0.55, 1.0)
    front = Leg(flex=28 * s, abduct=1, rotate=5, knee=rng.uniform(4, 12), ankle=rng.uniform(0, 8))
    back = Leg(flex=-20 * s, abduct=1, rotate=6, knee=rng.uniform(12, 24) * s, ankle=-12 * s, toes=24 * s)
    arms = (
        Arm(flex=-24 * s, abduct=9, twist=8, elbow=rng.uniform(10, 22)),
        Arm(flex=24 * s, abduct=8, twist=15, elbow=rng.uniform(18, 38)),
    )
    trunk = Trunk(pitch=rng.uniform(1, 4), turn=7 * s, look=-5 * s)
    return Posture(trunk, arms, (front, back))


def running(rng: Generator) -> Posture:
    """Pushing off with the right leg; elbows bent."""
    s = rng.uniform(0.6, 1.0)
    knee_up = Leg(flex=rng.uniform(50, 75) * s + 10, abduct=0, rotate=3, knee=rng.uniform(70, 105), ankle=4)
    push = Leg(flex=-16 * s, abduct=1, rotate=5, knee=rng.uniform(10, 24), ankle=-20 * s, toes=28 * s)
    arms = (
        Arm(flex=-42 * s, abduct=14, twist=18, elbow=rng.uniform(75, 100)),
        Arm(flex=42 * s, abduct=10, twist=25, elbow=rng.uniform(80, 110)),
    )
    trunk = Trunk(pitch=rng.uniform(6, 12), bend=rng.uniform(2, 8), turn=14 * s, nod=-10, look=-10 * s)
    return Posture(trunk, arms, (knee_up, push))


def sitting(rng: Generator) -> Posture:
    """On a seat, feet on the floor; hands on the thighs or before the body."""
    pitch, thigh = rng.uniform(-10, 6), rng.uniform(82, 92)
    spread = rng.uniform(3, 14)
    knees = rng.uniform(78, 98), rng.uniform(78, 98)
    legs = [Leg(flex=thigh + pitch, abduct=spread, rotate=0, knee=knee) for knee in (knees[0], knees[0])]
    arms = [
        Arm(flex=rng.uniform(26, 38), abduct=rng.uniform(6, 12), twist=rng.uniform(5, 20), elbow=rng.uniform(20, 34))
        if rng.random() < 0.65
        else _before_the_body(rng)
        for _ in "lr"
    ]
    trunk = Trunk(pitch=pitch, bend=rng.uniform(2, 14))
    return Posture(trunk, (arms[0], arms[1]), (legs[0], legs[1]), planted=(True, True), seated=True)


def squatting(rng: Generator) -> Posture:
    """Deep knee bend; arms forward for balance or resting on the knees."""
    knee = rng.uniform(95, 132)
    pitch = rng.uniform(14, 26)
    legs = [Leg(flex=0.72 * knee + pitch, abduct=rng.uniform(8, 18), rotate=10, knee=knee) for _ in "l"] * 2
    reach = rng.uniform(35, 80)
    arms = [
        Arm(flex=reach + rng.normal(0, 4), abduct=rng.uniform(5, 14), twist=12, elbow=rng.uniform(15, 60)) for _ in "lr"
    ]
    trunk = Trunk(pitch=pitch, bend=rng.uniform(8, 22), nod=-15)
    return Posture(trunk, (arms[0], arms[1]), (legs[0], legs[1]), planted=(True, True), balanced=True)


def reaching(rng: Generator) -> Posture:
    """One arm, or both, stretched up, sideways or forward."""
    flex, abduct = [(rng.uniform(135, 172), rng.uniform(0, 12)), (rng.uniform(0, 25), rng.uniform(75, 150))][
        int(rng.random() < 0.4)
    ]
    arm = Arm(flex=flex, abduct=abduct, twist=rng.uniform(-30, 10), elbow=rng.uniform(2, 30), curl=5)
    other = replace(arm, elbow=arm.elbow + 5) if rng.random() < 0.35 else _relaxed(rng)
    lean = 0.0 if other.flex + other.abduct > 60 else rng.uniform(2, 10)
    return _upright(rng, Trunk(side=lean, nod=-rng.uniform(0, 20), look=rng.uniform(-5, 25)), (arm, other))


def pointing(rng: Generator) -> Posture:
    """One arm held out forward."""
    arm = Arm(flex=rng.uniform(70, 95), abduct=rng.uniform(0, 30), twist=rng.uniform(-10, 20), elbow=rng.uniform(0, 20))
    return _upright(rng, Trunk(look=rng.uniform(0, 15)), (arm, _easy_arms(rng)[1]))


def waving(rng: Generator) -> Posture:
    """Upper arm out to the side, forearm up."""
    arm = Arm(
        flex=rng.uniform(0, 25), abduct=rng.uniform(65, 95), twist=-rng.uniform(70, 88), elbow=rng.uniform(60, 110),
        curl=3,
    )  # fmt: skip
    return _upright(rng, Trunk(side=-rng.uniform(0, 5)), (arm, _relaxed(rng)))


def bending(rng: Generator) -> Posture:
    """Bent forward from the hips, as when picking something up."""
    pitch, knee = rng.uniform(25, 60), rng.uniform(8, 45)
    legs = [Leg(flex=pitch + 0.5 * knee, abduct=rng.uniform(4, 9), rotate=6, knee=knee) for _ in "l"] * 2
    bend = rng.uniform(15, 40)
    down = pitch + bend
    arms = [
        Arm(flex=0.9 * down + rng.normal(0, 6), abduct=rng.uniform(0, 8), twist=10, elbow=rng.uniform(5, 35))
        for _ in "lr"
    ]
    trunk = Trunk(pitch=pitch, bend=bend, side=rng.normal(0, 5), turn=rng.normal(0, 8), nod=-10)
    return Posture(trunk, (arms[0], arms[1]), (legs[0], legs[1]), planted=(True, True), balanced=True)


def lunging(rng: Generator) -> Posture:
    """A long step forward with the front knee bent."""
    front_knee = rng.uniform(50, 85)
    front = Leg(flex=front_knee - 4, abduct=3, rotate=4, knee=front_knee)
    back = Leg(flex=-rng.uniform(12, 20), abduct=3, rotate=14, knee=rng.uniform(4, 20))
    trunk = Trunk(pitch=rng.uniform(2, 10), bend=rng.uniform(0, 8))
    return Posture(trunk, _easy_arms(rng), (front, back), planted=(True, True), balanced=True)


def sitting_on_the_ground(rng: Generator) -> Posture:
    """Knees drawn up, soles on the ground, hands towards the knees or behind for support."""
    pitch, knee = rng.uniform(-22, -8), rng.uniform(85, 112)
    legs = [Leg(flex=90 + 0.42 * knee + pitch, abduct=rng.uniform(4, 12), rotate=3, knee=knee) for _ in "l"] * 2
    arm = Arm(flex=rng.uniform(42, 58), abduct=8, twist=10, elbow=rng.uniform(15, 40))
    trunk = Trunk(pitch=pitch, bend=rng.uniform(14, 30), nod=-5)
    return Posture(trunk, (arm, arm), (legs[0], legs[1]), planted=(True, True))


def lying(rng: Generator) -> Posture:
    """On the back, legs out or one knee drawn up."""
    drawn = rng.uniform(40, 75)
    bent = Leg(flex=drawn * 0.62, abduct=6, rotate=4, knee=drawn * 1.12, ankle=-15)
    straight = Leg(flex=0, abduct=rng.uniform(5, 14), rotate=rng.uniform(8, 25), knee=rng.uniform(0, 5), ankle=-20)
    arms = [Arm(flex=-2, abduct=rng.uniform(14, 60), twist=rng.uniform(0, 25), elbow=rng.uniform(5, 30)) for _ in "lr"]
    legs = (bent if rng.random() < 0.5 else straight, straight)
    return Posture(Trunk(pitch=-90, nod=8), (arms[0], arms[1]), legs)


FAMILIES: dict[str, tuple[float, Family]] = {
    "standing": (0.18, standing),
    "stepping": (0.08, stepping),
    "walking": (0.15, walking),
    "running": (0.10, running),
    "sitting": (0.11, sitting),
    "squatting": (0.06, squatting),
    "reaching": (0.08, reaching),
    "pointing": (0.05, pointing),
    "waving": (0.06, waving),
    "bending": (0.06, bending),
    "lunging": (0.03, lunging),
    "sitting_on_the_ground": (0.02, sitting_on_the_ground),
    "lying": (0.02, lying),
}
"""Name → (share, family)."""
