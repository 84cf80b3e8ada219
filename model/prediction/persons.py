"""Whom to look at: the persons that a detector found, image by image.

An image is known by the name that the file of detections gives it, folders included as far as the file says them; where
images are only numbered, by the number that a name ends with. What fits no image, or several, is counted and told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pymaf_data.datasets.detections import Detection, is_openpose, read_detections
from pymaf_data.datasets.named import Names
from pymaf_data.datasets.own_video import detections_beside
from pymaf_data.datasets.video import frame_name
from pymaf_data.errors import RawDataMissing
from pymaf_data.geometry.boxes import square
from pymaf_data.near import absent
from pymaf_data.untrusted.kinds import kind_of_file

from .inputs import Inputs
from .options import PredictOptions

Box = tuple[float, float, float]

#: How it begins what is told of persons whose image is none of those given.
NOT_HERE = "persons of images that are not here"
_NAMED = 2
_IMAGES = ("a JPEG image", "a PNG image", "a WebP image")


class Person(NamedTuple):
    """Somebody on an image.

    Attributes:
        number: of the persons of the image, as listed.
        box: (cx, cy, b) continuous px; None where the whole image is theirs.
        track: number throughout a video; −1 on a still, and until the video is followed where no detector gives it.
    """

    number: int
    box: Box | None
    track: int = -1

    @property
    def known_by(self) -> tuple[str, int]:
        """What tells this person from others throughout the video, or on the still."""
        return ("track", self.track) if self.track >= 0 else ("person", self.number)


@dataclass
class Plan:
    """Whom to look at.

    Attributes:
        stills: name → persons, in the order of the inputs; nobody where it is no image, for whoever looks to say why.
        videos: name → frame → persons.
        told: what was found besides, in words → how often.
    """

    stills: dict[str, list[Person]] = field(default_factory=dict)
    videos: dict[str, dict[int, list[Person]]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def images(self) -> int:
        """Stills and frames on which somebody is."""
        return len(self.stills) + sum(len(frames) for frames in self.videos.values())

    def spread(self, persons: int) -> set[str]:
        """Names of images, evenly spread, on which about so many persons are together."""
        names = [*self.stills, *(frame_name(video, frame) for video, frames in self.videos.items() for frame in frames)]
        everybody = [*self.stills.values(), *(each for frames in self.videos.values() for each in frames.values())]
        step = -(-sum(map(len, everybody)) // persons) if persons else 0
        return {*names[::step]} if step else set()


def plan(inputs: Inputs, options: PredictOptions) -> Plan:
    """The persons of every still and every video, where somebody says who is where.

    Raises:
        RawDataMissing: a video's detections are not there.
        RawDataCorrupt: detections of no known form.
    """
    found = Plan()
    if options.persons is None:
        found.stills = {name: [Person(0, None)] for name in inputs.stills}
        if inputs.videos:
            found.told["videos left out: --whole is of stills"] = len(inputs.videos)
        return found
    if inputs.stills:
        found.stills = _of_stills(inputs, options.persons, options.least, found.told)
    for video in inputs.videos:
        frames = _of_video(_detections_of(video, inputs, options.persons), options.least, found.told)
        found.videos[video] = {frame: frames[frame] for frame in sorted(frames) if frame % options.every == 0}
    return found


def _of_stills(inputs: Inputs, path: Path, least: float, told: Counter[str]) -> dict[str, list[Person]]:
    which, persons, elsewhere = Names(inputs.stills), defaultdict[str, list[Person]](list), Counter[str]()
    for found in _read(path, told):
        names = which.meant(found)
        if len(names) == 1:
            _add(persons[names[0]], found, least, told)
        elif names:
            told["persons of several images of one name"] += 1
        else:
            elsewhere[found.called] += 1
    if elsewhere:
        here = ", ".join(inputs.stills[:_NAMED])
        told[f"{NOT_HERE} ({', '.join([*elsewhere][:_NAMED])}; here: {here})"] = elsewhere.total()
    plan = {name: persons[name] for name in inputs.stills if persons[name] or not _is_image(inputs.root / name)}
    told["images without a person"] += len(inputs.stills) - len(plan)
    return plan


def _is_image(path: Path) -> bool:
    """Whether a file begins as an image does; the whole of one on which nobody is need not be read."""
    try:
        return kind_of_file(path) in _IMAGES
    except OSError:
        return False


def _of_video(path: Path, least: float, told: Counter[str]) -> dict[int, list[Person]]:
    persons = defaultdict[int, list[Person]](list)
    for found in _read(path, told):
        if found.frame < 0:
            told["persons of frames without a number"] += 1
        else:
            _add(persons[found.frame], found, least, told)
    return {frame: each for frame, each in persons.items() if each}


def _read(path: Path, told: Counter[str]) -> Iterator[Detection]:
    """Persons that can be read; the others are counted by their fault."""
    if not path.is_file() and not is_openpose(path):
        raise RawDataMissing(
            f"no detections at {absent(path)}",
            expected="a JSON, or a folder as OpenPose writes it",
            action="name the file that your detector wrote.",
        )
    for found in read_detections(path):
        if found.fault:
            told[f"persons that cannot be read ({found.fault})"] += 1
        else:
            yield found


def _detections_of(video: str, inputs: Inputs, given: Path) -> Path:
    one = len(inputs.videos) == 1 and not inputs.stills
    return given if one and (given.is_file() or is_openpose(given)) else detections_beside(given, inputs.root / video)


def _add(persons: list[Person], found: Detection, least: float, told: Counter[str]) -> None:
    box = _box(found, least)
    if box is None:
        told["persons without a box and without two joints"] += 1
    else:
        persons.append(Person(len(persons), box, found.track))


def _box(found: Detection, least: float) -> Box | None:
    """The box of a detector, else that of its joints; None where neither has a side."""
    if found.box:
        x, y, width, height = found.box
    else:
        seen = found.joints[(found.joints[:, 2] >= least) & (found.joints[:, 2] > 0), :2] + 0.5  # of pixel indices
        if not len(seen):
            return None
        (x, y), (width, height) = seen.min(0).tolist(), (seen.max(0) - seen.min(0)).tolist()
    cx, cy, side = square(x, y, width, height)
    return (cx, cy, side) if side > 0 else None
