"""OpenPose's detections (BODY_25) of persons whom a data set annotates: the 25 joints of J49 that it detects.

    DIR/NAME_keypoints.json    {"people": [{"pose_keypoints_2d": [x, y, confidence, … 25 times]}]}, one file an image

Who is who is decided for all persons of an image at once, kept or not, one to one, by the joints that both have: their
mean distance is at most :data:`NEAR` of the side of the person's box, and the sum over the image is the least. SPIN's
``read_openpose`` takes each person's nearest detection, however far in most cases, and one detection for several.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pymaf_data.datasets.columns import PersonColumns
from pymaf_data.datasets.records import FAR
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Tally
from pymaf_data.errors import RawDataCorrupt, RawDataMissing
from pymaf_data.geometry.joints import J49, OPENPOSE, OPENPOSE25
from pymaf_data.untrusted.json_text import read_json

#: Of the side of a person's box: how far the joints of a detection may lie off on average.
NEAR = 0.1
#: Joints that a person and a detection need to have in common.
LEAST = 3
_END = "_keypoints.json"
_DETECTED = len(OPENPOSE25)
_SHARED = [joint for joint in OPENPOSE25.joints if joint.removeprefix(OPENPOSE) in J49.joints]
_OF_OPENPOSE = [OPENPOSE25.index(joint) for joint in _SHARED]
_OF_J49 = [J49.index(joint.removeprefix(OPENPOSE)) for joint in _SHARED]


def add_openpose(kept: PersonColumns, everyone: PersonColumns, folder: Path, images: str, told: Tally) -> None:
    """Fill the detected joints of persons, in place.

    Args:
        kept: the persons.
        everyone: with all others that are annotated on their images.
        folder: of the detections.
        images: the folder that image names begin with.
        told: what was not found or not taken.

    Raises:
        RawDataCorrupt, RawDataMissing: the folder cannot be listed, or has no file of any of the images.
    """
    files = _Files.of(folder, images, kept.names)
    if not any(map(files.find, kept.names)):
        raise RawDataMissing(
            f"not one of the {len(kept.names):,} images has a file in {folder}",
            expected=f"OpenPose's detections, NAME{_END} of the image NAME.jpg",
            action="give the folder that --write_json of OpenPose wrote.",
        )
    rows = {key: row for row, key in enumerate(kept.row_keys())}
    keypoints, visibility = kept.columns["keypoints"], kept.columns["visibility"]
    persons = _by_image(everyone)
    for name in kept.names:
        here, file = persons.get(name, np.zeros(0, np.intp)), files.find(name)
        wanted = np.array([rows.get((name, key), -1) for key in everyone.column("annotation_id")[here].tolist()], int)
        if file is None:
            for _ in wanted[wanted >= 0]:
                told.add("openpose_absent", name)
            continue
        detected = _read(file, told)
        found = match(everyone.columns["keypoints"][here][:, _OF_J49], everyone.columns["box"][here, 2], detected)
        for row, which in zip(wanted.tolist(), found.tolist(), strict=True):
            if row >= 0 and which >= 0:
                keypoints[row, :_DETECTED] = detected[which]
                visibility[row, :_DETECTED] = 2 * (detected[which, :, 2] > 0)
            elif row >= 0:
                told.add("openpose_apart", f"{name}: annotation {kept.column('annotation_id')[row]}")


def match(annotated: NDArray[Any], sides: NDArray[Any], detected: NDArray[Any]) -> NDArray[np.intp]:
    """(P,) which detection each person is, −1 where none is.

    Args:
        annotated: (P, J, 3) joints in px with a confidence above 0 where labelled: those that both may have.
        sides: (P,) of the persons' boxes, px.
        detected: (K, 25, 3) detections.
    """
    found = np.full(len(annotated), -1)
    if not (len(annotated) and len(detected)):
        return found
    joints = detected[:, _OF_OPENPOSE].astype(np.float64)
    labelled = annotated[..., 2] > 0
    both = labelled[:, None] & (joints[None, ..., 2] > 0)
    apart = np.linalg.norm(annotated[:, None, :, :2] - joints[None, ..., :2], axis=-1) / sides[:, None, None]
    shared = both.sum(-1)
    near = (shared >= LEAST) & (np.where(both, apart, 0).sum(-1) <= NEAR * shared)
    # A labelled joint that is not detected counts as one at the limit: of two detections of a person, the fuller wins.
    cost = np.where(both, apart, NEAR * labelled[:, None]).sum(-1) / np.maximum(labelled.sum(-1), 1)[:, None] - NEAR
    people, which = linear_sum_assignment(np.where(near, np.minimum(cost, 0), 0))
    taken = near[people, which]
    found[people[taken]] = which[taken]
    return found


@dataclass(frozen=True)
class _Files:
    """The files of a folder, by their names without end; nothing outside it can be named."""

    listed: dict[str, Path]
    images: str
    leaves: Counter[str]

    @classmethod
    def of(cls, folder: Path, images: str, names: tuple[str, ...]) -> _Files:
        walked = os.walk(folder, onerror=_refuse)
        paths = [Path(at, name) for at, _, inside in walked for name in inside if name.endswith(_END)]
        listed = {path.relative_to(folder).as_posix().removesuffix(_END): path for path in paths}
        return cls(listed, images, Counter(_stem(name).rpartition("/")[2] for name in names))

    def find(self, name: str) -> Path | None:
        """The file of an image: in the same folders as the image, or flat where no other image has its name."""
        stem = _stem(name)
        leaf = stem.rpartition("/")[2]
        places = [stem.removeprefix(f"{self.images}/"), stem, *([leaf] if self.leaves[leaf] == 1 else [])]
        return next((self.listed[place] for place in places if place in self.listed), None)


def _refuse(error: OSError) -> None:
    raise RawDataCorrupt(
        f"{error.filename}: {error.strerror}", expected="a folder", action="check the path and its permissions."
    ) from None


def _stem(name: str) -> str:
    folder, slash, leaf = name.rpartition("/")
    return folder + slash + (leaf.rpartition(".")[0] or leaf)


def _by_image(persons: PersonColumns) -> dict[str, NDArray[np.intp]]:
    """The rows of each image, which lie side by side."""
    starts = np.searchsorted(persons.name, np.arange(len(persons.names) + 1))
    return {name: np.arange(starts[i], starts[i + 1]) for i, name in enumerate(persons.names)}


def _read(path: Path, told: Tally) -> NDArray[np.float32]:
    """(K, 25, 3) persons of a file in continuous px; those that are damaged are told and left out."""
    try:
        content = read_json(path)
        people = content["people"] if isinstance(content, dict) else None
        if not isinstance(people, list):
            raise ValueError("it has no list `people`")
    except (RawDataCorrupt, KeyError, ValueError) as error:
        told.add("openpose_damaged", f"{path.name}: {str(error)[:120]}")
        return np.zeros((0, _DETECTED, 3), np.float32)
    sound = []
    for number, person in enumerate(people):
        try:
            sound.append(_joints(person))
        except ValueError as error:
            told.add("openpose_damaged", f"{path.name}: person {number}: {error}")
    return np.stack(sound) if sound else np.zeros((0, _DETECTED, 3), np.float32)


def _joints(person: Any) -> NDArray[np.float32]:
    values = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
    if not isinstance(values, list) or len(values) != 3 * _DETECTED or not {*map(type, values)} <= {int, float}:
        count = f"{len(values)} values" if isinstance(values, list) else "none"
        raise ValueError(f"pose_keypoints_2d is not 25 joints of BODY_25 ({count})")
    joints = np.array([float(min(max(value, -2 * FAR), 2 * FAR)) for value in values]).reshape(_DETECTED, 3)
    if not (np.abs(joints) < FAR).all():
        raise ValueError("a joint without a place in any image")
    seen = joints[:, 2] > 0
    joints[:, :2] += OFFSETS["index"]
    joints[:, 2] = np.minimum(joints[:, 2], 1)  # some are a little above
    return np.where(seen[:, None], joints, 0).astype(np.float32)
