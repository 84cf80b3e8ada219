"""Squatting, crouching, kneeling and bending: the body near the ground."""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses.goals import Aim, Balance, Goal, Reach, Rest, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.standing import FEET
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk

_BALLS = ("left_ball_of_foot", "right_ball_of_foot")
_TIPTOE = {"ankle": 1.5, "toes": 1.5}


def _squat(rng: Generator, knee: float, held: hold.Both, heels: bool = True, bend: float | None = None) -> Plan:
    """Both knees bent; on whole soles or on the balls of the feet."""
    pitch = u(rng, 14, 26) if heels else u(rng, 4, 14)
    spread = u(rng, 12, 24)
    legs = tuple(
        Leg(flex=0.66 * knee + pitch + n(rng, 3), abduct=spread, rotate=u(rng, 12, 26), knee=knee + n(rng, 2),
            ankle=22 if heels else 14, toes=0 if heels else 42)
        for _ in "lr"
    )  # fmt: skip
    trunk = Trunk(pitch=pitch, bend=u(rng, 8, 24) if bend is None else bend, nod=-u(rng, 10, 24))
    soles: list[Goal] = feet_flat()
    if not heels:
        soles = [Rest(f"{side}_{part}") for side in ("left", "right") for part in ("ball_in", "ball_out", "toes")]
    carried = Balance(FEET if heels else _BALLS, spread=0.015)
    return Plan(trunk, held[0], (legs[0], legs[1]), [*held[1], *soles, carried], loose={} if heels else _TIPTOE)


def half_squat(rng: Generator, build: Build) -> Plan:
    """As in training: thighs almost level, arms forward."""
    reach = u(rng, 62, 92)
    arms = [
        Arm(flex=reach + n(rng, 4), abduct=u(rng, 4, 12), twist=u(rng, 0, 20), elbow=u(rng, 4, 24), pronate=20)
        for _ in "lr"
    ]
    return _squat(rng, u(rng, 70, 100), ((arms[0], arms[1]), []))


def deep_squat(rng: Generator, build: Build) -> Plan:
    """All the way down on whole soles, forearms on the knees."""
    goals: list[Goal] = [Touch(f"{s}_forearm", f"{s}_knee", (0, 0.02, 0.0), 0.03) for s in ("left", "right")]
    arms = [Arm(flex=u(rng, 55, 75), abduct=u(rng, 8, 20), twist=u(rng, 10, 30), elbow=u(rng, 30, 60)) for _ in "lr"]
    return _squat(rng, u(rng, 118, 136), ((arms[0], arms[1]), goals), bend=u(rng, 20, 38))


def crouching(rng: Generator, build: Build) -> Plan:
    """On the balls of the feet, heels lifted, one hand reaching down to the ground."""
    arms = (
        Arm(flex=u(rng, 40, 60), abduct=u(rng, 18, 30), twist=0, elbow=u(rng, 6, 24)),
        Arm(flex=u(rng, 40, 66), abduct=10, twist=18, elbow=u(rng, 40, 76), curl=30),
    )
    goals: list[Goal] = [Touch("right_forearm", "right_knee", (0, 0.02, 0.0), 0.03)]
    if rng.random() < 0.6:
        goals.append(Reach("left_fingers", (float("nan"), u(rng, 0.02, 0.3), float("nan")), 0.03))
    return _squat(rng, u(rng, 112, 130), (arms, goals), heels=False, bend=u(rng, 16, 36))


def one_knee(rng: Generator, build: Build) -> Plan:
    """Kneeling on the right knee, the left foot in front; a hand on the front knee."""
    front = Leg(flex=u(rng, 82, 96), abduct=u(rng, 3, 10), rotate=4, knee=u(rng, 84, 100), ankle=2)
    back = Leg(flex=u(rng, -6, 8), abduct=u(rng, 0, 6), rotate=0, knee=u(rng, 82, 96), ankle=-6, toes=38)
    arms = hold.on_thighs(rng, "thigh_near_knee")[0][0], hold.relaxed(rng)[0]
    goals: list[Goal] = [
        *feet_flat(("left",)), Rest("right_knee"), Rest("right_toes"), Rest("right_ball_in", lower=True),
        Touch("left_palm", "left_thigh_near_knee", (0, 0.005, 0), 0.012),
        Balance(("left_sole", "right_knee"), (0.0, u(rng, -0.05, 0.05)), 0.03),
    ]  # fmt: skip
    trunk = Trunk(pitch=u(rng, 0, 10), bend=u(rng, 0, 14), nod=u(rng, -10, 10))
    return Plan(trunk, arms, (front, back), goals, loose={"right_ankle": 1.5, "right_toes": 1.5})


