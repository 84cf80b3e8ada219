"""Whom to look at where nobody says: the persons that the finder finds on images and in frames of videos."""

from __future__ import annotations

from collections.abc import Callable

import cv2

from pymaf_data.datasets.ahead import in_order
from pymaf_data.datasets.images import UNKNOWN_SIZE, MissingImage
from pymaf_data.datasets.video import VideoFrames
from pymaf_data.finder import Finder
from pymaf_data.geometry.boxes import square
from pymaf_data.progress import Progress

from .inputs import Inputs
from .persons import Person, Plan
from .seen import ENDLESS, Image


def found_persons(
    inputs: Inputs, images: VideoFrames, finder: Finder, every: int, workers: int, progress: Progress | None
) -> Plan:
    """The persons of every still and of frames of every video, by looking at each once; boxes alone are kept.

    An image that cannot be read stays in the plan without persons, for whoever looks at it to say why.

    Args:
        inputs: what was given.
        images: where they are read.
        finder: finds persons.
        every: of videos take every so-manieth frame.
        workers: threads.
        progress: called with (images looked at, stills in all, what is done).
    """
    plan, done = Plan(), 0
    kinds = " and ".join(["images"] * bool(inputs.stills) + ["frames"] * bool(inputs.videos))

    def tell() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(min(done, len(inputs.stills)), len(inputs.stills), f"persons looked for on {done:,} {kinds}")

    def still(name: str) -> list[Person] | None:
        cv2.setNumThreads(0)  # the threads that look are enough
        return _on(images.load(name, UNKNOWN_SIZE), finder)

    for name, persons in zip(inputs.stills, in_order(still, inputs.stills, workers), strict=True):
        if persons or persons is None:
            plan.stills[name] = persons or []
        plan.told["images without a person"] += persons == []
        tell()
    for video in inputs.videos:
        plan.videos[video] = _of_video(video, images, finder, every, workers, plan, tell)
    return plan


def _of_video(
    video: str, images: VideoFrames, finder: Finder, every: int, workers: int, plan: Plan, tell: Callable[[], None]
) -> dict[int, list[Person]]:
    found = dict[int, list[Person]]()
    frames = range(0, ENDLESS, every)
    decoded = images.decode(video, frames, UNKNOWN_SIZE)
    looked = in_order(lambda image: _on(image, finder), decoded, workers)
    for frame, persons in zip(frames, looked, strict=False):
        if persons is None:
            return found or {frame: []}  # of a video without one frame, the first is asked for again, and says why
        if persons:
            found[frame] = persons
        plan.told["frames without a person"] += not persons
        tell()
    return found


def _on(image: Image | MissingImage, finder: Finder) -> list[Person] | None:
    """Everybody on an image; None of one that cannot be read."""
    if isinstance(image, MissingImage):
        return None
    return [Person(number, square(*found.box)) for number, found in enumerate(finder(image))]
