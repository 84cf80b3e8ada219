"""Persons that a detector found in images or in the frames of a video, as detectors write them.

    {"images": [{id, file_name, frame_id}], "annotations": [{image_id, keypoints, bbox}]}      COCO
    [{image_id: 12 | "12.jpg", keypoints, bbox | box}]                                         COCO's results, AlphaPose
    [{file_name: "12.jpg", bbox}]                                                              boxes alone
    [{frame_id, instances: [{keypoints, keypoint_scores, bbox}]}] | {"instance_info": […]}     mmpose
    NAME_000000000012_keypoints.json: {"people": [{"pose_keypoints_2d": […]}]}                 OpenPose, a folder

``keypoints`` are x, y, confidence of each joint, flat or in threes, or pairs with ``keypoint_scores``; none where there
is a box. The frame is ``frame_id`` (mmpose counts from 0), else the number that the image's name ends with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.records import FAR
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.json_text import read_json

_OPENPOSE = "*_keypoints.json"
_LONGEST = 10**9  # frames
_FORMS = (
    "COCO's {images, annotations}, a list of {image_id or file_name, bbox or box, keypoints}, mmpose's "
    "{instance_info: [{frame_id, instances}]}, or a folder of OpenPose's"
)
_OF = ("image_id", "file_name", "instances")  # one of them stands in every entry of a list


class Detection(NamedTuple):
    """A person in a frame; what cannot be read of it is its ``fault``.

    Attributes:
        frame: as the file counts; −1 of an image whose name has no number.
        joints: (J, 3) x, y in pixel indices and confidence, 0 where there is none; of a box alone (0, 3).
        box: x, y, width, height in px; None where the file has none.
        track: number of the person throughout the video; −1 where the file does not tell.
        image: name of the image's file; empty where the file numbers its images.
    """

    frame: int
    joints: NDArray[np.float64]
    box: tuple[float, float, float, float] | None = None
    track: int = -1
    fault: str = ""
    image: str = ""

    @property
    def called(self) -> str:
        """Its image, for a message."""
        return self.image or f"number {self.frame}"


def is_openpose(path: Path) -> bool:
    """Whether a folder is one that OpenPose wrote."""
    return path.is_dir() and next(path.glob(_OPENPOSE), None) is not None


def read_detections(path: Path) -> Iterator[Detection]:
    """Every person of a file, or of a folder of OpenPose's, in its order.

    Raises:
        RawDataCorrupt: it is not JSON, or of no known form.
    """
    for frame, image, entry, box_of in _entries(path):
        try:
            name = image if isinstance(image, str) else ""
            yield _detection(_number(frame, bool(name)), name, entry, box_of(entry))
        except (ValueError, TypeError, OverflowError) as error:
            yield Detection(-1, np.zeros((0, 3)), fault=str(error)[:80])


def _entries(path: Path) -> Iterator[tuple[Any, Any, Any, Callable[[dict[str, Any]], Any]]]:
    """Frame, name of the image, person, and what gives the person's box."""
    if path.is_dir():
        for file in sorted(path.glob(_OPENPOSE)):
            named, people = file.name.removesuffix(_OPENPOSE[1:]), _list(read_json(file), "people", file)
            yield from ((named, named, {"keypoints": person.get("pose_keypoints_2d")}, _own_box) for person in people)
        return
    content = read_json(path)
    if isinstance(content, dict) and "annotations" in content:
        images = {entry["id"]: entry for entry in _list(content, "images", path) if isinstance(entry.get("id"), int)}
        for entry in _list(content, "annotations", path):
            number = entry.get("image_id")
            image = images.get(number, {}) if isinstance(number, int) else {}
            name = image.get("file_name")
            yield image.get("frame_id", name), name, entry, _own_box
        return
    if isinstance(content, dict):
        content = content.get("instance_info")
    entries = _list({"": content}, "", path)
    if entries and not any(key in entry for entry in entries for key in _OF):
        keys = ", ".join(map(repr, [*entries[0]][:5])) or "nothing"
        raise _of_no_form(f"{path.name} is a list of entries with {keys}, which say of no image that somebody is on it")
    for entry in entries:
        if "instances" in entry:
            frame = entry.get("frame_id")
            yield from ((frame, None, one, _corners) for one in _list(entry, "instances", path))
        else:
            name = entry.get("file_name", entry.get("image_id"))
            yield entry.get("image_id", name), name, entry, _own_box


def _list(content: Any, key: str, path: Path) -> list[dict[str, Any]]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _of_no_form(f"{path.name} is JSON, and no list of persons{f' under {key!r}' * bool(key)}")
    return found


def _of_no_form(found: str) -> RawDataCorrupt:
    return RawDataCorrupt(found, expected=_FORMS, action="see docs/prediction.md for the forms.")


def _own_box(entry: dict[str, Any]) -> Any:
    return entry.get("bbox") or entry.get("box")


def _corners(entry: dict[str, Any]) -> Any:
    """mmpose's box [[x0, y0, x1, y1]] as x, y, width, height."""
    box = entry.get("bbox")
    if not isinstance(box, list) or not box:
        return None
    x0, y0, x1, y1 = box[0] if isinstance(box[0], list) else box
    return [x0, y0, x1 - x0, y1 - y0]


def _number(frame: Any, named: bool = False) -> int:
    """Of a frame, from a number or from the end of a name; of an image that is known by its name, it may have none."""
    found = re.search(r"(\d{1,12})(?:\.\w+)?$", frame) if isinstance(frame, str) else None
    number = int(found[1]) if found else frame
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _LONGEST:
        if named:
            return -1
        raise ValueError(
            f"frame {str(frame)[:40]!r} has no number" if frame is not None else "it is of no image that is known"
        )
    return number


def _detection(frame: int, image: str, entry: dict[str, Any], box: Any) -> Detection:
    given = entry.get("keypoints")
    if not box and given is None:
        raise ValueError("it has neither a box nor keypoints")
    values = np.asarray(given if given is not None else (), np.float64)
    scores = entry.get("keypoint_scores")
    if scores is not None and given is not None:
        values = np.column_stack([values.reshape(-1, 2), np.asarray(scores, np.float64).ravel()])
    joints = values.reshape(-1, 3)
    if not (np.isfinite(joints).all() and (np.abs(joints) < FAR).all()):
        raise ValueError("a joint that is not in any image")
    at = tuple(float(value) for value in box) if box else None
    if at is not None and (len(at) != 4 or not all(map(math.isfinite, at)) or min(at[2:]) <= 0):
        at = None
    track = entry.get("track_id", entry.get("idx", -1))
    known = isinstance(track, int) and not isinstance(track, bool) and 0 <= track < 2**31
    return Detection(frame, joints, at, track if known else -1, image=image)
