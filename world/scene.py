"""A scene: people on a ground plane before a camera, in a place, all drawn from one generator.

Sizes and places are drawn in the image first (how tall a person shows, and where), and looked up in the world: so
the boxes of a sample are spread like those of photographs whatever the lens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import COCO17, J49, SMPL24, index_map
from pymaf_data.geometry.rotations import matrix_to_axis_angle
from pymaf_data.world.poses import Figure, draw_figure
from pymaf_data.world.rigid import placed
from pymaf_data.world.things import Thing
from pymaf_data.world.view import View

BODY12 = tuple(COCO17.joints[5:])
"""The joints that SPIN's selection asks for."""

_WORLD_TO_CAMERA = np.diag([1.0, -1.0, -1.0])
_COUNT_SHARES = (0.18, 0.24, 0.24, 0.19, 0.15)  # of images with 1 … 5 people drawn
_TALL = (58.0, 980.0)  # pixels that a person of full height shows, at 480 px
_NEAREST, _FARTHEST = 0.55, 24.0  # metres
_CUT_SHARE = 0.20  # of people who may be cut by the frame
_CUT_LEFT = 0.45  # of whom at least this share stays inside
_BESIDE_SHARE = 0.55  # of further people who stand nearly in line with another
_TRIALS = 32


@dataclass(frozen=True)
class Person:
    """One body in camera space: exact parameters and what they give.

    Args:
        figure: before it was turned and placed.
        heading: degrees about the vertical; at 0 it faces against the camera's direction.
        pose: (72,) axis-angle, root in camera space.
        translation: (3,) metres.
        vertices: (V, 3) camera-space metres.
        joints24: (24, 3) the skeleton in camera space.
        joints49: (49, 3) J49 in camera space.
        world: (V, 3) the vertices in the world.
        bones: (24, 3) the skeleton in the world.
        rotations: (24, 3, 3), root in the world.
        things: what carries the body or what it handles, in the world.
    """

    figure: Figure
    heading: float
    pose: np.ndarray
    translation: np.ndarray
    vertices: np.ndarray
    joints24: np.ndarray
    joints49: np.ndarray
    world: np.ndarray
    bones: np.ndarray
    rotations: np.ndarray
    things: tuple[Thing, ...]

    @property
    def coco(self) -> np.ndarray:
        """(17, 3) COCO's keypoints in camera space."""
        return self.joints49[index_map(J49, COCO17)]


@dataclass(frozen=True)
class Scene:
    """A view and the people in it."""

    view: View
    people: tuple[Person, ...]

    def complete(self) -> list[bool]:
        """For each person whether all 12 body keypoints lie inside the image."""
        rows = [COCO17.index(name) for name in BODY12]
        return [bool(self.view.inside(person.coco[rows]).all()) for person in self.people]

    def spots(self) -> np.ndarray:
        """(N, 3) x, z and radius in metres of the ground that people and their things take."""
        return np.array([_spot(person.world, person.things) for person in self.people])


def draw_scene(rng: Generator, body: BodyModel, size: tuple[int, int], split: str) -> Scene:
    """Draw a view and 1 … 5 people in it; rarely none finds a place.

    Args:
        rng: the only source of chance.
        body: float64.
        size: (width, height) of the image.
        split: whose poses and shapes to draw from.
    """
    count = int(rng.choice(len(_COUNT_SHARES), p=_COUNT_SHARES)) + 1
    figures = [draw_figure(rng, body, split) for _ in range(count)]
    view = _draw_view(rng, size, figures[0])
    standing: list[_Standing] = []
    for figure in figures:
        turned = _Turned.of(figure, rng.uniform(0.0, 360.0))
        place = _find_place(rng, view, turned, standing)
        if place is not None:
            standing.append(_Standing(turned, place))
    return Scene(view, _people(view, standing))


@dataclass(frozen=True)
class _Turned:
    """A figure turned about the vertical at the origin, and the spot (x, z, radius) that it takes there."""

    figure: Figure
    heading: float
    turn: np.ndarray
    vertices: np.ndarray
    spot: np.ndarray

    @classmethod
    def of(cls, figure: Figure, heading: float) -> _Turned:
        turn = about_y(heading)
        vertices = placed(figure.vertices, turn, np.zeros(3))
        things = tuple(thing.moved(turn, np.zeros(3)) for thing in figure.things)
        return cls(figure, heading, turn, vertices, _spot(vertices, things))


class _Standing(NamedTuple):
    """A turned figure at its place (x, 0, z)."""

    turned: _Turned
    place: np.ndarray

    @property
    def spot(self) -> np.ndarray:
        """(3,) of :meth:`Scene.spots`."""
        return self.turned.spot + self.place[[0, 2, 1]]

    @property
    def root(self) -> np.ndarray:
        """(3,) the pelvis in the world."""
        return self.turned.turn @ self.turned.figure.skeleton[0] + self.place


