"""A detected person as a record: the joints that a detector is sure of, its box or theirs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.conventions import JointList, find
from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.detections import Detection
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, damage
from pymaf_data.geometry.boxes import square

#: Of an image: what an annotation id has place for.
PERSONS = 1000
#: Joints → whose they are, where the manifest's convention has another number.
_DETECTORS = {17: "COCO17", 18: "OpenPose18", 25: "OpenPose25", 26: "Halpe", 133: "COCO-WholeBody", 136: "Halpe"}


class DetectedOptions(StrictModel):
    """What a manifest or the user chooses."""

    confidence: float = Field(0.2, ge=0, le=1, description="joints below it are taken as not labelled")


def person_of(raw: Raw, found: Detection, who: str, least: float, **known: Any) -> PersonRecord | Dropped:
    """The record of a detection, or why there is none.

    Args:
        raw: whose selection and conventions hold.
        found: the detection.
        who: what messages call it.
        least: joints of less confidence are not labelled.
        known: what else the record says.
    """
    listed = _joints(raw, len(found.joints))
    if found.fault or listed is None:
        return Dropped("malformed", who, found.fault or f"{len(found.joints)} joints, and no detector's are so many")
    shift, named = raw.manifest.keypoints.offset, zip(listed.joints, found.joints.tolist(), strict=False)
    seen = {joint: (x + shift, y + shift, c) for joint, (x, y, c) in named if joint and c > 0 and c >= least}
    reason = raw.refusal(seen)
    box = (0.0, 0.0, 0.0) if reason else _box(raw, found, seen)
    if reason or box[2] <= 0:
        return Dropped(reason or "bad_box", who)
    try:
        return PersonRecord(
            box=box,
            keypoints={joint: (x, y, 2) for joint, (x, y, _) in seen.items()},
            confidence={joint: min(c, 1.0) for joint, (_, _, c) in seen.items()},
            box_source="detector" if found.box else "keypoints",
            **known,
        )
    except ValueError as error:
        return damage(who, error)


def _joints(raw: Raw, count: int) -> JointList | None:
    """The manifest's convention, or that of the detectors that find so many joints."""
    own = raw.manifest.keypoints.listed
    return own if count in own.counts else find(_DETECTORS.get(count, ""))


def _box(raw: Raw, found: Detection, seen: dict[str, tuple[float, float, float]]) -> tuple[float, float, float]:
    rule = raw.manifest.box
    shift = OFFSETS[rule.origin]
    if found.box:
        left, top, width, height = found.box
        corner = left + shift, top + shift
    else:
        xs, ys = [x for x, _, _ in seen.values()], [y for _, y, _ in seen.values()]
        corner, width, height = (min(xs), min(ys)), max(xs) - min(xs), max(ys) - min(ys)
    square_box: tuple[float, float, float] = square(*corner, width, height, rule.factor)
    return square_box
