"""Cars and bicycles, as low meshes about the origin, standing on y = 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.solids import Made, rod
from pymaf_data.world.things import Thing, beam, box, joined

_BLACK = np.array([0.012, 0.012, 0.013])
_GLASS = np.array([0.07, 0.082, 0.092])  # what it throws back of the sky counts as its colour

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
        parts.append(box((x0, 0.53, 0.93 * half), (x1, 0.64, 1.002 * half), lamp))
        parts.append(box((x0, 0.66, -1.005 * half), (x1, 0.77, -0.94 * half), red))
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
    sections: list[list[tuple[float, float, float]]] = []
    inner: list[float] = []
    for z, w, sill, shoulder, top, w_top in shape:
        right = [
            (w * 0.92, sill),
            (w, 0.5 * (sill + shoulder)),
            (w * 0.97, shoulder),
            (w_top, top),
            (0.4 * w_top, top + 0.025),
        ]
        sections.append([(x, y, z * half) for x, y in right] + [(-x, y, z * half) for x, y in reversed(right)])
        inner.append(top - shoulder)
    vertices = np.array(sections).reshape(-1, 3)
    n = 10
    faces: list[list[int]] = []
    colours: list[np.ndarray] = []
    for k in range(len(shape) - 1):
        for j in range(n - 1):
            a, b = n * k + j, n * k + j + 1
            faces += [[a, a + n, b + n], [a, b + n, b]]
            glass = j in (2, 6) and max(inner[k], inner[k + 1]) > 0.3 and not (van and k < 4)
            slope = abs(shape[k, 4] - shape[k + 1, 4]) > 0.25 and max(inner[k], inner[k + 1]) > 0.3
            glass |= j in (3, 4, 5) and slope and not (van and k < 3)
            colours += [_GLASS if glass else paint * (0.9 if j in (0, 8) else 1.0)] * 2
    for k, flip in ((0, 0), (len(shape) - 1, 1)):
        first = n * k
        for j in range(1, n - 1):
            faces.append([first, first + j + flip, first + j + 1 - flip])
            colours.append(paint * 0.95)
    return Thing("body", vertices, np.array(faces, np.int32), np.array(colours, np.float32))


def _wheel(centre: np.ndarray, side: int) -> list[Thing]:
    out, lift = np.array([side * 0.1, 0.0, 0.0]), np.array([0.0, 0.06, 0.0])
    arch = beam(centre - 0.4 * out + lift, centre + 0.92 * out + lift, 0.36, _BLACK, sides=14)
    tyre = beam(centre - out, centre + out, 0.31, _BLACK * 1.6, sides=16)
    rim = beam(centre + 0.6 * out, centre + 1.06 * out, 0.19, np.array([0.33, 0.34, 0.35]), sides=10)
    hub = beam(centre + 1.0 * out, centre + 1.12 * out, 0.06, np.array([0.1, 0.1, 0.1]), sides=8)
    return [arch, tyre, rim, hub]


def bicycle(rng: Generator) -> Made:
    """A bicycle on its stand, along x."""
    frame, y = pick(rng, paint_box.ACCENTS if rng.random() < 0.6 else paint_box.METALS), 0.34
    parts: list[Thing] = []
    for x in (-0.52, 0.52):
        a = np.arange(17) * 2 * np.pi / 16
        rim = np.stack([x + y * np.cos(a), y + y * np.sin(a), 0 * a], 1)
        parts += [beam(rim[k], rim[k + 1], 0.016, _BLACK * 1.5, sides=4) for k in range(16)]
        parts += [beam(np.array([x, y, 0]), rim[k], 0.003, np.array([0.3, 0.3, 0.3]), sides=3) for k in range(0, 16, 2)]
    crank, saddle, head = (-0.06, 0.3, 0.0), (-0.22, 0.9, 0.0), (0.34, 0.86, 0.0)
    hub, front = (-0.52, y, 0.0), (0.52, y, 0.0)
    tubes = [(crank, saddle), (crank, (0.34, 0.76, 0.0)), ((-0.19, 0.8, 0.0), head)]
    tubes += [(hub, crank), (hub, (-0.19, 0.78, 0.0)), (front, (0.32, 0.96, 0.0))]
    parts += [rod(a, b, 0.017, frame, 6) for a, b in tubes]
    parts.append(rod((0.32, 0.98, -0.28), (0.32, 0.98, 0.28), 0.014, _BLACK * 3, 6))
    parts.append(box((-0.36, 0.9, -0.07), (-0.1, 0.95, 0.07), _BLACK * 1.5))
    return replace(joined("bicycle", parts), gloss=0.3), 0.86, 1.0
