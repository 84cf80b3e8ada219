"""Writes the test vectors of the geometry contract (docs/geometry.md), by school arithmetic.

Nothing of pymaf-data or NumPy is used: one scalar at a time, angles by complex numbers, rotations by quaternions, so
that a mistake in the library cannot hide in its own vectors. Other backends and languages may test against the JSON.

    python tests/vectors/make_vectors.py           write the files beside this script
"""

from __future__ import annotations

import cmath
import json
import math
import random
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VIEW, CROP, MAP, FOCAL = 224, 400, 56, 5000.0
KAPPA = 1.25 * 2**0.5
Point = tuple[float, float]


def to_square(point: Point, box: list[float], side: float, size: int) -> Point:
    """A point of the image in the raster of ``size`` pixels that shows the square of ``side`` about the box."""
    return (
        (point[0] - (box[0] - side / 2)) / side * size,
        (point[1] - (box[1] - side / 2)) / side * size,
    )


def augment(point: Point, k: float, degrees: float, flip: bool) -> Point:
    """A point of the 224 view in the augmented view; the turn is a product of complex numbers."""
    turned = complex(point[0] - 112, point[1] - 112) * cmath.exp(1j * math.radians(degrees)) / k
    return (112 - turned.real if flip else 112 + turned.real, 112 + turned.imag)


def planes(index: Point, box: list[float], k: float, degrees: float, flip: bool) -> dict[str, Any]:
    """One annotated keypoint (a pixel index) in every plane."""
    image = (index[0] + 0.5, index[1] + 0.5)
    view = to_square(image, box, box[2], VIEW)
    augmented = augment(view, k, degrees, flip)
    return {
        "index": index,
        "image": image,
        "crop": to_square(image, box, KAPPA * box[2], CROP),
        "view": view,
        "augmented": augmented,
        "normalised": (augmented[0] / 112 - 1, augmented[1] / 112 - 1),
        "map": (augmented[0] / 4, augmented[1] / 4),
    }


def box_of(xywh: list[float], factor: float) -> list[float]:
    left, top, width, height = xywh
    return [left + width / 2, top + height / 2, factor * max(width, height)]


def see(point: list[float], translation: list[float], focal: float, centre: Point) -> Point:
    """Pinhole projection of a camera-space point in metres."""
    depth = point[2] + translation[2]
    return tuple(focal * (point[i] + translation[i]) / depth + centre[i] for i in range(2))


def weak_planes(pi: list[float], point: list[float], box: list[float], k: float, degrees: float, flip: bool) -> dict:
    """A point seen by π: in the view by its pinhole, elsewhere by that plane's own focal length and principal point."""
    s, tx, ty = pi
    translation = [tx, ty, 2 * FOCAL / (VIEW * s + 1e-9)]
    image_focal, crop_focal = FOCAL * box[2] / VIEW, FOCAL * CROP / (VIEW * KAPPA)
    view = see(point, translation, FOCAL, (112, 112))
    return {
        "translation": translation,
        "focal": {
            "image": image_focal,
            "crop": crop_focal,
            "view": FOCAL,
            "augmented": FOCAL / k,
            "map": FOCAL / k / 4,
        },
        "principal": {
            "image": box[:2],
            "crop": [200, 200],
            "view": [112, 112],
            "augmented": [112, 112],
            "map": [28, 28],
        },
        "image": see(point, translation, image_focal, (box[0], box[1])),
        "crop": see(point, translation, crop_focal, (200, 200)),
        "view": view,
        "augmented": augment(view, k, degrees, flip),
        "map": tuple(value / 4 for value in augment(view, k, degrees, flip)),
    }


def native_planes(focal: float, centre: Point, translation: list[float], point: list[float], box: list[float]) -> dict:
    """A point seen by a full-frame pinhole: in the image, then by the same pinhole as the view has it."""
    ratio = VIEW / box[2]
    principal = to_square(centre, box, box[2], VIEW)
    return {
        "image": see(point, translation, focal, centre),
        "view_focal": focal * ratio,
        "view_principal": principal,
        "view": see(point, translation, focal * ratio, principal),
    }


def worked_example() -> dict[str, Any]:
    """The example of docs/geometry.md."""
    xywh, k, degrees, flip = [220.0, 63.5, 130.0, 280.0], 1.1, 30.0, True
    box, point, pi = box_of(xywh, 1.2), [0.15, -0.45, 0.1], [0.9, 0.1, 0.05]
    native = {"focal": math.hypot(640, 427), "principal": (320.0, 213.5), "translation": [-0.18, -0.05, 2.6]}
    return {
        "image_size": [640, 427],
        "bounding_box": xywh,
        "factor": 1.2,
        "box": box,
        "scale": box[2] / 200,
        "crop_side": KAPPA * box[2],
        "augmentation": {"scale": k, "degrees": degrees, "flip": flip},
        "keypoint": planes((318.0, 148.0), box, k, degrees, flip),
        "point": point,
        "pi": pi,
        "weak": weak_planes(pi, point, box, k, degrees, flip),
        "native": native,
        "native_seen": native_planes(native["focal"], native["principal"], native["translation"], point, box),
    }


