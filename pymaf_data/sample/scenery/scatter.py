"""Strewing things over open ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from pymaf_data.sample.scenery.furniture import Made
from pymaf_data.sample.scenery.plan import Plan

Maker = Callable[[Generator], Made]


def scatter(plan: Plan, makers: Sequence[Maker], distance: tuple[float, float], count: int) -> None:
    """Stand up to ``count`` things in the picture, that far from the camera, where they hide nobody."""
    rng = plan.rng
    for _ in range(count):
        far = rng.uniform(min(distance), max(distance))
        aside = rng.uniform(-1.05, 1.05) * plan.half_width * far
        x, z = plan.ahead * far + np.array([-plan.ahead[1], plan.ahead[0]]) * aside
        thing, radius, _ = makers[rng.integers(len(makers))](rng)
        plan.put(thing, float(x), float(z), radius, float(rng.uniform(0, 2 * np.pi)))


def hide_some(plan: Plan, makers: Sequence[Maker], chance: float = 0.35) -> None:
    """At times stand something between the camera and the people, so that it hides a part of somebody."""
    rng = plan.rng
    if rng.random() < chance:
        thing, radius, height = makers[rng.integers(len(makers))](rng)
        at = plan.before(min(radius, 0.6), height)
        if at is not None:
            plan.put(thing, *at, min(radius, 0.6), float(rng.normal(0, 0.6)), veil=True)
