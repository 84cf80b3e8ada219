"""Sitting: on chairs, stools, benches, sofas, blocks and on the ground."""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses import furniture
from pymaf_data.world.poses.goals import Goal, Rest, Touch, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Furnish, Plan
from pymaf_data.world.poses.variants import Family, Variant, n, pick, u
from pymaf_data.world.poses.words import Arm, Leg, Trunk

_SIDES = ("left", "right")
_LOOSE = {"hip.flex": 1.4, "knee": 1.4, "ankle.up": 1.3}


def on_seat(height: float) -> list[Goal]:
    """Buttocks on a seat; thighs not below it."""
    goals: list[Goal] = [Rest(f"{side}_buttock", height) for side in _SIDES]
    return goals + [Rest(f"{side}_{part}", height, lower=True) for side in _SIDES for part in ("thigh", "upper_thigh")]


def _seat_height(rng: Generator, build: Build, low: float = 0.40, high: float = 0.49) -> float:
    """Seats have one height for all, but nobody sits where the feet do not reach the floor."""
    return min(u(rng, low, high), 0.97 * (build.knee_height - 0.05))


def _seated(rng: Generator, build: Build, height: float, held: hold.Both, trunk: Trunk, furnish: Furnish,
            legs: tuple[Leg, Leg] | None = None, feet: tuple[str, ...] = _SIDES) -> Plan:  # fmt: skip
    if legs is None:
        spread, knee = u(rng, 2, 13), u(rng, 76, 102)
        flex = 88 + trunk.pitch
        legs = tuple(
            Leg(flex=flex + n(rng, 2), abduct=spread + n(rng, 1), rotate=n(rng, 4, 3), knee=knee + n(rng, 5))
            for _ in "lr"
        )  # type: ignore[assignment]
    assert legs is not None
    goals = [*held[1], *on_seat(height), *feet_flat(feet)]
    return Plan(trunk, held[0], legs, goals, furnish, grounded=False, loose=_LOOSE)


def _sitters_arms(rng: Generator) -> hold.Both:
    kind = pick(rng, ("thighs", "lap", "talk", "folded"), (0.5, 0.2, 0.2, 0.1))
    if kind == "thighs":
        return hold.on_thighs(rng, pick(rng, ("thigh", "thigh_near_knee"), (0.7, 0.3)))
    if kind == "lap":
        return in_lap(rng)
    if kind == "folded":
        return hold.folded(rng)
    left, right = hold.before_body(rng), hold.on_thighs(rng)
    return (left[0], right[0][1]), list(right[1][2:])


def in_lap(rng: Generator) -> hold.Both:
    """Hands one on the other in the lap."""
    arm = Arm(flex=u(rng, 14, 26), abduct=6, twist=u(rng, 35, 50), elbow=u(rng, 62, 80), pronate=20, curl=25)
    goals: list[Goal] = [
        Touch("right_palm", "right_thigh", (0.05, 0.02, -0.10), 0.03),
        Touch("left_palm", "right_knuckles", (0.0, 0.012, 0.0), 0.015),
    ]
    return (arm, arm), goals


def on_chair(rng: Generator, build: Build) -> Plan:
    """Upright on a chair, feet on the floor."""
    height = _seat_height(rng, build)
    trunk = Trunk(pitch=u(rng, -12, 2), bend=u(rng, 4, 18), nod=u(rng, -6, 12))
    return _seated(rng, build, height, _sitters_arms(rng), trunk, furniture.chair(rng, height))


def leaning_forward(rng: Generator, build: Build) -> Plan:
    """On a bench, forearms on the thighs."""
    height = _seat_height(rng, build)
    arm = Arm(flex=u(rng, 48, 62), abduct=u(rng, 6, 14), twist=u(rng, 10, 25), elbow=u(rng, 55, 80), pronate=0, curl=30)
    goals: list[Goal] = [Touch(f"{s}_forearm", f"{s}_thigh_near_knee", (0, 0.01, 0.0), 0.02) for s in _SIDES]
    trunk = Trunk(pitch=u(rng, 14, 28), bend=u(rng, 26, 44), nod=-u(rng, 0, 26))
    furnish = furniture.bench(rng, height) if rng.random() < 0.6 else furniture.block(rng, height)
    legs = tuple(
        Leg(flex=92 + trunk.pitch, abduct=u(rng, 12, 20), rotate=u(rng, 4, 12), knee=u(rng, 84, 100)) for _ in "lr"
    )
    return _seated(rng, build, height, ((arm, arm), goals), trunk, furnish, (legs[0], legs[1]))


def in_sofa(rng: Generator, build: Build) -> Plan:
    """Leaning back in a sofa."""
    height, sink = _seat_height(rng, build, 0.36, 0.43), 0.025
    trunk = Trunk(pitch=-u(rng, 20, 32), bend=u(rng, 8, 22), nod=u(rng, 4, 20))
    return _seated(rng, build, height - sink, _sitters_arms(rng), trunk, furniture.sofa(rng, height, sink))


