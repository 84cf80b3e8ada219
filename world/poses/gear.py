"""What hands and feet handle: balls, rackets, bats, clubs, dumbbells, boxes, bags; placed where the settled hands are.

In a hand's own frame the palm's normal is −y, the fingers point along ±x and the thumb's side is +z, so a handle lies
along z. Metres; colours linear albedo.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses.furniture import tint
from pymaf_data.world.poses.settle import Settled
from pymaf_data.world.things import Thing, ball, beam, box, joined

SOCCER, BASKETBALL, VOLLEYBALL, TENNIS = 0.110, 0.120, 0.105, 0.033
"""Radii of balls."""
BALLS: dict[float, tuple[tuple[float, float, float], ...]] = {
    SOCCER: ((0.80, 0.80, 0.78), (0.75, 0.35, 0.05)),
    BASKETBALL: ((0.52, 0.17, 0.04), (0.45, 0.14, 0.05)),
    VOLLEYBALL: ((0.78, 0.76, 0.60), (0.72, 0.72, 0.74)),
    TENNIS: ((0.55, 0.72, 0.06),),
}
_TOUCH = 0.003  # metres that fingertips press into a ball


def a_ball(rng: Generator, radius: float, centre: np.ndarray) -> Thing:
    """A ball of a sport, its colour its own."""
    return ball(centre, radius, tint(rng, BALLS[radius]), kind="ball")


def palm_normal(s: Settled, side: str) -> np.ndarray:
    """Unit normal (3,) out of the palm."""
    return -s.bone(f"{side}_wrist")[:, 1]


def centre_on_palm(s: Settled, side: str, radius: float) -> np.ndarray:
    """Where a ball lies that touches the hand in front of the palm."""
    normal, hand = palm_normal(s, side), s.patch(f"{side}_hand")
    start = s.at(f"{side}_grip") - 0.02 * normal
    # The ball comes from afar and stops at the first finger: the largest root of |start + t·normal − vertex| = radius.
    offset = start - hand
    along = offset @ normal
    across = (offset * offset).sum(1) - along**2
    reach = radius - _TOUCH
    meets = across < reach**2
    stops = np.sqrt(np.maximum(reach**2 - across, 0)) - along
    return start + float(stops[meets].max()) * normal


def between_palms(s: Settled, radius: float) -> tuple[np.ndarray, float]:
    """Centre and radius of a ball that both hands hold: no larger than drawn, no finger inside."""
    hands = np.concatenate([s.patch("left_hand"), s.patch("right_hand")])
    centre = np.mean([s.at(f"{side}_grip") + radius * palm_normal(s, side) for side in ("left", "right")], axis=0)
    for _ in range(30):  # away from the nearest finger until the distances on both sides are even
        offset = centre - hands
        distance = np.linalg.norm(offset, axis=1)
        near = np.argsort(distance, kind="stable")[:12]
        centre = centre + 0.3 * ((radius - distance[near]).clip(0)[:, None] * offset[near] / distance[near, None]).mean(
            0
        )
    nearest = float(np.linalg.norm(centre - hands, axis=1).min()) + _TOUCH
    return centre, nearest


def on_foot(s: Settled, side: str, radius: float, toward: Sequence[float]) -> np.ndarray:
    """Where a ball lies that touches the foot on the side ``toward`` which (world, need not be unit)."""
    foot = np.concatenate([s.patch(f"{side}_foot"), s.patch(f"{side}_shin")])
    direction = np.asarray(toward, np.float64) / np.linalg.norm(toward)
    start = s.patch(f"{side}_foot_top").mean(0)
    offset = start - foot
    along = offset @ direction
    across = (offset * offset).sum(1) - along**2
    meets = across < radius**2
    stops = np.sqrt(np.maximum(radius**2 - across, 0)) - along
    return start + (float(stops[meets].max()) + 0.002) * direction


def handle(s: Settled, side: str, radius: float, lean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A point and a unit direction (towards the thumb) of a handle in the fist; ``lean`` turns it to the fingers."""
    bone = s.bone(f"{side}_wrist")
    fingers = bone[:, 0] * (1.0 if side == "left" else -1.0)
    direction = bone[:, 2] + lean * fingers
    return s.at(f"{side}_grip") + (radius + 0.002) * palm_normal(s, side), direction / np.linalg.norm(direction)


def racket(rng: Generator, s: Settled, side: str) -> Thing:
    """A tennis racket in the fist."""
    point, along = handle(s, side, 0.016, 0.45)
    flat = palm_normal(s, side)
    flat = flat - (flat @ along) * along
    flat /= np.linalg.norm(flat)
    wide = np.cross(along, flat)
    centre = point + 0.47 * along
    angles = np.linspace(0, 2 * np.pi, 17)
    rim = [centre + 0.165 * np.cos(a) * along + 0.125 * np.sin(a) * wide for a in angles]
    frame, dark = (
        tint(rng, ((0.6, 0.05, 0.05), (0.05, 0.1, 0.4), (0.7, 0.7, 0.7), (0.05, 0.05, 0.05))),
        np.full(3, 0.03),
    )
    parts = [
        beam(point - 0.1 * along, point + 0.14 * along, 0.015, dark),
        beam(point + 0.14 * along, centre - 0.16 * along, 0.01, frame),
    ]
    parts += [beam(a, b, 0.009, frame, sides=6) for a, b in itertools.pairwise(rim)]
    strings = np.full(3, 0.7)
    for k in np.linspace(-0.75, 0.75, 7):
        half = np.sqrt(1 - k * k)
        parts.append(
            beam(
                centre + 0.165 * k * along - 0.125 * half * wide,
                centre + 0.165 * k * along + 0.125 * half * wide,
                0.002,
                strings,
                sides=4,
            )
        )
        parts.append(
            beam(
                centre + 0.125 * k * wide - 0.165 * half * along,
                centre + 0.125 * k * wide + 0.165 * half * along,
                0.002,
                strings,
                sides=4,
            )
        )
    return joined("racket", parts)


