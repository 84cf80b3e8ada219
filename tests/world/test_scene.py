"""Scenes: the parameters are the people, the world is the camera's, and chance is all that differs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.joints import COCO17, J49, SMPL24, index_map
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.world.poses import FAMILIES
from pymaf_data.world.poses.shapes import cell_of
from pymaf_data.world.scene import about_y, draw_scene, only

UPRIGHT = ("standing", "walking")


def people_of(scenes):
    return [(scene, person) for scene in scenes for person in scene.people]


def test_parameters_alone_give_the_body(scenes, workshop):
    """Pose, betas, translation and intrinsics are all that vertices, skeleton, joints and pixels need."""
    for scene, person in people_of(scenes)[:20]:
        pose = axis_angle_to_matrix(torch.from_numpy(person.pose).view(1, 24, 3))
        out = workshop.body(
            pose, torch.from_numpy(person.figure.betas)[None], torch.from_numpy(person.translation)[None]
        )
        np.testing.assert_allclose(out.vertices[0].numpy(), person.vertices, atol=1e-8)
        np.testing.assert_allclose(out.skeleton[0].numpy(), person.joints24, atol=1e-8)
        np.testing.assert_allclose(out.joints[0].numpy(), person.joints49, atol=1e-8)
        camera = full_frame(torch.from_numpy(scene.view.intrinsics)[None], torch.zeros(1, 3, dtype=torch.float64))
        pixels = camera.project(out.joints)[0].numpy()[index_map(J49, COCO17)]
        np.testing.assert_allclose(pixels, scene.view.project(person.coco), atol=1e-7)


def test_camera_space_is_the_world_seen(scenes):
    for scene, person in people_of(scenes):
        view = scene.view
        np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(view.rotation) == pytest.approx(1)
        np.testing.assert_allclose(view.to_camera(person.world), person.vertices, atol=1e-8)
        np.testing.assert_allclose(view.to_camera(person.bones), person.joints24, atol=1e-8)
        assert view.centre[1] > 0.2
        assert (view.rotation @ [0.0, 1.0, 0.0])[1] < -0.7, "the world's up is the camera's −y"


def test_the_rotations_of_the_world_give_the_body_of_the_world(scenes, workshop):
    for _, person in people_of(scenes)[:20]:
        out = workshop.body(torch.from_numpy(person.rotations)[None], torch.from_numpy(person.figure.betas)[None])
        moved = person.world - out.vertices[0].numpy()
        np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-8)


def test_people_stand_on_the_ground_before_the_camera(scenes):
    for scene, person in people_of(scenes):
        assert person.vertices[:, 2].min() > 0.5
        assert person.world[:, 1].min() > -0.03
        if not person.figure.airborne and not person.things:
            assert person.world[:, 1].min() < 0.02
        assert scene.view.inside(person.vertices).mean() > 0.4


def test_spots_hold_their_people_and_do_not_overlap(scenes):
    pairs = 0
    for scene in scenes:
        spots = scene.spots()
        for (x, z, radius), person in zip(spots, scene.people, strict=True):
            for points in (person.world, *(thing.vertices for thing in person.things)):
                assert np.hypot(points[:, 0] - x, points[:, 2] - z).max() <= radius + 1e-9
        for i, one in enumerate(spots):
            for other in spots[:i]:
                assert np.linalg.norm(one[:2] - other[:2]) >= one[2] + other[2]
                pairs += 1
    assert pairs > 20


def test_headings_are_what_they_say(scenes):
    """The world's body is the figure turned by the heading, and a figure that is upright faces +z."""
    z = np.array([0.0, 0.0, 1.0])
    upright = []
    for _, person in people_of(scenes):
        turned = about_y(person.heading) @ person.figure.rotations[0] @ z
        np.testing.assert_allclose(person.rotations[0] @ z, turned, atol=1e-12)
        if person.figure.family in UPRIGHT:
            forward = person.rotations[0] @ z
            found = np.rad2deg(np.arctan2(forward[0], forward[2]))
            upright.append(abs((found - person.heading + 180) % 360 - 180))
    assert len(upright) >= 8
    assert max(upright) < 45
    assert np.median(upright) < 15


def test_someone_who_faces_the_camera_has_the_left_side_at_the_right_of_the_picture(scenes):
    left, right = (COCO17.index(f"{side}_shoulder") for side in ("left", "right"))
    seen = {"front": 0, "back": 0}
    for scene, person in people_of(scenes):
        off = abs((person.heading + 180) % 360 - 180)
        if person.figure.family in UPRIGHT and (off < 50 or off > 130):
            x = scene.view.project(person.coco)[:, 0]
            assert (x[left] > x[right]) == (off < 50), person.figure.variant
            seen["front" if off < 50 else "back"] += 1
    assert min(seen.values()) >= 1, seen


def test_left_is_the_persons_left(scenes):
    """In the body's own frame x is left, y up, z forward, so left × up points where the face does."""
    left, right, neck = (SMPL24.index(name) for name in ("left_collar", "right_collar", "neck"))
    for _, person in people_of(scenes):
        joints = person.joints24
        across, up = joints[left] - joints[right], joints[neck] - joints[SMPL24.index("spine3")]
        forward = person.coco[0] - person.coco[[3, 4]].mean(0)
        assert np.cross(across, up) @ forward > 0


def test_same_chance_same_scene(workshop):
    def drawn(seed):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng, workshop.body, (320, 240), "train")
        values = [scene.view.rotation, *(person.vertices for person in scene.people)]
        values += [thing.vertices for person in scene.people for thing in person.things]
        return b"".join(value.tobytes() for value in values) + rng.bytes(8)

    assert drawn([1, 2]) == drawn([1, 2])
    assert drawn([1, 2]) != drawn([1, 3])


def test_val_draws_shapes_and_postures_that_train_never_draws(scenes, workshop):
    held_out = {(name, v.name) for name, family in FAMILIES.items() for v in family.variants if v.held_out}
    validation = [draw_scene(np.random.default_rng([3, n]), workshop.body, (320, 240), "val") for n in range(20)]
    shown = {
        split: {(p.figure.family, p.figure.variant) for _, p in people_of(drawn)}
        for split, drawn in (("train", scenes), ("val", validation))
    }
    assert held_out
    assert not shown["train"] & held_out
    assert len(shown["val"] & held_out) >= 5
    assert {cell_of(person.figure.betas) for _, person in people_of(scenes)} == {"train"}
    assert {cell_of(person.figure.betas) for _, person in people_of(validation)} == {"val"}


def test_pictures_show_from_one_to_several_people(scenes):
    assert {1, 2, 3} <= {len(scene.people) for scene in scenes}
    scene = next(scene for scene in scenes if len(scene.people) > 1)
    alone = only(scene, [scene.people[1]])
    assert alone.people == (scene.people[1],)
    assert alone.complete() == [scene.complete()[1]]


def test_complete_are_those_with_all_twelve_body_joints_in_the_picture(scenes):
    found = []
    for scene in scenes:
        for person, complete in zip(scene.people, scene.complete(), strict=True):
            pixels = scene.view.project(person.coco[5:])
            assert ((pixels >= 0).all() and (pixels < scene.view.size).all()) == complete
            found.append(complete)
    assert len(set(found)) == 2


def test_a_view_in_which_nobody_finds_a_place_is_empty(workshop, monkeypatch):
    monkeypatch.setattr("pymaf_data.world.scene._find_place", lambda *_: None)
    scene = draw_scene(np.random.default_rng(0), workshop.body, (640, 480), "train")
    assert scene.people == ()
    assert scene.complete() == []
