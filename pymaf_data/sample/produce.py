"""One picture of the sample with everything that is known about it, from its numbers alone.

A picture depends on (seed, split, number, size) and on how many people may still count: nothing else. So any
number of workers, in any order, gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch

from pymaf_data.sample.annotate import annotations_of
from pymaf_data.sample.layout import SPLITS
from pymaf_data.sample.picture import Shown, Studio
from pymaf_data.sample.scene import Person, Scene, draw_scene

JPEG_QUALITY = 93


@dataclass(frozen=True)
class Job:
    """One picture to make; at most ``limit`` of its people may have all 12 body keypoints, where given."""

    seed: int
    split: str
    number: int
    size: tuple[int, int]
    limit: int | None = None


@dataclass(frozen=True)
class Product:
    """A finished picture.

    Args:
        jpeg: the encoded picture.
        annotations: COCO annotations without ids, in the order of the truth's rows.
        complete: how many people have all 12 body keypoints.
        truth: arrays with one row per person.
    """

    jpeg: bytes
    annotations: list[dict[str, Any]]
    complete: int
    truth: dict[str, np.ndarray]

    def kept(self) -> dict[str, np.ndarray]:
        """All but the picture, as arrays that ``np.savez`` takes."""
        return self.truth | {"annotations": np.array(json.dumps(self.annotations)), "complete": np.array(self.complete)}

    @classmethod
    def of_kept(cls, arrays: dict[str, np.ndarray]) -> Product:
        """The inverse of :meth:`kept`; the picture is empty."""
        truth = dict(arrays)
        annotations = json.loads(str(truth.pop("annotations")))
        return cls(b"", annotations, int(truth.pop("complete")), truth)


@cache
def studio() -> Studio:
    """This process's studio."""
    return Studio()


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread for torch and OpenCV while it lasts: workers share the machine, and sums keep one order."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def produce(job: Job) -> Product:
    """Make one picture; it shows at least one person."""
    with single_thread():
        return _produce(job)


def _produce(job: Job) -> Product:
    rng = np.random.default_rng([job.seed, SPLITS.index(job.split), job.number])
    while True:
        scene = _limited(draw_scene(rng, studio().body, job.size), job.limit)
        if scene.people:
            break
    shown = studio().shoot(rng, scene)
    _, data = cv2.imencode(".jpg", shown.picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Product(data.tobytes(), annotations_of(shown), sum(shown.scene.complete()), _truth(shown))


def _limited(scene: Scene, limit: int | None) -> Scene:
    """The scene without the people who would count beyond the limit."""
    people: list[Person] = []
    for person, complete in zip(scene.people, scene.complete(), strict=True):
        counted = sum(Scene(scene.view, tuple(people)).complete())
        if not complete or limit is None or counted < limit:
            people.append(person)
    return Scene(scene.view, tuple(people))


def _truth(shown: Shown) -> dict[str, np.ndarray]:
    people = shown.scene.people
    return {
        "pose": np.stack([person.pose for person in people]),
        "betas": np.stack([person.betas for person in people]),
        "translation": np.stack([person.translation for person in people]),
        "intrinsics": np.stack([shown.scene.view.intrinsics] * len(people)),
        "joints24": np.stack([person.joints24 for person in people]),
        "occlusion": shown.occlusion,
        "family": np.array([person.family for person in people], dtype="U24"),
    }
