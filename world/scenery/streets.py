"""Streets, squares, courtyards and car parks: facades along x in the place's frame, ground in strips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import greenery, materials, street_things, vehicles
from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import linear, pick
from pymaf_data.world.scenery.place import Place
from pymaf_data.world.scenery.plan import Plan
from pymaf_data.world.scenery.scatter import hide_some, line_up, strew
from pymaf_data.world.scenery.stock import lend
from pymaf_data.world.scenery.weather import Weather, draw_weather

if TYPE_CHECKING:
    from pymaf_data.world.view import View

_FAR = 160.0  # metres that a street is long
_WHITE = linear("cfccc4")[0]


def draw_street(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """People on a pavement or on the carriageway of a street with houses on both sides."""
    yaw = float(rng.choice([rng.normal(0, 0.35), rng.choice([-1, 1]) * rng.uniform(0.9, 1.5)]))
    plan = Plan(rng, view, spots, yaw)
    _, _, z0, z1 = plan.bounds(0.4)
    weather = draw_weather(rng, np.full(3, 0.13), town=0.8)
    walk, road = rng.uniform(1.6, 3.5), rng.uniform(5.5, 8.0)
    paved, tar = plan.use(materials.paving(rng)), plan.use(materials.asphalt(rng))
    stone = plan.use(
        materials.tiled(rng, *(pick(rng, paint_box.CONCRETES),) * 2, np.full(3, 0.12), 0.9, 0.3, 0.01, rough=0.1)
    )
    if rng.random() < 0.55:  # everybody on the pavement, the road behind or before them
        near, edge = z1 + rng.uniform(0.2, 2.0), z0 - rng.uniform(0.1, 1.0)
        drop = 0.13
        plan.floor(-_FAR, _FAR, edge, near + 8, paved)
        _kerb(plan, stone, edge, -drop, 0.0)
        _road(plan, tar, edge - road, edge, -drop, rng)
        _kerb(plan, stone, edge - road, -drop, 0.0)
        plan.floor(-_FAR, _FAR, edge - road - walk - 8, edge - road, paved)
        far = edge - road - walk
        parking = (edge - road + 1.05, -drop)
    else:  # everybody on the carriageway
        edge = z0 - rng.uniform(0.3, 2.5)
        _road(plan, tar, edge, z1 + 4.0, 0.0, rng)
        _kerb(plan, stone, edge, 0.0, 0.13)
        plan.floor(-_FAR, _FAR, edge - walk - 8, edge, paved, y=0.13)
        far, near = edge - walk, z1 + 4.0
        parking = (edge + 1.05, 0.0)
    _houses(plan, (-_FAR, _FAR), far, 1.0)
    _houses(plan, (-_FAR, _FAR), near, -1.0)
    _park(plan, parking[0], parking[1])
    rim = edge - 0.4 if parking[1] == 0.0 else edge + 0.35
    lift = 0.13 if parking[1] == 0.0 else 0.0
    line_up(plan, (street_things.lamp_post, greenery.tree, street_things.sign), rim, lift, rng.uniform(6, 12))
    strewn = (
        street_things.bollard,
        street_things.bin_,
        vehicles.bicycle,
        street_things.bench,
        street_things.planter,
    )
    strew(plan, strewn, (far + 0.5, far + walk - 0.3), lift, int(rng.integers(2, 7)))
    hide_some(
        plan,
        (
            street_things.bollard,
            street_things.planter,
            vehicles.bicycle,
            street_things.railing,
            street_things.bin_,
        ),
    )
    return _finished(plan, kind, weather)


def draw_square(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """An open paved square or a courtyard between facades."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.7, 0.7)))
    closed = kind == "courtyard"
    x0, x1, z0, z1 = plan.bounds(rng.uniform(1.5, 4.0) if closed else rng.uniform(5.0, 18.0))
    weather = draw_weather(rng, np.full(3, 0.2), town=0.9)
    floor = [materials.paving, materials.paving, materials.concrete, materials.gravel][rng.integers(4)](rng)
    plan.floor(x0 - 60, x1 + 60, z0 - 60, z1 + 60, plan.use(floor))
    ends = (x0, x1) if closed else (x0 - 40, x1 + 40)
    _houses(plan, ends, z0, 1.0)
    for x in (x0, x1) if closed else (x0 - 12, x1 + 12):
        face = materials.facade(rng)
        storeys = int(rng.integers(2, 5))
        plan.wall((x, z1 + 20), (x, z0), 0.0, float(face.numbers[1]) * storeys, plan.use(face), dark=(0, 0, 0.4, 0))
    strewn = (street_things.bench, street_things.planter, street_things.bollard, street_things.bin_, vehicles.bicycle,
              greenery.tree, greenery.bush)  # fmt: skip
    strew(plan, strewn, (z0 + 0.8, z0 + 5.0), 0.0, int(rng.integers(4, 9)))
    hide_some(plan, (street_things.bench, street_things.planter, street_things.bollard, vehicles.bicycle))
    return _finished(plan, kind, weather)


