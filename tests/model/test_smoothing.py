"""Videos smoothed: who stands still is calm and stays in place, who moves is not held back, boxes may jitter."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.model.prediction.persons import Person
from pymaf_data.model.prediction.seen import Seen
from pymaf_data.model.prediction.smoothing import Smoother

RATE, FRAMES = 25.0, 100
IMAGE = np.zeros((4, 4, 3), np.uint8)


def frame_of(frame: int, boxes: np.ndarray, tracks: list[int]) -> Seen:
    persons = [Person(k, tuple(box), track) for k, (box, track) in enumerate(zip(boxes.tolist(), tracks, strict=True))]
    return Seen(f"v/{frame}", frame, "v.mp4", IMAGE, persons, boxes, np.zeros((len(boxes), 1, 1, 3), np.uint8))


def turned(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) of axis-angles."""
    flat = [cv2.Rodrigues(vector)[0] for vector in vectors.reshape(-1, 3)]
    return np.array(flat).reshape(*vectors.shape[:-1], 3, 3)


def run(rotation: np.ndarray, boxes: np.ndarray, pi: np.ndarray, track: int = -1) -> list[tuple[np.ndarray, ...]]:
    """One person's frames through a smoother."""
    smooth = Smoother(RATE)
    return [
        smooth(frame_of(f, boxes[f : f + 1], [track]), rotation[f : f + 1], np.zeros((1, 10)), pi[f : f + 1])
        for f in range(len(boxes))
    ]


def joints_of(body: Any, rotation: np.ndarray) -> np.ndarray:
    return body.reduced(torch.from_numpy(rotation).float(), torch.zeros(len(rotation), 10)).joints.double().numpy()


def acceleration(joints: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).mean())


def test_noise_on_a_still_person_is_calmed_and_no_joint_moves(free_body: Any) -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.15, (24, 3))
    noisy = turned(pose + rng.normal(0, 0.03, (FRAMES, 24, 3)))
    boxes, pi = np.tile([[300.0, 200, 180]], (FRAMES, 1)), np.tile([[0.9, 0.0, 0.1]], (FRAMES, 1))
    found = np.concatenate([rotation for rotation, _, _ in run(noisy, boxes, pi)])
    np.testing.assert_allclose(found @ found.swapaxes(2, 3), np.tile(np.eye(3), (FRAMES, 24, 1, 1)), atol=1e-6)
    before, after = joints_of(free_body, noisy), joints_of(free_body, found)
    assert acceleration(after) < 0.5 * acceleration(before)
    still = joints_of(free_body, turned(pose[None]))
    assert np.linalg.norm(after[10:].mean(0) - still[0], axis=-1).max() < 0.01
    assert np.linalg.norm(after[10:] - still, axis=-1).mean() < np.linalg.norm(before[10:] - still, axis=-1).mean()


def test_a_swinging_arm_keeps_its_swing(free_body: Any) -> None:
    seconds = np.arange(FRAMES) / RATE
    pose = np.zeros((FRAMES, 24, 3))
    pose[:, 16, 2] = 0.8 * np.sin(2 * np.pi * seconds)
    boxes, pi = np.tile([[300.0, 200, 180]], (FRAMES, 1)), np.tile([[0.9, 0.0, 0.1]], (FRAMES, 1))
    found = np.concatenate([rotation for rotation, _, _ in run(turned(pose), boxes, pi)])
    angle = np.arctan2(found[:, 16, 1, 0], found[:, 16, 0, 0])
    assert angle[25:].max() > 0.68 and angle[25:].min() < -0.68
    assert np.abs(angle - pose[:, 16, 2])[25:].max() < 0.4


def test_a_box_that_jitters_moves_nothing_in_the_image() -> None:
    rng = np.random.default_rng(1)
    boxes = np.array([300.0, 200, 180]) + rng.normal(0, 6, (FRAMES, 3))
    metre, place = 70.0, np.array([310.0, 190.0])  # px of a metre, and where the body's origin is seen
    s = 2 * metre / boxes[:, 2]
    pi = np.column_stack([s, (place - boxes[:, :2]) / metre])
    rotation = np.tile(np.eye(3), (FRAMES, 24, 1, 1))
    for f, (_, _, found) in enumerate(run(rotation, boxes, pi)):
        np.testing.assert_allclose(found[0, 0] * boxes[f, 2] / 2, metre, rtol=1e-6)
        np.testing.assert_allclose(boxes[f, :2] + found[0, 1:] * metre, place, atol=1e-4)


@pytest.mark.parametrize("tracks", [[7, 3], [-1, -1]])
def test_two_persons_listed_the_other_way_round_stay_themselves(tracks: list[int]) -> None:
    smooth, boxes = Smoother(RATE), np.array([[100.0, 100, 60], [300.0, 100, 60]])
    rotation = np.tile(np.eye(3), (2, 24, 1, 1))
    rotation[1, 0] = np.diag([1.0, -1, -1])
    pi = np.tile([[0.9, 0, 0]], (2, 1))
    smooth(frame_of(0, boxes, tracks), rotation, np.zeros((2, 10)), pi)
    order = [1, 0]
    found = smooth(frame_of(1, boxes[order], [tracks[k] for k in order]), rotation[order], np.zeros((2, 10)), pi)[0]
    np.testing.assert_allclose(found, rotation[order], atol=1e-9)


def test_who_was_gone_for_long_or_stands_elsewhere_begins_anew() -> None:
    boxes, pi = np.array([[100.0, 100, 60]]), np.array([[0.9, 0, 0]])
    old, new = np.tile(np.eye(3), (1, 24, 1, 1)), turned(np.full((1, 24, 3), 0.05))
    for frame, box, fresh in ((5, boxes, False), (60, boxes, True), (5, boxes + np.array([90.0, 0, 0]), True)):
        smooth = Smoother(RATE)
        smooth(frame_of(0, boxes, [-1]), old, np.zeros((1, 10)), pi)
        found = smooth(frame_of(frame, box, [-1]), new, np.zeros((1, 10)), pi)[0]
        assert np.allclose(found, new) == fresh


def test_a_still_that_is_seen_once_is_as_predicted() -> None:
    rotation, pi = turned(np.full((1, 24, 3), 0.2)), np.array([[0.8, 0.1, 0.2]])
    found = Smoother(RATE)(frame_of(0, np.array([[50.0, 40, 30]]), [-1]), rotation, np.ones((1, 10)), pi)
    for one, other in zip(found, (rotation, np.ones((1, 10)), pi), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
