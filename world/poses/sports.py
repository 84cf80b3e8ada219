"""Ball sports: football, basketball, volleyball here, and those with a swing."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses import gait, gear
from pymaf_data.world.poses.goals import Aim, Balance, Goal, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.ready import ON_BALLS, blended, ready_legs
from pymaf_data.world.poses.settle import Furnish, Plan, Settled
from pymaf_data.world.poses.standing import FEET
from pymaf_data.world.poses.swings import baseball_bat, golf, tennis_forehand, tennis_serve, throwing
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk
from pymaf_data.world.things import Thing

_PALM = (0.0, -1.0, 0.0)


def held_between(radius: float, spread: float = 0.01) -> list[Goal]:
    """Palms on both sides of a ball."""
    return [
        Touch("left_grip", "right_grip", (0, 0, 0), spread, lift=radius + 0.01),
        Aim("left_wrist", _PALM, (0.0, 1.0, 0.0), 22, "right_wrist"),
    ]


def _with_ball(rng: Generator, radius: float) -> Furnish:
    def furnish(s: Settled) -> list[Thing]:
        centre, size = gear.between_palms(s, radius)
        held = gear.a_ball(rng, radius, np.zeros(3))
        scale = min(size / radius, 1.0)
        return [held.moved(scale * np.eye(3), centre)]

    return furnish


def football_kick(rng: Generator, build: Build) -> Plan:
    """The left leg from drawn back to followed through; the right one stands."""
    t = u(rng, 0, 1)
    back, through = (
        Leg(flex=-26, abduct=6, rotate=10, knee=85, ankle=-25),
        Leg(flex=72, abduct=-4, rotate=6, knee=12, ankle=-32),
    )
    kick = Leg(**blended(back, through, t))
    stand = Leg(flex=22 - 8 * t, abduct=2, rotate=6, knee=30 - 8 * t)
    arms = (
        Arm(flex=40 - 70 * t, abduct=30, twist=20, elbow=u(rng, 20, 45)),
        Arm(flex=-30 + 75 * t, abduct=u(rng, 40, 60), twist=10, elbow=u(rng, 20, 50)),
    )
    trunk = Trunk(
        pitch=4 - 16 * t, roll=-8, yaw=-14 + 22 * t, turn=18 - 30 * t, bend=u(rng, 8, 20), side=4, nod=u(rng, 6, 20)
    )
    goals: list[Goal] = [*feet_flat(("right",)), Balance(("right_sole", "right_ball_of_foot"), (0.04, 0.0), 0.08)]

    def furnish(s: Settled) -> list[Thing]:
        if t < 0.55:  # not yet met: the ball lies on the ground before the body
            centre = np.array([s.at("left_knee")[0] + 0.02, gear.SOCCER, s.at("right_toe")[2] + u(rng, 0.1, 0.25)])
        else:
            forward = s.bone("left_ankle")[:, 2]
            centre = gear.on_foot(s, "left", gear.SOCCER, (forward[0], 0.35, forward[2])) + u(rng, 0, 0.5) * np.array(
                [0, 0.25, 0.9]
            )
        return [gear.a_ball(rng, gear.SOCCER, np.maximum(centre, [-np.inf, gear.SOCCER, -np.inf]))]

    return Plan(trunk, arms, (kick, stand), goals, furnish)


def football_dribble(rng: Generator, build: Build) -> Plan:
    """Running with the ball at the feet."""
    plan = gait.jogging(rng, build)

    def furnish(s: Settled) -> list[Thing]:
        front = max(s.at("left_toe"), s.at("right_toe"), key=lambda point: float(point[2]))
        low = float(s.vertices[:, 1].min()) - plan.airborne
        centre = np.array(
            [front[0] + u(rng, -0.08, 0.08), low + gear.SOCCER, front[2] + gear.SOCCER + u(rng, 0.06, 0.5)]
        )
        return [gear.a_ball(rng, gear.SOCCER, centre)]

    trunk = Trunk(**{**vars(plan.trunk), "nod": u(rng, 8, 28), "bend": plan.trunk.bend + 8})
    return Plan(trunk, plan.arms, plan.legs, plan.goals, furnish, airborne=plan.airborne, loose=plan.loose)


def header(rng: Generator, build: Build) -> Plan:
    """In the air, the ball at the forehead, arms out for balance."""
    legs = [
        Leg(flex=u(rng, -12, 10), abduct=u(rng, 3, 10), rotate=4, knee=u(rng, 25, 75), ankle=-30, toes=5) for _ in "lr"
    ]
    arms = [Arm(flex=u(rng, 0, 40), abduct=u(rng, 40, 70), twist=20, elbow=u(rng, 40, 85)) for _ in "lr"]

    def furnish(s: Settled) -> list[Thing]:
        brow, away = s.at("brow"), s.bone("head") @ np.array([0.0, 0.55, 0.83])
        return [gear.a_ball(rng, gear.SOCCER, brow + (gear.SOCCER + 0.003 + abs(n(rng, 0.08))) * away)]

    trunk = Trunk(pitch=u(rng, -10, 6), bend=u(rng, -12, 8), nod=-u(rng, 4, 18), turn=n(rng, 8))
    return Plan(trunk, (arms[0], arms[1]), (legs[0], legs[1]), furnish=furnish, airborne=u(rng, 0.12, 0.4))


def goalkeeper(rng: Generator, build: Build) -> Plan:
    """Waiting, low, hands open before the body."""
    arms = [
        Arm(flex=u(rng, 20, 45), abduct=u(rng, 22, 45), twist=-u(rng, 0, 25), elbow=u(rng, 40, 75), wrist=20, curl=8)
        for _ in "lr"
    ]
    trunk = Trunk(pitch=u(rng, 14, 26), bend=u(rng, 6, 16), nod=-u(rng, 14, 26))
    goals: list[Goal] = [*ON_BALLS, Balance(FEET, (0, 0.03), 0.03)]
    return Plan(trunk, (arms[0], arms[1]), ready_legs(rng, (40, 72), (14, 24)), goals)


def basketball_shot(rng: Generator, build: Build) -> Plan:
    """The shot from before the face to the follow-through, often in the air."""
    t = u(rng, 0, 1)
    shoot = Arm(
        **blended(
            Arm(flex=86, abduct=14, twist=-10, elbow=115, wrist=50),
            Arm(flex=152, abduct=6, twist=-5, elbow=12, wrist=-30),
            t,
        )
    )
    guide = Arm(
        **blended(Arm(flex=84, abduct=16, twist=0, elbow=100, wrist=10), Arm(flex=130, abduct=16, twist=0, elbow=35), t)
    )
    air = rng.random() < 0.6
    knee = u(rng, 8, 30) if air else 50 - 40 * t
    legs = [
        Leg(flex=0.5 * knee + n(rng, 3), abduct=u(rng, 3, 8), rotate=6, knee=knee, ankle=-28 if air else 10)
        for _ in "lr"
    ]
    goals: list[Goal] = [] if air else [*feet_flat(), Balance(FEET, (0, 0.02))]

    def furnish(s: Settled) -> list[Thing]:
        if t > 0.6:  # it has left the hand
            centre = s.at("left_fingers") + np.array([0, 0.16, 0.12]) + u(rng, 0, 0.9) * np.array([0, 0.6, 0.7])
        else:
            centre = gear.centre_on_palm(s, "left", gear.BASKETBALL)
        return [gear.a_ball(rng, gear.BASKETBALL, centre)]

    if t <= 0.6:
        goals.append(Aim("left_wrist", _PALM, (0.0, 0.75, 0.55), 14))
    trunk = Trunk(pitch=u(rng, -4, 6), bend=u(rng, -6, 6), nod=-u(rng, 10, 24), turn=-u(rng, 0, 10))
    return Plan(trunk, (shoot, guide), (legs[0], legs[1]), goals, furnish, airborne=u(rng, 0.1, 0.35) if air else 0.0)


def basketball_dribble(rng: Generator, build: Build) -> Plan:
    """Low, the ball under one hand."""
    arm = Arm(flex=u(rng, 18, 42), abduct=u(rng, 14, 28), twist=10, elbow=u(rng, 45, 75), pronate=60, wrist=-10, curl=4)
    guard = Arm(flex=u(rng, 25, 50), abduct=u(rng, 14, 30), twist=15, elbow=u(rng, 60, 95), curl=15)
    trunk = Trunk(pitch=u(rng, 14, 30), bend=u(rng, 8, 18), nod=-u(rng, 12, 26), turn=n(rng, 8))

    def furnish(s: Settled) -> list[Thing]:
        held = gear.centre_on_palm(s, "left", gear.BASKETBALL)
        down = u(rng, 0, 1) if rng.random() < 0.6 else 0.0
        centre = np.array([held[0], max(gear.BASKETBALL, held[1] - down * (held[1] - gear.BASKETBALL)), held[2]])
        return [gear.a_ball(rng, gear.BASKETBALL, centre)]

    goals: list[Goal] = [*feet_flat(), Balance(FEET, (0, 0.02), 0.03), Aim("left_wrist", _PALM, (0, -1, 0.1), 14)]
    return Plan(trunk, (arm, guard), ready_legs(rng, (30, 62), (7, 16)), goals, furnish)


def holding_ball(rng: Generator, build: Build) -> Plan:
    """A ball in both hands before the chest, or overhead for a throw-in."""
    radius = gear.BASKETBALL if rng.random() < 0.6 else gear.SOCCER
    high = rng.random() < 0.35
    if high:
        arm = Arm(flex=u(rng, 140, 160), abduct=8, twist=-10, elbow=u(rng, 30, 70), curl=6)
        trunk = Trunk(bend=-u(rng, 4, 14), nod=n(rng, 4))
    else:
        arm = Arm(flex=u(rng, 10, 45), abduct=u(rng, 10, 18), twist=u(rng, 0, 14), elbow=u(rng, 70, 105), curl=6)
        trunk = Trunk(pitch=u(rng, 0, 10), bend=u(rng, 0, 12), nod=u(rng, -8, 10), turn=n(rng, 8))
    legs = ready_legs(rng, (6, 40), (4, 12))
    goals: list[Goal] = [*held_between(radius), *feet_flat(), Balance(FEET, spread=0.025)]
    return Plan(trunk, (arm, arm), legs, goals, _with_ball(rng, radius))


def volleyball_spike(rng: Generator, build: Build) -> Plan:
    """In the air, one arm high behind the ball, the back arched."""
    arms = (
        Arm(flex=u(rng, 148, 172), abduct=u(rng, 4, 24), twist=-30, elbow=u(rng, 8, 60), curl=6),
        Arm(flex=u(rng, 30, 95), abduct=u(rng, 6, 24), twist=5, elbow=u(rng, 10, 50)),
    )
    legs = [Leg(flex=u(rng, -22, 0), abduct=u(rng, 2, 8), rotate=4, knee=u(rng, 40, 85), ankle=-35) for _ in "lr"]

    def furnish(s: Settled) -> list[Thing]:
        centre = gear.centre_on_palm(s, "left", gear.VOLLEYBALL)
        centre = centre + u(rng, 0, 0.35) * gear.palm_normal(s, "left")
        return [gear.a_ball(rng, gear.VOLLEYBALL, centre)]

    trunk = Trunk(pitch=-u(rng, 0, 10), bend=-u(rng, 6, 20), turn=-u(rng, 5, 20), nod=-u(rng, 12, 28))
    return Plan(trunk, arms, (legs[0], legs[1]), [], furnish, airborne=u(rng, 0.25, 0.6))


def volleyball_bump(rng: Generator, build: Build) -> Plan:
    """Forearms together under the ball, knees bent."""
    arm = Arm(flex=u(rng, 42, 66), abduct=2, twist=u(rng, -30, -15), elbow=u(rng, 3, 12), pronate=-60, curl=30)
    goals: list[Goal] = [
        Touch("left_wrist", "right_wrist", (0.07, 0, 0), 0.015),
        *feet_flat(),
        Balance(FEET, (0, 0.02), 0.03),
    ]

    def furnish(s: Settled) -> list[Thing]:
        arms = np.concatenate(
            [s.patch("left_forearm"), s.patch("right_forearm"), s.patch("left_hand"), s.patch("right_hand")]
        )
        middle = (s.at("left_wrist") + s.at("right_wrist")) / 2
        clear = float(np.concatenate([s.patch("head"), s.patch("chest")])[:, 2].max()) + gear.VOLLEYBALL + 0.02
        middle = np.array([middle[0], 0, max(middle[2] - 0.04, clear)])
        offset = (middle - arms)[:, [0, 2]]
        rise = arms[:, 1] + np.sqrt(np.maximum(gear.VOLLEYBALL**2 - (offset**2).sum(1), 0))
        below = rise[(offset**2).sum(1) < gear.VOLLEYBALL**2]  # none where the ball flies before the hands
        middle[1] = float(below.max(initial=arms[:, 1].max() if not len(below) else -np.inf)) + (
            u(rng, 0, 0.5) if rng.random() < 0.5 else 0.0
        )
        return [gear.a_ball(rng, gear.VOLLEYBALL, middle)]

    trunk = Trunk(pitch=u(rng, 10, 22), bend=u(rng, 8, 18), nod=-u(rng, 4, 24))
    return Plan(trunk, (arm, arm), ready_legs(rng, (36, 72), (9, 16)), goals, furnish)


BALL_SPORTS = Family(
    0.11,
    (
        Variant("football kick", football_kick, 1.4),
        Variant("football dribble", football_dribble, 1.0),
        Variant("basketball shot", basketball_shot, 1.2),
        Variant("holding a ball", holding_ball, 1.0),
        Variant("goalkeeper", goalkeeper, 0.6),
        Variant("tennis forehand", tennis_forehand, 1.1),
        Variant("baseball", baseball_bat, 0.7),
        Variant("volleyball bump", volleyball_bump, 0.7),
        Variant("throwing", throwing, 0.9),
        Variant("tennis serve", tennis_serve, 0.9, held_out=True),
        Variant("basketball dribble", basketball_dribble, 0.9, held_out=True),
        Variant("volleyball spike", volleyball_spike, 0.7, held_out=True),
        Variant("header", header, 0.6, held_out=True),
        Variant("golf", golf, 0.6, held_out=True),
    ),
)