def about_y(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about the vertical: z towards x."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _spot(vertices: np.ndarray, things: tuple[Thing, ...]) -> np.ndarray:
    x, _, z = np.concatenate([vertices.T, *(thing.vertices.T for thing in things)], axis=1)
    middle_x, middle_z = (x.min() + x.max()) / 2, (z.min() + z.max()) / 2
    return np.array([middle_x, middle_z, np.sqrt(((x - middle_x) ** 2 + (z - middle_z) ** 2).max())])


def _draw_view(rng: Generator, size: tuple[int, int], figure: Figure) -> View:
    """A camera that looks towards where its first person will stand."""
    width, height = size
    fov = np.deg2rad(rng.uniform(30.0, 90.0))
    focal = width / 2 / np.tan(fov / 2)
    low = rng.random() < 0.12
    eye = rng.uniform(0.25, 0.8) if low else float(np.clip(rng.normal(1.5, 0.45), 0.8, 3.4))
    if rng.random() < 0.08:
        eye = rng.uniform(2.4, 4.0)
    stature = max(float(np.ptp(figure.vertices[:, 1])), 0.9)
    distance = np.clip(focal * stature / (_tall(rng) * height / 480), 1.4, 14.0)
    pitch = np.rad2deg(np.arctan2(eye - stature * rng.uniform(0.3, 0.75), distance)) + rng.normal(0, 3)
    c, s = np.cos(np.deg2rad(np.clip(pitch, -30, 40))), np.sin(np.deg2rad(np.clip(pitch, -30, 40)))
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    roll = np.deg2rad(rng.normal(0, 2.0) if rng.random() < 0.85 else rng.uniform(-12, 12))
    level = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return View(intrinsics, level @ tilt @ _WORLD_TO_CAMERA, np.array([0.0, eye, 0.0]), size)


def _tall(rng: Generator) -> float:
    """Pixels at 480 px of image that a standing person shows: over magnitudes, the larger the likelier."""
    low, high = np.log(_TALL)
    return float(np.exp(low + (high - low) * rng.random() ** 0.66))


def _find_place(rng: Generator, view: View, turned: _Turned, standing: list[_Standing]) -> np.ndarray | None:
    """Where on the ground (x, 0, z) a person has room and is seen as intended, or none after some trials."""
    focal, (width, height) = view.intrinsics[0, 0], view.size
    cut = rng.random() < _CUT_SHARE
    low, high = (_CUT_LEFT, 0.985) if cut else (0.997, 1.0)
    beside = standing[int(rng.integers(len(standing)))] if standing and rng.random() < _BESIDE_SHARE else None
    taken = [other.spot for other in standing]
    stature = max(float(np.ptp(turned.figure.vertices[:, 1])), 0.8 * turned.spot[2])
    for trial in range(_TRIALS):
        if trial == _TRIALS // 2:  # better anywhere than nowhere
            beside, low = None, min(low, _CUT_LEFT)
        depth = float(np.clip(focal * stature / (_tall(rng) * height / 480), _NEAREST + 0.3, _FARTHEST))
        if beside is not None:
            column = view.project(view.to_camera(beside.root))[0] + rng.uniform(-1, 1) * 0.45 * focal * stature / depth
        else:
            column = width * rng.uniform(0.0, 1.0) if cut else width * rng.uniform(0.08, 0.92)
        x = (column - width / 2) / focal * depth
        place = np.array([x, 0.0, -depth])
        spot = np.array([x, -depth, turned.spot[2]])
        offset = view.to_camera(place)
        if any(np.linalg.norm(spot[:2] - other[:2]) < spot[2] + other[2] + 0.05 for other in taken):
            continue
        if not low - 0.02 <= view.inside(placed(turned.vertices[::9], view.rotation, offset)).mean() <= high + 0.02:
            continue  # a few vertices tell most of it
        points = placed(turned.vertices, view.rotation, offset)
        if points[:, 2].min() > _NEAREST and low <= view.inside(points).mean() <= high:
            return place
    return None


def _people(view: View, standing: list[_Standing]) -> tuple[Person, ...]:
    """All figures at their places, with the parameters that give them in camera space."""
    seen = np.array([turned.figure.rotations for turned, _ in standing]).reshape(-1, len(SMPL24), 3, 3)
    for rotations, (turned, _) in zip(seen, standing, strict=True):
        rotations[0] = view.rotation @ turned.turn @ rotations[0]
    poses = matrix_to_axis_angle(torch.from_numpy(seen)).reshape(len(seen), 3 * len(SMPL24)).numpy()
    return tuple(_person(view, turned, place, pose) for (turned, place), pose in zip(standing, poses, strict=True))


def _person(view: View, turned: _Turned, place: np.ndarray, pose: np.ndarray) -> Person:
    """A turned figure at its place.

    A body's root turns about the pelvis of its T-pose, J₀, and its translation is where the pelvis is, less J₀: so
    turning and placing a posed body only changes its root rotation and its translation.
    """
    figure = turned.figure
    world, bones, joints = (
        placed(points, turned.turn, place) for points in (figure.vertices, figure.skeleton, figure.joints49)
    )
    rotations, joints24 = figure.rotations.copy(), view.to_camera(bones)
    rotations[0] = turned.turn @ rotations[0]
    return Person(
        figure=figure,
        heading=turned.heading,
        pose=pose,
        translation=joints24[0] - (figure.skeleton[0] - figure.translation),
        vertices=view.to_camera(world),
        joints24=joints24,
        joints49=view.to_camera(joints),
        world=world,
        bones=bones,
        rotations=rotations,
        things=tuple(thing.moved(turned.turn, place) for thing in figure.things),
    )


def only(scene: Scene, people: list[Person]) -> Scene:
    """The scene with these people alone."""
    return replace(scene, people=tuple(people))
