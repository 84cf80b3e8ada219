"""One image of the sample with everything that is known about it, from its numbers alone.

An image depends on (seed, split, number, size), on how it is to be annotated and on how many people may still count:
nothing else. So any number of workers, in any order, gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from pymaf_data.geometry.joints import J49
from pymaf_data.world.annotate import Annotator, box_of
from pymaf_data.world.dense import dense_truth, encode_dense
from pymaf_data.world.develop import encode
from pymaf_data.world.engine.film import Film
from pymaf_data.world.engine.shadow import cast_shadows
from pymaf_data.world.image import Shown, Studio
from pymaf_data.world.layout import SPLITS
from pymaf_data.world.scene import Person, Scene, draw_scene, only
from pymaf_data.world.scenery import Photographs, draw_place, open_backgrounds, paint
from pymaf_data.world.view import View

_J24 = slice(len(J49) - 24, len(J49))
_ANNOTATING, _PAINTING = 1, 0  # streams of chance: how it is annotated does not change what is painted


_EXACT = Annotator()


@dataclass(frozen=True)
class Job:
    """One image to make; at most ``limit`` of its people may have all 12 body keypoints, where given."""

    seed: int
    split: str
    number: int
    size: tuple[int, int]
    limit: int | None = None
    annotator: Annotator = _EXACT
    backgrounds: Path | None = None


@dataclass(frozen=True)
class Product:
    """A finished image.

    Args:
        jpeg: the encoded image.
        dense: a PNG per person.
        annotations: COCO annotations without ids, in the order of the truth's rows.
        complete: how many people have all 12 body keypoints.
        truth: arrays with one row per person.
    """

    jpeg: bytes
    dense: tuple[bytes, ...]
    annotations: list[dict[str, Any]]
    complete: int
    truth: dict[str, np.ndarray]

    def kept(self) -> dict[str, np.ndarray]:
        """All but the images, as arrays that ``np.savez`` takes."""
        return self.truth | {"annotations": np.array(json.dumps(self.annotations)), "complete": np.array(self.complete)}

    @classmethod
    def of_kept(cls, arrays: dict[str, np.ndarray]) -> Product:
        """The inverse of :meth:`kept`; the images are empty."""
        truth = dict(arrays)
        annotations = json.loads(str(truth.pop("annotations")))
        return cls(b"", (), annotations, int(truth.pop("complete")), truth)


@cache
def studio() -> Studio:
    """This process's studio."""
    return Studio()


@cache
def _photographs(folder: Path) -> Photographs:
    return open_backgrounds(folder)


@cache
def _blas() -> ThreadpoolController:
    """Control over the threads of NumPy's linear algebra; to find its library takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread for torch, OpenCV and BLAS while it lasts: workers share the machine, and sums keep one order.

    BLAS would wake other threads for a mesh times a vector, and they would spin until the next one: measured on two
    cores, as much processor time again.
    """
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with _blas().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def paint_nobody() -> None:
    """A small empty place: milliseconds, or what a process compiles while another compiles what draws people."""
    view = View(np.diag([160.0, 160.0, 1.0]), np.diag([1.0, -1.0, -1.0]), np.array([0.0, 1.5, 0.0]), (160, 120))
    with single_thread():
        place = draw_place(np.random.default_rng(0), view, np.empty((0, 3)), "train")
        film = Film(view)
        for thing in place.things:
            film.add_thing(thing)
        film.expose(paint(place, view), cast_shadows(place.light, [], np.zeros(3)))


def produce(job: Job) -> Product:
    """Make one image; it shows at least one person."""
    with single_thread():
        shown = _shown(job)
        annotations = job.annotator.annotate(shown, _chance(job, _ANNOTATING))
        jpeg = encode(shown.image, shown.exposure)
        truth, dense = _truth(shown)
        truth["box"] = np.array([box_of(mask) for mask in shown.masks], np.float32)
        return Product(jpeg, dense, annotations, sum(shown.scene.complete()), truth)


def _chance(job: Job, stream: int) -> np.random.Generator:
    return np.random.default_rng([job.seed, SPLITS.index(job.split), job.number, stream])


def _shown(job: Job) -> Shown:
    rng = _chance(job, _PAINTING)
    photographs = _photographs(job.backgrounds) if job.backgrounds else None
    while True:
        scene = _limited(draw_scene(rng, studio().body, job.size, job.split), job.limit)
        shown = studio().shoot(rng, scene, job.split, photographs) if scene.people else None
        if shown is not None:
            return shown


def _limited(scene: Scene, limit: int | None) -> Scene:
    """The scene without the people who would count beyond the limit."""
    people: list[Person] = []
    for person, complete in zip(scene.people, scene.complete(), strict=True):
        counted = sum(only(scene, people).complete())
        if not complete or limit is None or counted < limit:
            people.append(person)
    return only(scene, people)


def _truth(shown: Shown) -> tuple[dict[str, np.ndarray], tuple[bytes, ...]]:
    people, view = shown.scene.people, shown.scene.view
    maps = [dense_truth(view, person.vertices, studio().atlas) for person in people]
    inside = [float(view.inside(person.vertices).mean()) for person in people]
    truth = {
        "pose": np.stack([person.pose for person in people]),
        "betas": np.stack([person.figure.betas for person in people]),
        "translation": np.stack([person.translation for person in people]),
        "intrinsics": np.stack([view.intrinsics] * len(people)),
        "joints24": np.stack([person.joints24 for person in people]),
        "j24": np.stack([person.joints49[_J24] for person in people]),
        "heading": np.array([person.heading for person in people], np.float32),
        "occlusion": shown.hidden,
        "outside": 1 - np.array(inside, np.float32),
        "iuv_origin": np.array([origin for _, origin in maps], np.int32),
        "family": np.array([person.figure.family for person in people], dtype="U24"),
        "variant": np.array([person.figure.variant for person in people], dtype="U32"),
        "place": np.array([shown.place.kind] * len(people), dtype="U24"),
    }
    return truth, tuple(encode_dense(image) for image, _ in maps)
