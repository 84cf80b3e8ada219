"""What ball sports begin with: legs ready to go, and limbs on the way between two postures."""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses.goals import Goal, Rest
from pymaf_data.world.poses.variants import n, u
from pymaf_data.world.poses.words import Arm, Leg

ON_BALLS: tuple[Goal, ...] = tuple(Rest(f"{s}_{p}") for s in ("left", "right") for p in ("ball_in", "ball_out"))
"""Both feet on their balls, heels free."""


def blended(a: Leg | Arm, b: Leg | Arm, t: float) -> dict[str, float]:
    """The words of a limb at share ``t`` of the way from one posture to another."""
    return {name: (1 - t) * getattr(a, name) + t * getattr(b, name) for name in vars(a)}


def ready_legs(
    rng: Generator, knee: tuple[float, float] = (30, 60), wide: tuple[float, float] = (9, 18)
) -> tuple[Leg, Leg]:
    """Both knees bent, feet apart, one a little ahead."""
    bend, spread, split = u(rng, *knee), u(rng, *wide), u(rng, -12, 12)
    legs = [
        Leg(flex=0.62 * bend + 8 + sign * split, abduct=spread, rotate=u(rng, 6, 16), knee=bend + n(rng, 4))
        for sign in (1, -1)
    ]
    return legs[0], legs[1]