def view_frame(focal: float, centre: Point, box: list[float], root: list[float]) -> dict[str, Any]:
    """A root rotation, axis · angle, as seen along the ray through the box instead of by the whole image's camera.

    The least turn of the ray onto the axis is the quaternion halfway between both; rotations compose as quaternions.
    """
    ray = [(box[0] - centre[0]) / focal, (box[1] - centre[1]) / focal, 1.0]
    length = math.sqrt(sum(a * a for a in ray))
    ray = [a / length for a in ray]
    half = [ray[0], ray[1], ray[2] + 1]
    length = math.sqrt(sum(a * a for a in half))
    half = [a / length for a in half]
    # cos and sin · axis of half the angle: the products of the ray with the halfway direction.
    turn = [
        sum(a * b for a, b in zip(ray, half, strict=True)),
        ray[1] * half[2] - ray[2] * half[1],
        ray[2] * half[0] - ray[0] * half[2],
        ray[0] * half[1] - ray[1] * half[0],
    ]
    angle = math.sqrt(sum(a * a for a in root))
    seen = _times(turn, [math.cos(angle / 2), *(math.sin(angle / 2) * a / angle for a in root)])
    if seen[0] < 0:
        seen = [-a for a in seen]
    sine = math.sqrt(sum(a * a for a in seen[1:]))
    return {
        "focal": focal,
        "principal": centre,
        "box": box,
        "root": root,
        "ray": ray,
        "degrees": math.degrees(math.acos(ray[2])),
        "turned_root": [2 * math.atan2(sine, seen[0]) * a / sine for a in seen[1:]],
    }


def view_frames(count: int, rng: random.Random) -> list[dict[str, Any]]:
    """The example's person, then random persons in images of many fields of view, across the borders too."""
    cases = [view_frame(math.hypot(640, 427), (320.0, 213.5), [285.0, 203.5, 336.0], [2.9, 0.3, -0.2])]
    for _ in range(count):
        box = [rng.uniform(-50, 690), rng.uniform(-50, 480), math.exp(rng.uniform(3, 6))]
        centre = (rng.uniform(300, 340), rng.uniform(200, 230))
        # Below π, where axis and angle are one way only to say it.
        axis = [rng.gauss(0, 1) for _ in range(3)]
        length = math.sqrt(sum(a * a for a in axis)) / rng.uniform(0.1, 3.0)
        cases.append(view_frame(math.exp(rng.uniform(5.5, 8.5)), centre, box, [a / length for a in axis]))
    return cases


def views(count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Random persons, small, large and across the border, under random augmentations."""
    cases = []
    for _ in range(count):
        xywh = [rng.uniform(-50, 600), rng.uniform(-50, 400), *(math.exp(rng.uniform(2.5, 7)) for _ in range(2))]
        box = box_of(xywh, 1.2)
        k, degrees, flip = rng.uniform(0.75, 1.25), rng.uniform(-60, 60), rng.random() < 0.5
        index = (float(rng.randrange(640)), float(rng.randrange(427)))
        point = [rng.uniform(-0.6, 0.6), rng.uniform(-0.9, 0.9), rng.uniform(-0.4, 0.4)]
        pi = [rng.uniform(0.4, 1.3), rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)]
        cases.append(
            {
                "bounding_box": xywh,
                "box": box,
                "augmentation": {"scale": k, "degrees": degrees, "flip": flip},
                "keypoint": planes(index, box, k, degrees, flip),
                "point": point,
                "pi": pi,
                "weak": weak_planes(pi, point, box, k, degrees, flip),
            }
        )
    return cases


def rotation(axis: list[float], angle: float) -> dict[str, Any]:
    """A rotation by the sandwich product q·v·q* of each basis vector."""
    length = math.sqrt(sum(a * a for a in axis))
    q = [math.cos(angle / 2), *(math.sin(angle / 2) * a / length for a in axis)]
    columns = [
        _times(_times(q, [0.0, *basis]), [q[0], -q[1], -q[2], -q[3]])[1:] for basis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    matrix = [[columns[j][i] for j in range(3)] for i in range(3)]
    return {
        "axis_angle": [angle * a / length for a in axis],
        "matrix": matrix,
        "rotation_6d": [matrix[i][j] for i in range(3) for j in range(2)],
    }


def _times(p: list[float], q: list[float]) -> list[float]:
    return [
        p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
        p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
        p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
        p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
    ]


def rotations(rng: random.Random) -> list[dict[str, Any]]:
    """Angles from nothing to π about the axes and about random ones."""
    angles = [0.0, 1e-9, 1e-4, 3e-3, 0.5, math.pi / 2, 2.5, math.pi - 1e-4, math.pi - 1e-8]
    axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], *([rng.gauss(0, 1) for _ in range(3)] for _ in range(3))]
    return [rotation(axis, angle) for axis in axes for angle in angles]


def vectors() -> dict[str, Any]:
    """Every file by its name."""
    rng = random.Random(2021)
    return {
        "worked_example.json": worked_example(),
        "views.json": views(24, rng),
        "rotations.json": rotations(rng),
        "view_frames.json": view_frames(24, rng),
    }


if __name__ == "__main__":
    for name, content in vectors().items():
        (HERE / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
