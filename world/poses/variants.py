"""How families say what they hold: named variants with weights, and small helpers for drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from numpy.random import Generator

from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan

Draw = Callable[[Generator, Build], Plan]


@dataclass(frozen=True)
class Variant:
    """One way in which a family shows itself.

    Args:
        name: unique in its family.
        draw: draws a plan of one handedness; half of all figures are mirrored.
        weight: share among the family's variants.
        held_out: never drawn for training.
    """

    name: str
    draw: Draw
    weight: float = 1.0
    held_out: bool = False


@dataclass(frozen=True)
class Family:
    """A family's variants and its share of all figures."""

    share: float
    variants: tuple[Variant, ...]


def u(rng: Generator, low: float, high: float) -> float:
    """Uniform."""
    return float(rng.uniform(low, high))


def n(rng: Generator, spread: float, mean: float = 0.0) -> float:
    """Normal, cut at two and a half spreads."""
    return mean + spread * float(min(max(rng.normal(), -2.5), 2.5))


def pick(rng: Generator, options: Sequence[str], weights: Sequence[float] | None = None) -> str:
    """One of several."""
    total = sum(weights) if weights else 1.0
    return options[int(rng.choice(len(options), p=[w / total for w in weights] if weights else None))]


def natural(rng: Generator, plan: Plan) -> Plan:
    """Small differences that no family speaks of: the spine, where the head looks, how hands hang."""
    t = plan.trunk
    trunk = replace(
        t, bend=t.bend + n(rng, 2), side=t.side + n(rng, 1.5), turn=t.turn + n(rng, 3), nod=t.nod + n(rng, 5),
        tilt=t.tilt + n(rng, 3), look=t.look + n(rng, 10),
    )  # fmt: skip
    arms = tuple(
        replace(arm, wrist=arm.wrist + n(rng, 5), deviate=arm.deviate + n(rng, 4), curl=arm.curl + u(rng, -6, 12))
        for arm in plan.arms
    )
    return replace(plan, trunk=trunk, arms=(arms[0], arms[1]))
