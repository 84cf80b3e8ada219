"""One annotation of COCO's format → a person, or why there is none.

Tools write the format loosely (:mod:`pymaf_data.datasets.entries`). What cannot be meant, such as a joint labelled at
(0, 0), is not taken as it stands, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass
from itertools import compress
from typing import Any

from pydantic import ValidationError

from pymaf_data.datasets.categories import Persons, entry_key
from pymaf_data.datasets.conventions import of_count
from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.entries import Annotation, Image, entry_id, has_keypoints, is_crowd
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.outlines import mask_of
from pymaf_data.datasets.records import FAR, SMALLEST_SIDE, PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.geometry.boxes import crop_side, square

Keypoint = tuple[float, float, int]
Square = tuple[float, float, float]
_NO_JOINT = ((0, 0), (-1, -1))  # where tools put a joint that is not there, and then mark it as labelled
_HUGE = 1e9  # px; beyond it all numbers are alike


@dataclass(frozen=True)
class People:
    """Turns annotation entries into records.

    Args:
        raw: the split, its conventions and whom it wants.
        told: filled on the way: licences of photographs, and what was taken otherwise than annotated.
        images: entries by id; for a malformed one, what is wrong with it.
        categories: which are persons.
    """

    raw: Raw
    told: Told
    images: dict[int, Image | str]
    categories: Persons

    def outcome(self, entry: Any, position: int) -> PersonRecord | Dropped:
        """The record of an annotation, or why there is none. What nobody wants needs no sound values."""
        key = entry_id(entry)
        name = f"annotation at position {position}" if key is None else f"annotation {key}"
        if not isinstance(entry, dict):
            return Dropped("malformed", name, f"not an object (found {str(entry)[:40]})")
        category = entry_key(entry.get("category_id"))
        if not self.categories.includes(category):
            return Dropped("other_category", name)
        crowd = is_crowd(entry)
        if crowd is None:
            return Dropped("malformed", name, f"iscrowd: neither 0 nor 1 (found {str(entry['iscrowd'])[:40]})")
        if crowd or not has_keypoints(entry):
            return Dropped("crowd" if crowd else "no_keypoints", name)
        try:
            annotation = Annotation.model_validate(entry)
        except ValidationError as error:
            return damage(name, error)
        image = self.images.get(annotation.image_id)
        if image is None:
            return Dropped("unknown_image", name, f"image id {annotation.image_id} is not listed")
        if isinstance(image, str):
            return Dropped("malformed_image", name, f"the entry of image {annotation.image_id}: {image}")
        keypoints = self._keypoints(name, annotation.keypoints, self.categories.counts(category))
        return keypoints if isinstance(keypoints, Dropped) else self._record(name, annotation, image, keypoints)

    def _record(
        self, name: str, annotation: Annotation, image: Image, marked: dict[str, Keypoint | None]
    ) -> PersonRecord | Dropped:
        """The person with those joints that can be meant; the rule for persons is asked of all that are marked."""
        keypoints = {joint: at for joint, at in marked.items() if at}
        box = self._box(name, annotation.bbox, image, keypoints)
        if not isinstance(box, Dropped):
            keypoints = self._near(name, keypoints, box, image)
        reason = self.raw.refusal(marked if keypoints else ())
        if reason or (self.raw.rule.area and not _has_area(annotation, image)):
            return Dropped(reason or "no_area", name)
        if isinstance(box, Dropped):
            return box
        if annotation.bbox is None or not all(annotation.bbox[2:]):
            self.told.adjusted.add("box_from_keypoints", name)
        values: dict[str, Any] = {
            "image_name": image_name(self.raw.folder, image.file_name, self.raw.root),
            "annotation_id": annotation.id,
            "image_size": (image.width, image.height),
            "box": box,
            "keypoints": keypoints,
            "mask": self._mask(name, annotation.segmentation, image),
        }
        try:
            sound = _surely_sound(values["image_name"], image, box)
            record = PersonRecord.sound(**values) if sound else PersonRecord.model_validate(values)
        except ValidationError as error:
            return damage(name, error)
        self.told.licence_of[record.image_name] = entry_key(image.license)
        return record

    def _mask(self, name: str, outline: Any, image: Image) -> bytes:
        """The mask's run lengths; none where there is no outline, or one that cannot be meant."""
        try:
            return mask_of(outline, (image.width, image.height))
        except ValueError as error:
            self.told.adjusted.add("mask_unusable", f"{name}: {error}")
            return b""

    def _keypoints(self, name: str, values: list[Any], counts: Set[int]) -> dict[str, Keypoint | None] | Dropped:
        """Joints marked as labelled, in continuous px, None at no place; or what is wrong with the list."""
        if all(isinstance(value, list) and len(value) == 3 for value in values):
            values = [number for triple in values for number in triple]
        joints, shift = self.categories.joints, self.raw.manifest.keypoints.offset
        if len(values) % 3 or len(values) // 3 not in counts:
            return Dropped("malformed", name, _count(len(values), counts, joints.name))
        triples = zip(joints.joints, values[0::3], values[1::3], values[2::3], strict=False)
        if _ordinary(values):
            return {joint: (x + shift, y + shift, int(seen)) for joint, x, y, seen in triples if seen and joint}
        found: dict[str, Keypoint | None] = {}
        for joint, x, y, seen in triples:
            if joint is None or (x, y, seen) == (None, None, None):
                continue
            if seen not in (0, 1, 2):
                return Dropped("malformed", name, f"keypoints: the visibility of {joint} is not 0, 1 or 2")
            if seen and (x, y) in _NO_JOINT:
                self.told.adjusted.add("joint_at_origin", f"{name}: {joint} at ({x:g}, {y:g})")
                found[joint] = None
            elif seen and (wrong := _wrong(x) or _wrong(y)):
                return Dropped(wrong, name, f"keypoints: {joint} is at ({str(x)[:40]}, {str(y)[:40]})")
            elif seen:
                x, y = (min(max(value, -_HUGE), _HUGE) for value in (x, y))
                found[joint] = (x + shift, y + shift, int(seen))
        return found

    def _box(
        self, name: str, bbox: list[float] | None, image: Image, keypoints: dict[str, Keypoint]
    ) -> Square | Dropped:
        """The square box in continuous px. Without an annotated one, that of the joints inside the image."""
        rule = self.raw.manifest.box
        shift, (across, down) = OFFSETS[rule.origin], image.extent
        if bbox is None or not all(bbox[2:]):
            inside = [(x, y) for x, y, _ in keypoints.values() if 0 <= x <= across and 0 <= y <= down]
            if rule.missing == "drop" or not inside:
                return Dropped("bad_box", name, "bbox: " + ("it has none" if bbox is None else _size(bbox)))
            (left, top), (right, bottom) = map(min, zip(*inside, strict=True)), map(max, zip(*inside, strict=True))
            bbox, shift = [left, top, right - left, bottom - top], 0.0
        x, y, width, height = bbox[0] + shift, bbox[1] + shift, *bbox[2:]
        if min(width, height) <= 0:
            return Dropped("bad_box", name, f"bbox: {_size(bbox)}")
        if x >= across or y >= down or x + width <= 0 or y + height <= 0:
            return Dropped("box_outside", name, f"bbox: {bbox} on an image of {image.width} × {image.height} px")
        return square(x, y, width, height, rule.factor)

    def _near(self, name: str, keypoints: dict[str, Keypoint], box: Square, image: Image) -> dict[str, Keypoint]:
        """Those of the joints that lie in the image or in the stored crop; no other can be meant, or seen."""
        xs, ys, _ = zip(*keypoints.values(), strict=True) if keypoints else ((0,),) * 3
        across, down = image.extent
        if min(*xs, *ys) >= 0 and max(xs) <= across and max(ys) <= down:
            return keypoints
        cx, cy, reach = box[0], box[1], crop_side(box[2]) / 2
        near: dict[str, Keypoint] = {}
        for joint, (x, y, seen) in keypoints.items():
            if (0 <= x <= across and 0 <= y <= down) or max(abs(x - cx), abs(y - cy)) <= reach:
                near[joint] = x, y, seen
            else:
                self.told.adjusted.add("joint_far_outside", f"{name}: {joint} at ({x:g}, {y:g})")
        return near


