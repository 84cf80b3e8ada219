"""Fields, parks, sports grounds, beaches and the edges of woods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import greenery, materials, street_things
from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import linear, pick
from pymaf_data.world.scenery.place import Place
from pymaf_data.world.scenery.plan import Plan
from pymaf_data.world.scenery.scatter import hide_some, scatter
from pymaf_data.world.scenery.stock import lend
from pymaf_data.world.scenery.weather import draw_weather

if TYPE_CHECKING:
    from pymaf_data.world.view import View

_FAR = 2500.0
_WHITE = linear("d2d0c8")[0]


def draw_field(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """Meadow or stubble, with a track at times, trees and hills."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.8, 0.8)))
    far = plan.reach()
    dry = rng.uniform(0.1, 0.9)
    plan.floor(-_FAR, _FAR, -_FAR, 60, plan.use(materials.turf(rng, dry)))
    if rng.random() < 0.5:
        _track(plan, float(rng.uniform(-1.5, 1.5)), rng.uniform(0.8, 2.6))
    weather = draw_weather(rng, linear("57602f")[0], town=0.05)
    if rng.random() < 0.5:
        _wood_line(plan, -far - rng.uniform(12, 60), rng.uniform(5, 11))
    scatter(
        plan,
        (greenery.tree, greenery.tree, greenery.conifer, greenery.bush),
        (far + 3, far + 28),
        int(rng.integers(2, 6)),
    )
    scatter(
        plan,
        (greenery.reeds, greenery.reeds, street_things.rock, greenery.bush),
        (2.0, far + 6),
        int(rng.integers(3, 9)),
    )
    hide_some(plan, (greenery.reeds, greenery.bush, street_things.fence, street_things.rock))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def draw_park(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """Lawn with paths, benches, hedges and trees."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.8, 0.8)))
    far = plan.reach()
    plan.floor(
        -_FAR, _FAR, -_FAR, 60, plan.use(materials.turf(rng, rng.uniform(0.0, 0.5), mown=rng.choice([0.0, 0.0, 1.1])))
    )
    _track(plan, float(rng.uniform(-2.5, 2.5)), rng.uniform(1.4, 3.0), across=bool(rng.random() < 0.5))
    weather = draw_weather(rng, linear("57602f")[0], town=0.4)
    shrub = plan.use(materials.foliage(rng, clump=1.6))
    back = -far - rng.uniform(4, 18)
    if rng.random() < 0.7:
        plan.wall((-80, back), (80, back), 0.0, rng.uniform(0.9, 2.2), shrub, dark=(0, 0, 0.6, 0), ragged=(0.12, 12.0))
    _wood_line(plan, back - rng.uniform(3, 20), rng.uniform(7, 13))
    scatter(
        plan,
        (greenery.tree, greenery.tree, greenery.bush, street_things.bench),
        (far + 1, far + 20),
        int(rng.integers(3, 7)),
    )
    scatter(
        plan,
        (street_things.bench, street_things.bin_, street_things.lamp_post, greenery.bush),
        (3.0, far + 8),
        int(rng.integers(1, 5)),
    )
    hide_some(plan, (street_things.bench, greenery.hedge, greenery.bush, street_things.bollard, street_things.railing))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def draw_pitch(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """A sports ground: lines on turf or hard court, a goal, a fence or stand, trees behind."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.7, 0.7)))
    far = plan.reach()
    back = far + rng.uniform(4, 25)
    hard = rng.random() < 0.4
    if hard:
        base = pick(rng, linear("5a6f62", "3f5f7a", "7d4a3f", "6b6e70"))
        ground = materials.mottled(rng, base, size=5.0, uneven=0.08, fine_size=0.4, rough=0.09, stained=0.2)
    else:
        ground = materials.turf(rng, rng.uniform(0.0, 0.35), mown=float(rng.choice([0.0, 4.0, 8.0])))
    plan.floor(-_FAR, _FAR, -_FAR, 60, plan.use(materials.turf(rng, 0.3)))
    a, b = 60.0, back + 30.0
    plan.floor(-30, 30, -back, 30, plan.use(ground), y=0.002)
    wear, wide = (0.3, 0.05) if hard else (0.45, 0.1)
    for v in (30 + rng.uniform(0.3, 0.7) * far, b - 1.5, b - 7.0):
        plan.mark(_WHITE, 1.0, a - 1.0, v, v + wide, wear=wear)
    for u in (rng.uniform(20, 28), rng.uniform(32, 40)):
        plan.mark(_WHITE, u, u + wide, 1.0, b - 1.5, wear=wear)
    plan.ring(_WHITE, rng.uniform(26, 34), 30 + rng.uniform(0.4, 1.0) * far, rng.uniform(1.8, 9.15), wide, wear=wear)
    weather = draw_weather(rng, linear("57602f")[0], town=0.3)
    if rng.random() < 0.6:
        plan.put(lend(rng, street_things.goal), float(rng.uniform(-4, 4)), -back + 1.5, radius=1.5)
    if rng.random() < 0.5:
        board = plan.use(
            materials.striped(rng, pick(rng, paint_box.ACCENTS), pick(rng, paint_box.WHITES), 6.0, duty=0.6)
        )
        plan.wall((-40, -back - 2), (40, -back - 2), 0.0, rng.uniform(0.8, 1.1), board, dark=(0, 0, 0.4, 0))
    if rng.random() < 0.35:
        _stand(plan, -back - 4)
    else:
        _wood_line(plan, -back - rng.uniform(6, 25), rng.uniform(6, 12))
    scatter(
        plan, (greenery.tree, greenery.bush, street_things.lamp_post), (back + 3, back + 12), int(rng.integers(1, 5))
    )
    hide_some(plan, (street_things.fence, street_things.railing, street_things.bench))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def draw_beach(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """Sand, surf and the sea."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.6, 0.6)))
    far = plan.reach()
    edge = -far - rng.uniform(3, 25)
    plan.floor(-_FAR, _FAR, edge - 6, 80, plan.use(materials.sand(rng)))
    wet = linear("6d5c47")[0]
    plan.mark(wet, 0, 2 * _FAR, 80 - edge - 2.5, 80 - edge + 6, strength=0.55)
    plan.floor(-_FAR, _FAR, -2 * _FAR, edge, plan.use(materials.water(rng, surf=rng.uniform(4, 14))), y=0.003)
    weather = draw_weather(rng, linear("b8a27e")[0], town=0.0)
    weather.sky.ridges[:, 1] *= 0.35
    scatter(
        plan,
        (street_things.parasol, street_things.rock, greenery.reeds, street_things.rock),
        (far + 1, -edge - 1),
        int(rng.integers(1, 5)),
    )
    hide_some(plan, (greenery.reeds, street_things.rock, street_things.parasol))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def draw_wood(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """A clearing at the edge of a wood."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.8, 0.8)))
    far = plan.reach()
    plan.floor(
        -_FAR, _FAR, -_FAR, 60, plan.use(materials.earth(rng) if rng.random() < 0.5 else materials.turf(rng, 0.9))
    )
    _track(plan, float(rng.uniform(-1.5, 1.5)), rng.uniform(1.0, 2.4))
    weather = draw_weather(rng, linear("4a4a30")[0], town=0.0)
    for layer in range(3):
        _wood_line(plan, -far - 5 - 7 * layer - rng.uniform(0, 4), 6.0 + 4.0 * layer)
    scatter(plan, (greenery.tree, greenery.conifer, greenery.conifer), (far + 1, far + 9), int(rng.integers(5, 9)))
    scatter(plan, (greenery.reeds, greenery.bush, street_things.rock), (2.0, far + 5), int(rng.integers(4, 10)))
    hide_some(plan, (greenery.reeds, greenery.bush, street_things.rock))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def draw_garden(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """A back garden or terrace: lawn, flags, a fence or wall, the house at one side."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.6, 0.6)))
    x0, x1, z0, z1 = plan.bounds(rng.uniform(1.0, 3.5))
    plan.floor(-_FAR, _FAR, -_FAR, 60, plan.use(materials.turf(rng, rng.uniform(0.0, 0.4))))
    paved = materials.paving(rng) if rng.random() < 0.6 else materials.planks(rng, pick(rng, paint_box.WOODS))
    cut = rng.uniform(z0, 0.2 * z0)
    plan.floor(x0 - 20, x1 + 20, cut, z1 + 20, plan.use(paved), y=0.002)
    wood = pick(rng, paint_box.WOODS)
    fence = plan.use(
        materials.striped(rng, wood, wood * 0.25, 0.13, duty=0.93, fine=2, rough=0.18, uneven=0.15)
        if rng.random() < 0.5 else materials.bricks(rng)
    )  # fmt: skip
    high = rng.uniform(1.5, 2.0)
    for start, end in (((x0, z1 + 20), (x0, z0)), ((x0, z0), (x1, z0)), ((x1, z0), (x1, z1 + 20))):
        plan.wall(start, end, 0.0, high, fence, dark=(0.2, 0.2, 0.35, 0))
    if rng.random() < 0.5:
        face = materials.facade(rng)
        plan.wall(
            (x0 + 0.1, z1 + 20),
            (x0 + 0.1, z0 - 6),
            0.0,
            2 * float(face.numbers[1]),
            plan.use(face),
            dark=(0, 0, 0.3, 0),
        )
    weather = draw_weather(rng, linear("57602f")[0], town=0.6)
    _wood_line(plan, z0 - rng.uniform(4, 14), rng.uniform(4, 8))
    makers = (
        greenery.bush,
        greenery.bush,
        street_things.planter,
        greenery.hedge,
        street_things.bench,
        street_things.bin_,
    )
    for _ in range(rng.integers(3, 9)):
        loan = lend(rng, makers)
        radius = loan.radius
        x, z = rng.uniform(x0 + radius, x1 - radius), z0 + 0.1 + min(radius, 0.7) + rng.uniform(0, 0.5)
        plan.put(loan, x, z, float(rng.normal(0, 0.1)))
    hide_some(plan, (street_things.planter, street_things.bench, greenery.bush, greenery.hedge))
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def _track(plan: Plan, x: float, wide: float, across: bool = False) -> None:
    """A path with grassy edges that runs away from the camera, or across."""
    rng = plan.rng
    maker = [materials.gravel, materials.earth, materials.asphalt, materials.paving][
        rng.choice(4, p=[0.4, 0.3, 0.15, 0.15])
    ]
    path = plan.use(maker(rng))
    if across:
        z = -rng.uniform(1.0, plan.reach() + 4)
        plan.floor(-200, 200, z - wide / 2, z + wide / 2, path, y=0.002)
        length = 400.0
    else:
        plan.patch((x - wide / 2, 0.002, 40), (wide, 0, 0), (0, 0, -240.0), path)
        length = 240.0
    edge = linear("5d5f3f")[0] * 0.7
    for width, strength in ((0.05, 0.6), (0.14, 0.35)):
        if across:
            plan.mark(edge, 0, length, 0, width, strength=strength, wear=0.8)
            plan.mark(edge, 0, length, wide - width, wide, strength=strength, wear=0.8)
        else:
            plan.mark(edge, 0, width, 0, length, strength=strength, wear=0.8)
            plan.mark(edge, wide - width, wide, 0, length, strength=strength, wear=0.8)


def _wood_line(plan: Plan, z: float, height: float) -> None:
    """A wall of trees, uneven at the top."""
    rng = plan.rng
    wood = plan.use(materials.foliage(rng, size=2.4, clump=rng.uniform(3.5, 6.0)))
    tilt = rng.normal(0, 0.06) * 150
    plan.wall((-150, z - abs(z) * 0.1 + tilt), (150, z - tilt), 0.0, height, wood, dark=(0, 0, 0.6, 0),
              ragged=(rng.uniform(0.35, 0.6), rng.uniform(45, 90)))  # fmt: skip


def _stand(plan: Plan, z: float) -> None:
    """Rows of seats, rising."""
    rng = plan.rng
    seat = pick(rng, linear("3a5a86", "7a3a34", "5a5f66", "8b8d8a"))
    chairs = plan.use(materials.striped(rng, seat, seat * 0.2, 0.5, duty=0.86, wave=0.08, uneven=0.12))
    grey = plan.use(materials.concrete(rng))
    for k in range(8):
        plan.wall(
            (-35, z - 0.8 * k), (35, z - 0.8 * k), 0.42 * k, 0.42 * k + 0.5, chairs if k else grey, dark=(0, 0, 0.6, 0)
        )
        plan.floor(-35, 35, z - 0.8 * (k + 1), z - 0.8 * k, grey, y=0.42 * (k + 1))
