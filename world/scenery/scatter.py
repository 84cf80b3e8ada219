"""Strewing things over the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymaf_data.world.scenery.plan import Plan
from pymaf_data.world.scenery.stock import Maker, lend

_VEIL = 0.6  # metres: a thing before people may overlap their way to the camera, only its middle is kept apart


def scatter(plan: Plan, makers: Sequence[Maker], distance: tuple[float, float], count: int) -> None:
    """Stand up to ``count`` things in the image, that far from the camera, where they hide nobody."""
    rng = plan.rng
    for _ in range(count):
        far = rng.uniform(min(distance), max(distance))
        aside = rng.uniform(-1.05, 1.05) * plan.half_width * far
        x, z = plan.ahead * far + np.array([-plan.ahead[1], plan.ahead[0]]) * aside
        plan.put(lend(rng, makers), float(x), float(z), float(rng.uniform(0, 2 * np.pi)))


def strew(plan: Plan, makers: Sequence[Maker], band: tuple[float, float], y: float, count: int) -> None:
    """Things here and there in a strip of the ground between two z of the place's frame."""
    rng = plan.rng
    for _ in range(count):
        x, z = rng.uniform(-1, 1) * (3.0 + 0.8 * abs(band[0])), rng.uniform(*band)
        if plan.seen(x, z, 0.5):
            plan.put(lend(rng, makers), float(x), float(z), float(rng.normal(0, 0.15)), y=y)


def line_up(plan: Plan, makers: Sequence[Maker], z: float, y: float, step: float) -> None:
    """One kind of thing at even distances along z."""
    rng = plan.rng
    loan = lend(rng, makers)
    for x in np.arange(-24 + rng.uniform(0, step), 26, step):
        if plan.seen(x, z, 2.0):
            plan.put(loan, float(x), z, float(rng.uniform(0, 0.2)), y=y)


def hide_some(plan: Plan, makers: Sequence[Maker], chance: float = 0.35, spread: float = 0.6) -> None:
    """At times stand something between the camera and the people, so that it hides a part of somebody."""
    rng = plan.rng
    if rng.random() < chance:
        loan = lend(rng, makers)
        radius = min(loan.radius, _VEIL)
        at = plan.before(radius, loan.height)
        if at is not None:
            plan.put(loan, *at, float(rng.normal(0, spread)), radius=radius, veil=True)
