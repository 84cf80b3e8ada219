"""What people sit and lie on, built to measure around a settled body, so that it carries and never cuts.

Everything is in the figure's world: metres, y up, the floor at y = 0, the figure facing +z.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pymaf_data.world.poses.settle import Furnish, Settled
from pymaf_data.world.poses.variants import u
from pymaf_data.world.things import Thing, beam, box, joined

_WOODS = ((0.45, 0.27, 0.13), (0.30, 0.17, 0.08), (0.62, 0.45, 0.27), (0.16, 0.09, 0.05))
_PAINTS = ((0.03, 0.03, 0.035), (0.75, 0.74, 0.70), (0.12, 0.22, 0.42), (0.50, 0.08, 0.06), (0.10, 0.28, 0.16))
_CLOTHS = ((0.22, 0.24, 0.28), (0.45, 0.38, 0.30), (0.30, 0.12, 0.10), (0.10, 0.20, 0.26), (0.55, 0.52, 0.47))
_GAP = 0.006  # metres that hard furniture keeps from skin it does not carry


def tint(rng: Generator, palette: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """A colour near one of a palette."""
    colour = np.array(palette[int(rng.integers(len(palette)))])
    return np.clip(colour * np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, 3)), 0.01, 0.9)


def wood(rng: Generator) -> np.ndarray:
    """Wood or paint."""
    return tint(rng, _WOODS if rng.random() < 0.6 else _PAINTS)


def cloth(rng: Generator) -> np.ndarray:
    """Upholstery."""
    return tint(rng, _CLOTHS)


def seat_extent(s: Settled, height: float) -> tuple[float, float, float, float]:
    """Half-width's left and right edge, back and front (x0, x1, z0, z1) of a seat that the body sits on."""
    buttocks = s.patch("seat")
    legs = np.concatenate(
        [s.patch(f"{side}_{part}") for side in ("left", "right") for part in ("calf", "knee", "foot")]
    )
    thighs = np.concatenate([s.patch(f"{side}_thigh") for side in ("left", "right")])
    below = legs[(legs[:, 1] < height + 0.005) & (legs[:, 2] > buttocks[:, 2].min())]
    front = min(thighs[:, 2].max(), float(below[:, 2].min()) - _GAP if len(below) else np.inf)
    return buttocks[:, 0].min(), buttocks[:, 0].max(), buttocks[:, 2].min(), max(front, buttocks[:, 2].min() + 0.12)


def _legs(x0: float, x1: float, z0: float, z1: float, top: float, radius: float, colour: np.ndarray) -> list[Thing]:
    return [beam((x, 0.0, z), (x, top, z), radius, colour) for x in (x0, x1) for z in (z0, z1)]


def back_plane(s: Settled, low: float, high: float) -> float:
    """z of the rearmost point of the trunk between two heights, metres."""
    trunk = np.concatenate([s.patch("back"), s.patch("seat")])
    rows = trunk[(trunk[:, 1] > low) & (trunk[:, 1] < high)]
    return float(rows[:, 2].min()) if len(rows) else float(s.patch("seat")[:, 2].min())


def chair(rng: Generator, height: float, back: bool = True, reach: float = 0.45) -> Furnish:
    """A chair whose seat's top is at ``height``; its back touches the sitter's or stands behind it."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, z0, z1 = seat_extent(s, height)
        middle, half = (x0 + x1) / 2, max((x1 - x0) / 2 + 0.02, 0.20)
        x0, x1 = middle - half, middle + half
        colour = wood(rng)
        top = height + reach
        z0 = min(z0 + 0.02, back_plane(s, height + 0.05, top) + 0.02) if back else z0
        parts = [box((x0, height - 0.035, z0), (x1, height, z1), cloth(rng) if rng.random() < 0.4 else colour)]
        parts += _legs(x0 + 0.025, x1 - 0.025, z0 + 0.025, max(z1 - 0.025, z0 + 0.1), height - 0.03, 0.018, colour)
        if back:
            z = back_plane(s, height + 0.02, top) - 0.002
            posts = [
                beam((x, height - 0.03, z - 0.02), (x, top, z - 0.02), 0.016, colour) for x in (x0 + 0.02, x1 - 0.02)
            ]
            parts += [*posts, box((x0, height + 0.2, z - 0.03), (x1, top, z), colour)]
        return [joined("chair", parts)]

    return build


def _at(centre: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    """A place (3,) beside a centre."""
    return centre + np.array([x, y, z])


def stool(rng: Generator, height: float) -> Furnish:
    """A stool: a round seat on four legs with a ring for the feet."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, z0, z1 = seat_extent(s, height)
        colour = wood(rng)
        centre, radius = np.array([(x0 + x1) / 2, 0.0, (z0 + z1) / 2 + 0.01]), max(0.15, min(0.19, (z1 - z0) / 2))
        seat = beam(_at(centre, 0, height - 0.045, 0), _at(centre, 0, height, 0), radius, colour, sides=24)
        spread = [(radius * 0.75 * a, radius * 0.75 * b) for a in (-1, 1) for b in (-1, 1)]
        legs = [
            beam(_at(centre, 1.25 * a, 0, 1.25 * b), _at(centre, a, height - 0.04, b), 0.014, colour) for a, b in spread
        ]
        return [joined("stool", [seat, *legs])]

    return build


