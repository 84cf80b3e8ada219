"""From a scene to a photograph and what each pixel shows.

Meshes are rasterized twice: at the image's own pixel centres for masks and visibility (the very samples that an IUV
map of that size would take), and at twice the resolution for colour, so that outlines are smooth. What people wear
belongs to them: a mask is the dressed person's, as an annotator would draw it; the dense truth is the body's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.render import load_atlas
from pymaf_data.world.develop import Exposure, develop, draw_exposure
from pymaf_data.world.engine.film import Film
from pymaf_data.world.engine.rectangles import Rectangle, rasterize_part
from pymaf_data.world.engine.shadow import cast_shadows
from pymaf_data.world.people import Dressed, Tailor, draw_outfit
from pymaf_data.world.people.kernels import draw_person
from pymaf_data.world.scene import Person, Scene, only
from pymaf_data.world.scenery import Photographs, Place, draw_place, paint
from pymaf_data.world.things import Thing
from pymaf_data.world.view import View

_MIN_SHOWN = 0.22  # of a person's own silhouette inside the frame
_MIN_AREA = 0.0012  # of the image
_BENDING = tuple(SMPL24.index(f"{side}_{joint}") for joint in ("elbow", "knee") for side in ("left", "right"))
_HIPS = tuple(SMPL24.index(f"{side}_hip_smpl") for side in ("left", "right"))
_CLOSE_AREA = 40_000  # samples of a person that shows detail larger than a pixel
_SPORTS = ("ball_sports", "running")


@dataclass(frozen=True)
class Shown:
    """What the image shows of a scene.

    Args:
        scene: with the people who can be seen.
        place: where they are.
        image: (H, W, 3) uint8 RGB.
        exposure: the camera's settings.
        masks: (N, H, W) bool, visible pixels of each dressed person.
        hidden: (N,) share of each silhouette inside the frame that others or things hide.
        depth: (H, W) metres to the nearest mesh, +inf elsewhere.
    """

    scene: Scene
    place: Place
    image: np.ndarray
    exposure: Exposure
    masks: np.ndarray
    hidden: np.ndarray
    depth: np.ndarray


class Studio:
    """Body and wardrobe; one per process."""

    def __init__(self) -> None:
        self.body: BodyModel = load_body("free", dtype=torch.float64)
        self.atlas = load_atlas("free")
        self.faces = self.body.faces.numpy()
        self._tailor = Tailor(self.body, self.atlas)

    def shoot(self, rng: Generator, scene: Scene, split: str, photographs: Photographs | None = None) -> Shown | None:
        """Take the image; people who can hardly be seen leave the scene first.

        Args:
            rng: the only source of chance.
            scene: at least one person.
            split: whose places to draw from.
            photographs: the user's images to take instead of drawn places.

        Returns:
            The image, or none where nobody can be seen.
        """
        spots = scene.spots()
        place = photographs.draw_place(rng, spots) if photographs else draw_place(rng, scene.view, spots, split)
        dressed = [self._dress(rng, person) for person in scene.people]
        kept, depth, owner, hidden = _sort_out(scene, dressed, place.things)
        if not kept:
            return None
        people = [scene.people[number] for number in kept]
        clothed = [dressed[number] for number in kept]
        things = [*place.things, *(thing for person in people for thing in person.things)]
        middle = np.mean([person.bones[0] for person in people], axis=0)
        casters = [(one.vertices, one.faces) for one in clothed] + [(thing.vertices, thing.faces) for thing in things]
        film = Film(scene.view)
        for one in clothed:
            _draw(film, one)
        for thing in things:
            film.add_thing(thing)
        radiance = film.expose(paint(place, scene.view), cast_shadows(place.light, casters, middle))
        exposure = draw_exposure(rng, place.kind)
        image = develop(rng, radiance, exposure)
        masks = np.stack([owner == number for number in kept])
        return Shown(only(scene, people), place, image, exposure, masks, hidden, depth)

    def _dress(self, rng: Generator, person: Person) -> Dressed:
        rotations, figure = person.rotations, person.figure
        bends = np.array([_angle(rotations[joint]) / 100.0 for joint in _BENDING]).clip(0, 1)
        # A skirt hangs well where the thighs go together and are not drawn up.
        thighs = [rotations[hip] for hip in _HIPS]
        apart = float(np.rad2deg(np.arccos(np.clip(thighs[0][:, 1] @ thighs[1][:, 1], -1, 1))))
        raised = max(float(np.rad2deg(np.arccos(np.clip(thigh[1, 1], -1, 1)))) for thigh in thighs)
        skirts = apart < 32 and raised < 40
        outfit = draw_outfit(rng, self._tailor.rest, figure.family in _SPORTS, skirts, bends)
        return self._tailor.dress(
            rotations, figure.betas, person.world, person.bones, outfit, grounded=not figure.airborne
        )


def _angle(rotation: np.ndarray) -> float:
    """Degrees that a rotation (3, 3) turns by."""
    return float(np.rad2deg(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _draw(film: Film, one: Dressed) -> None:
    part = film.rectangle(one.vertices, one.faces)
    if part is None:
        return
    raster, canvas = part.raster, film.canvas
    close = bool(raster.mask.sum() > _CLOSE_AREA)
    draw_person(
        raster.face, raster.bary, raster.depth, part.top, part.left, canvas.depth, canvas.albedo, canvas.normal,
        canvas.gloss, one.faces, one.normals, one.rest, one.turns, one.regions, one.outfit.cut, one.outfit.cloth, close,
    )  # fmt: skip


def _sort_out(
    scene: Scene, dressed: Sequence[Dressed], things: Sequence[Thing]
) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
    """Who can be seen: numbers of the people kept, depth (H, W), owner (H, W) by those numbers, hidden share (N,)."""
    view = scene.view
    bodies = [_layer(view, one.vertices, one.faces) for one in dressed]
    theirs = [[_layer(view, t.vertices, t.faces) for t in person.things] for person in scene.people]
    fixed = [part for part in (_layer(view, t.vertices, t.faces, bodies) for t in things) if part]
    whole = np.array([int(part.raster.mask.sum()) if part else 0 for part in bodies])
    kept = list(range(len(bodies)))
    while kept:
        depth = np.full(view.size[::-1], np.inf, np.float32)
        owner = np.full(view.size[::-1], -1, np.int16)
        for part in (*fixed, *(part for number in kept for part in theirs[number])):
            _cover(depth, owner, part, -1)
        for number in kept:
            _cover(depth, owner, bodies[number], number)
        shown = np.array([int((owner == number).sum()) for number in kept])
        share = shown / np.maximum(whole[kept], 1)
        poor = (share < _MIN_SHOWN) | (shown < _MIN_AREA * depth.size)
        if not poor.any():
            break
        del kept[int(np.argmin(np.where(poor, share, np.inf)))]
    return kept, depth, owner, (1 - share).astype(np.float32)


def _layer(
    view: View, points: np.ndarray, faces: np.ndarray, before: Sequence[Rectangle | None] | None = None
) -> Rectangle | None:
    """A mesh at the image's pixels; none where it cannot be seen, or not ``before`` any of some others."""
    camera = view.to_camera(points)
    if before is not None and camera[:, 2].min() > 0.05:
        pixels = view.project(camera)
        low, high = pixels.min(0) - 1, pixels.max(0) + 1
        if not any(part and _overlap(part, low, high) for part in before):
            return None
    return rasterize_part(view, camera, faces)


def _overlap(part: Rectangle, low: np.ndarray, high: np.ndarray) -> bool:
    rows, columns = part.place
    return bool(low[0] < columns.stop and high[0] > columns.start and low[1] < rows.stop and high[1] > rows.start)


def _cover(depth: np.ndarray, owner: np.ndarray, part: Rectangle | None, number: int) -> None:
    if part is None:
        return
    front = part.raster.depth < depth[part.place]
    depth[part.place][front] = part.raster.depth[front]
    owner[part.place][front] = number
