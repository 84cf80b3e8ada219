"""What a network says of persons becomes bodies in the whole image and before its camera, and is drawn there."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.model.prediction.bodies import bodies_of
from pymaf_data.model.prediction.drawn import drawn_over
from pymaf_data.model.prediction.persons import Person
from pymaf_data.model.prediction.seen import Cut, Seen

WIDTH, HEIGHT, FOCAL = 640, 480, 900.0
K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
BOX = np.array([[520.0, 150.0, 200.0], [130.0, 330.0, 170.0]])


class Oracle(torch.nn.Module):
    """Knows whom it will be shown: root rotations and weak cameras, in order."""

    def __init__(self, body: BodyModel, frame: str, rotation: np.ndarray, pi: np.ndarray) -> None:
        super().__init__()
        self.body, self.frame, self.weight = body, frame, torch.nn.Parameter(torch.zeros(1))
        self._rotation, self._pi, self._next = torch.from_numpy(rotation).float(), torch.from_numpy(pi).float(), 0

    def forward(self, image: torch.Tensor, *, auxiliary: bool) -> Any:
        from pymaf_data.model.networks.network import Output, Parameters, Prediction

        mine = slice(self._next, self._next + len(image))
        self._next += len(image)
        rotation, betas = self._rotation[mine], torch.zeros(len(image), 10)
        posed = self.body.reduced(rotation, betas)
        parameters = Parameters(torch.zeros(len(image), 144), betas, self._pi[mine])
        nothing = torch.zeros(len(image), 49, 2)
        last = Prediction(parameters, rotation, posed.skeleton, posed.joints, nothing, posed.sampled, self.body)
        return Output([last], slice(-1, None), None)


def posed(heading: float) -> np.ndarray:
    """(24, 3, 3) of a person whose arms hang, turned about the vertical."""
    rotation = np.tile(np.eye(3), (24, 1, 1))
    c, s = np.cos(heading), np.sin(heading)
    rotation[0] = np.diag([1.0, -1, -1]) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return rotation


def seen_of(boxes: np.ndarray) -> Seen:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    persons = [Person(k, tuple(box)) for k, box in enumerate(boxes.tolist())]
    return Seen("a.jpg", -1, "a.jpg", image, persons, boxes, np.zeros((len(boxes), 224, 224, 3), np.uint8))


@pytest.mark.parametrize("frame", ["view", "camera"])
def test_the_camera_of_the_whole_image_shows_a_body_where_the_view_does(free_body: Any, frame: str) -> None:
    rotation, pi = np.stack([posed(0.4), posed(-1.0)]), np.array([[0.9, 0.05, 0.1], [0.7, -0.2, 0.2]])
    (found,) = bodies_of(Oracle(free_body, frame, rotation, pi), [seen_of(BOX)], 1, None)  # type: ignore[arg-type]
    for k, (cx, cy, b) in enumerate(BOX):
        for points, pixels in ((found.joints[k], found.keypoints[k]), (found.vertices[k], None)):
            depth = points[:, 2] + 10_000 / (224 * pi[k, 0])
            view = 5000 * (points[:, :2] + pi[k, 1:]) / depth[:, None] + 112
            seen = np.c_[points, np.ones(len(points))] @ found.camera[k].T
            image = seen[:, :2] / seen[:, 2:]
            np.testing.assert_allclose((image - [cx, cy]) * 224 / b + 112, view, atol=0.01)
            if pixels is not None:
                np.testing.assert_allclose(pixels, image, atol=1e-3)


def test_a_body_stands_before_the_images_camera_where_it_stood(free_body: Any) -> None:
    """A person off the axis, seen from the view's frame as that is defined, comes back as it was before K."""
    real, place = posed(0.6), np.array([2.1, -0.9, 9.0])
    vertices = free_body(torch.from_numpy(real)[None].float(), torch.zeros(1, 10))
    joints = vertices.joints[0].double().numpy()
    pixels = (joints + place) @ K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low, high = pixels.min(0), pixels.max(0)
    box = np.array([[*(low + high) / 2, 1.2 * (high - low).max()]])
    ray = np.linalg.solve(K, [*box[0, :2], 1.0])
    ray /= np.linalg.norm(ray)
    axis = np.cross(ray, [0, 0, 1.0])
    angle = np.arcsin(np.linalg.norm(axis))
    turn = cv2.Rodrigues(axis / np.linalg.norm(axis) * angle)[0]  # the least one that brings the ray to the axis
    shown = real.copy()
    shown[0] = turn @ real[0]
    scale = 2 * FOCAL / (box[0, 2] * place[2])  # a metre there, in halves of the box
    network = Oracle(free_body, "view", shown[None], np.array([[scale, 0.0, 0.0]]))
    root = free_body.reduced(torch.from_numpy(shown)[None].float(), torch.zeros(1, 10)).joints[0].double().numpy()
    network._pi[0, 1:] = -torch.from_numpy((root[:, :2].min(0) + root[:, :2].max(0)) / 2)
    (found,) = bodies_of(network, [seen_of(box)], 4, FOCAL)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.root[0], real[0], atol=1e-4)
    assert np.linalg.norm(found.translation[0] - place) < 0.15
    assert found.residual[0] < 2.0
    stands = (vertices.vertices[0].double().numpy() + place) - (found.standing[0] + found.translation[0])
    assert np.linalg.norm(stands, axis=1).max() < 0.2
    (other,) = bodies_of(Oracle(free_body, "camera", real[None], network._pi.numpy()), [seen_of(box)], 4, FOCAL)  # type: ignore[arg-type]
    np.testing.assert_allclose(other.root[0], real[0], atol=1e-6)