def kneeling(rng: Generator, build: Build) -> Plan:
    """On both knees and shins, upright or sitting on the heels."""
    down = rng.random() < 0.5
    knee = u(rng, 136, 144) if down else u(rng, 86, 98)
    pitch = u(rng, 2, 12) if down else u(rng, -3, 4)
    flex = knee - 90 + pitch + (u(rng, 22, 30) if down else 0)
    legs = [Leg(flex=flex, abduct=u(rng, 2, 8), rotate=u(rng, -4, 4), knee=knee, ankle=-42, toes=-8) for _ in "lr"]
    held = hold.on_thighs(rng) if down else hold.easy(rng)
    goals: list[Goal] = [*held[1]]
    for s in ("left", "right"):
        goals += [Rest(f"{s}_knee"), Rest(f"{s}_foot_top")]
        if down:
            goals.append(Aim(f"{s}_knee", (0, 0, 1), (0, -1, 0), 8))
    if not down:
        goals.append(Balance(("left_knee", "right_knee", "left_shin", "right_shin"), (0, 0.0), 0.03))
    trunk = Trunk(pitch=pitch, bend=u(rng, 4, 16), nod=u(rng, -5, 12))
    return Plan(trunk, held[0], (legs[0], legs[1]), goals, loose={"knee": 1.3, "hip.flex": 1.3, "ankle": 1.3})


def all_fours(rng: Generator, build: Build) -> Plan:
    """On hands and knees."""
    legs = [
        Leg(flex=u(rng, 84, 96), abduct=u(rng, 2, 8), rotate=0, knee=u(rng, 86, 98), ankle=-40, toes=-5) for _ in "lr"
    ]
    arms = [
        Arm(flex=u(rng, 80, 94), abduct=4, twist=0, elbow=u(rng, 3, 14), wrist=58, pronate=40, curl=0) for _ in "lr"
    ]
    goals: list[Goal] = []
    for s in ("left", "right"):
        goals += [Rest(f"{s}_knee"), Rest(f"{s}_foot_top"), Rest(f"{s}_hand", spread=0.004)]
        goals += [Aim(f"{s}_wrist", (0, -1, 0), (0, -0.95, 0.3), 25)]
    trunk = Trunk(pitch=u(rng, 78, 90), bend=u(rng, -4, 14), nod=-u(rng, 10, 38))
    return Plan(trunk, (arms[0], arms[1]), (legs[0], legs[1]), goals, loose={"wrist": 2.0, "root": 2.0})


_FAR_DOWN = {"hip.flex": 2.0, "knee": 2.0, "root": 2.0, "spine.bend": 1.6, "shoulder": 1.3}


def _bent(rng: Generator, pitch: float, bend: float, knee: float, held: hold.Both, width: float = 5) -> Plan:
    legs = [
        Leg(flex=pitch + 0.5 * knee, abduct=width + n(rng, 1), rotate=u(rng, 3, 12), knee=knee + n(rng, 2))
        for _ in "lr"
    ]
    trunk = Trunk(pitch=pitch, bend=bend, side=n(rng, 4), turn=n(rng, 6), nod=-u(rng, 0, 25))
    goals = [*held[1], *feet_flat(), Balance(FEET, spread=0.015)]
    return Plan(trunk, held[0], (legs[0], legs[1]), goals, loose=_FAR_DOWN if held[1] else {})


def picking_up(rng: Generator, build: Build) -> Plan:
    """Reaching for something on the ground with one hand or both."""
    pitch, bend = u(rng, 48, 72), u(rng, 32, 55)
    arms = [
        Arm(flex=pitch + bend - 6 + n(rng, 6), abduct=u(rng, 2, 8), twist=10, elbow=u(rng, 4, 20), curl=30)
        for _ in "lr"
    ]
    goals: list[Goal] = [Reach("left_fingers", (float("nan"), u(rng, 0.02, 0.16), float("nan")), 0.03)]
    if rng.random() < 0.5:
        goals.append(Reach("right_fingers", (float("nan"), u(rng, 0.02, 0.16), float("nan")), 0.03))
    else:
        arms[1] = Arm(flex=u(rng, 30, 55), abduct=10, twist=20, elbow=u(rng, 30, 60))
    return _bent(rng, pitch, bend, u(rng, 18, 55), ((arms[0], arms[1]), goals))