def bat(rng: Generator, s: Settled, side: str) -> Thing:
    """A baseball bat in the fist of the upper hand."""
    point, along = handle(s, side, 0.014)
    colour = tint(rng, ((0.6, 0.42, 0.22), (0.05, 0.05, 0.06), (0.5, 0.1, 0.08)))
    return joined("bat", [
        beam(point - 0.17 * along, point + 0.2 * along, 0.013, colour, radius_end=0.017),
        beam(point + 0.2 * along, point + 0.62 * along, 0.017, colour, sides=12, radius_end=0.033),
    ])  # fmt: skip


def club(rng: Generator, s: Settled, side: str) -> list[Thing]:
    """A golf club through both fists, its head behind the ball on the ground."""
    point, _ = handle(s, side, 0.012)
    head = np.array([point[0] + rng.uniform(-0.05, 0.05), 0.03, point[2] + rng.uniform(0.42, 0.6)])
    along = (head - point) / np.linalg.norm(head - point)
    steel, dark = np.array([0.45, 0.46, 0.48]), np.full(3, 0.03)
    parts = [
        beam(point - 0.16 * along, point + 0.1 * along, 0.012, dark, radius_end=0.009),
        beam(point + 0.1 * along, head, 0.006, steel), ball(head, (0.05, 0.028, 0.045), dark, rings=8),
    ]  # fmt: skip
    lies = head + np.array([0.085, 0.0214 - head[1], 0.0])
    return [joined("club", parts), ball(lies, 0.0214, np.full(3, 0.8), rings=8)]


def dumbbell(rng: Generator, s: Settled, side: str) -> Thing:
    """A dumbbell in the fist."""
    point, along = handle(s, side, 0.015)
    dark = np.full(3, u_grey(rng))
    parts = [beam(point - 0.12 * along, point + 0.12 * along, 0.014, np.array([0.4, 0.4, 0.42]))]
    parts += [
        beam(point + a * along, point + b * along, 0.055, dark, sides=16) for a, b in ((-0.14, -0.075), (0.075, 0.14))
    ]
    return joined("dumbbell", parts)


def u_grey(rng: Generator) -> float:
    """A dark grey."""
    return float(rng.uniform(0.02, 0.12))


def telephone(rng: Generator, s: Settled, side: str) -> Thing:
    """A telephone in the palm."""
    bone = s.bone(f"{side}_wrist")
    slab = box((-0.075, -0.005, -0.037), (0.075, 0.004, 0.037), np.full(3, u_grey(rng)), "telephone")
    hand = s.patch(f"{side}_hand") @ palm_normal(s, side)
    place = s.at(f"{side}_grip")
    inner = np.quantile(hand - place @ palm_normal(s, side), 0.6)
    return slab.moved(bone, place + (max(float(inner), 0.0) + 0.006) * palm_normal(s, side))


def bag(rng: Generator, s: Settled, side: str) -> Thing:
    """A bag hanging from the fist."""
    point, along = handle(s, side, 0.012)
    colour = tint(rng, ((0.1, 0.07, 0.05), (0.3, 0.1, 0.08), (0.08, 0.1, 0.16), (0.5, 0.42, 0.3), (0.04, 0.04, 0.04)))
    level = np.array([along[0], 0.0, along[2]]) / max(np.hypot(along[0], along[2]), 1e-6)
    across = np.array([level[2], 0.0, -level[0]])
    height, half, thick = rng.uniform(0.2, 0.36), rng.uniform(0.14, 0.22), rng.uniform(0.05, 0.09)
    top = point[1] - 0.1
    height = min(height, top - 0.06)
    body = box((-thick, top - height, -half), (thick, top, half), colour)
    body = body.moved(np.stack([across, [0, 1, 0], level], 1), np.array([point[0], 0.0, point[2]]))
    corner = np.array([point[0], top, point[2]])
    straps = [beam(corner + sign * 0.6 * half * level, point + 0.03 * sign * level, 0.008, colour) for sign in (-1, 1)]
    return joined("bag", [body, *straps, beam(point - 0.04 * level, point + 0.04 * level, 0.011, colour)])


def carton(rng: Generator, s: Settled) -> Thing:
    """A box between both palms, upright."""
    left, right = s.at("left_palm"), s.at("right_palm")
    hands = [s.patch("left_hand"), s.patch("right_hand")]
    x0, x1 = float(hands[1][:, 0].max()), float(hands[0][:, 0].min())
    middle = (left + right) / 2
    trunk = np.concatenate([s.patch("belly"), s.patch("chest")])
    front = float(trunk[np.abs(trunk[:, 1] - middle[1]) < 0.25, 2].max(initial=-1.0)) + 0.01
    half, deep = rng.uniform(0.11, 0.19), rng.uniform(0.2, 0.32)
    z0 = max(front, middle[2] - deep / 2)
    colour = tint(rng, ((0.42, 0.29, 0.17), (0.5, 0.5, 0.48), (0.15, 0.25, 0.4)))
    return box((x0, middle[1] - half * 0.6, z0), (x1, middle[1] + half, z0 + deep), colour)
