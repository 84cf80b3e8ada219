"""AI Challenger's keypoints as released: one list of images → records.

    [{"image_id": name without .jpg, "human_annotations": {"human1": [left, top, right, bottom], …},
      "keypoint_annotations": {"human1": 14 × (x, y, v), …}}, …]

v is 1 (visible), 2 (hidden) or 3 (not labelled). The sizes of images are not said. A person's key is 1000 times the
image's place in the list, and the number in their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.outlines import as_array
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import square
from pymaf_data.untrusted.json_text import read_json

_VISIBILITY = {1: 2, 2: 1}


class Aic(ReaderOfStills):
    """Reader of the release's file (role ``annotations``)."""

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every person, in the file's order."""
        path = raw.file("annotations")
        images = read_json(path, lambda entry: {key: as_array(value) for key, value in entry.items()})
        if not isinstance(images, list):
            raise RawDataCorrupt(f"{path} is no list of images", expected="AI Challenger's annotation file as released")
        for number, image in enumerate(images):
            people = image.get("keypoint_annotations") if isinstance(image, dict) else None
            boxes = image.get("human_annotations") if isinstance(people, dict) else None
            if not isinstance(people, dict):
                yield Dropped("malformed", f"image {number}", "it has no keypoint_annotations")
                continue
            names = dict.fromkeys([*people, *(boxes if isinstance(boxes, dict) else ())])
            told.listed = len(images), told.listed[1] + len(names)
            yield from (_person(raw, told, image, number, name) for name in names)


def _person(raw: Raw, told: Told, image: dict[str, Any], number: int, name: str) -> PersonRecord | Dropped:
    who = f"{name[:20]} of image {number}"
    try:
        which = re.fullmatch(r"human([1-9][0-9]{0,2})", name)
        if name not in image["keypoint_annotations"]:
            return Dropped("no_keypoints", who)
        found, box = image["keypoint_annotations"][name], image["human_annotations"].get(name)
        if which is None or found.shape != (42,) or (box is not None and box.shape != (4,)):
            return Dropped("malformed", who, "not 14 joints and 4 numbers of a box")
        keypoints = _keypoints(raw, told, who, found.reshape(14, 3).tolist())
        if reason := raw.refusal(keypoints):
            return Dropped(reason, who)
        if box is None or min(size := (box[2:] - box[:2]).tolist()) <= 0:
            return Dropped("no_box" if box is None else "bad_box", who)
        x, y = (box[:2] + OFFSETS[raw.manifest.box.origin]).tolist()
        return PersonRecord(
            image_name=image_name(raw.folder, f"{image['image_id']}.jpg", raw.root),
            annotation_id=1000 * number + int(which[1]),
            box=square(x, y, size[0], size[1], raw.manifest.box.factor),
            keypoints=keypoints,
        )
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return damage(who, error)


def _keypoints(raw: Raw, told: Told, who: str, points: list[Any]) -> dict[str, tuple[float, float, int]]:
    shift, found = raw.manifest.keypoints.offset, {}
    for joint, (x, y, seen) in zip(raw.manifest.keypoints.listed.joints, points, strict=True):
        if seen == 3 or joint is None:
            continue
        if x == y == 0:
            told.adjusted.add("joint_at_origin", f"{who}: {joint} at (0, 0)")
        else:
            found[joint] = x + shift, y + shift, _VISIBILITY[seen]
    return found