def ankles_crossed(rng: Generator, build: Build) -> Plan:
    """Legs stretched forward on a chair, ankles crossed."""
    height = _seat_height(rng, build)
    trunk = Trunk(pitch=-u(rng, 6, 16), bend=u(rng, 6, 18), nod=u(rng, -2, 12))
    knee = u(rng, 44, 66)
    over = Leg(flex=86 + trunk.pitch, abduct=-6, rotate=12, knee=knee - 4, ankle=-8)
    under = Leg(flex=82 + trunk.pitch, abduct=-4, rotate=12, knee=knee, ankle=-5)
    plan = _seated(rng, build, height, _sitters_arms(rng), trunk, furniture.chair(rng, height), (over, under), ())
    crossing: list[Goal] = [
        Rest("right_heel"), Touch("left_calf", "right_shin", (float("nan"), 0.03, 0.03), 0.03),
    ]  # fmt: skip
    return Plan(trunk, plan.arms, plan.legs, [*plan.goals, *crossing], plan.furnish, grounded=False, loose=_LOOSE)


def legs_crossed(rng: Generator, build: Build) -> Plan:
    """One thigh over the other."""
    height = _seat_height(rng, build)
    trunk = Trunk(pitch=-u(rng, 2, 12), bend=u(rng, 4, 16), nod=u(rng, -4, 10))
    over = Leg(flex=104 + trunk.pitch, abduct=-16, rotate=6, knee=u(rng, 74, 92), ankle=-14)
    under = Leg(flex=86 + trunk.pitch, abduct=-2, rotate=0, knee=u(rng, 84, 98))
    held = in_lap(rng) if rng.random() < 0.5 else _sitters_arms(rng)
    plan = _seated(rng, build, height, held, trunk, furniture.chair(rng, height), (over, under), ("right",))
    crossing: list[Goal] = [Touch("left_calf", "right_knee", (float("nan"), 0.02, 0.02), 0.03)]
    return Plan(trunk, plan.arms, plan.legs, [*plan.goals, *crossing], plan.furnish, grounded=False, loose=_LOOSE)


def on_high_stool(rng: Generator, build: Build) -> Plan:
    """On a bar stool: one foot on the floor or both hanging."""
    height = u(rng, 0.62, 0.74) * build.scale
    trunk = Trunk(pitch=u(rng, -4, 8), bend=u(rng, 4, 18), nod=u(rng, -4, 14))
    legs = (
        Leg(flex=64 + trunk.pitch, abduct=u(rng, 4, 14), rotate=6, knee=u(rng, 60, 86), ankle=-10),
        Leg(flex=58 + trunk.pitch, abduct=u(rng, 4, 14), rotate=8, knee=u(rng, 54, 80), ankle=-12),
    )
    return _seated(rng, build, height, _sitters_arms(rng), trunk, furniture.stool(rng, height), legs, ())


def on_block(rng: Generator, build: Build) -> Plan:
    """On a low wall or step, hands beside the hips or on the thighs."""
    height = _seat_height(rng, build, 0.30, 0.5)
    trunk = Trunk(pitch=u(rng, -8, 6), bend=u(rng, 8, 26), nod=u(rng, -8, 12))
    held = _sitters_arms(rng)
    if rng.random() < 0.5:
        arm = Arm(flex=u(rng, -14, 4), abduct=u(rng, 14, 24), twist=0, elbow=u(rng, 6, 26), wrist=50, curl=20)
        held = (arm, arm), [Rest(f"{s}_hand", height, spread=0.004) for s in _SIDES]
    furnish = furniture.block(rng, height) if rng.random() < 0.5 else furniture.bench(rng, height)
    return _seated(rng, build, height, held, trunk, furnish)


def knees_up(rng: Generator, build: Build) -> Plan:
    """On the ground, knees drawn up, arms around them or hands behind."""
    knee = u(rng, 84, 108)
    behind = rng.random() < 0.4
    pitch = -u(rng, 26, 38) if behind else -u(rng, 14, 26)
    legs = [Leg(flex=90 + 0.42 * knee + pitch, abduct=u(rng, 3, 10), rotate=3, knee=knee + n(rng, 3)) for _ in "lr"]
    goals: list[Goal] = [*_on_ground(), *feet_flat()]
    if behind:
        arm = Arm(flex=-u(rng, 34, 44), abduct=18, twist=-30, elbow=u(rng, 4, 16), wrist=55, pronate=-40, curl=10)
        goals += [Rest(f"{s}_hand", spread=0.004) for s in _SIDES]
        bend = u(rng, 6, 18)
    else:
        arm = Arm(flex=u(rng, 56, 72), abduct=8, twist=25, elbow=u(rng, 30, 50))
        goals += [Touch(f"{s}_wrist", f"{s}_shin", (0.0, 0.08, 0.02), 0.03) for s in _SIDES]
        bend = u(rng, 20, 36)
    trunk = Trunk(pitch=pitch, bend=bend, nod=u(rng, -8, 10))
    return Plan(trunk, (arm, arm), (legs[0], legs[1]), goals, loose=_LOOSE | {"root": 1.5, "wrist": 1.5})