@pytest.mark.parametrize("focal", [None, FOCAL])
def test_images_of_a_batch_are_as_each_of_them_alone(free_body: Any, focal: float | None) -> None:
    rotation = np.stack([posed(0.4), posed(-1.0), posed(2.0)])
    pi = np.array([[0.9, 0.05, 0.1], [0.7, -0.2, 0.2], [0.8, 0.1, 0.0]])
    small = seen_of(np.array([[90.0, 70.0, 110.0]]))._replace(name="small", image=np.zeros((150, 200, 3), np.uint8))
    images = [seen_of(BOX), seen_of(np.zeros((0, 3))), small]

    def fatter(seen: Seen, rotation: np.ndarray, betas: np.ndarray, pi: np.ndarray) -> tuple[np.ndarray, ...]:
        return rotation, betas + (seen.name == "small"), pi

    def look(seen: list[Seen], persons: slice) -> list[Any]:
        oracle = Oracle(free_body, "view", rotation[persons], pi[persons])
        return bodies_of(oracle, seen, 2, focal, fatter)  # type: ignore[arg-type]

    together = look(images, slice(3))
    for found, seen, persons in zip(together, images, (slice(2), slice(0), slice(2, 3)), strict=True):
        (alone,) = look([seen], persons)
        for name, value in alone._asdict().items():
            assert getattr(found, name).shape == value.shape
            np.testing.assert_allclose(getattr(found, name), value, atol=1e-4, err_msg=name)
    assert (together[0].betas == 0).all() and (together[2].betas == 1).all()
    assert [one.intrinsics[0, 2] for one in together] == [WIDTH / 2, WIDTH / 2, 100]


def test_overlays_cover_just_the_bodies_and_the_nearer_one_lies_in_front(free_body: Any) -> None:
    boxes = np.array([[300.0, 240.0, 300.0], [300.0, 240.0, 150.0]])
    pi = np.array([[0.9, 0.0, 0.2]] * 2)
    seen = seen_of(boxes)
    (found,) = bodies_of(Oracle(free_body, "view", np.stack([posed(0.0)] * 2), pi), [seen], 2, None)  # type: ignore[arg-type]
    image = drawn_over(seen, found, free_body.faces.numpy())
    changed = np.abs(image.astype(int) - 90).max(2) > 8
    low, high = found.vertices[0].min(0), found.vertices[0].max(0)
    corners = np.array([[low[0], low[1], 0, 1], [high[0], high[1], 0, 1]]) @ found.camera[0].T
    corners = corners[:, :2] / corners[:, 2:]
    ys, xs = np.nonzero(changed)
    np.testing.assert_allclose([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], corners.ravel(), atol=3)
    chest = found.keypoints[1, 1].round().astype(int)
    front = image[chest[1], chest[0]].astype(float)
    alone = drawn_over(
        seen._replace(persons=seen.persons[:1], box=boxes[:1]), found._replace(pi=pi[:1]), free_body.faces.numpy()
    )
    np.testing.assert_allclose(front, alone[chest[1], chest[0]], atol=30)  # the far one shines through by a tenth


def test_colours_go_by_track_in_a_video_and_by_place_in_the_list_on_a_still(free_body: Any) -> None:
    pi, rotation = np.array([[0.9, 0.0, 0.1], [0.8, 0.0, 0.2]]), np.stack([posed(0.4), posed(-1.0)])

    def drawn(order: list[int], tracks: list[int]) -> np.ndarray:
        seen = seen_of(BOX[order])
        seen = seen._replace(
            persons=[one._replace(track=tracks[k]) for one, k in zip(seen.persons, order, strict=True)]
        )
        (found,) = bodies_of(Oracle(free_body, "view", rotation[order], pi[order]), [seen], 2, None)  # type: ignore[arg-type]
        return drawn_over(seen, found, free_body.faces.numpy())

    np.testing.assert_array_equal(drawn([0, 1], [4, 2]), drawn([1, 0], [4, 2]))
    assert np.abs(drawn([0, 1], [-1, -1]).astype(int) - drawn([1, 0], [-1, -1])).max() > 50


def test_a_view_shows_the_box_at_sub_pixel_accuracy() -> None:
    noise = cv2.resize(
        np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    (view,) = Cut(224)(noise, [(300.0, 200.0, 180.0)])
    across = (np.arange(224) + 0.5 - 112) * 180 / 224
    x, y = np.meshgrid(300 + across - 0.5, 200 + across - 0.5)
    exact = cv2.remap(noise, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    assert np.abs(view.astype(int) - exact).max() <= 3
