"""Images: what masks, hidden shares, keypoints and colours say of each other and of the meshes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.joints import COCO17, J49, index_map
from pymaf_data.render import Raster, rasterize
from pymaf_data.world.annotate import Annotator, keypoints_of
from pymaf_data.world.image import Shown
from pymaf_data.world.light import Light
from pymaf_data.world.scene import Person, Scene, about_y, only
from pymaf_data.world.scenery import Photographs, Place
from pymaf_data.world.things import Thing, box
from pymaf_data.world.view import View

pytestmark = pytest.mark.long  # of the world, which is finished

GREEN = (20, 200, 30)
DAY = Light(np.array([0.3, -0.9, -0.3]), np.full(3, 1.5), np.full(3, 0.6), np.full(3, 0.2))


def raster_of(view: View, points: np.ndarray, faces: np.ndarray) -> Raster:
    """What a mesh in camera space shows alone, by the renderer's own whole frame."""
    camera = full_frame(torch.from_numpy(view.intrinsics)[None], torch.zeros(1, 3, dtype=torch.float64))
    return rasterize(points[None], faces, camera, view.size[::-1])[0]


def everybody(shots):
    """(shown, number, person, what the person wears)."""
    for shown, dressed in shots:
        for number, person in enumerate(shown.scene.people):
            yield shown, number, person, dressed[number]


class Backdrop(Photographs):
    """A green wall as the place, with things before it."""

    def __init__(self, things: tuple[Thing, ...] = ()) -> None:
        super().__init__(())
        object.__setattr__(self, "things", things)

    def draw_place(self, rng: np.random.Generator, spots: np.ndarray) -> Place:
        wall = np.broadcast_to(np.array(GREEN, np.uint8), (240, 320, 3)).copy()
        return Place("photograph", DAY, self.things, spots, photograph=wall)


@pytest.fixture(scope="module")
def before_green(watched, scenes) -> list[Shown]:
    """The scenes without places, and without what people sit on or hold."""
    bare = [Scene(s.view, tuple(replace(person, things=()) for person in s.people)) for s in scenes]
    taken = [watched.shoot(np.random.default_rng([5, n]), scene, "train", Backdrop()) for n, scene in enumerate(bare)]
    return [shown for shown in taken if shown is not None]


def test_masks_are_disjoint_and_everybody_can_be_seen(shots):
    for shown, _ in shots:
        height, width = shown.depth.shape
        assert shown.masks.shape == (len(shown.scene.people), height, width)
        assert shown.masks.sum(0).max() <= 1
        assert shown.masks.sum((1, 2)).min() >= 0.0012 * height * width
        assert np.isfinite(shown.depth[shown.masks.any(0)]).all()


def test_masks_are_of_dressed_people_and_hidden_shares_are_right(shots):
    partly = 0
    for shown, number, _, dressed in everybody(shots):
        view = shown.scene.view
        alone = raster_of(view, view.to_camera(dressed.vertices), dressed.faces)
        mask = shown.masks[number]
        assert not (mask & ~alone.mask).any()
        np.testing.assert_allclose(shown.depth[mask], alone.depth[mask], rtol=1e-5)
        assert not (alone.mask & (alone.depth < shown.depth - 1e-5)).any(), "nothing lies behind the person's surface"
        assert shown.hidden[number] == pytest.approx(1 - mask.sum() / alone.mask.sum(), abs=1e-6)
        partly += 0.05 < shown.hidden[number] < 0.78
    assert partly >= 5


def test_masks_of_people_whom_nothing_hides_contain_their_bodies(shots, workshop):
    lost = covered = 0
    for shown, number, person, _ in everybody(shots):
        if shown.hidden[number] == 0:
            own = raster_of(shown.scene.view, person.vertices, workshop.faces).mask
            lost, covered = lost + (own & ~shown.masks[number]).sum(), covered + own.sum()
    print(f"{1 - lost / covered:.3%} of {covered} pixels of bare bodies lie in the masks")
    assert covered > 20_000
    assert lost <= 0.01 * covered


def test_masks_are_hardly_larger_than_bodies(shots, workshop):
    """Clothes and hair add a rim, not another shape."""
    shares = []
    for shown, number, person, _ in everybody(shots):
        if shown.hidden[number] == 0:
            own = raster_of(shown.scene.view, person.vertices, workshop.faces).mask
            both = (own & shown.masks[number]).sum()
            shares.append(both / (own | shown.masks[number]).sum())
    assert len(shares) >= 10
    assert np.median(shares) > 0.88
    assert min(shares) > 0.6


def test_visible_keypoints_lie_in_their_persons_mask(shots):
    seen = 0
    for shown, _ in shots:
        for entry, mask in zip(Annotator().annotate(shown, np.random.default_rng(0)), shown.masks, strict=True):
            for x, y, visible in np.array(entry["keypoints"], np.float64).reshape(17, 3):
                if visible == 2:
                    assert mask[int(np.floor(y + 0.5)), int(np.floor(x + 0.5))]
                    seen += 1
    assert seen > 200


def turned_to_the_camera(person: Person, view: View, degrees: float) -> Person:
    """The person turned about its own vertical until it looks at the camera, and then further."""
    to_world = view.rotation.T
    joints = person.joints49 @ to_world.T + view.centre
    coco = joints[index_map(J49, COCO17)]
    gaze, towards = (coco[0] - coco[[3, 4]].mean(0))[[0, 2]], (view.centre - coco[0])[[0, 2]]
    angle = np.rad2deg(np.arctan2(*towards) - np.arctan2(*gaze)) + degrees
    about, axis = about_y(angle), person.bones[0] * [1, 0, 1]
    world, joints = (((points - axis) @ about.T + axis) for points in (person.world, joints))
    return replace(person, world=world, vertices=view.to_camera(world), joints49=view.to_camera(joints))


