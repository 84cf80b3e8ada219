from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.joints import COCO17, J49, index_map
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import rasterize
from pymaf_data.sample.annotate import annotations_of, box_of, keypoints_of, rle_of
from pymaf_data.sample.produce import studio
from pymaf_data.sample.scene import Scene, draw_scene

SIZE = (320, 240)


@pytest.fixture(scope="module")
def shots():
    """Scenes and their pictures."""
    made = []
    for number in range(10):
        rng = np.random.default_rng([7, number])
        scene = draw_scene(rng, studio().body, SIZE)
        if scene.people:
            made.append(studio().shoot(rng, scene))
    assert len(made) >= 8
    return made


def test_truth_alone_gives_the_body(shots):
    """Pose, betas, translation and intrinsics reproduce vertices, skeleton and keypoints."""
    body = studio().body
    for shot in shots[:3]:
        for person in shot.scene.people:
            pose = axis_angle_to_matrix(torch.from_numpy(person.pose).view(1, 24, 3))
            translation = torch.from_numpy(person.translation)[None]
            out = body(pose, torch.from_numpy(person.betas)[None], translation)
            np.testing.assert_allclose(out.vertices[0].numpy(), person.vertices, atol=1e-10)
            np.testing.assert_allclose(out.skeleton[0].numpy(), person.joints24, atol=1e-10)
            intrinsics = torch.from_numpy(shot.scene.view.intrinsics)[None]
            camera = full_frame(intrinsics, torch.zeros(1, 3, dtype=torch.float64))
            pixels = camera.project(out.joints)[0].numpy()[index_map(J49, COCO17)]
            np.testing.assert_allclose(pixels, shot.scene.view.project(person.coco), atol=1e-8)


def test_people_stand_on_the_ground_apart_from_each_other(shots):
    for shot in shots:
        places = []
        for person in shot.scene.people:
            assert abs(person.ground[:, 1].min()) < 1e-9
            assert person.vertices[:, 2].min() > 0.4
            places.append(person.ground[:, [0, 2]].mean(0))
        for i, one in enumerate(places):
            assert all(np.linalg.norm(one - other) > 0.3 for other in places[:i])


def test_camera_space_is_the_world_seen(shots):
    view = shots[0].scene.view
    person = shots[0].scene.people[0]
    np.testing.assert_allclose(view.to_camera(person.ground), person.vertices, atol=1e-9)
    assert np.linalg.det(view.rotation) == pytest.approx(1)
    up = view.rotation @ [0.0, 1.0, 0.0]
    assert up[1] < -0.7  # the world's up is the camera's −y


def test_masks_are_the_silhouettes_of_the_truth(shots):
    checked = 0
    for shot in shots:
        for person, mask, hidden in zip(shot.scene.people, shot.masks, shot.occlusion, strict=True):
            camera = full_frame(torch.from_numpy(shot.scene.view.intrinsics)[None], torch.zeros(1, 3).double())
            own = rasterize(person.vertices[None], studio().faces, camera, SIZE[::-1])[0].mask
            assert not (mask & ~own).any()
            if hidden == 0:
                assert np.array_equal(mask, own)
                checked += 1
            assert 1 - mask.sum() / own.sum() == pytest.approx(float(hidden), abs=1e-6)
    assert checked >= 5
    assert all(shot.masks.sum(0).max() == 1 for shot in shots)


def test_colours_lie_where_the_masks_say(shots):
    """Inside a mask the picture differs from the same scene's neighbourhood far more often than not."""
    shares = []
    for shot in shots:
        for mask in shot.masks:
            core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
            ring = (cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0) & ~shot.masks.any(0)
            around = np.median(shot.picture[ring], axis=0)
            shares.append((np.abs(shot.picture[core] - around).max(-1) > 12).mean())
    assert np.median(shares) > 0.8