def bench(rng: Generator, height: float, back: bool = False) -> Furnish:
    """A long bench."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, z0, z1 = seat_extent(s, height)
        left, right = x0 - u(rng, 0.15, 0.7), x1 + u(rng, 0.15, 0.7)
        colour = wood(rng)
        parts = [box((left, height - 0.05, z0 + 0.01), (right, height, z1), colour)]
        parts += [
            box((x, 0, z0 + 0.04), (x + 0.06, height - 0.04, z1 - 0.04), colour) for x in (left + 0.08, right - 0.14)
        ]
        if back:
            z = back_plane(s, height + 0.05, height + 0.45) - 0.003
            parts += [
                box((left, height + low, z - 0.03), (right, height + low + 0.12, z), colour) for low in (0.14, 0.32)
            ]
            parts += [
                box((x, height - 0.05, z - 0.06), (x + 0.05, height + 0.44, z - 0.03), colour)
                for x in (left + 0.1, right - 0.15)
            ]
        return [joined("bench", parts)]

    return build


def block(rng: Generator, height: float) -> Furnish:
    """A box, a wall or a step to sit on."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, z0, z1 = seat_extent(s, height)
        grey = np.full(3, u(rng, 0.12, 0.5)) * np.exp(rng.normal(0, 0.08, 3))
        wide = u(rng, 0.03, 0.9) if rng.random() < 0.5 else 0.05
        return [box((x0 - wide, 0, z0 - u(rng, 0.0, 0.25)), (x1 + wide, height, z1), np.clip(grey, 0.02, 0.9))]

    return build


def cushion(rng: Generator, height: float) -> Furnish:
    """A cushion on the floor, no wider than the buttocks need, out of the way of the legs."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, z0, z1 = seat_extent(s, height)
        return [box((x0 - 0.02, 0, z0 - u(rng, 0.0, 0.06)), (x1 + 0.02, height, z1), cloth(rng), "cushion")]

    return build


def sofa(rng: Generator, height: float, sink: float) -> Furnish:
    """A sofa: its seat and back give way by ``sink`` metres; arms stand free of the sitter's."""

    def build(s: Settled) -> list[Thing]:
        x0, x1, _z0, z1 = seat_extent(s, height - sink)
        colour = cloth(rng)
        limbs = np.concatenate(
            [
                s.patch(f"{side}_{part}")
                for side in ("left", "right")
                for part in ("hand", "forearm", "upper_arm", "thigh")
            ]
        )
        beside = limbs[limbs[:, 1] < height + 0.3]
        left, right = min(x0, beside[:, 0].min()) - 0.03, max(x1, beside[:, 0].max()) + 0.03
        if rng.random() < 0.5:
            right += u(rng, 0.3, 0.9)
        top = height + u(rng, 0.38, 0.55)
        z = back_plane(s, height + 0.05, top) + 0.015
        wide = u(rng, 0.14, 0.2)
        parts = [
            box((left, 0.08, z - 0.05), (right, height, z1), colour),
            box((left - wide, 0.08, z - 0.22), (right + wide, top, z), colour),
            box((left - wide, 0.08, z), (left, height + 0.18, z1 - 0.02), colour),
            box((right, 0.08, z), (right + wide, height + 0.18, z1 - 0.02), colour),
        ]
        return [joined("sofa", parts)]

    return build


def mat(rng: Generator, thick: float) -> Furnish:
    """A mat, towel or blanket below somebody who lies on the floor; the body rests on its top."""

    def build(s: Settled) -> list[Thing]:
        low, high = s.vertices.min(0), s.vertices.max(0)
        margin = u(rng, 0.03, 0.2)
        return [
            box((low[0] - margin, 0, low[2] - margin), (high[0] + margin, thick, high[2] + margin), cloth(rng), "mat")
        ]

    return build


def bed(rng: Generator, height: float) -> Furnish:
    """A bed; the body sinks a little into the mattress whose top is at ``height``."""

    def build(s: Settled) -> list[Thing]:
        low, high = s.vertices.min(0), s.vertices.max(0)
        x0, x1 = low[0] - u(rng, 0.05, 0.4), high[0] + u(rng, 0.05, 0.4)
        z0, z1 = low[2] - u(rng, 0.05, 0.2), high[2] + u(rng, 0.05, 0.2)
        sheet, frame = tint(rng, ((0.7, 0.7, 0.68), (0.5, 0.58, 0.66), (0.66, 0.6, 0.5))), wood(rng)
        end = z0 - 0.07 if s.joint("head")[2] < s.joint("pelvis")[2] else z1 + 0.03
        parts = [
            box((x0, height - 0.2, z0), (x1, height, z1), sheet),
            box((x0 - 0.03, 0.1, z0 - 0.03), (x1 + 0.03, height - 0.16, z1 + 0.03), frame),
            box((x0 - 0.03, 0.0, end), (x1 + 0.03, height + u(rng, 0.1, 0.5), end + 0.04), frame),
        ]
        return [joined("bed", parts)]

    return build