def _has_area(annotation: Annotation, image: Image) -> bool:
    """Whether an area above 0 is annotated, and the box begins left of and above the last pixel: PyMAF's rule."""
    if annotation.bbox is None or not isinstance(annotation.area, int | float) or not annotation.area > 0:
        return False
    (left, top), (across, down) = annotation.bbox[:2], image.extent
    return max(0, left) <= across - 1 and max(0, top) <= down - 1


def _count(found: int, counts: Set[int], expected: str) -> str:
    """What is wrong with so many numbers, and which convention would have them."""
    others = [] if found % 3 else of_count(found // 3)
    hint = f"; as many have {', '.join(others)}" * bool(others)
    return f"{found} numbers in keypoints, not {' or '.join(str(3 * n) for n in sorted(counts))} ({expected}{hint})"


def _wrong(value: Any) -> str:
    """The reason why a coordinate cannot be one; empty where it can."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "malformed"
    return "" if abs(value) < math.inf else "not_finite"


def _surely_sound(name: str, image: Image, box: Square) -> bool:
    """Whether a record need not be validated: an ordinary name, and nothing near the edge of what can be stored.

    Joints lie in the image or the crop (:meth:`People._near`). Validating costs a fifth of reading.
    """
    largest = FAR / 8
    return (
        0 < len(name) < 250
        and "\0" not in name
        and 0 < max(image.width, image.height) < largest
        and box[2] >= SMALLEST_SIDE
        and -largest < min(box[:2]) <= max(box) < largest
    )


def _ordinary(values: list[Any]) -> bool:
    """Whether all are numbers, marks are marks, and what is labelled lies right of and below the origin.

    It nearly always does, which is soon told of all joints at once.
    """
    if not {*map(type, values)} <= {int, float} or not {*(marks := values[2::3])} <= {0, 1, 2}:
        return False
    places = [*compress(values[0::3], marks), *compress(values[1::3], marks)]
    return bool(places) and 0 < min(places) <= max(places) < _HUGE and not math.isnan(sum(places))


def _size(bbox: list[float]) -> str:
    return f"its box is {bbox[2]:g} × {bbox[3]:g} px"
