"""Climbing: a ladder, a wall with holds, stairs, a step up; hands and feet go where there is something to hold.

The climber faces +z; ladder and wall rise in front of it.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses.furniture import tint, wood
from pymaf_data.world.poses.goals import Aim, Balance, Goal, Reach, Rest, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan, Settled
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk
from pymaf_data.world.things import Thing, ball, beam, box, joined

_SIDES = ("left", "right")
_PALM = (0.0, -1.0, 0.0)
_FREE = float("nan")
_LOOSE = {"root": 3.0, "hip": 1.6, "knee": 1.6, "ankle": 1.4, "shoulder": 1.5, "elbow": 1.6, "spine": 1.2, "wrist": 1.3}
_RUNG = 0.017
_HOLDS = (
    (0.6, 0.1, 0.08),
    (0.08, 0.35, 0.6),
    (0.75, 0.55, 0.05),
    (0.1, 0.45, 0.15),
    (0.55, 0.15, 0.5),
    (0.04, 0.04, 0.05),
)


def _off(plane: float, slope: float, *patches: str) -> list[Goal]:
    """Patches keep in front of a plane z = plane + slope · y."""
    normal = np.array([0.0, slope, -1.0]) / np.hypot(1.0, slope)
    at = -plane / float(np.hypot(1.0, slope))
    return [Rest(patch, at, tuple(normal.tolist()), lower=True) for patch in patches]


_FRONT = ("belly", "chest", "head", *(f"{s}_{p}" for s in _SIDES for p in ("knee", "shin", "thigh", "elbow")))


def ladder(rng: Generator, build: Build) -> Plan:
    """On a ladder, a hand and the other foot higher than their partners."""
    gap, slope = u(rng, 0.27, 0.30), u(rng, 0.12, 0.3)
    low = int(rng.integers(1, 4))
    near = 0.0  # the ladder's plane passes z = near at the height of the lower foot
    low_y = low * gap

    def z_at(y: float) -> float:
        return near + slope * (y - low_y)

    step = int(rng.random() < 0.8)
    feet = {"right": low_y, "left": low_y + step * gap}
    shoulder = low_y + 1.36 * build.scale
    top = gap * np.round((shoulder + u(rng, 0.02, 0.2)) / gap)
    hands = {"left": float(top) - gap * int(rng.random() < 0.5), "right": float(top)}
    goals: list[Goal] = []
    for s in _SIDES:
        x = hold.outward(s)
        goals += [
            Reach(f"{s}_arch", (x * 0.11, feet[s] + _RUNG, z_at(feet[s])), 0.004),
            Aim(f"{s}_ankle", (0, 1, 0), (0, 0.97, -0.1), 18),
            Reach(f"{s}_grip", (x * u(rng, 0.13, 0.17), hands[s], z_at(hands[s])), 0.004, lift=_RUNG + 0.002),
            Aim(f"{s}_wrist", _PALM, (0, -0.35, 0.94), 24), Aim(f"{s}_wrist", (0, 0, 1), (-x, 0, 0), 20),
        ]  # fmt: skip
    goals += _off(near - 0.04 - slope * low_y, slope, *_FRONT)
    knee = 60 if step else 20
    legs = (
        Leg(flex=20 + knee, abduct=8, rotate=14, knee=30 + knee, ankle=5),
        Leg(flex=20, abduct=6, rotate=10, knee=25, ankle=5),
    )
    arms = [Arm(flex=95, abduct=18, twist=0, elbow=60, curl=60) for _ in "lr"]
    trunk = Trunk(pitch=u(rng, 2, 12), bend=u(rng, 2, 10), nod=-u(rng, 4, 24), look=n(rng, 10))

    def furnish(s: Settled) -> list[Thing]:
        colour = tint(rng, ((0.5, 0.5, 0.52), (0.5, 0.35, 0.18), (0.6, 0.3, 0.05)))
        count = int(max(hands.values()) / gap) + int(rng.integers(2, 5))
        wide = 0.235 * max(1.0, build.scale)
        rungs = [
            beam((-wide, k * gap, z_at(k * gap)), (wide, k * gap, z_at(k * gap)), _RUNG, colour)
            for k in range(1, count)
        ]
        end = count * gap
        rails = [beam((x, 0, z_at(0)), (x, end, z_at(end)), 0.024, colour) for x in (-wide - 0.02, wide + 0.02)]
        return [joined("ladder", [*rails, *rungs])]

    return Plan(trunk, (arms[0], arms[1]), legs, goals, furnish, floor=True, grounded=False, loose=_LOOSE)


def boulder(rng: Generator, build: Build) -> Plan:
    """On a wall with coloured holds, spread wide or drawn up."""
    k, slope = build.scale, u(rng, -0.22, 0.08)  # negative: overhanging towards the climber
    base = u(rng, 0.25, 1.0)

    def z_at(y: float) -> float:
        return slope * (y - base)

    feet = {"left": (u(rng, 0.22, 0.42) * k, base + u(rng, 0.15, 0.5) * k), "right": (-u(rng, 0.1, 0.3) * k, base)}
    hands = {
        "left": (u(rng, 0.12, 0.42) * k, base + u(rng, 1.3, 1.62) * k),
        "right": (-u(rng, 0.15, 0.5) * k, base + u(rng, 1.15, 1.62) * k),
    }
    goals: list[Goal] = []
    for s in _SIDES:
        x = hold.outward(s)
        goals += [
            Reach(f"{s}_toe", (feet[s][0], feet[s][1], z_at(feet[s][1]) - 0.05), 0.004),
            Aim(f"{s}_ankle", (0, 0, 1), (x * 0.45, -0.1, 0.85), 25),
            Reach(f"{s}_grip", (hands[s][0], hands[s][1], z_at(hands[s][1]) - 0.075), 0.004, lift=0.02),
            Aim(f"{s}_wrist", _PALM, (0, -0.5, 0.85), 24), Aim(f"{s}_wrist", (0, 0, 1), (-x * 0.8, -0.3, 0), 30),
            *_off(-slope * base, slope, f"{s}_hand", f"{s}_foot"),
        ]  # fmt: skip
    goals += _off(-0.015 - slope * base, slope, *_FRONT)
    legs = Leg(flex=80, abduct=34, rotate=36, knee=85, ankle=0), Leg(flex=30, abduct=22, rotate=28, knee=40, ankle=0)
    arms = [Arm(flex=130, abduct=20, twist=0, elbow=40, curl=48) for _ in "lr"]
    trunk = Trunk(pitch=u(rng, -4, 8), bend=u(rng, -4, 8), nod=-u(rng, 10, 30), look=n(rng, 18))

    def furnish(s: Settled) -> list[Thing]:
        colour, route = np.full(3, u(rng, 0.25, 0.6)) * np.exp(rng.normal(0, 0.05, 3)), tint(rng, _HOLDS)
        wide, tall = u(rng, 1.0, 1.8), max(base + 2.6, 3.0)
        slab = box((-wide, 0, 0), (wide, tall, 0.12), np.clip(colour, 0, 0.9))
        leaning = slab.vertices + np.outer(slab.vertices[:, 1] - base, [0, 0, slope])
        parts = [Thing("wall", leaning, slab.faces, slab.colours)]
        parts += [_hold(rng, s.at(f"{side}_toe") - [0, 0.026, 0], z_at, route) for side in _SIDES]
        parts += [_hold(rng, _under_hand(s, side), z_at, route) for side in _SIDES]
        for _ in range(int(rng.integers(8, 18))):
            place = np.array([u(rng, -wide, wide), u(rng, 0.3, tall - 0.2), 0.0])
            place[2] = z_at(place[1]) - 0.02
            if np.linalg.norm(s.vertices - place, axis=1).min() > 0.12:
                parts.append(_hold(rng, place, z_at, tint(rng, _HOLDS)))
        return [joined("climbing wall", parts)]

    return Plan(trunk, (arms[0], arms[1]), legs, goals, furnish, floor=True, grounded=False, loose=_LOOSE)


def _under_hand(s: Settled, side: str) -> np.ndarray:
    """Where a hold fills the hand: in front of the palm."""
    return s.at(f"{side}_grip") - 0.024 * s.bone(f"{side}_wrist")[:, 1]


def _hold(rng: Generator, place: np.ndarray, z_at, colour: np.ndarray) -> Thing:  # type: ignore[no-untyped-def]
    """A hold from a place before the wall back to the wall."""
    wall = z_at(float(place[1]))
    deep = max(wall - float(place[2]), 0.015)
    centre = np.array([place[0], place[1], wall - deep / 2 + 0.01])
    return ball(centre, (u(rng, 0.04, 0.06), 0.022, deep / 2 + 0.015), colour, rings=8)


def stairs(rng: Generator, build: Build) -> Plan:
    """Walking upstairs: the left foot a step above the right one."""
    rise, tread = u(rng, 0.15, 0.19), u(rng, 0.27, 0.32)
    t = u(rng, 0, 1)
    front = Leg(flex=48 - 14 * t, abduct=2, rotate=5, knee=58 - 24 * t, ankle=10)
    back = Leg(flex=2 - 12 * t, abduct=2, rotate=6, knee=10 + 18 * t, ankle=-6 * t, toes=24 * t)
    goals: list[Goal] = [
        *feet_flat(("left",), rise), Rest("right_ball_in"), Rest("right_ball_out"),
        Balance(("left_sole", "right_ball_of_foot"), (0.0, (t - 0.5) * 0.12), 0.03),
    ]  # fmt: skip
    if rng.random() < 0.5:
        goals.append(Rest("right_heel"))
    swing = u(rng, 8, 22)
    arms = Arm(flex=-swing, abduct=7, twist=12, elbow=18), Arm(flex=swing + 4, abduct=7, twist=14, elbow=u(rng, 20, 45))
    trunk = Trunk(pitch=u(rng, 4, 12), bend=u(rng, 2, 8), nod=u(rng, -10, 14), turn=5)

    def furnish(s: Settled) -> list[Thing]:
        edge = float(max(s.patch("right_foot")[:, 2].max(), s.patch("left_heel")[:, 2].min() - 0.06)) + 0.01
        wide, colour = u(rng, 0.5, 0.9), np.full(3, u(rng, 0.15, 0.55)) * np.exp(rng.normal(0, 0.06, 3))
        far = float(s.patch("left_foot")[:, 2].max()) + 0.02
        count = int(rng.integers(2, 5))
        parts = [box((-wide, 0, edge), (wide, rise, edge + count * tread + 0.1), np.clip(colour, 0, 0.9))]
        for k in range(1, count):
            start = max(edge + k * tread, far + (k - 1) * tread)
            parts.append(
                box((-wide, 0, start), (wide, (k + 1) * rise, start + (count - k) * tread), np.clip(colour, 0, 0.9))
            )
        return [joined("steps", parts)]

    return Plan(trunk, arms, (front, back), goals, furnish, floor=True, loose=_LOOSE)


def step_up(rng: Generator, build: Build) -> Plan:
    """The left foot on a box or rock as high as the knee, a hand on the thigh or free."""
    height = u(rng, 0.28, 0.46) * build.scale
    front = Leg(flex=70 + 40 * height, abduct=6, rotate=8, knee=u(rng, 78, 96), ankle=12)
    back = Leg(flex=u(rng, -6, 10), abduct=2, rotate=6, knee=u(rng, 6, 24), ankle=0, toes=20)
    goals: list[Goal] = [*feet_flat(("left",), height), Rest("right_ball_in"), Rest("right_ball_out")]
    goals.append(Balance(("left_sole", "right_ball_of_foot"), (0, u(rng, -0.04, 0.08)), 0.04))
    left, right = hold.relaxed(rng), hold.relaxed(rng)
    arms = left[0], right[0]
    if rng.random() < 0.5:
        arms = hold.on_thighs(rng, "thigh_near_knee")[0][0], right[0]
        goals += hold.on_thighs(rng, "thigh_near_knee")[1][:2]
    trunk = Trunk(pitch=u(rng, 6, 20), bend=u(rng, 4, 18), nod=u(rng, -16, 8))

    def furnish(s: Settled) -> list[Thing]:
        foot = s.patch("left_foot")
        edge = (
            float(max(s.patch("right_foot")[:, 2].max(), foot[:, 2].min() - 0.08, s.patch("right_shin")[:, 2].max()))
            + 0.01
        )
        edge = min(edge, float(foot[:, 2].min()) + 0.06)
        x = float(foot[:, 0].mean())
        wide = u(rng, 0.2, 0.5)
        return [
            box((x - wide, 0, edge), (x + wide, height, float(foot[:, 2].max()) + u(rng, 0.06, 0.4)), wood(rng), "box")
        ]

    return Plan(trunk, arms, (front, back), goals, furnish, floor=True, loose=_LOOSE)


CLIMBING = Family(
    0.04,
    (
        Variant("ladder", ladder, 1.2),
        Variant("stairs", stairs, 1.0),
        Variant("step up", step_up, 0.8),
        Variant("boulder", boulder, 1.2, held_out=True),
    ),
)
