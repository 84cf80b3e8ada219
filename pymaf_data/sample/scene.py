"""A scene: people on a ground plane before a camera, all drawn from one generator.

World: metres, x right, y up, z towards the viewer; the ground is y = 0 and the camera stands above the origin, looking
along −z. Camera space is x right, y down, z forward, as everywhere: X_cam = R_cam · (X_world − C).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import COCO17, J49, SMPL24, index_map
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from pymaf_data.sample.anatomy import turn_x, turn_y, turn_z
from pymaf_data.sample.postures import draw_posture
from pymaf_data.sample.stance import Stance

BODY12 = tuple(COCO17.joints[5:])
"""The joints that SPIN's selection asks for."""

_WORLD_TO_CAMERA = np.diag([1.0, -1.0, -1.0])
_HALF_SEAT = 0.22  # metres
_SHAPE_SPREAD = np.array([1.0, 1.0, 0.9, 0.8, 0.8, 0.7, 0.7, 0.6, 0.6, 0.6])


@dataclass(frozen=True)
class View:
    """A pinhole camera: intrinsics (3, 3) in continuous pixels, rotation (3, 3), centre (3,), size (w, h)."""

    intrinsics: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    size: tuple[int, int]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in camera space."""
        return (points - self.centre) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of camera-space points (..., 3)."""
        homogeneous = points @ self.intrinsics.T
        return homogeneous[..., :2] / homogeneous[..., 2:]


@dataclass(frozen=True)
class Person:
    """One body in camera space: exact parameters and what they give.

    Args:
        family: of the posture.
        pose: (72,) axis-angle, root in camera space.
        betas: (10,).
        translation: (3,) metres.
        vertices: (V, 3) camera-space metres.
        joints24: (24, 3) the skeleton.
        coco: (17, 3) COCO's keypoints.
        seat: (8, 3) corners of the box the person sits on, world metres, or none.
        ground: (V, 3) the vertices in the world.
    """

    family: str
    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray
    vertices: np.ndarray
    joints24: np.ndarray
    coco: np.ndarray
    seat: np.ndarray | None
    ground: np.ndarray


@dataclass(frozen=True)
class Scene:
    """A view and the people in it."""

    view: View
    people: tuple[Person, ...]

    def complete(self) -> list[bool]:
        """For each person whether all 12 body keypoints lie inside the picture."""
        rows = [COCO17.index(name) for name in BODY12]
        return [bool(inside(self.view, person.coco[rows]).all()) for person in self.people]


def inside(view: View, points: np.ndarray) -> np.ndarray:
    """Which camera-space points (N, 3) fall into the picture."""
    pixels = view.project(points)
    return (points[:, 2] > 0.1) & (pixels >= 0).all(-1) & (pixels < view.size).all(-1)


@dataclass(frozen=True)
class _Settled:
    """A posed body standing at the world's origin, facing the viewer before it is turned."""

    family: str
    betas: np.ndarray
    rotations: np.ndarray
    vertices: np.ndarray
    seated: bool


def draw_scene(rng: Generator, body: BodyModel, size: tuple[int, int]) -> Scene:
    """Draw a whole scene.

    Args:
        rng: the only source of chance.
        body: a float64 body with y up in its T-pose.
        size: (w, h) of the picture.
    """
    count = int(rng.choice([1, 2, 3], p=[0.40, 0.38, 0.22]))
    settled = [_settle(rng, body) for _ in range(count)]
    view, distance = _draw_view(rng, size, float(np.ptp(settled[0].vertices[:, 1])))
    people: list[Person] = []
    taken: list[tuple[np.ndarray, float]] = []
    for number, figure in enumerate(settled):
        place = _find_place(rng, view, distance, figure, taken, first=number == 0)
        if place is None:
            continue
        taken.append((place, _radius(figure)))
        people.append(_put(body, figure, view, place))
    return Scene(view, tuple(people))


def _settle(rng: Generator, body: BodyModel) -> _Settled:
    betas = np.clip(rng.normal(size=body.num_betas), -2.2, 2.2) * _SHAPE_SPREAD
    family, posture = draw_posture(rng)
    if betas[1] > 0:  # arms hang wider from a wider trunk
        arms = tuple(replace(arm, abduct=arm.abduct + 3 * betas[1]) for arm in posture.arms)
        posture = replace(posture, arms=(arms[0], arms[1]))
    rotations = Stance(body, betas).settle(posture.clipped())
    heading = turn_y(rng.uniform(0.0, 360.0))
    rotations[0] = heading @ rotations[0]
    out = body(torch.from_numpy(rotations)[None], torch.from_numpy(betas)[None])
    vertices = out.vertices[0].numpy()
    centre = (vertices.max(0) + vertices.min(0)) / 2
    floor = np.array([centre[0], vertices[:, 1].min(), centre[2]])
    return _Settled(family, betas, rotations, vertices - floor, posture.seated)


