"""Furniture as low meshes about the origin, its back towards −z, standing on y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.solids import Made, cushion, legs, post
from pymaf_data.world.things import Thing, ball, beam, box, joined


def table(rng: Generator) -> Made:
    """A dining or work table."""
    x, z = rng.uniform(0.55, 0.9), rng.uniform(0.36, 0.48)
    y = rng.uniform(0.71, 0.77)
    wood = pick(rng, paint_box.WOODS if rng.random() < 0.7 else paint_box.WHITES)
    leg = wood * 0.8 if rng.random() < 0.6 else pick(rng, paint_box.METALS)
    parts = [box((-x, y - 0.03, -z), (x, y, z), wood)]
    parts += [box((-x + 0.06, y - 0.1, -z + 0.06), (x - 0.06, y - 0.03, z - 0.06), wood * 0.75)]
    parts += legs(x - 0.07, z - 0.07, y - 0.03, 0.03, leg)
    parts += _on_top(rng, x, z, y)
    return replace(joined("table", parts), gloss=0.15), float(np.hypot(x, z)), y


def _on_top(rng: Generator, x: float, z: float, y: float) -> list[Thing]:
    """A few things that lie about."""
    parts = []
    for _ in range(rng.integers(0, 4)):
        at = np.array([rng.uniform(-0.8, 0.8) * x, y, rng.uniform(-0.7, 0.7) * z])
        kind = rng.integers(3)
        if kind == 0:
            w, d, h = rng.uniform(0.07, 0.15), rng.uniform(0.1, 0.15), rng.uniform(0.01, 0.07)
            colour = pick(rng, paint_box.ACCENTS)
            parts.append(box((at[0] - w, y, at[2] - d), (at[0] + w, y + h, at[2] + d), colour))
        elif kind == 1:
            parts.append(post(0, 0.1, 0.04, pick(rng, paint_box.WHITES)).moved(np.eye(3), at))
        else:
            glass = pick(rng, paint_box.LEAVES) * 0.8
            parts.append(post(0, 0.2, 0.038, glass).moved(np.eye(3), at))
            parts.append(post(0.2, 0.3, 0.03, glass, last=0.013).moved(np.eye(3), at))
    return parts


def low_table(rng: Generator) -> Made:
    """A coffee table."""
    x, z, y = rng.uniform(0.4, 0.6), rng.uniform(0.25, 0.4), rng.uniform(0.36, 0.45)
    wood = pick(rng, paint_box.WOODS)
    parts = [box((-x, y - 0.035, -z), (x, y, z), wood), *legs(x - 0.05, z - 0.05, y - 0.03, 0.022, wood * 0.7)]
    if rng.random() < 0.5:
        parts.append(box((-x + 0.06, 0.14, -z + 0.06), (x - 0.06, 0.155, z - 0.06), wood * 0.85))
    return replace(joined("coffee table", [*parts, *_on_top(rng, x, z, y)]), gloss=0.15), float(np.hypot(x, z)), y


def chair(rng: Generator, wood: np.ndarray | None = None) -> Made:
    """A plain chair."""
    frame = pick(rng, paint_box.WOODS) if wood is None else wood
    seat = frame if rng.random() < 0.5 else pick(rng, paint_box.FABRICS)
    parts = [cushion((-0.21, 0.42, -0.21), (0.21, 0.46, 0.21), seat, 0.02)]
    parts += legs(0.18, 0.18, 0.43, 0.018, frame, 0.02)
    parts += [
        beam(np.array([a, 0.44, -0.19]), np.array([a, 0.86, -0.26]), 0.017, frame, sides=4) for a in (-0.18, 0.18)
    ]
    for y in (0.58, 0.69, 0.8):
        parts.append(
            box((-0.18, y, -0.255 + 0.1 * (0.7 - y)), (0.18, y + 0.05, -0.235 + 0.1 * (0.7 - y)), frame * 0.95)
        )
    return joined("chair", parts), 0.33, 0.86


def sofa(rng: Generator) -> Made:
    """Two or three seats, or an armchair."""
    seats = int(rng.choice([1, 2, 3], p=[0.25, 0.4, 0.35]))
    half = 0.32 * seats
    cloth = pick(rng, paint_box.FABRICS)
    arm = rng.uniform(0.12, 0.2)
    parts = [cushion((-half - arm, 0.1, -0.42), (half + arm, 0.28, 0.42), cloth * 0.9)]
    parts.append(cushion((-half - arm, 0.2, -0.45), (half + arm, 0.8, -0.22), cloth * 0.95, 0.08))
    for side in (-1, 1):
        low, high = sorted((side * half, side * (half + arm)))
        parts.append(cushion((low, 0.15, -0.42), (high, 0.6, 0.42), cloth, 0.07))
    for seat in range(seats):
        x = -half + 0.64 * seat
        tone = rng.uniform(0.95, 1.06)
        parts.append(cushion((x + 0.01, 0.27, -0.25), (x + 0.63, 0.44, 0.4), cloth * tone, 0.06))
        parts.append(cushion((x + 0.02, 0.42, -0.3), (x + 0.62, 0.78, -0.1), cloth * tone * 1.03, 0.09))
    for _ in range(rng.integers(0, seats + 1)):
        x = rng.uniform(-half + 0.2, half - 0.2)
        pillow = ball(np.array([x, 0.56, 0.0]), (0.2, 0.17, 0.08), pick(rng, paint_box.ACCENTS), rings=6)
        parts.append(pillow)
    parts += legs(half + arm - 0.08, 0.34, 0.12, 0.025, pick(rng, paint_box.WOODS))
    thing = replace(joined("sofa", parts), gloss=0.02, grain=0.2)
    return thing, float(np.hypot(half + arm, 0.45)), 0.8


def bed(rng: Generator) -> Made:
    """A double or single bed with pillows and a cover."""
    half = rng.choice([0.48, 0.72, 0.84])
    wood, cover = pick(rng, paint_box.WOODS), pick(rng, paint_box.FABRICS if rng.random() < 0.5 else paint_box.WALLS)
    white = pick(rng, paint_box.WHITES)
    parts = [cushion((-half, 0.28, -1.0), (half, 0.5, 1.0), white, 0.06)]
    parts.append(cushion((-half - 0.03, 0.22, -0.45), (half + 0.03, 0.56, 1.03), cover, 0.07))
    parts.append(cushion((-half - 0.02, 0.5, -0.55), (half + 0.02, 0.58, -0.3), cover * 1.15, 0.04))
    parts.append(box((-half - 0.04, 0.12, -1.02), (half + 0.04, 0.3, 1.04), wood))
    parts.append(box((-half - 0.06, 0.0, -1.08), (half + 0.06, rng.uniform(0.85, 1.15), -1.02), wood * 0.95))
    count = 1 if half < 0.5 else 2
    for k in range(count):
        x = (k - (count - 1) / 2) * 0.72
        parts.append(ball(np.array([x, 0.56, -0.76]), (0.32, 0.11, 0.2), white, rings=6))
    return replace(joined("bed", parts), gloss=0.02), float(np.hypot(half, 1.06)), 0.6


def cupboard(rng: Generator, height: float | None = None) -> Made:
    """A chest, sideboard or wardrobe with doors or drawers."""
    x = rng.uniform(0.4, 0.8)
    y = float(rng.choice([0.75, 0.85, 1.9])) if height is None else height
    z = 0.22 if y < 1.5 else 0.29
    wood = pick(rng, paint_box.WOODS if rng.random() < 0.6 else paint_box.WHITES)
    parts = [box((-x, 0.06, -z), (x, y, z), wood), box((-x + 0.03, 0, -z), (x - 0.03, 0.06, z - 0.04), wood * 0.4)]
    columns, rows = max(1, round(x / 0.3)), 1 if y > 1.5 else int(rng.integers(1, 4))
    handle = pick(rng, paint_box.METALS)
    for i in range(columns):
        for j in range(rows):
            w, h = 2 * x / columns, (y - 0.12) / rows
            a, b = -x + i * w, 0.09 + j * h
            parts.append(
                box((a + 0.012, b, z), (a + w - 0.012, b + h - 0.015, z + 0.018), wood * rng.uniform(0.94, 1.06))
            )
            grip = (a + 0.5 * w, b + 0.75 * h) if rows > 1 else (a + (0.88 if i % 2 == 0 else 0.12) * w, b + 0.5 * h)
            parts.append(box((grip[0] - 0.03, grip[1], z + 0.018), (grip[0] + 0.03, grip[1] + 0.015, z + 0.04), handle))
    if y < 1.2:
        parts += _on_top(rng, x, z, y)
    return replace(joined("cupboard", parts), gloss=0.12), float(np.hypot(x, z)), y


def shelf(rng: Generator) -> Made:
    """Open shelves with books and boxes."""
    x, y, z = rng.uniform(0.35, 0.6), rng.uniform(1.3, 2.1), 0.15
    wood = pick(rng, paint_box.WOODS if rng.random() < 0.6 else paint_box.WHITES)
    parts = [box((-x, 0, -z), (-x + 0.025, y, z), wood), box((x - 0.025, 0, -z), (x, y, z), wood)]
    parts.append(box((-x, 0, -z), (x, y, -z + 0.01), wood * 0.7))
    count = int(y / 0.36)
    for k in range(count + 1):
        level = 0.04 + k * (y - 0.065) / count
        parts.append(box((-x, level, -z), (x, level + 0.022, z), wood * 0.97))
        if k == count:
            break
        at = -x + 0.04
        while at < x - 0.12:
            wide = rng.uniform(0.03, 0.06) if rng.random() < 0.75 else rng.uniform(0.12, 0.22)
            if at + wide > x - 0.03:
                break
            if rng.random() < 0.8:
                tall, deep = rng.uniform(0.16, 0.28), rng.uniform(0.0, 0.06)
                colour = pick(rng, [paint_box.ACCENTS, paint_box.FABRICS, paint_box.WALLS][rng.integers(3)])
                parts.append(
                    box((at, level + 0.022, -z + 0.02), (at + wide - 0.003, level + tall, z - 0.02 - deep), colour)
                )
            at += wide
    return joined("shelf", parts), float(np.hypot(x, z)), y


def plant(rng: Generator) -> Made:
    """A plant in a pot: long leaves that bend outward."""
    height, pot = rng.uniform(0.7, 1.6), rng.uniform(0.13, 0.19)
    clay = pick(rng, [paint_box.BRICKS, paint_box.WHITES, paint_box.METALS][rng.integers(3)])
    top = 1.7 * pot
    parts = [beam(np.zeros(3), np.array([0, top, 0]), 0.75 * pot, clay, sides=12, radius_end=pot)]
    parts.append(
        beam(np.array([0, top - 0.02, 0]), np.array([0, top + 0.005, 0]), 0.9 * pot, np.array([0.03, 0.022, 0.015]))
    )
    green = pick(rng, paint_box.LEAVES)
    parts.append(_fronds(rng, top, height, green))
    return joined("plant", [replace(parts[0], gloss=0.2), *parts[1:]]), 0.32, height


def _fronds(rng: Generator, low: float, height: float, green: np.ndarray) -> Thing:
    vertices: list[np.ndarray] = []
    faces: list[list[int]] = []
    colours: list[np.ndarray] = []
    for _ in range(int(rng.integers(22, 36))):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.42)
        rise = (height - low) * rng.uniform(0.4, 1.0)
        wide = rng.uniform(0.025, 0.05)
        flat = np.array([np.sin(angle), 0, np.cos(angle)])
        side = np.array([flat[2], 0, -flat[0]])
        tone = rng.uniform(0.6, 1.5)
        start = len(vertices)
        for s, w in ((0.0, 0.3), (0.4, 1.0), (0.75, 0.9), (1.0, 0.05)):
            centre = flat * reach * s**1.7 + np.array([0, low + rise * (s - 0.28 * s**3), 0])
            vertices += [centre - side * wide * w, centre + side * wide * w]
        for k in range(3):
            a = start + 2 * k
            faces += [[a, a + 1, a + 3], [a, a + 3, a + 2]]
            colours += [green * tone * (0.7 + 0.2 * k)] * 2
    return Thing(
        "fronds", np.array(vertices), np.array(faces, np.int32), np.clip(np.array(colours), 0, 1).astype(np.float32)
    )


def floor_lamp(rng: Generator) -> Made:
    """A lamp on a stand."""
    metal = pick(rng, paint_box.METALS)
    parts = [beam(np.zeros(3), np.array([0, 0.03, 0]), 0.15, metal, sides=14)]
    parts.append(beam(np.array([0, 0.03, 0]), np.array([0, 1.5, 0]), 0.012, metal, sides=6))
    shade_colour = paint_box.linear("efe3c8")[0]
    parts.append(beam(np.array([0, 1.42, 0]), np.array([0, 1.72, 0]), 0.2, shade_colour, sides=14, radius_end=0.14))
    return joined("floor lamp", parts), 0.2, 1.7


def counter(rng: Generator) -> Made:
    """A kitchen island, bar or shop counter."""
    x, y, z = rng.uniform(0.6, 1.1), rng.uniform(0.88, 1.02), rng.uniform(0.28, 0.4)
    body = pick(rng, [paint_box.WHITES, paint_box.WOODS, paint_box.WALLS][rng.integers(3)])
    top = pick(rng, [paint_box.STONES, paint_box.PALE_WOODS, paint_box.METALS][rng.integers(3)])
    parts = [
        box((-x, y - 0.04, -z), (x, y, z), top),
        box((-x + 0.03, 0.08, -z + 0.03), (x - 0.03, y - 0.04, z - 0.03), body),
    ]
    count = max(2, round(2 * x / 0.55))
    for k in range(count):
        a = -x + 0.04 + k * (2 * x - 0.08) / count
        w = (2 * x - 0.08) / count
        panel = body * rng.uniform(0.95, 1.04)
        parts.append(box((a + 0.01, 0.12, z - 0.03), (a + w - 0.01, y - 0.07, z - 0.012), panel))
    parts.append(box((-x + 0.06, 0.0, -z + 0.08), (x - 0.06, 0.09, z - 0.08), body * 0.3))
    parts += _on_top(rng, x, z, y)
    return replace(joined("counter", parts), gloss=0.2), float(np.hypot(x, z)), y


def carton(rng: Generator) -> Made:
    """A cardboard box, or a stack of two."""
    colour = paint_box.linear("a58258", "b08d62", "8f7049")[rng.integers(3)]
    parts, y = [], 0.0
    for _ in range(int(rng.integers(1, 3))):
        x, z, h = rng.uniform(0.18, 0.32), rng.uniform(0.15, 0.25), rng.uniform(0.22, 0.4)
        parts.append(box((-x, y, -z), (x, y + h, z), pick(rng, colour[None])))
        parts.append(box((-0.03, y + 0.3 * h, -z - 0.001), (0.03, y + h + 0.001, z + 0.001), colour * 1.25))
        y += h
    return joined("carton", parts), 0.4, y


def bench_seat(rng: Generator) -> Made:
    """A long wooden bench of a gym or a changing room."""
    x, wood = rng.uniform(0.8, 1.6), pick(rng, paint_box.PALE_WOODS)
    parts = [
        box((-x, 0.38, -0.15), (x, 0.43, 0.15), wood),
        box((-x + 0.1, 0.1, -0.02), (x - 0.1, 0.16, 0.02), wood * 0.9),
    ]
    parts += [box((a - 0.03, 0, -0.15), (a + 0.03, 0.38, 0.15), wood * 0.8) for a in (-x + 0.2, x - 0.2)]
    return replace(joined("bench", parts), gloss=0.15), x, 0.43


def mat(rng: Generator) -> Made:
    """A stack of gym mats."""
    x, z, y = rng.uniform(0.7, 1.1), rng.uniform(0.5, 0.7), rng.uniform(0.15, 0.6)
    colour = pick(rng, paint_box.linear("3a5a86", "7a3a34", "4a6a52", "5a5f66"))
    layers = max(1, round(y / 0.15))
    parts = [
        cushion((-x, k * y / layers, -z), (x, (k + 1) * y / layers - 0.008, z), colour * rng.uniform(0.9, 1.1), 0.02)
        for k in range(layers)
    ]
    return joined("mats", parts), float(np.hypot(x, z)), y


def desk(rng: Generator) -> Made:
    """A desk with a screen on it."""
    x, z, y = rng.uniform(0.6, 0.8), rng.uniform(0.35, 0.4), 0.73
    top = pick(rng, paint_box.PALE_WOODS if rng.random() < 0.5 else paint_box.WHITES)
    metal, black = pick(rng, paint_box.METALS), np.array([0.015, 0.015, 0.017])
    parts = [box((-x, y - 0.025, -z), (x, y, z), top), *legs(x - 0.04, z - 0.05, y - 0.02, 0.025, metal)]
    parts.append(box((x - 0.42, 0.08, -z + 0.05), (x - 0.03, 0.62, z - 0.05), metal * 0.9))
    s = rng.uniform(-0.25, 0.1)
    parts += [box((s - 0.28, y + 0.12, -0.2), (s + 0.28, y + 0.46, -0.17), black)]
    parts += [box((s - 0.26, y + 0.14, -0.17), (s + 0.26, y + 0.44, -0.168), np.array([0.06, 0.08, 0.11]))]
    parts += [box((s - 0.03, y, -0.22), (s + 0.03, y + 0.2, -0.19), black)]
    parts += [box((s - 0.12, y, -0.25), (s + 0.12, y + 0.012, -0.1), black)]
    parts += [box((s - 0.22, y, 0.05), (s + 0.22, y + 0.02, 0.18), black * 3)]
    parts += _on_top(rng, x, z, y)
    return replace(joined("desk", parts), gloss=0.15), float(np.hypot(x, z)), 1.1
