"""Rooms: floor, walls, ceiling, doors, windows and what stands along the walls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import furniture, materials
from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.fixtures import Fixtures
from pymaf_data.world.scenery.materials import Material
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.place import Place
from pymaf_data.world.scenery.plan import Plan
from pymaf_data.world.scenery.scatter import hide_some
from pymaf_data.world.scenery.stock import Maker, lend
from pymaf_data.world.scenery.weather import no_sky, room_light

if TYPE_CHECKING:
    from pymaf_data.world.view import View


@dataclass(frozen=True)
class Room:
    """What kind of room it is.

    Args:
        floors: materials that its floor may have.
        along: what stands along its walls.
        before: what may stand between camera and people.
        height: low and high of the ceiling, metres.
        margin: low and high of the room around the people, metres.
        windows: probability that a wall has windows.
        shelves: probability that a wall is covered with shelves.
        wainscot: probability of another material on the lower wall.
        density: things per metre of wall.
        strips: whether lamps are strips in the ceiling.
    """

    floors: Sequence[Callable[[Generator], Material]]
    along: Sequence[Maker]
    before: Sequence[Maker]
    height: tuple[float, float] = (2.5, 3.0)
    margin: tuple[float, float] = (0.5, 1.8)
    windows: float = 0.5
    shelves: float = 0.08
    wainscot: float = 0.1
    density: float = 0.8
    strips: bool = False


ROOMS: dict[str, Room] = {
    "living room": Room(
        (materials.planks, materials.planks, materials.carpet),
        (furniture.sofa, furniture.cupboard, furniture.shelf, furniture.plant, furniture.floor_lamp, furniture.chair),
        (furniture.low_table, furniture.plant, furniture.chair),
        shelves=0.15, density=1.1,
    ),
    "bedroom": Room(
        (materials.planks, materials.carpet), (furniture.bed, furniture.cupboard, furniture.chair, furniture.plant),
        (furniture.chair, furniture.bed, furniture.carton), density=0.9,
    ),
    "kitchen": Room(
        (materials.tiles, materials.planks),
        (furniture.counter, furniture.counter, furniture.cupboard, furniture.chair),
        (furniture.counter, furniture.table, furniture.chair), wainscot=0.6, density=0.9,
    ),
    "office": Room(
        (materials.carpet, materials.planks), (furniture.desk, furniture.desk, furniture.shelf, furniture.cupboard,
        furniture.plant), (furniture.desk, furniture.chair, furniture.plant), windows=0.6, shelves=0.15, density=1.0,
        strips=True, margin=(0.8, 3.0),
    ),
    "corridor": Room(
        (materials.tiles, materials.concrete, materials.carpet), (furniture.plant, furniture.carton, furniture.chair),
        (furniture.plant, furniture.carton), windows=0.25, wainscot=0.3, density=0.12, strips=True, margin=(0.3, 0.7),
    ),
    "gym hall": Room(
        (materials.planks,), (furniture.bench_seat, furniture.mat, furniture.bench_seat), (furniture.mat,
        furniture.bench_seat), height=(5.5, 8.0), margin=(2.0, 6.0), windows=0.3, wainscot=0.5, shelves=0.0,
        density=0.3, strips=True,
    ),
    "workshop": Room(
        (materials.concrete,),
        (furniture.table, furniture.shelf, furniture.carton, furniture.cupboard, furniture.counter),
        (furniture.table, furniture.carton), height=(3.0, 4.5), margin=(0.8, 3.0), density=0.7, strips=True,
        wainscot=0.3,
    ),
    "shop": Room(
        (materials.tiles, materials.planks, materials.concrete), (furniture.shelf, furniture.shelf, furniture.counter,
        furniture.carton), (furniture.counter, furniture.carton), height=(2.8, 3.8), margin=(0.8, 2.5), windows=0.3,
        shelves=0.5, density=0.8, strips=True,
    ),
    "library": Room(
        (materials.planks, materials.carpet), (furniture.table, furniture.shelf, furniture.chair), (furniture.table,
        furniture.chair), height=(2.8, 4.0), margin=(0.8, 2.5), windows=0.4, shelves=0.8, density=0.35,
    ),
}  # fmt: skip


def draw_room(rng: Generator, view: View, spots: np.ndarray, kind: str) -> Place:
    """A room of that kind around the people and the camera."""
    room = ROOMS[kind]
    plan = Plan(rng, view, spots, float(rng.normal(0, 0.45)))
    x0, x1, z0, z1 = plan.bounds(float(rng.uniform(*room.margin)))
    x0, x1, z0 = x0 - rng.uniform(0, 1.0), x1 + rng.uniform(0, 1.0), z0 - rng.uniform(0, 1.5)
    top = max(float(rng.uniform(*room.height)), plan.eye + 0.5)
    wall = pick(rng, paint_box.WALLS)
    floor = room.floors[int(rng.integers(len(room.floors)))](rng)
    _ground(plan, room, floor, (x0, x1, z0, z1), top)
    corners = [(x0, z1), (x0, z0), (x1, z0), (x1, z1)]
    lit_by: np.ndarray | None = None
    for index in range(4):
        start, end = corners[index], corners[(index + 1) % 4]
        feature = pick(rng, paint_box.WALLS) if rng.random() < 0.2 else wall
        if _build_wall(plan, room, start, end, top, feature, back=index == 3):
            across = np.array([end[0] - start[0], 0.0, end[1] - start[1]])
            outward = np.cross(across, [0.0, 1.0, 0.0]) @ plan.turn.T
            lit_by = -outward[[0, 2]] / np.hypot(outward[0], outward[2]) * -1.0
    _furnish(plan, room, corners)
    light = room_light(rng, lit_by, wall)
    return plan.finish(kind, light, no_sky(), base=0.72 if plan.has_lamps else 1.0)


def _ground(plan: Plan, room: Room, floor: Material, bounds: tuple[float, float, float, float], top: float) -> None:
    """Floor with a rug at times, ceiling with lamps."""
    rng, (x0, x1, z0, z1) = plan.rng, bounds
    plan.floor(x0, x1, z0, z1, plan.use(floor), dark=0.35)
    if room.height[1] > 5:
        _lines(plan, bounds)
    elif rng.random() < 0.25 and len(plan.spots):
        x, z, _ = plan.spots[rng.integers(len(plan.spots))]
        w, d = rng.uniform(0.8, 1.4), rng.uniform(0.6, 1.1)
        rug = materials.striped(rng, pick(rng, paint_box.FABRICS), pick(rng, paint_box.FABRICS), rng.uniform(0.1, 0.5),
                                rough=0.15)  # fmt: skip
        low_x, high_x, low_z, high_z = max(x - w, x0), min(x + w, x1), max(z - d, z0), min(z + d, z1)
        if high_x - low_x > 0.4 and high_z - low_z > 0.4:
            plan.floor(low_x, high_x, low_z, high_z, plan.use(rug), y=0.004)
            edge = pick(rng, paint_box.FABRICS)
            a, b = high_x - low_x, high_z - low_z
            for u0, u1, v0, v1 in ((0, a, 0, 0.04), (0, a, b - 0.04, b), (0, 0.04, 0, b), (a - 0.04, a, 0, b)):
                plan.mark(edge, u0, u1, v0, v1)
    ceiling = materials.plaster(rng, pick(rng, paint_box.WHITES))
    if room.strips and rng.random() < 0.6:
        white = pick(rng, paint_box.WHITES)
        ceiling = materials.tiled(rng, white, white, white * 0.6, 0.6, 0.6, 0.015, varied=0.01, rough=0.03)
    plan.floor(x0, x1, z0, z1, plan.use(ceiling), y=top, dark=0.25)
    glow = materials.outlook(rng, np.full(3, 0.7), (1, 1), 0.0)
    glow.numbers[3], glow.numbers[5], glow.numbers[4] = rng.uniform(1.5, 3.0), 0.0, -9.0
    lamp = plan.use(glow)
    warm = rng.random() < 0.8
    if room.strips:
        step = rng.uniform(1.8, 3.0) * (1.0 if top < 5 else 1.8)
        for x in np.arange(x0 + 0.7 * step, x1 - 0.4, step):
            for z in np.arange(z0 + 0.7 * step, z1 - 0.6, step):
                plan.floor(x - 0.15, x + 0.15, z - 0.6, z + 0.6, lamp, y=top - 0.03)
        plan.lamp((x0 + x1) / 2, top - 0.5, (z0 + z1) / 2, 0.25, top)
    elif warm:
        x, z = rng.uniform(0.3, 0.7) * (x1 - x0) + x0, rng.uniform(0.2, 0.6) * (z1 - z0) + z0
        plan.lamp(x, top - 0.45, z, rng.uniform(0.25, 0.6), rng.uniform(1.2, 2.0))
        plan.floor(x - 0.18, x + 0.18, z - 0.18, z + 0.18, lamp, y=top - 0.08)
    if not room.strips and rng.random() < 0.35:
        side = x0 + 0.25 if rng.random() < 0.5 else x1 - 0.25
        plan.lamp(side, 1.7, rng.uniform(z0, 0.5 * z0), rng.uniform(0.4, 0.8), 0.8)


def _lines(plan: Plan, bounds: tuple[float, float, float, float]) -> None:
    """Lines of several games on a hall's floor."""
    rng, (x0, x1, z0, z1) = plan.rng, bounds
    a, b = x1 - x0, z1 - z0
    for colour in paint_box.linear("d8d6d0", "9a3b32", "2f5a86", "b59a45")[rng.permutation(4)[:3]]:
        at, along = rng.uniform(0.1, 0.9) * a, rng.uniform(0.1, 0.9) * b
        plan.mark(colour, at - 0.025, at + 0.025, 0.05 * b, 0.95 * b, wear=0.2)
        plan.mark(colour, 0.05 * a, 0.95 * a, along - 0.025, along + 0.025, wear=0.2)
        plan.ring(colour, at, along, rng.uniform(1.5, 3.2), 0.05, wear=0.2)


