"""Images decoded, and what a network sees of the persons on them, made ahead of it by threads.

A view is made as it is made from a store: the crop of :mod:`pymaf_data.crop` first, and of that the plain view; only
the JPEG between them is left out. Stills are decoded side by side, a video forward, each once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import make_crop
from pymaf_data.datasets.ahead import in_order
from pymaf_data.datasets.images import UNKNOWN_SIZE, MissingImage
from pymaf_data.datasets.video import VideoFrames, frame_name
from pymaf_data.geometry.affines import CROP_SIZE, Floats, crop_to_view, to_cv2
from pymaf_data.loader.images import reductions, warp_view

from .inputs import Inputs
from .persons import Box, Person, Plan

Image = NDArray[np.uint8]
#: Frames of a video whose end is not known.
ENDLESS = 1 << 40


class Seen(NamedTuple):
    """An image and who is on it.

    Attributes:
        name: below the inputs' folder; of a frame :func:`~pymaf_data.datasets.video.frame_name`.
        frame: of a video, −1 of a still.
        file: of the still or the video.
        image: (H, W, 3) uint8 RGB.
        persons: K of them.
        box: (K, 3) float64.
        views: (K, W, W, 3) uint8 RGB.
    """

    name: str
    frame: int
    file: str
    image: Image
    persons: list[Person]
    box: Floats
    views: Image


class Unseen(NamedTuple):
    """An image that cannot be used, or nobody of which can be seen."""

    name: str
    why: str


class Cut:
    """Cuts the plain views of persons out of an image.

    Args:
        size: W, the network's.
    """

    def __init__(self, size: int) -> None:
        affine = crop_to_view(CROP_SIZE, size)
        self._matrix, self._reduction, self._size = to_cv2(affine), float(reductions(affine)), size

    def __call__(self, image: Image, boxes: Sequence[Box]) -> Image:
        """(K, W, W, 3)."""
        views = np.empty((len(boxes), self._size, self._size, 3), np.uint8)
        scratch = np.empty((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        for box, view in zip(boxes, views, strict=True):
            warp_view(np.ascontiguousarray(make_crop(image, box)), self._matrix, self._reduction, view, scratch)
        return views


def look(images: VideoFrames, plan: Plan, cut: Cut, workers: int, every: int = 0) -> Iterator[Seen | Unseen]:
    """Every image of a plan in its order, stills first, a few made ahead.

    Args:
        images: where they are read.
        plan: whom to look at.
        cut: makes views.
        workers: threads for stills; a video is decoded by one.
        every: of videos take every so-manieth frame to the end, also those that nobody is on; 0: those alone on which
            somebody is.
    """

    def still(name: str) -> Seen | Unseen:
        cv2.setNumThreads(0)  # the threads that make views are enough
        return _seen(name, -1, name, images.load(name, UNKNOWN_SIZE), plan.stills[name], cut)

    yield from in_order(still, plan.stills, workers)
    for video, persons in plan.videos.items():
        yield from _look_at_video(images, video, persons, cut, every)


def _look_at_video(
    images: VideoFrames, video: str, persons: dict[int, list[Person]], cut: Cut, every: int
) -> Iterator[Seen | Unseen]:
    frames = range(0, ENDLESS, every) if every else [*persons]
    last = max(persons, default=-1)
    for frame, image in zip(frames, images.decode(video, frames, UNKNOWN_SIZE), strict=False):
        if isinstance(image, MissingImage) and frame > last:
            return
        if frame in persons:
            yield _seen(frame_name(video, frame), frame, video, image, persons[frame], cut)
        elif not isinstance(image, MissingImage):
            yield _of_nobody(frame_name(video, frame), frame, video, image, cut)


def _of_nobody(name: str, frame: int, file: str, image: Image, cut: Cut) -> Seen:
    return Seen(name, frame, file, image, [], np.zeros((0, 3)), cut(image, []))


def source(inputs: Inputs) -> VideoFrames:
    """Where the images are read. The user named them, so links among them are the user's own."""
    return VideoFrames(inputs.root, "", follow_links=True, orientation="apply")


def _seen(
    name: str, frame: int, file: str, image: Image | MissingImage, persons: list[Person], cut: Cut
) -> Seen | Unseen:
    if isinstance(image, MissingImage):
        return Unseen(name, str(image))
    height, width = image.shape[:2]
    whole = (width / 2, height / 2, float(max(width, height)))
    boxes = [person.box or whole for person in persons]
    inside = [k for k, box in enumerate(boxes) if _meets(box, width, height)]
    if not inside:
        return Unseen(name, f"nobody's box meets the image of {width} × {height} px")
    boxes = [boxes[k] for k in inside]
    return Seen(name, frame, file, image, [persons[k] for k in inside], np.array(boxes), cut(image, boxes))


def _meets(box: Box, width: int, height: int) -> bool:
    cx, cy, side = box
    return abs(cx - width / 2) < (width + side) / 2 and abs(cy - height / 2) < (height + side) / 2
