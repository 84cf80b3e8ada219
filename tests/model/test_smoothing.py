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


def run(
    rotation: np.ndarray, boxes: np.ndarray, pi: np.ndarray, rate: float = RATE, every: int = 1
) -> list[tuple[np.ndarray, ...]]:
    """One person's frames through a smoother."""
    smooth = Smoother(rate)
    return [
        smooth(frame_of(f * every, boxes[f : f + 1], [0]), rotation[f : f + 1], np.zeros((1, 10)), pi[f : f + 1])
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


def test_two_persons_listed_the_other_way_round_stay_themselves() -> None:
    smooth, boxes, tracks = Smoother(RATE), np.array([[100.0, 100, 60], [300.0, 100, 60]]), [7, 3]
    rotation = np.tile(np.eye(3), (2, 24, 1, 1))
    rotation[1, 0] = np.diag([1.0, -1, -1])
    pi = np.tile([[0.9, 0, 0]], (2, 1))
    smooth(frame_of(0, boxes, tracks), rotation, np.zeros((2, 10)), pi)
    order = [1, 0]
    found = smooth(frame_of(1, boxes[order], [tracks[k] for k in order]), rotation[order], np.zeros((2, 10)), pi)[0]
    np.testing.assert_allclose(found, rotation[order], atol=1e-9)


@pytest.mark.parametrize(("frame", "track", "fresh"), [(5, 0, False), (25, 0, False), (26, 0, True), (5, 1, True)])
def test_who_was_gone_for_a_second_and_who_is_somebody_else_begins_anew(frame: int, track: int, fresh: bool) -> None:
    boxes, pi = np.array([[100.0, 100, 60]]), np.array([[0.9, 0, 0]])
    old, new = np.tile(np.eye(3), (1, 24, 1, 1)), turned(np.full((1, 24, 3), 0.05))
    smooth = Smoother(RATE)
    smooth(frame_of(0, boxes, [0]), old, np.zeros((1, 10)), pi)
    found = smooth(frame_of(frame, boxes, [track]), new, np.zeros((1, 10)), pi)[0]
    assert np.allclose(found, new) == fresh


#: Frames per second of a video, and every so-manieth is looked at.
PACES = [(25.0, 1), (60.0, 1), (30.0, 5)]


def headed(degrees: np.ndarray, noise: float) -> np.ndarray:
    """(F, 24, 3, 3) of somebody who turns about the vertical; every joint has noise of so many radians an axis."""
    upright = np.column_stack([0 * degrees, np.radians(degrees), 0 * degrees])
    pose = np.random.default_rng(2).normal(0, noise, (len(degrees), 24, 3))
    rotation = turned(pose)
    rotation[:, 0] = np.diag([1.0, -1, -1]) @ turned(upright) @ rotation[:, 0]
    return rotation


def smoothed(rotation: np.ndarray, pace: tuple[float, int]) -> np.ndarray:
    boxes, pi = np.tile([[300.0, 200, 180]], (len(rotation), 1)), np.tile([[0.9, 0.0, 0.1]], (len(rotation), 1))
    return np.concatenate([one for one, _, _ in run(rotation, boxes, pi, *pace)])


def apart(rotation: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(F,) degrees between roots and headings."""
    relative = np.einsum("fji,fjk->fik", headed(degrees, 0.0)[:, 0], rotation[:, 0])
    return np.degrees(np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1)))


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("degrees", [160, -175])
def test_a_root_that_flips_for_a_moment_stays_and_other_joints_are_filtered_as_ever(
    pace: tuple[float, int], degrees: float
) -> None:
    seconds = np.arange(0, 4, pace[1] / pace[0])
    walk = 40 * np.sin(seconds)
    frames = np.arange(len(seconds))
    shortly = frames % round(pace[0] / pace[1]) == 3  # once a second
    if pace[1] == 1:
        shortly |= (seconds % 1.5 > 1.0) & (seconds % 1.5 < 1.15)
    found = smoothed(headed(walk + degrees * shortly, 0.03), pace)
    assert shortly.sum() > 3 and apart(found, walk).max() < 25
    np.testing.assert_array_equal(found[:, 1:], smoothed(headed(walk, 0.03), pace)[:, 1:])


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("degrees", [160, 180])
def test_a_root_that_has_turned_is_followed_late_and_no_faster_than_a_person_turns(
    pace: tuple[float, int], degrees: float
) -> None:
    step = pace[1] / pace[0]
    seconds = np.arange(-1, 1.5, step)
    turn = degrees * (seconds > -1e-9)
    found = smoothed(headed(turn, 0.02), pace)
    late = seconds[apart(found, turn) > 20].max() + step
    assert late < 0.55 and apart(found, turn)[seconds > 0.6].max() < 10
    assert apart(found, 0 * turn)[seconds < 0.1].max() < 10, "held first"
    turns = np.einsum("fji,fjk->fik", found[:-1, 0], found[1:, 0])
    steps = np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert steps.max() <= 600 * step + 20


@pytest.mark.parametrize("pace", PACES)
def test_a_pirouette_is_never_held(pace: tuple[float, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One and a half turns a second, out of rest and to rest again."""
    seconds = np.arange(0, 4, pace[1] / pace[0])
    turn = 540 * np.clip(seconds - 1, 0, 2)
    found = smoothed(headed(turn, 0.05), pace)
    assert np.median(apart(found, turn)) < 15
    monkeypatch.setattr("pymaf_data.model.prediction.turning.ERROR", 180.0)
    np.testing.assert_array_equal(found, smoothed(headed(turn, 0.05), pace))


def test_a_still_that_is_seen_once_is_as_predicted() -> None:
    rotation, pi = turned(np.full((1, 24, 3), 0.2)), np.array([[0.8, 0.1, 0.2]])
    found = Smoother(RATE)(frame_of(0, np.array([[50.0, 40, 30]]), [0]), rotation, np.ones((1, 10)), pi)
    for one, other in zip(found, (rotation, np.ones((1, 10)), pi), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
