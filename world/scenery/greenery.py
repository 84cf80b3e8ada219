"""Trees, bushes and hedges: dark cores with many leaves around them, about the origin, standing on y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.solids import Made, varied
from pymaf_data.world.things import Thing, ball, beam, box, joined


def leaves(
    rng: Generator, centres: np.ndarray, radii: np.ndarray, count: int, size: float, colour: np.ndarray
) -> Thing:
    """Loose leaves on ellipsoids: triangles of about ``size`` metres that look outward and up, dark below.

    Args:
        rng: the only source of chance.
        centres: (E, 3) of the ellipsoids.
        radii: (E, 3).
        count: how many leaves.
        size: of a leaf, or of a bunch of leaves.
        colour: (3,) of a leaf in the open.
    """
    which = rng.integers(len(centres), size=count)
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    depth = rng.uniform(0.72, 1.12, (count, 1))
    middle = centres[which] + out * radii[which] * depth
    low, high = middle[:, 1].min(), middle[:, 1].max()
    facing = out + 0.9 * rng.normal(size=(count, 3))
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    side = np.cross(facing, rng.normal(size=(count, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(facing, side)
    scale = size * rng.uniform(0.6, 1.3, (count, 1))
    corners = [middle + scale * (a * side + b * other) for a, b in ((-0.55, -0.4), (0.55, -0.4), (0.1, 0.8))]
    vertices = np.stack(corners, 1).reshape(-1, 3)
    vertices[:, 1] = np.maximum(vertices[:, 1], 0.01)  # none below the ground
    share = (middle[:, 1] - low) / max(high - low, 1e-6)
    tone = (0.55 + 0.7 * share) * (0.5 + 0.8 * (depth[:, 0] - 0.72) / 0.4) * rng.uniform(0.75, 1.35, count)
    warm = rng.normal(0, 0.08, count)
    tint = np.stack([1 + warm, np.ones(count), 1 - warm], 1)
    colours = np.clip(colour * tint * tone[:, None], 0, 1).astype(np.float32)
    return Thing(
        "leaves", vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), colours, grain=0.1, gloss=0.03
    )


def clump(rng: Generator, centre: np.ndarray, radii: np.ndarray, colour: np.ndarray, rings: int = 5) -> Thing:
    """A mass of leaves: an uneven ball, lighter on top, every facet of another tone."""
    mass = ball(np.zeros(3), 1.0, colour, rings=rings)
    shape = mass.vertices * rng.uniform(0.78, 1.14, (len(mass.vertices), 1))
    height = mass.vertices[mass.faces].mean(1)[:, 1:2]
    tone = (0.62 + 0.3 * height) * rng.uniform(0.65, 1.3, (len(mass.faces), 1))
    colours = np.clip(colour * tone, 0, 1).astype(np.float32)
    return replace(mass, vertices=shape * radii + centre, colours=colours, smooth=False)


def tree(rng: Generator) -> Made:
    """A broad-leaved tree of 4 to 9 m."""
    height, colour = rng.uniform(4.0, 9.0), pick(rng, paint_box.LEAVES) * rng.uniform(0.9, 1.5)
    bark = paint_box.linear("5c5145", "4a4038", "6d6457")[rng.integers(3)]
    fork, thick = height * rng.uniform(0.25, 0.4), 0.02 * height + 0.04
    top = np.array([rng.normal(0, 0.15), fork, rng.normal(0, 0.15)])
    wood = [beam(np.zeros(3), top, thick, bark, sides=14, radius_end=0.75 * thick)]
    crown = height - fork
    count = int(rng.integers(6, 10))
    angles = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2.4
    away = 0.3 * crown * np.sqrt(np.arange(count) / count) * rng.uniform(0.8, 1.3, count)
    level = fork + crown * (0.35 + 0.5 * rng.random(count) * (1 - 0.5 * away / (0.4 * crown)))
    centres = np.stack([np.sin(angles) * away, level, np.cos(angles) * away], 1)
    radii = crown * rng.uniform(0.17, 0.27, (count, 1)) * np.array([1.0, 0.85, 1.0])
    wood += [beam(0.97 * top, end, 0.5 * thick, bark, sides=5, radius_end=0.15 * thick) for end in centres[:5]]
    cores = [clump(rng, c, 0.88 * r, colour * 0.8, rings=4) for c, r in zip(centres, radii, strict=True)]
    foliage = leaves(rng, centres, radii, 900, 0.026 * height + 0.05, colour)
    thing = joined("tree", [foliage, *cores, *[varied(rng, w, 0.2) for w in wood]])
    return thing, 0.45, height


def conifer(rng: Generator) -> Made:
    """A spruce: skirts of branches, each hanging over the next."""
    height, colour = rng.uniform(4.0, 10.0), pick(rng, paint_box.linear("35462f", "3d5036", "42533f")) * 1.3
    bark = paint_box.linear("4a3d33")[0]
    tiers, sides = 11, 18
    parts, centres = [], []
    for k in range(tiers):
        share = k / tiers
        low, wide = height * (0.06 + 0.86 * share), 0.21 * height * (1 - share) * rng.uniform(0.9, 1.1) + 0.08
        angles = 2 * np.pi * (np.arange(sides) + rng.uniform(0, 1)) / sides
        reach = wide * np.where(np.arange(sides) % 2 == 0, 1.0, 0.62) * rng.uniform(0.85, 1.15, sides)
        drop = low - 0.25 * (reach - 0.8 * wide)
        rim = np.stack([np.sin(angles) * reach, drop, np.cos(angles) * reach], 1)
        vertices = np.concatenate([rim, [[0, low + 0.2 * height * (1 - 0.6 * share), 0]]])
        i = np.arange(sides)
        faces = np.stack([i, (i + 1) % sides, np.full(sides, sides)], 1).astype(np.int32)
        tone = rng.uniform(0.45, 1.05, (sides, 1)) * (0.75 + 0.4 * share)
        parts.append(Thing("skirt", vertices, faces, np.clip(colour * tone, 0, 1).astype(np.float32)))
        centres.append(rim * 0.9)
    where = np.concatenate(centres)
    around = np.full((len(where), 3), 0.03 * height)
    foliage = leaves(rng, where, around, 1000, 0.012 * height + 0.05, colour * 1.1)
    trunk = beam(np.zeros(3), np.array([0, 0.4 * height, 0]), 0.015 * height + 0.03, bark, sides=9)
    return joined("conifer", [foliage, *parts, trunk]), 0.13 * height, height


def bush(rng: Generator) -> Made:
    """A garden bush of 0.6 to 1.5 m."""
    height, colour = rng.uniform(0.6, 1.5), pick(rng, paint_box.LEAVES) * rng.uniform(0.9, 1.6)
    wide = height * rng.uniform(0.5, 0.8)
    count = 5
    centres = np.stack(
        [rng.normal(0, 0.35 * wide, count), height * rng.uniform(0.3, 0.65, count), rng.normal(0, 0.35 * wide, count)],
        1,
    )
    radii = height * rng.uniform(0.24, 0.36, (count, 1)) * np.ones(3)
    foliage = leaves(rng, centres, radii, 1050, 0.035 + 0.022 * height, colour)
    cores = [clump(rng, c, 0.92 * r, colour * 0.75) for c, r in zip(centres, radii, strict=True)]
    return joined("bush", [foliage, *cores]), 0.8 * wide, height


def hedge(rng: Generator) -> Made:
    """A piece of clipped hedge."""
    half, height, deep = rng.uniform(0.8, 1.6), rng.uniform(0.6, 1.1), rng.uniform(0.22, 0.35)
    colour = pick(rng, paint_box.LEAVES) * rng.uniform(0.9, 1.4)
    core = varied(rng, box((-half, 0, -deep), (half, height - 0.02, deep), colour * 0.4), 0.3)
    count = 1400
    face = rng.integers(4, size=count)
    at = rng.uniform(-1, 1, (count, 3)) * [half, 0.5 * height, deep] + [0, 0.5 * height, 0]
    at[face == 0, 2], at[face == 1, 2] = deep, -deep
    at[face == 2, 1] = height - 0.02
    ends = face == 3
    at[ends, 0] = np.sign(at[ends, 0]) * half
    foliage = leaves(rng, at, np.full((count, 3), 0.035), count, 0.05, colour)
    return joined("hedge", [foliage, core]), float(np.hypot(half, deep)), height


def reeds(rng: Generator) -> Made:
    """A clump of tall grass."""
    height, count = rng.uniform(0.3, 0.9), 160
    colour = pick(rng, paint_box.DRY if rng.random() < 0.5 else paint_box.GRASSES) * 1.2
    foot = rng.normal(0, 0.13, (count, 2))
    lean = rng.normal(0, 0.25, (count, 2)) + 0.6 * foot
    tall = height * rng.uniform(0.5, 1.0, count)
    wide = 0.008 + 0.008 * rng.random(count)
    turn = rng.uniform(0, np.pi, count)
    low = np.stack([foot[:, 0], np.zeros(count), foot[:, 1]], 1)
    side = np.stack([np.cos(turn) * wide, np.zeros(count), np.sin(turn) * wide], 1)
    tip = low + np.stack([lean[:, 0] * tall, tall, lean[:, 1] * tall], 1)
    vertices = np.stack([low - side, low + side, tip], 1).reshape(-1, 3)
    colours = np.clip(colour * rng.uniform(0.5, 1.3, (count, 1)), 0, 1).astype(np.float32)
    return Thing("reeds", vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), colours), 0.3, height