def draw_car_park(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """Rows of bays with cars."""
    plan = Plan(rng, view, spots, float(rng.uniform(-0.6, 0.6)))
    z0 = plan.bounds(rng.uniform(0.3, 1.5))[2]
    weather = draw_weather(rng, np.full(3, 0.12), town=0.5)
    plan.floor(-_FAR, _FAR, -_FAR, 40, plan.use(materials.asphalt(rng)))
    row, bay = z0 - 0.3, 2.5
    start = _FAR + rng.uniform(0, bay)
    for k in range(-8, 9):
        u = start + k * bay
        plan.mark(_WHITE, u - 0.05, u + 0.05, 40 - row, 40 - row + 5.0, strength=0.85, wear=0.5)
    plan.mark(_WHITE, start - 8 * bay, start + 8 * bay, 45 - row - 0.05, 45 - row + 0.05, strength=0.85, wear=0.5)
    for k in range(-8, 8):
        if rng.random() < 0.55:
            x = start - _FAR + (k + 0.5) * bay
            if plan.seen(x, row - 2.6, 3.0):
                plan.put(
                    lend(rng, vehicles.car),
                    x,
                    row - 2.6,
                    float(rng.choice([0, np.pi])) + rng.normal(0, 0.02),
                    radius=1.2,
                )
    back = row - rng.uniform(6, 14)
    if rng.random() < 0.5:
        _houses(plan, (-_FAR, _FAR), back, 1.0)
    else:
        _green_edge(plan, back)
    line_up(plan, (street_things.lamp_post, greenery.tree), row - 5.6, 0.0, rng.uniform(5, 9))
    hide_some(plan, (street_things.bollard, street_things.bin_, vehicles.bicycle))
    return _finished(plan, kind, weather)


def _finished(plan: Plan, kind: str, weather: Weather) -> Place:
    return plan.finish(kind, weather.light, weather.sky, density=weather.density)


def _kerb(plan: Plan, stone: int, z: float, low: float, high: float) -> None:
    plan.wall((-_FAR, z), (_FAR, z), low, high, stone, dark=(0, 0, 0.3, 0))
    plan.floor(-_FAR, _FAR, z - 0.14 if low == 0.0 else z, z if low == 0.0 else z + 0.14, stone, y=high + 0.002)


def _road(plan: Plan, tar: int, z0: float, z1: float, y: float, rng: Generator) -> None:
    """Asphalt with a gutter and painted lines."""
    plan.floor(-_FAR, _FAR, z0, z1, tar, y=y)
    middle, wide = (z1 - z0) / 2, 2 * _FAR
    plan.mark(np.full(3, 0.05), 0, wide, 0.0, 0.3, strength=0.3)
    plan.mark(np.full(3, 0.05), 0, wide, z1 - z0 - 0.3, z1 - z0, strength=0.3)
    if rng.random() < 0.75:
        start = rng.uniform(0, 6)
        for k in range(6, 48):
            u = start + 6.0 * k
            if abs(u - _FAR) < 45:
                plan.mark(_WHITE, u, u + 3.0, middle - 0.06, middle + 0.06, strength=0.9, wear=0.45)
    if rng.random() < 0.3:
        u = _FAR + rng.uniform(-6, 6)
        for k in range(round((z1 - z0 - 0.6) / 1.0)):
            plan.mark(_WHITE, u, u + 3.0, 0.4 + k, 0.9 + k, strength=0.9, wear=0.5)
    for _ in range(rng.integers(0, 3)):  # covers and mended trenches
        u, v = _FAR + rng.uniform(-8, 8), rng.uniform(0.5, z1 - z0 - 0.8)
        if rng.random() < 0.5:
            plan.ring(np.full(3, 0.05), u, v, 0.15, 0.3)
        else:
            plan.mark(np.full(3, 0.055), u, u + rng.uniform(1, 6), v, v + rng.uniform(0.4, 1.0), strength=0.55)


def _houses(plan: Plan, ends: tuple[float, float], z: float, side: float) -> None:
    """A row of houses of different widths, heights and faces along z, some with shops below."""
    rng = plan.rng
    x = max(ends[0], -70.0 - rng.uniform(0, 10))
    while x < min(ends[1], 80.0):
        wide = rng.uniform(8, 18)
        face = materials.facade(rng)
        storey = float(face.numbers[1])
        storeys = int(rng.integers(2, 6))
        setback = z - side * rng.choice([0.0, 0.0, rng.uniform(0.1, 0.6)])
        shop = rng.random() < 0.4
        low = 0.0
        if abs(x) < 45 and shop:
            front = materials.shopfront(rng, rng.uniform(0.3, 1.4))
            plan.wall((x, setback), (x + wide, setback), 0.0, storey, plan.use(front), dark=(0, 0, 0.3, 0))
            low = storey
            if rng.random() < 0.4:
                _awning(plan, x + 0.5, x + wide - 0.5, setback, side, storey - 0.75)
        plan.wall(
            (x, setback), (x + wide, setback), low, low + storey * storeys, plan.use(face), dark=(0.1, 0.1, 0.35, 0)
        )
        top = low + storey * storeys
        if rng.random() < 0.6:
            roof = materials.tiled(
                rng, *(pick(rng, paint_box.ROOFS),) * 2, np.full(3, 0.03), 0.25, 0.3, 0.012, bond=0.5, varied=0.12
            )
            plan.patch((x, top, setback + 0.2 * side), (wide, 0, 0), (0, 2.2, -2.6 * side), plan.use(roof))
        elif abs(x) < 40:
            cornice = plan.use(materials.concrete(rng, pick(rng, paint_box.CONCRETES)))
            plan.wall(
                (x - 0.1, setback + 0.15 * side), (x + wide + 0.1, setback + 0.15 * side), top - 0.3, top + 0.1, cornice
            )
        if not (abs(x) < 45 and shop) and abs(x) < 40:
            _house_door(plan, x, wide, setback + 0.02 * side, storey)
        for end in (x, x + wide):  # the flank that shows where houses stand unevenly
            plan.wall(
                (end, setback), (end, setback - 6.0 * side), 0.0, top, plan.use(materials.plaster(rng, face.colours[0]))
            )
        x += wide + (0.0 if rng.random() < 0.8 else rng.uniform(2, 5))


def _house_door(plan: Plan, x: float, wide: float, z: float, storey: float) -> None:
    rng = plan.rng
    at, door = x + rng.uniform(0.2, 0.7) * wide, rng.uniform(0.95, 1.2)
    colour = pick(rng, paint_box.ACCENTS if rng.random() < 0.5 else paint_box.WOODS) * 0.8
    rim = plan.use(materials.mottled(rng, pick(rng, paint_box.CONCRETES), uneven=0.05))
    plan.wall((at - 0.15, z), (at + door + 0.15, z), 0.0, 2.35, rim)
    leaf = materials.panelled(rng, colour, 1, 2, groove=0.03, grain=0.12)
    inset = 0.01 if z < 0 else -0.01
    plan.wall((at, z + inset), (at + door, z + inset), 0.0, 2.2, plan.use(leaf))


def _awning(plan: Plan, x0: float, x1: float, z: float, side: float, y: float) -> None:
    rng = plan.rng
    first = pick(rng, paint_box.ACCENTS)
    cloth = plan.use(materials.striped(rng, first, first if rng.random() < 0.4 else _WHITE, 0.3, rough=0.05))
    plan.patch((x0, y - 0.5, z + 1.1 * side), (x1 - x0, 0, 0), (0, 0.5, -1.1 * side), cloth)
    plan.wall((x0, z + 1.1 * side), (x1, z + 1.1 * side), y - 0.7, y - 0.5, cloth)


def _green_edge(plan: Plan, z: float) -> None:
    """A hedge with trees behind it."""
    rng = plan.rng
    wood = plan.use(materials.foliage(rng, size=1.8, clump=4.0))
    plan.wall((-_FAR, z - 8), (_FAR, z - 8), 0.0, rng.uniform(5, 10), wood, dark=(0, 0, 0.5, 0), ragged=(0.5, 60.0))
    shrub = plan.use(materials.foliage(rng, clump=1.5))
    plan.wall((-_FAR, z), (_FAR, z), 0.0, rng.uniform(1.0, 2.2), shrub, dark=(0, 0, 0.6, 0), ragged=(0.15, 9.0))


def _park(plan: Plan, z: float, y: float) -> None:
    """Cars along the far kerb."""
    rng = plan.rng
    if rng.random() < 0.15:
        return
    x = -30.0 + rng.uniform(0, 4)
    while x < 30:
        if rng.random() < 0.6 and plan.seen(x, z, 4.0):
            plan.put(
                lend(rng, vehicles.car),
                x,
                z,
                float(rng.choice([-1, 1])) * np.pi / 2 + rng.normal(0, 0.02),
                y=y,
                radius=1.3,
            )
        x += rng.uniform(5.2, 8.0)