def test_visibility_follows_the_surfaces():
    """A person seen from behind hides the nose; one who faces the viewer shows it."""
    seen = {"front": [], "back": []}
    for number in range(40):
        scene = draw_scene(np.random.default_rng([11, number]), studio().body, SIZE)
        if len(scene.people) != 1:
            continue
        person = scene.people[0]
        camera = full_frame(torch.from_numpy(scene.view.intrinsics)[None], torch.zeros(1, 3).double())
        depth = rasterize(person.vertices[None], studio().faces, camera, SIZE[::-1])[0].depth
        _, visible = keypoints_of(person, scene.view, depth)
        nose, ears = person.coco[0], person.coco[[3, 4]].mean(0)
        towards = float((nose - ears) @ -nose) / np.linalg.norm(nose - ears) / np.linalg.norm(nose)
        if abs(towards) > 0.6 and visible[0]:
            seen["front" if towards > 0 else "back"].append(visible[0])
    assert len(seen["front"]) >= 2 and len(seen["back"]) >= 2
    assert set(seen["front"]) == {2} and set(seen["back"]) == {1}


def test_left_is_the_persons_left(shots):
    """Seen from the front the left shoulder lies to the right in the picture, from behind to the left."""
    left, right = COCO17.index("left_shoulder"), COCO17.index("right_shoulder")
    nose = COCO17.index("nose")
    for shot in shots:
        for person in shot.scene.people:
            across = person.coco[left] - person.coco[right]
            up = person.joints24[12] - person.joints24[0]
            facing = np.cross(across, up)  # x left × y up = z forward, in the body's own frame
            forward = person.coco[nose] - person.coco[[3, 4]].mean(0)
            assert facing @ forward > 0


def test_annotations_are_cocos(shots):
    for shot in shots:
        height, width = shot.depth.shape
        for entry, mask in zip(annotations_of(shot), shot.masks, strict=True):
            points = np.array(entry["keypoints"]).reshape(17, 3)
            seen = points[:, 2] > 0
            assert entry["num_keypoints"] == seen.sum()
            assert (points[~seen] == 0).all()
            assert ((points[seen, :2] >= -0.5) & (points[seen, :2] <= [width - 0.5, height - 0.5])).all()
            assert entry["area"] == mask.sum() and entry["bbox"] == box_of(mask)


def test_headings_are_spread_around():
    headings = []
    for number in range(36):
        scene = draw_scene(np.random.default_rng([13, number]), studio().body, SIZE)
        for person in scene.people:
            across = person.ground[studio().body._landmarks[4]] - person.ground[studio().body._landmarks[3]]
            headings.append(np.arctan2(across[2], across[0]))
    quarters = np.histogram(headings, bins=4, range=(-np.pi, np.pi))[0] / len(headings)
    assert quarters.min() > 0.12


@pytest.mark.parametrize("first", [0, 1])
def test_run_lengths_decode_to_the_mask(first):
    from pycocotools import mask as coco_mask

    mask = np.random.default_rng(0).random((7, 5)) < 0.5
    mask[0, 0] = first
    rle = rle_of(mask)
    assert sum(rle["counts"]) == mask.size
    compressed = coco_mask.frPyObjects(rle, *rle["size"])
    assert np.array_equal(coco_mask.decode(compressed), mask)


def test_box_of_a_mask():
    mask = np.zeros((6, 8), bool)
    assert box_of(mask) == [0, 0, 0, 0]
    mask[2:4, 3:7] = True
    assert box_of(mask) == [3, 2, 4, 2]


def test_a_crowd_keeps_only_people_who_can_be_seen():
    """A person who stands right behind another leaves the scene."""
    rng = np.random.default_rng([17, 0])
    scene = draw_scene(rng, studio().body, SIZE)
    person = scene.people[0]
    behind = replace(person, vertices=person.vertices * 1.0001)
    shown = studio().shoot(rng, Scene(scene.view, (person, behind)))
    assert len(shown.scene.people) == 1
    assert shown.scene.people[0] is person
