"""Who is who in a video: a track for every person, the same from frame to frame.

It is the detector's number where that gives one. A number that it gives twice in a frame tells nobody apart (some write
0 for everybody), and is not heeded; such persons, and those without a number, are followed by how their boxes overlap,
under numbers that the detector does not use.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.optimize import linear_sum_assignment

from pymaf_data.datasets.video import VideoFrames
from pymaf_data.geometry.affines import Floats

from .persons import Person, Plan
from .videos import rate_of

LOST = 1.0  # s, after which somebody is somebody new
_OVERLAP = 0.3  # of two boxes, intersection over union, that may be one person's


def follow(plan: Plan, images: VideoFrames, every: int) -> None:
    """Give every person of every video a track.

    Args:
        plan: whose videos are followed.
        images: where their rates are read.
        every: every so-manieth frame is looked at.
    """
    for video, frames in plan.videos.items():
        plan.videos[video] = followed(frames, max(LOST * rate_of(images, video), every), plan.told)


def followed(frames: dict[int, list[Person]], lost: float, told: Counter[str]) -> dict[int, list[Person]]:
    """The persons of a video with their tracks.

    Args:
        frames: frame → persons, in the order of time.
        lost: frames after which somebody is somebody new.
        told: counts numbers that tell nobody apart.
    """
    counts = [Counter(person.track for person in persons) for persons in frames.values()]
    twice = {track for count in counts for track, n in count.items() if n > 1 and track >= 0}
    if twice:
        told["track numbers that a frame gives to several persons: these are followed by their boxes"] += len(twice)
    follower = _Follower(1 + max((track for count in counts for track in count), default=-1), lost)
    result = {}
    for frame, persons in frames.items():
        unknown = [k for k, person in enumerate(persons) if person.track < 0 or person.track in twice]
        tracks = dict(zip(unknown, follower(frame, np.array([persons[k].box for k in unknown])), strict=True))
        result[frame] = [person._replace(track=tracks.get(k, person.track)) for k, person in enumerate(persons)]
    return result


class _Follower:
    """Gives numbers to boxes: from frame to frame that of the box which they overlap most, all of them together."""

    def __init__(self, first: int, lost: float) -> None:
        self._next, self._lost = first, lost
        self._last = dict[int, tuple[int, Floats]]()  # track → frame and box where it was seen last

    def __call__(self, frame: int, boxes: Floats) -> list[int]:
        """Of a frame's boxes (K, 3), cx, cy, b."""
        self._last = {track: last for track, last in self._last.items() if frame - last[0] <= self._lost}
        tracks = [*self._last]
        found = dict[int, int]()
        if len(boxes) and tracks:
            overlap = _overlaps(boxes, np.array([box for _, box in self._last.values()]))
            overlap[overlap < _OVERLAP] = 0
            pairs = zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
            found = {int(k): tracks[which] for k, which in pairs if overlap[k, which]}
        for k, box in enumerate(boxes):
            if k not in found:
                found[k], self._next = self._next, self._next + 1
            self._last[found[k]] = frame, box
        return [found[k] for k in range(len(boxes))]


def _overlaps(one: Floats, other: Floats) -> Floats:
    """(K, N) intersection over union of boxes (K, 3) and (N, 3)."""
    one, other = one[:, None], other[None]
    apart = np.abs(one[..., :2] - other[..., :2])
    smaller, mean = np.minimum(one[..., 2:], other[..., 2:]), (one[..., 2:] + other[..., 2:]) / 2
    both = np.clip(np.minimum(mean - apart, smaller), 0, None).prod(-1)
    overlaps: Floats = both / (one[..., 2] ** 2 + other[..., 2] ** 2 - both)
    return overlaps
