"""What stands in streets and parks, as low meshes about the origin, standing on y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.sample.scenery import palette as paint_box
from pymaf_data.sample.scenery.furniture import Made, varied
from pymaf_data.sample.scenery.palette import pick
from pymaf_data.sample.things import Thing, ball, beam, box, joined

_BLACK = np.array([0.012, 0.012, 0.013])
_GLASS = np.array([0.03, 0.036, 0.042])

# Cross-sections of a car along its length: z (share of the half length), half width, sill, shoulder, roof or bonnet
# height, half width there (metres); from tail to nose.
_SALOON = np.array([
    [-1.00, 0.74, 0.42, 0.78, 0.80, 0.66], [-0.94, 0.84, 0.26, 0.88, 0.98, 0.70], [-0.62, 0.88, 0.22, 0.92, 1.02, 0.66],
    [-0.38, 0.89, 0.20, 0.92, 1.40, 0.56], [0.05, 0.89, 0.20, 0.91, 1.44, 0.57], [0.16, 0.89, 0.20, 0.90, 1.40, 0.57],
    [0.46, 0.88, 0.20, 0.88, 0.96, 0.68], [0.90, 0.82, 0.24, 0.74, 0.80, 0.68], [1.00, 0.68, 0.34, 0.62, 0.66, 0.60],
])  # fmt: skip
_HATCH = _SALOON.copy()
_HATCH[1:4, 4] = [1.02, 1.40, 1.46]
_HATCH[1:4, 5] = [0.70, 0.58, 0.57]
_VAN = _SALOON.copy()
_VAN[0:6, 4] = [1.85, 1.95, 1.98, 1.98, 1.96, 1.90]
_VAN[0:6, 5] = [0.74, 0.76, 0.76, 0.76, 0.75, 0.72]


def car(rng: Generator) -> Made:
    """A parked car, its nose towards +z."""
    kind = int(rng.choice(3, p=[0.4, 0.45, 0.15]))
    shape, half = ((_SALOON, 2.25), (_HATCH, 2.0), (_VAN, 2.5))[kind]
    paint = pick(rng, paint_box.CARS)
    body = _body(shape, half, paint, kind == 2)
    parts = [body]
    for z in (-0.58 * half, 0.64 * half):
        for side in (-1, 1):
            parts += _wheel(np.array([side * 0.8, 0.31, z]), side)
    lamp, red = np.array([0.75, 0.75, 0.7]), np.array([0.35, 0.02, 0.015])
    for side in (-1, 1):
        x0, x1 = sorted((side * 0.48, side * 0.7))
        parts.append(box((x0, 0.58, 0.9 * half), (x1, 0.7, 0.965 * half), lamp))
        parts.append(box((x0, 0.72, -0.985 * half), (x1, 0.86, -0.9 * half), red))
        mirror = sorted((side * 0.9, side * 1.04))
        parts.append(box((mirror[0], 0.93, 0.4 * half), (mirror[1], 1.05, 0.44 * half), paint))
    parts.append(box((-0.26, 0.42, 0.975 * half), (0.26, 0.53, 1.01 * half), np.array([0.7, 0.7, 0.66])))
    parts.append(box((-0.26, 0.6, -1.01 * half), (0.26, 0.71, -0.98 * half), np.array([0.7, 0.7, 0.66])))
    parts.append(box((-0.6, 0.28, 0.93 * half), (0.6, 0.4, 1.0 * half), _BLACK * 2))
    parts.append(box((-0.72, 0.14, -0.9 * half), (0.72, 0.3, 0.9 * half), _BLACK))
    thing = replace(joined("car", parts), gloss=0.5, grain=0.03)
    return thing, float(np.hypot(half, 0.9)), 1.45


def _body(shape: np.ndarray, half: float, paint: np.ndarray, van: bool) -> Thing:
    """A skin over the cross-sections; the upper band is glass where it is steep or between the pillars."""
    sections, inner = [], []
    for z, w, sill, shoulder, top, w_top in shape:
        right = [
            (w * 0.92, sill),
            (w, 0.5 * (sill + shoulder)),
            (w * 0.97, shoulder),
            (w_top, top),
            (0.4 * w_top, top + 0.025),
        ]
        ring = [(x, y, z * half) for x, y in right] + [(-x, y, z * half) for x, y in reversed(right)]
        sections.append(ring)
        inner.append(top - shoulder)
    vertices = np.array(sections).reshape(-1, 3)
    n = 10
    faces, colours = [], []
    for k in range(len(shape) - 1):
        tall = min(inner[k], inner[k + 1])
        for j in range(n - 1):
            a, b = n * k + j, n * k + j + 1
            faces += [[a, a + n, b + n], [a, b + n, b]]
            glass = j in (2, 6) and max(inner[k], inner[k + 1]) > 0.3 and not (van and k < 4)
            slope = abs(shape[k, 4] - shape[k + 1, 4]) > 0.25 and max(inner[k], inner[k + 1]) > 0.3
            glass |= j in (3, 4, 5) and slope and not (van and k < 3)
            glass &= tall > -1
            colours += [_GLASS if glass else paint * (0.9 if j in (0, 8) else 1.0)] * 2
    for k, flip in ((0, False), (len(shape) - 1, True)):
        ring = [n * k + j for j in range(n)]
        for j in range(1, n - 1):
            faces.append([ring[0], ring[j], ring[j + 1]] if not flip else [ring[0], ring[j + 1], ring[j]])
            colours.append(paint * 0.95)
    return Thing("body", vertices, np.array(faces, np.int32), np.array(colours, np.float32))


def _wheel(centre: np.ndarray, side: int) -> list[Thing]:
    out = np.array([side * 0.1, 0.0, 0.0])
    arch = beam(centre - 0.4 * out, centre + 0.92 * out, 0.36, _BLACK, sides=14)
    tyre = beam(centre - out, centre + out, 0.31, _BLACK * 1.6, sides=16)
    rim = beam(centre + 0.6 * out, centre + 1.06 * out, 0.19, np.array([0.33, 0.34, 0.35]), sides=10)
    hub = beam(centre + 1.0 * out, centre + 1.12 * out, 0.06, np.array([0.1, 0.1, 0.1]), sides=8)
    return [arch, tyre, rim, hub]


def bollard(rng: Generator) -> Made:
    """A post of steel, stone or plastic."""
    height, radius = rng.uniform(0.75, 1.05), rng.uniform(0.05, 0.13)
    colour = pick(rng, paint_box.METALS if rng.random() < 0.7 else paint_box.CONCRETES)
    parts = [beam(np.zeros(3), np.array([0, height, 0]), radius, colour, sides=12, radius_end=0.9 * radius)]
    parts.append(ball(np.array([0, height, 0]), (0.9 * radius, 0.4 * radius, 0.9 * radius), colour, rings=5))
    if rng.random() < 0.5:
        band = paint_box.linear("d8d6d0", "9a3b32")[rng.integers(2)]
        parts.append(
            beam(np.array([0, 0.8 * height, 0]), np.array([0, 0.9 * height, 0]), radius * 0.96, band, sides=12)
        )
    return joined("bollard", parts), radius + 0.02, height


def lamp_post(rng: Generator) -> Made:
    """A street lamp."""
    height, metal = rng.uniform(4.0, 7.5), pick(rng, paint_box.METALS) * 0.7
    parts = [beam(np.zeros(3), np.array([0, 0.9, 0]), 0.1, metal, sides=10), beam(np.array([0, 0.9, 0]), np.array([0, height, 0]), 0.065, metal, sides=10, radius_end=0.04)]  # fmt: skip
    if rng.random() < 0.6:
        arm = np.array([0, height + 0.15, 1.2])
        parts.append(beam(np.array([0, height, 0]), arm, 0.035, metal, sides=7))
        parts.append(box((-0.13, height + 0.08, 1.0), (0.13, height + 0.19, 1.7), metal))
    else:
        parts.append(
            beam(
                np.array([0, height, 0]),
                np.array([0, height + 0.4, 0]),
                0.12,
                paint_box.linear("d9d8d0")[0],
                sides=8,
                radius_end=0.2,
            )
        )
        parts.append(
            beam(np.array([0, height + 0.4, 0]), np.array([0, height + 0.55, 0]), 0.25, metal, sides=8, radius_end=0.05)
        )
    return joined("lamp post", parts), 0.15, height


def bench(rng: Generator) -> Made:
    """A park bench, its front towards +z."""
    half, wood = rng.uniform(0.75, 0.95), pick(rng, paint_box.WOODS)
    metal = pick(rng, paint_box.METALS) * 0.6
    parts = [
        box((-half, 0.43, -0.22 + 0.12 * k), (half, 0.465, -0.12 + 0.12 * k), wood * rng.uniform(0.85, 1.1))
        for k in range(4)
    ]
    for k in range(3):
        y = 0.54 + 0.13 * k
        parts.append(box((-half, y, -0.3 - 0.02 * k), (half, y + 0.1, -0.27 - 0.02 * k), wood * rng.uniform(0.85, 1.1)))
    for x in (-half + 0.15, half - 0.15):
        parts += [
            box((x - 0.03, 0.0, 0.14), (x + 0.03, 0.43, 0.2), metal),
            box((x - 0.03, 0.0, -0.3), (x + 0.03, 0.9, -0.26), metal),
        ]
        parts.append(box((x - 0.03, 0.39, -0.28), (x + 0.03, 0.43, 0.2), metal))
    return joined("bench", parts), half, 0.9


def bin_(rng: Generator) -> Made:
    """A litter bin, or a dustbin on wheels."""
    if rng.random() < 0.5:
        metal = pick(rng, paint_box.METALS)
        parts = [beam(np.array([0, 0.04, 0]), np.array([0, 0.85, 0]), 0.2, metal, sides=14, radius_end=0.23)]
        parts += [beam(np.array([0, 0.85, 0]), np.array([0, 0.89, 0]), 0.25, metal * 0.6, sides=14), beam(np.zeros(3), np.array([0, 0.05, 0]), 0.12, _BLACK, sides=10)]  # fmt: skip
        return varied(rng, joined("bin", parts), 0.06), 0.26, 0.9
    colour = paint_box.linear("2f3a33", "3a3d40", "2c3c52", "5a4a36")[rng.integers(4)]
    parts = [
        box((-0.27, 0.08, -0.3), (0.27, 0.95, 0.3), colour),
        box((-0.3, 0.95, -0.36), (0.3, 1.02, 0.34), colour * 0.85),
    ]
    parts += [
        beam(np.array([a, 0.1, -0.28]), np.array([a + 0.05, 0.1, -0.28]), 0.1, _BLACK, sides=10) for a in (-0.3, 0.25)
    ]
    return joined("bin", parts), 0.42, 1.02


def railing(rng: Generator) -> Made:
    """A piece of railing with upright bars."""
    half, height, metal = rng.uniform(0.9, 1.6), rng.uniform(0.85, 1.1), pick(rng, paint_box.METALS)
    parts = [
        box((-half, height - 0.04, -0.025), (half, height, 0.025), metal),
        box((-half, 0.1, -0.015), (half, 0.13, 0.015), metal),
    ]
    for x in np.linspace(-half, half, 1 + round(2 * half / 0.13)):
        parts.append(box((x - 0.008, 0.12, -0.008), (x + 0.008, height - 0.03, 0.008), metal))
    parts += [box((x - 0.025, 0, -0.025), (x + 0.025, height, 0.025), metal) for x in (-half, 0, half)]
    return joined("railing", parts), half, height


def fence(rng: Generator) -> Made:
    """A piece of wooden fence."""
    half, height = rng.uniform(1.0, 1.8), rng.uniform(0.8, 1.3)
    wood = pick(rng, paint_box.WOODS if rng.random() < 0.75 else paint_box.WHITES)
    parts = [box((-half, y, -0.02), (half, y + 0.08, 0.01), wood * 0.85) for y in (0.2 * height, 0.75 * height)]
    pitch, wide = rng.uniform(0.11, 0.16), 0.09
    for x in np.arange(-half, half - wide, pitch):
        top = height + rng.normal(0, 0.008)
        parts.append(box((x, 0.04, 0.01), (x + wide, top, 0.03), wood * rng.uniform(0.8, 1.1)))
    parts += [
        box((x - 0.05, 0, -0.1), (x + 0.05, height + 0.05, -0.02), wood * 0.8) for x in (-half + 0.06, half - 0.06)
    ]
    return joined("fence", parts), half, height


def sign(rng: Generator) -> Made:
    """A road sign on a pole."""
    metal, height = pick(rng, paint_box.METALS), rng.uniform(2.2, 2.8)
    parts = [beam(np.zeros(3), np.array([0, height, 0]), 0.03, metal, sides=8)]
    face = paint_box.linear("2c5a94", "a8322c", "d9d7d0")[rng.integers(3)]
    at = np.array([0, height - 0.35, 0.032])
    parts += [beam(at, at + [0, 0, 0.012], 0.3, paint_box.linear("dddbd5")[0], sides=18), beam(at + [0, 0, 0.012], at + [0, 0, 0.016], 0.26, face, sides=18)]  # fmt: skip
    return joined("sign", parts), 0.1, height


def planter(rng: Generator) -> Made:
    """A trough with plants."""
    from pymaf_data.sample.scenery.greenery import leaves

    half, height, deep = rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.6), rng.uniform(0.2, 0.3)
    stone = pick(rng, paint_box.CONCRETES if rng.random() < 0.6 else paint_box.WOODS)
    parts = [box((-half, 0, -deep), (half, height, deep), stone)]
    parts.append(
        box((-half + 0.04, height - 0.01, -deep + 0.04), (half - 0.04, height + 0.004, deep - 0.04), _BLACK * 2)
    )
    count = 4
    centres = np.stack([np.linspace(-0.7, 0.7, count) * half, np.full(count, height + 0.12), np.zeros(count)], 1)
    radii = np.array([0.3 * half, 0.2, 0.8 * deep]) * rng.uniform(0.8, 1.3, (count, 1))
    parts.append(leaves(rng, centres, radii, 420, 0.075, pick(rng, paint_box.LEAVES) * 1.4))
    return joined("planter", parts), float(np.hypot(half, deep)), height + 0.3


def bicycle(rng: Generator) -> Made:
    """A bicycle on its stand, along x."""
    frame, y = pick(rng, paint_box.ACCENTS if rng.random() < 0.6 else paint_box.METALS), 0.34
    parts: list[Thing] = []
    for x in (-0.52, 0.52):
        a = np.arange(17) * 2 * np.pi / 16
        rim = np.stack([x + y * np.cos(a), y + y * np.sin(a), 0 * a], 1)
        parts += [beam(rim[k], rim[k + 1], 0.016, _BLACK * 1.5, sides=4) for k in range(16)]
        parts += [beam(np.array([x, y, 0]), rim[k], 0.003, np.array([0.3, 0.3, 0.3]), sides=3) for k in range(0, 16, 2)]
    crank, saddle, head = np.array([-0.06, 0.3, 0]), np.array([-0.22, 0.9, 0]), np.array([0.34, 0.86, 0])
    tubes = [(crank, saddle), (crank, head - [0, 0.1, 0]), (saddle - [-0.03, 0.1, 0], head), (np.array([-0.52, y, 0]), crank), (np.array([-0.52, y, 0]), saddle - [-0.03, 0.12, 0]), (np.array([0.52, y, 0]), head + [-0.02, 0.1, 0])]  # fmt: skip
    parts += [beam(a, b, 0.017, frame, sides=6) for a, b in tubes]
    bar = head + np.array([-0.02, 0.12, 0])
    parts += [beam(bar - [0, 0, 0.28], bar + [0, 0, 0.28], 0.014, _BLACK * 3, sides=6), box((-0.36, 0.9, -0.07), (-0.1, 0.95, 0.07), _BLACK * 1.5)]  # fmt: skip
    return replace(joined("bicycle", parts), gloss=0.3), 0.86, 1.0


def goal(rng: Generator) -> Made:
    """A football goal, its mouth towards +z."""
    half, height, deep = (1.5, 2.0, 0.9) if rng.random() < 0.5 else (3.66, 2.44, 1.6)
    white = np.array([0.75, 0.75, 0.73])
    posts = [(-half, 0, 0, -half, height, 0), (half, 0, 0, half, height, 0), (-half, height, 0, half, height, 0)]
    posts += [(-half, 0, -deep, half, 0, -deep), (-half, height, 0, -half, 0, -deep), (half, height, 0, half, 0, -deep)]
    parts = [
        beam(np.array(p[:3], float), np.array(p[3:], float), 0.05 if k < 3 else 0.025, white, sides=8)
        for k, p in enumerate(posts)
    ]
    net = white * 0.8
    for x in np.linspace(-half, half, 1 + round(half * 6)):
        parts.append(beam(np.array([x, height, 0.0]), np.array([x, 0.0, -deep]), 0.004, net, sides=3))
    for t in np.linspace(0.08, 0.92, 10):
        parts.append(
            beam(
                np.array([-half, height * (1 - t), -deep * t]),
                np.array([half, height * (1 - t), -deep * t]),
                0.004,
                net,
                sides=3,
            )
        )
    return joined("goal", parts), half, height


def parasol(rng: Generator) -> Made:
    """A sunshade on its pole."""
    cloth = pick(rng, paint_box.ACCENTS if rng.random() < 0.6 else paint_box.WHITES)
    parts = [beam(np.zeros(3), np.array([0, 2.4, 0]), 0.025, pick(rng, paint_box.PALE_WOODS), sides=8)]
    roof = beam(np.array([0, 1.95, 0]), np.array([0, 2.4, 0]), 1.4, cloth, sides=10, radius_end=0.03)
    tone = np.where(np.arange(len(roof.faces)) % 2 == 0, 1.0, 0.85)[:, None]
    parts.append(replace(roof, colours=(roof.colours * tone).astype(np.float32)))
    parts.append(beam(np.zeros(3), np.array([0, 0.08, 0]), 0.25, pick(rng, paint_box.CONCRETES), sides=12))
    return joined("parasol", parts), 0.3, 2.4


def rock(rng: Generator) -> Made:
    """A boulder."""
    size = rng.uniform(0.25, 0.7)
    stone = ball(np.array([0, 0.3 * size, 0]), (size, 0.6 * size, 0.8 * size), pick(rng, paint_box.STONES), rings=8)
    bumps = (
        1
        + 0.16
        * np.sin(stone.vertices @ rng.normal(0, 4 / size, (3, 4)) + rng.uniform(0, 6, 4)).sum(1, keepdims=True)
        / 2
    )
    shaped = stone.vertices * np.where(np.isfinite(bumps), bumps, 1)
    shaped[:, 1] = np.maximum(shaped[:, 1], 0.0)
    return (
        varied(rng, replace(stone, kind="rock", vertices=shaped, smooth=False, grain=0.35, gloss=0.02), 0.08),
        size,
        size,
    )
