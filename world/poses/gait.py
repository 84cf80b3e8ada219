"""Walking and running: the whole cycle, from smooth periodic curves of normal gait.

Angles over the cycle follow Winter, "Biomechanics and Motor Control of Human Movement" (walking at natural cadence) and
Novacheck, "The biomechanics of running", Gait & Posture 7 (1998). Phase 0 is the left foot's first contact; the right
leg is half a cycle behind.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses.goals import Goal, Rest
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk


def _curve(points: dict[float, float]) -> CubicSpline:
    phase, value = [*points, 1.0], [*points.values(), points[0.0]]
    return CubicSpline(phase, value, bc_type="periodic")


_WALK = {
    "hip": _curve({0.0: 28, 0.1: 25, 0.3: 6, 0.5: -11, 0.6: -2, 0.75: 22, 0.87: 31}),
    "knee": _curve({0.0: 5, 0.14: 17, 0.38: 5, 0.5: 11, 0.6: 36, 0.72: 62, 0.86: 28, 0.96: 3}),
    "ankle": _curve({0.0: 1, 0.08: -6, 0.3: 6, 0.47: 10, 0.6: -17, 0.73: -2, 0.88: 3}),
    "toes": _curve({0.0: 12, 0.1: 0, 0.35: 2, 0.55: 28, 0.65: 12, 0.85: 8}),
}
_RUN = {
    "hip": _curve({0.0: 32, 0.2: 14, 0.38: -13, 0.5: -5, 0.68: 35, 0.82: 56, 0.92: 45}),
    "knee": _curve({0.0: 16, 0.15: 43, 0.38: 17, 0.54: 82, 0.66: 108, 0.8: 72, 0.93: 20}),
    "ankle": _curve({0.0: 6, 0.15: 22, 0.38: -24, 0.55: -12, 0.8: 0, 0.93: 4}),
    "toes": _curve({0.0: 4, 0.2: 4, 0.36: 28, 0.5: 6, 0.8: 4}),
}


def _leg(curves: dict[str, CubicSpline], phase: float, size: float, rng: Generator) -> Leg:
    hip, knee, ankle, toes = (float(curves[name](phase % 1.0)) for name in ("hip", "knee", "ankle", "toes"))
    return Leg(
        flex=size * hip, abduct=u(rng, -1, 3), rotate=u(rng, 3, 9), knee=size * knee + 1, ankle=size * ankle, toes=toes
    )


def _stance(side: str, phase: float, until: float, flat: tuple[float, float]) -> list[Goal]:
    """What a foot rests on at its phase: heel first, then the whole sole, then ball and toes."""
    phase %= 1.0
    if phase > until:
        return []
    if phase < flat[0]:
        return [Rest(f"{side}_heel")]
    if phase < flat[1]:
        return [Rest(f"{side}_{part}") for part in ("heel", "ball_in", "ball_out")]
    return [Rest(f"{side}_{part}") for part in ("ball_in", "ball_out", "toes")]


def _swing_arms(phase: float, size: float, rng: Generator, elbow: tuple[float, float], rest: float) -> tuple[Arm, Arm]:
    """Arms against legs: the left arm is back when the left foot lands in front."""
    forward = np.cos(2 * np.pi * (phase - 0.02))
    arms = []
    for sign in (-1.0, 1.0):
        lead = sign * forward
        arms.append(
            Arm(
                flex=rest + size * lead + n(rng, 2), abduct=u(rng, 4, 9), twist=u(rng, 5, 18) + 6 * max(lead, 0),
                elbow=elbow[0] + elbow[1] * (0.5 + 0.5 * lead) + n(rng, 3), pronate=u(rng, 0, 25), curl=u(rng, 18, 40),
            )
        )  # fmt: skip
    return arms[0], arms[1]


def _walk(rng: Generator, size: float, arm_size: float, pitch: float) -> Plan:
    phase = u(rng, 0, 1)
    forward = float(np.cos(2 * np.pi * phase))
    legs = _leg(_WALK, phase, size, rng), _leg(_WALK, phase + 0.5, size, rng)
    trunk = Trunk(
        pitch=pitch, roll=2.5 * size * float(np.sin(2 * np.pi * phase)), yaw=-5 * size * forward,
        turn=9 * size * forward * u(rng, 0.7, 1.2), look=-4 * size * forward, nod=u(rng, -4, 10), bend=u(rng, 0, 4),
    )  # fmt: skip
    goals = [
        *_stance("left", phase, 0.6, (0.07, 0.38)), *_stance("right", phase + 0.5, 0.6, (0.07, 0.38)),
    ]  # fmt: skip
    arms = _swing_arms(phase, arm_size, rng, (u(rng, 10, 20), u(rng, 8, 25)), 2)
    return Plan(trunk, arms, legs, goals, loose={"root": 0.6, "hip": 0.8, "ankle": 1.3})


def strolling(rng: Generator, build: Build) -> Plan:
    """Slow, with short steps."""
    return _walk(rng, u(rng, 0.55, 0.8), u(rng, 6, 14), u(rng, 0, 3))


def walking(rng: Generator, build: Build) -> Plan:
    """At natural speed."""
    return _walk(rng, u(rng, 0.85, 1.05), u(rng, 14, 24), u(rng, 1, 4))


def brisk(rng: Generator, build: Build) -> Plan:
    """Fast, with long steps and bent elbows."""
    return _walk(rng, u(rng, 1.1, 1.25), u(rng, 26, 36), u(rng, 3, 7))


def walking_with_telephone(rng: Generator, build: Build) -> Plan:
    """Walking, a hand at the ear."""
    plan = _walk(rng, u(rng, 0.7, 0.95), u(rng, 8, 16), u(rng, 0, 3))
    arm, goals = hold.telephone(rng, "left")
    return _with_left(plan, arm, goals)


def walking_hand_in_pocket(rng: Generator, build: Build) -> Plan:
    """Strolling, a hand in the pocket."""
    arm, goals = hold.in_pocket(rng, "left")
    return _with_left(_walk(rng, u(rng, 0.6, 0.9), u(rng, 8, 14), 1), arm, goals)


def _with_left(plan: Plan, arm: Arm, goals: list[Goal]) -> Plan:
    return Plan(plan.trunk, (arm, plan.arms[1]), plan.legs, [*plan.goals, *goals], loose=plan.loose)


def _run(rng: Generator, size: float, arm_size: float, pitch: float, elbow: float) -> Plan:
    phase = u(rng, 0, 1)
    forward = float(np.cos(2 * np.pi * (phase - 0.05)))
    legs = _leg(_RUN, phase, size, rng), _leg(_RUN, phase + 0.5, size, rng)
    goals = [*_stance("left", phase, 0.36, (0.05, 0.22)), *_stance("right", phase + 0.5, 0.36, (0.05, 0.22))]
    within = phase % 0.5
    flight = 0.0 if goals else (0.02 + 0.09 * size * float(np.sin(np.pi * (within - 0.36) / 0.14)))
    trunk = Trunk(
        pitch=pitch, yaw=-6 * size * forward, turn=15 * size * forward, look=-9 * size * forward, bend=u(rng, 1, 6),
        nod=-0.8 * pitch + u(rng, -4, 6), roll=2 * float(np.sin(2 * np.pi * phase)),
    )  # fmt: skip
    arms = _swing_arms(phase, arm_size, rng, (elbow - 8, 16), -4)
    return Plan(trunk, arms, legs, goals, airborne=flight, loose={"root": 0.6, "hip": 0.8})


def jogging(rng: Generator, build: Build) -> Plan:
    """Slow, with low knees."""
    return _run(rng, u(rng, 0.62, 0.8), u(rng, 20, 32), u(rng, 3, 8), u(rng, 78, 100))


def running(rng: Generator, build: Build) -> Plan:
    """At a good pace."""
    return _run(rng, u(rng, 0.85, 1.0), u(rng, 34, 46), u(rng, 5, 11), u(rng, 82, 100))


def sprinting(rng: Generator, build: Build) -> Plan:
    """As fast as one can: knees high, arms pumping."""
    return _run(rng, u(rng, 1.12, 1.25), u(rng, 52, 66), u(rng, 10, 16), u(rng, 84, 100))


WALKING = Family(
    0.13,
    (
        Variant("strolling", strolling, 1.2),
        Variant("walking", walking, 2.0),
        Variant("hand in pocket", walking_hand_in_pocket, 0.5),
        Variant("brisk", brisk, 1.0, held_out=True),
        Variant("telephoning", walking_with_telephone, 0.5, held_out=True),
    ),
)
RUNNING = Family(
    0.08,
    (
        Variant("jogging", jogging, 1.0),
        Variant("running", running, 1.5),
        Variant("sprinting", sprinting, 0.8, held_out=True),
    ),
)