def _on_ground() -> list[Goal]:
    return [Rest(f"{side}_buttock") for side in _SIDES]


def legs_out(rng: Generator, build: Build) -> Plan:
    """On the ground, legs stretched out, propped on hands behind or leaning forward."""
    lean = rng.random() < 0.65
    pitch = -u(rng, 24, 36) if lean else -u(rng, 2, 10)
    legs = [
        Leg(flex=88 + pitch, abduct=u(rng, 4, 16), rotate=u(rng, 5, 18), knee=u(rng, 4, 22), ankle=-14) for _ in "lr"
    ]
    goals: list[Goal] = [*_on_ground(), Rest("left_heel"), Rest("right_heel")]
    if lean:
        arm = Arm(flex=-u(rng, 36, 46), abduct=18, twist=-30, elbow=u(rng, 3, 14), wrist=58, pronate=-40, curl=8)
        goals += [Rest(f"{s}_hand", spread=0.004) for s in _SIDES]
        held: hold.Both = (arm, arm), []
    else:
        held = hold.on_thighs(rng)
    trunk = Trunk(pitch=pitch, bend=u(rng, 6, 18) if lean else u(rng, 12, 24), nod=u(rng, -4, 14))
    return Plan(trunk, held[0], (legs[0], legs[1]), [*goals, *held[1]], loose=_LOOSE | {"root": 1.5, "wrist": 1.5})


def cross_legged(rng: Generator, build: Build) -> Plan:
    """Tailor-fashion on a cushion, which lets the knees sink as low as hips allow."""
    pitch, height = u(rng, -4, 6), u(rng, 0.13, 0.19) * build.scale
    flex = 104 - 60 * height + pitch
    legs = (
        Leg(flex=flex, abduct=u(rng, 32, 40), rotate=52, knee=u(rng, 98, 110), ankle=-10),
        Leg(flex=flex, abduct=u(rng, 32, 40), rotate=52, knee=u(rng, 112, 122), ankle=-10),
    )
    goals: list[Goal] = [Rest(f"{side}_buttock", height) for side in _SIDES]
    goals += [Rest("left_foot"), Rest("right_foot"), *(Rest(f"{s}_upper_thigh", height, lower=True) for s in _SIDES)]
    if rng.random() < 0.6:
        arm = Arm(flex=u(rng, 36, 52), abduct=u(rng, 18, 28), twist=10, elbow=u(rng, 24, 44), pronate=20, curl=14)
        held: hold.Both = (arm, arm), [Touch(f"{s}_palm", f"{s}_knee", (0, 0.005, 0.0), 0.03) for s in _SIDES]
    else:
        held = in_lap(rng)
    trunk = Trunk(pitch=pitch, bend=u(rng, 6, 24), nod=u(rng, -2, 14))
    loose = _LOOSE | {"hip": 2.0, "ankle": 2.0, "knee": 1.0, "root": 2.0}
    return Plan(trunk, held[0], legs, [*goals, *held[1]], furniture.cushion(rng, height), grounded=False, loose=loose)


def one_knee_up(rng: Generator, build: Build) -> Plan:
    """On the ground, one leg stretched out, the other knee up with an arm resting on it."""
    pitch = -u(rng, 14, 28)
    knee = u(rng, 88, 112)
    legs = (
        Leg(flex=90 + 0.42 * knee + pitch, abduct=u(rng, 4, 12), rotate=6, knee=knee),
        Leg(flex=88 + pitch, abduct=u(rng, 6, 16), rotate=u(rng, 8, 22), knee=u(rng, 4, 20), ankle=-12),
    )
    goals: list[Goal] = [*_on_ground(), *feet_flat(("left",)), Rest("right_heel"), Rest("right_hand", spread=0.004)]
    goals.append(Touch("left_forearm", "left_knee", (0, 0.015, 0), 0.03))
    arms = (
        Arm(flex=u(rng, 62, 80), abduct=8, twist=20, elbow=u(rng, 16, 46), curl=30),
        Arm(flex=-u(rng, 26, 40), abduct=20, twist=-30, elbow=u(rng, 4, 14), wrist=56, pronate=-40, curl=8),
    )
    trunk = Trunk(pitch=pitch, bend=u(rng, 10, 26), nod=u(rng, -6, 12), turn=n(rng, 6))
    return Plan(trunk, arms, legs, goals, loose=_LOOSE | {"root": 1.5, "wrist": 1.5})


SITTING = Family(
    0.14,
    (
        Variant("on a chair", on_chair, 2.2),
        Variant("leaning forward", leaning_forward, 1.0),
        Variant("in a sofa", in_sofa, 1.2),
        Variant("on a high stool", on_high_stool, 0.8),
        Variant("on a block", on_block, 0.8),
        Variant("knees up", knees_up, 0.7),
        Variant("legs out", legs_out, 0.7),
        Variant("cross-legged", cross_legged, 0.5, held_out=True),
        Variant("ankles crossed", ankles_crossed, 0.8, held_out=True),
        Variant("legs crossed", legs_crossed, 0.8, held_out=True),
        Variant("one knee up", one_knee_up, 0.7, held_out=True),
    ),
)