def hands_on_knees(rng: Generator, build: Build) -> Plan:
    """Out of breath: leaning on the knees with straight arms."""
    goals: list[Goal] = []
    for s in ("left", "right"):
        goals += [Touch(f"{s}_palm", f"{s}_thigh_near_knee", (0, 0.0, 0.004), 0.01)]
        goals += [Aim(f"{s}_wrist", (0, -1, 0), (0, 0.1, -1), 24, f"{s}_hip_smpl")]
    arm = Arm(flex=u(rng, 50, 62), abduct=u(rng, 12, 20), twist=u(rng, 5, 20), elbow=u(rng, 12, 28), pronate=30)
    return _bent(rng, u(rng, 32, 46), u(rng, 20, 36), u(rng, 22, 40), ((arm, arm), goals), u(rng, 6, 12))


def stooping(rng: Generator, build: Build) -> Plan:
    """Leaning over something at the height of a table, the hands at work."""
    pitch, bend = u(rng, 22, 42), u(rng, 14, 32)
    arms = [
        Arm(flex=pitch + bend + u(rng, -12, 22), abduct=u(rng, 4, 14), twist=20, elbow=u(rng, 20, 60), curl=30)
        for _ in "lr"
    ]
    return _bent(rng, pitch, bend, u(rng, 6, 22), ((arms[0], arms[1]), []))


def tying_a_shoe(rng: Generator, build: Build) -> Plan:
    """Both hands at the left foot, which stands in front."""
    goals: list[Goal] = [
        Touch("left_fingers", "left_instep", (0.03, 0.03, 0.0), 0.015),
        Touch("right_fingers", "left_instep", (-0.03, 0.03, 0.0), 0.015),
    ]
    front = Leg(flex=u(rng, 100, 112), abduct=4, rotate=4, knee=u(rng, 62, 84), ankle=10)
    back = Leg(flex=u(rng, 50, 62), abduct=3, rotate=8, knee=u(rng, 36, 58), ankle=10)
    arms = [Arm(flex=95, abduct=4, twist=15, elbow=22, curl=40) for _ in "lr"]
    trunk = Trunk(pitch=u(rng, 50, 62), bend=u(rng, 34, 50), turn=6, nod=-5)
    carried = Balance(FEET, (0, 0), 0.03)
    return Plan(
        trunk, (arms[0], arms[1]), (front, back), [*goals, *feet_flat(), carried], loose={"root": 2.0, "hip.flex": 1.5}
    )


def touching_toes(rng: Generator, build: Build) -> Plan:
    """A stretch: legs straight, hands towards the feet."""
    goals: list[Goal] = [
        Touch(f"{s}_fingers", f"{s}_instep", (0, 0.04, u(rng, 0.0, 0.06)), 0.05) for s in ("left", "right")
    ]
    arms = [Arm(flex=160, abduct=2, twist=10, elbow=4, curl=8) for _ in "lr"]
    return _bent(rng, u(rng, 66, 80), u(rng, 58, 72), u(rng, 2, 12), ((arms[0], arms[1]), goals), 3)


def side_bend(rng: Generator, build: Build) -> Plan:
    """A stretch to the side, one arm over the head."""
    arms = Arm(flex=20, abduct=u(rng, 140, 158), twist=-10, elbow=u(rng, 8, 34), curl=8), Arm(flex=4, abduct=4, elbow=8)
    legs = [Leg(abduct=u(rng, 8, 14), rotate=8, knee=3) for _ in "lr"]
    trunk = Trunk(side=-u(rng, 24, 34), tilt=-u(rng, 5, 20), roll=-u(rng, 4, 10), turn=n(rng, 4))
    return Plan(trunk, arms, (legs[0], legs[1]), [*feet_flat(), Balance(FEET)])


SQUATTING = Family(
    0.05,
    (
        Variant("half squat", half_squat, 1.2),
        Variant("deep squat", deep_squat, 1.0),
        Variant("crouching", crouching, 1.0, held_out=True),
    ),
)
KNEELING = Family(
    0.03,
    (
        Variant("one knee", one_knee, 1.0),
        Variant("kneeling", kneeling, 1.0),
        Variant("all fours", all_fours, 0.8, held_out=True),
    ),
)
BENDING = Family(
    0.06,
    (
        Variant("picking up", picking_up, 1.5),
        Variant("hands on knees", hands_on_knees, 1.0),
        Variant("stooping", stooping, 1.2),
        Variant("side bend", side_bend, 0.7),
        Variant("tying a shoe", tying_a_shoe, 0.8, held_out=True),
        Variant("touching toes", touching_toes, 0.7, held_out=True),
    ),
)
