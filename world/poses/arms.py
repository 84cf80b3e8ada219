"""What arms do while the body does something else: hang, rest on hips, fold, hold a telephone, clasp.

Each function returns the words of one arm (or both) and the goals that make hands really rest where they should.
"""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses.goals import Aim, Goal, Touch
from pymaf_data.world.poses.variants import n, pick, u
from pymaf_data.world.poses.words import Arm

Held = tuple[Arm, list[Goal]]
Both = tuple[tuple[Arm, Arm], list[Goal]]
_PALM = (0.0, -1.0, 0.0)


def outward(side: str) -> float:
    """The sign of x on a side."""
    return 1.0 if side == "left" else -1.0


def relaxed(rng: Generator, side: str = "left") -> Held:
    """Hanging, the elbow a little bent, the palm towards the thigh."""
    arm = Arm(flex=n(rng, 6, 2), abduct=u(rng, 3, 10), twist=u(rng, 0, 22), elbow=u(rng, 8, 28), pronate=u(rng, -5, 25))
    return arm, []


def akimbo(rng: Generator, side: str) -> Held:
    """Hand on the hip: the elbow stands out and back, the palm lies on the waist."""
    s = outward(side)
    arm = Arm(
        flex=u(rng, -30, -12), abduct=u(rng, 36, 48), twist=u(rng, 40, 58), elbow=u(rng, 88, 105), wrist=25, curl=22
    )
    goals: list[Goal] = [
        Touch(f"{side}_palm", f"{side}_waist", (s * 0.008, u(rng, -0.05, 0.0), u(rng, -0.03, 0.02)), 0.02),
        Aim(f"{side}_wrist", _PALM, (-s * 0.93, -0.25, -0.25), 24, "spine1"),
    ]
    return arm, goals


def before_body(rng: Generator, side: str = "left") -> Held:
    """Forearm forward, as in talk."""
    arm = Arm(
        flex=u(rng, 5, 32), abduct=u(rng, 8, 20), twist=u(rng, 0, 30), elbow=u(rng, 60, 110), pronate=u(rng, -60, 20),
        wrist=u(rng, -5, 25), curl=u(rng, 10, 40),
    )  # fmt: skip
    return arm, []


def telephone(rng: Generator, side: str) -> Held:
    """Hand at the ear."""
    s = outward(side)
    arm = Arm(flex=u(rng, 35, 55), abduct=u(rng, 18, 40), twist=u(rng, 0, 20), elbow=138, pronate=-20, curl=40)
    return arm, [
        Touch(f"{side}_palm", f"{side}_temple", (s * 0.025, -0.06, 0.0), 0.02),
        Aim(f"{side}_wrist", _PALM, (-s * 0.9, 0.2, -0.3), 25, "head"),
    ]


def at_chin(rng: Generator, side: str) -> Held:
    """Thinking: fingers at the chin."""
    s = outward(side)
    arm = Arm(flex=u(rng, 30, 45), abduct=u(rng, 4, 14), twist=u(rng, 20, 40), elbow=135, pronate=0, curl=45)
    return arm, [Touch(f"{side}_fingers", "chin", (s * 0.015, -0.015, 0.02), 0.02)]


def in_pocket(rng: Generator, side: str) -> Held:
    """The hand where a trouser pocket is."""
    s = outward(side)
    arm = Arm(
        flex=u(rng, -14, -4), abduct=u(rng, 16, 26), twist=u(rng, 8, 22), elbow=u(rng, 34, 50), pronate=10, curl=25
    )
    return arm, [
        Touch(f"{side}_palm", f"{side}_pocket", (s * 0.008, u(rng, -0.04, 0.02), -0.01), 0.02),
        Aim(f"{side}_wrist", _PALM, (-s * 0.85, 0.05, -0.5), 24, "pelvis"),
    ]


def easy(rng: Generator) -> Both:
    """Two arms at ease, each in its own way."""
    kind = pick(rng, ("hang", "one", "talk"), (0.62, 0.22, 0.16))
    left = relaxed(rng, "left")
    if kind == "talk":
        left = before_body(rng, "left")
    elif kind == "one":
        left = (in_pocket, akimbo)[int(rng.random() < 0.5)](rng, "left")
    right = relaxed(rng, "right")
    return (left[0], right[0]), left[1] + right[1]


def folded(rng: Generator) -> Both:
    """Arms crossed before the chest, the right forearm over the left."""
    left = Arm(
        flex=u(rng, 26, 36), abduct=6, twist=u(rng, 46, 58), elbow=u(rng, 108, 118), pronate=-10, wrist=-5, curl=25
    )
    right = Arm(flex=u(rng, 34, 44), abduct=6, twist=u(rng, 46, 58), elbow=u(rng, 102, 112), pronate=-10, curl=30)
    goals: list[Goal] = [
        Touch("right_palm", "left_upper_arm", (0.0, -0.03, 0.012), 0.025),
        Touch("right_forearm", "left_forearm_back", (0.0, 0.01, 0.03), 0.025),
    ]
    return (left, right), goals


def clasped(rng: Generator) -> Both:
    """One hand holds the other before the belly."""
    arm = Arm(flex=u(rng, 12, 26), abduct=5, twist=u(rng, 35, 50), elbow=u(rng, 38, 62), pronate=10, curl=30)
    goals: list[Goal] = [
        Touch("left_palm", "right_knuckles", (0.0, 0.0, 0.015), 0.015),
        Aim("left_wrist", _PALM, (0.0, 0.0, -1.0), 30, "pelvis"),
        Aim("right_wrist", _PALM, (0.0, 0.0, -1.0), 30, "pelvis"),
    ]
    return (arm, arm), goals


def behind_back(rng: Generator) -> Both:
    """The backs of both hands at rest on the small of the back."""
    arm = Arm(flex=-30, abduct=14, twist=u(rng, 55, 70), elbow=u(rng, 34, 55), pronate=u(rng, 0, 40), curl=30)
    down = u(rng, -0.10, -0.02)
    goals: list[Goal] = [
        Touch("right_knuckles", "low_back", (-0.045, down, -0.014), 0.02),
        Touch("left_knuckles", "low_back", (0.045, down - 0.01, -0.014), 0.02),
    ]
    return (arm, arm), goals


def on_thighs(rng: Generator, where: str = "thigh") -> Both:
    """Palms on the thighs (or "thigh_near_knee")."""
    goals: list[Goal] = []
    for side in ("left", "right"):
        goals += [
            Touch(f"{side}_palm", f"{side}_{where}", (u(rng, -0.02, 0.02), 0.004, u(rng, -0.03, 0.03)), 0.012),
            Aim(f"{side}_wrist", _PALM, (0.0, 0.15, -1.0), 24, f"{side}_hip_smpl"),
        ]
    arm = Arm(
        flex=u(rng, 22, 38),
        abduct=u(rng, 8, 18),
        twist=u(rng, 5, 25),
        elbow=u(rng, 40, 62),
        pronate=25,
        wrist=5,
        curl=12,
    )
    return (arm, arm), goals