@pytest.mark.parametrize(("degrees", "expected"), [(0, 2), (30, 2), (150, 1), (180, 1)])
def test_a_nose_is_seen_from_the_front_and_not_from_behind(scenes, workshop, degrees, expected):
    seen = []
    for scene in scenes:
        for person in scene.people:
            if person.figure.family not in ("standing", "walking"):
                continue
            turned = turned_to_the_camera(person, scene.view, degrees)
            raster = raster_of(scene.view, turned.vertices, workshop.faces)
            _, visible = keypoints_of(turned, scene.view, raster.depth, raster.mask)
            if visible[0]:
                seen.append(int(visible[0]))
    assert len(seen) >= 6
    assert np.mean(np.array(seen) == expected) >= 0.8, "a hand may be before the face, rarely"


def test_a_thing_in_front_takes_pixels(watched, scenes):
    """A board before half of somebody: its pixels go, the share says how many, and keypoints behind are not seen."""
    taken = 0
    for number, scene in enumerate(scenes):
        person = replace(scene.people[0], things=())
        alone = only(scene, [person])
        free = watched.shoot(np.random.default_rng(number), alone, "train", Backdrop())
        if free is None or not 0.4 < np.ptp(person.world[:, 0]) < 1.2 or scene.view.inside(person.vertices).mean() < 1:
            continue
        middle, nearest = np.median(person.world[:, 0]), person.world[:, 2].max() + 0.05
        board = box((middle, -1.0, nearest), (middle + 3.0, 4.0, nearest + 0.02), np.full(3, 0.5))
        shown = watched.shoot(np.random.default_rng(number), alone, "train", Backdrop((board,)))
        if shown is None:
            continue
        behind = raster_of(scene.view, scene.view.to_camera(board.vertices), board.faces).mask
        assert np.array_equal(shown.masks[0], free.masks[0] & ~behind)
        assert shown.hidden[0] == pytest.approx((free.masks[0] & behind).sum() / free.masks[0].sum(), abs=1e-6)
        assert 0.05 < shown.hidden[0] < 0.95
        seen = {}
        for name, one in (("free", free), ("shown", shown)):
            pixels, seen[name] = keypoints_of(person, scene.view, one.depth, one.masks[0])
        columns, rows = np.floor(pixels).astype(int).T
        hidden = behind[rows, columns]
        assert hidden.any() and not hidden.all()
        assert (seen["shown"][hidden] == 1).all()
        assert np.array_equal(seen["shown"][~hidden], seen["free"][~hidden])
        taken += 1
    assert taken >= 3


def test_someone_behind_another_leaves_the_scene(watched, scenes):
    scene = scenes[0]
    person = replace(scene.people[0], things=())
    away = person.world - scene.view.centre
    hidden = replace(person, world=scene.view.centre + 1.02 * away, bones=person.bones + 0.02 * away.mean(0))
    shown = watched.shoot(np.random.default_rng(0), Scene(scene.view, (hidden, person)), "train", Backdrop())
    assert shown is not None
    assert len(shown.scene.people) == 1
    assert shown.scene.people[0] is person


def test_colours_lie_where_the_masks_say(before_green):
    """Before a green wall, what is not green is a person: outlines of image and masks are one to half a pixel."""
    outside, inside, both, either = [], [], 0, 0
    for shown in before_green:
        if shown.exposure.saturation < 0.5:
            continue
        image = shown.image.astype(np.float64)
        green = (image[..., 1] - image[..., [0, 2]].max(-1)) / image.max(-1).clip(1)
        people = shown.masks.any(0)
        near, core = (f(people.astype(np.uint8), np.ones((7, 7))) > 0 for f in (cv2.dilate, cv2.erode))
        outside.append((green[~near] > 0.35).mean())
        inside.append((green[core] < 0.35).mean())
        if inside[-1] > 0.97:  # whose clothes are not green
            both, either = both + ((green < 0.4) & people).sum(), either + ((green < 0.4) | people).sum()
    print(f"green outside {np.min(outside):.3f}, not green inside {np.median(inside):.3f}; IoU {both / either:.3f}")
    assert len(outside) >= 15
    assert min(outside) > 0.995
    assert np.median(inside) > 0.97
    assert both / either > 0.9


def test_colour_and_masks_do_not_lie_beside_each_other(before_green):
    """The image is shifted against the masks, and the shift at which they agree best is none."""
    scores = {}
    for dx, dy in [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]:
        total = 0.0
        for shown in before_green:
            image = shown.image.astype(np.float64)
            green = (image[..., 1] - image[..., [0, 2]].max(-1)) / image.max(-1).clip(1) > 0.35
            total += (np.roll(green, (dy, dx), (0, 1)) == shown.masks.any(0))[2:-2, 2:-2].mean()
        scores[dx, dy] = total
    assert min(scores, key=lambda shift: scores[shift]) == (0, 0), scores


def test_same_chance_same_picture(watched, scenes):
    first, second = (watched.shoot(np.random.default_rng(8), scenes[1], "val") for _ in range(2))
    watched.shoot(np.random.default_rng(9), scenes[2], "train")
    third = watched.shoot(np.random.default_rng(8), scenes[1], "val")
    for other in (second, third):
        assert np.array_equal(first.image, other.image)
        assert np.array_equal(first.masks, other.masks)
