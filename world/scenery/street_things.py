"""What stands in streets and parks, as low meshes about the origin, standing on y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.greenery import leaves
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.solids import Made, post, rod, varied
from pymaf_data.world.things import ball, beam, box, joined

_BLACK = np.array([0.012, 0.012, 0.013])


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
    parts = [post(0, 0.9, 0.1, metal, 10), post(0.9, height, 0.065, metal, 10, 0.04)]
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
        parts += [post(0.85, 0.89, 0.25, metal * 0.6, 14), post(0, 0.05, 0.12, _BLACK, 10)]
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
    bars = np.linspace(-half, half, 1 + round(2 * half / 0.13))
    parts += [box((x - 0.008, 0.12, -0.008), (x + 0.008, height - 0.03, 0.008), metal) for x in bars]
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
    y = height - 0.35
    parts.append(rod((0, y, 0.032), (0, y, 0.044), 0.3, paint_box.linear("dddbd5")[0], 18))
    parts.append(rod((0, y, 0.044), (0, y, 0.048), 0.26, face, 18))
    return joined("sign", parts), 0.1, height


def planter(rng: Generator) -> Made:
    """A trough with plants."""
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


def goal(rng: Generator) -> Made:
    """A football goal, its mouth towards +z."""
    half, height, deep = (1.5, 2.0, 0.9) if rng.random() < 0.5 else (3.66, 2.44, 1.6)
    white = np.array([0.75, 0.75, 0.73])
    feet, tops, back = (
        [(-half, 0, 0), (half, 0, 0)],
        [(-half, height, 0), (half, height, 0)],
        [(-half, 0, -deep), (half, 0, -deep)],
    )
    frame = [(feet[0], tops[0]), (feet[1], tops[1]), (tops[0], tops[1])]
    parts = [rod(a, b, 0.05, white) for a, b in frame]
    parts += [rod(a, b, 0.025, white) for a, b in ((back[0], back[1]), (tops[0], back[0]), (tops[1], back[1]))]
    net = white * 0.8
    columns, rows = np.linspace(-half, half, 1 + round(half * 4)), np.linspace(0.12, 0.88, 6)
    parts += [rod((x, height, 0), (x, 0, -deep), 0.008, net, 3) for x in columns]
    parts += [
        rod((-half, height * (1 - t), -deep * t), (half, height * (1 - t), -deep * t), 0.008, net, 3) for t in rows
    ]
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