def _draw_view(rng: Generator, size: tuple[int, int], stature: float) -> tuple[View, float]:
    """A camera, and the distance at which its main subject fills a pleasant part of the picture."""
    width, height = size
    fov = np.deg2rad(rng.uniform(35.0, 75.0))
    focal = max(width, height) / 2 / np.tan(fov / 2)
    share = rng.uniform(0.55, 0.92)
    distance = float(np.clip(focal * max(stature, 0.9) / (share * height), 1.6, 14.0))
    eye = rng.uniform(0.8, 2.3)
    # Aim near the middle of the subject, so that steeper views belong to nearer, lower subjects.
    pitch = np.rad2deg(np.arctan2(eye - stature * rng.uniform(0.4, 0.6), distance))
    rotation = turn_z(rng.normal(0, 1.5)) @ turn_x(float(np.clip(pitch, -15, 40))) @ _WORLD_TO_CAMERA
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return View(intrinsics, rotation, np.array([0.0, eye, 0.0]), size), distance


def _radius(figure: _Settled) -> float:
    return float(np.linalg.norm(figure.vertices[:, [0, 2]], axis=1).max()) + (0.1 if figure.seated else 0.02)


def _find_place(
    rng: Generator, view: View, distance: float, figure: _Settled, taken: list[tuple[np.ndarray, float]], first: bool
) -> np.ndarray | None:
    """Where on the ground (x, 0, z) a person has room and is seen, or none after some trials."""
    half = view.size[0] / 2 / view.intrinsics[0, 0]
    low, high = (0.6, 0.97) if not first and rng.random() < 0.2 else (0.995, 1.0)  # some are cut by the frame
    for _ in range(24):
        depth = distance * (rng.uniform(0.92, 1.12) if first else rng.uniform(0.75, 1.9))
        spread = 0.5 if first else 0.92
        place = np.array([depth * half * spread * rng.uniform(-1.0, 1.0), 0.0, -depth])
        radius = _radius(figure)
        if any(np.linalg.norm(place - other) < radius + reach for other, reach in taken):
            continue
        points = view.to_camera(figure.vertices + place)
        if points[:, 2].min() < 0.5:
            continue
        share = inside(view, points).mean()
        if low < share <= high:
            return place
    return None


def _put(body: BodyModel, figure: _Settled, view: View, place: np.ndarray) -> Person:
    """The settled body at its place, as exact parameters in camera space; vertices come from those parameters."""
    rotations = figure.rotations.copy()
    rotations[0] = view.rotation @ rotations[0]
    axis_angle = matrix_to_axis_angle(torch.from_numpy(rotations))
    matrices = axis_angle_to_matrix(axis_angle)[None]
    betas = torch.from_numpy(figure.betas)[None]
    at_origin = body(matrices, betas)
    target = view.to_camera(figure.vertices + place)
    translation = (torch.from_numpy(target) - at_origin.vertices[0]).mean(0)
    vertices = (at_origin.vertices[0] + translation).numpy()
    coco = (at_origin.joints[0] + translation).numpy()[index_map(J49, COCO17)]
    world = figure.vertices + place
    return Person(
        family=figure.family,
        pose=axis_angle.reshape(-1).numpy(),
        betas=figure.betas,
        translation=translation.numpy(),
        vertices=vertices,
        joints24=(at_origin.skeleton[0] + translation).numpy(),
        coco=coco,
        seat=_seat(body, figure, world) if figure.seated else None,
        ground=world,
    )


def _seat(body: BodyModel, figure: _Settled, world: np.ndarray) -> np.ndarray:
    """Corners (8, 3) of a box under the buttocks, turned with the body."""
    weights = body.lbs_weights.numpy()
    hips = [SMPL24.index(name) for name in ("pelvis", "left_hip_smpl", "right_hip_smpl")]
    rest = body.v_template.numpy()
    joints = body.J_regressor.numpy() @ rest
    # The back of the pelvis and the beginning of the thighs rest on the seat.
    near = (weights[:, hips].sum(1) > 0.6) & (rest[:, 1] > joints[hips[1], 1] - 0.12)
    bottom = world[near]
    top = float(bottom[:, 1].min()) + 0.012
    forward = figure.rotations[0][:, 2] * [1, 0, 1]
    forward /= np.linalg.norm(forward)
    side = np.array([forward[2], 0.0, -forward[0]])
    centre = bottom.mean(0) * [1, 0, 1] - 0.04 * forward
    corners = [
        centre + a * _HALF_SEAT * side + b * _HALF_SEAT * forward + [0.0, height, 0.0]
        for height in (0.0, top)
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    return np.array(corners)