def _build_wall(plan: Plan, room: Room, start: tuple[float, float], end: tuple[float, float], top: float,
                colour: np.ndarray, back: bool) -> bool:  # fmt: skip
    """One wall with what is on it; whether it has windows."""
    rng = plan.rng
    flat = np.array(end) - np.array(start)
    length = float(np.hypot(*flat))
    face = materials.plaster(rng, colour)
    if rng.random() < 0.1:
        face = materials.bricks(rng)
    elif rng.random() < 0.12:
        face = materials.striped(rng, colour, colour * rng.uniform(0.85, 0.95), rng.uniform(0.08, 0.4))
    plan.wall(start, end, 0.0, top, plan.use(face), dark=(0.45, 0.45, 0.3, 0.3))
    skirting = pick(rng, paint_box.WHITES) if rng.random() < 0.7 else pick(rng, paint_box.WOODS)
    plan.mark(skirting * 0.55, 0, length, 0.085, 0.095)
    plan.mark(skirting, 0, length, 0.0, 0.085)
    if back:
        return False
    fixtures = Fixtures(plan, start, flat / length, length, top)
    if rng.random() < room.wainscot:
        fixtures.wainscot()
    if rng.random() < room.shelves:
        fixtures.shelves()
        return False
    windows = rng.random() < room.windows and fixtures.windows()
    if rng.random() < 0.4:
        fixtures.door()
    for _ in range(rng.integers(0, 4)):
        fixtures.picture()
    if rng.random() < 0.5:
        fixtures.socket()
    return windows


def _furnish(plan: Plan, room: Room, corners: list[tuple[float, float]]) -> None:
    """Stand things along three walls, their backs to them, and at times one before the people."""
    rng = plan.rng
    hide_some(plan, room.before, spread=3.0)
    for index in range(3):
        start, end = np.array(corners[index]), np.array(corners[index + 1])
        flat = end - start
        length = float(np.hypot(*flat))
        along = flat / length
        inner = np.array([-along[1], along[0]])
        if float(inner @ (-(start + end) / 2)) < 0:
            inner = -inner
        for _ in range(min(8, rng.poisson(room.density * length))):
            loan = lend(rng, room.along)
            deep, reach = loan.back + 0.03, loan.half_width + 0.05
            if length < 2 * reach:
                continue
            at = start + along * rng.uniform(reach, length - reach) + inner * deep
            if plan.seen(at[0], at[1], 1.0):
                plan.put(loan, float(at[0]), float(at[1]), float(np.arctan2(inner[0], inner[1])))
