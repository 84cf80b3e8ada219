"""MPII Human Pose: the release's own annotation file (``.mat``) → records.

    RELEASE  annolist 1 × n {image {name}, annorect}, img_train 1 × n
    annorect {annopoints {point {x, y, id 0 … 15, is_visible}}, objpos {x, y}, scale}; 200 · scale px: the height

Pixels count from 1. Any field may be absent, empty or of one element. Images that are not for training have no joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.mat import read_mat

_RECTS = 1000  # no image has as many; a person's key is 1000 · image + rect, both from 0


class MpiiOptions(StrictModel):
    """What a manifest chooses."""

    box: Literal["spin", "raw"] = Field(
        "spin", description="spin: scale × 1.25, centre 15 · scale px down; raw: neither"
    )
    held_out: Annotated[
        frozenset[str], BeforeValidator(lambda text: text.split() if isinstance(text, str) else text or ())
    ] = Field(frozenset(), description="images of which nobody is taken: names without .jpg, blanks between")


class Mpii(ReaderOfStills):
    """Reader of the release's file (role ``annotations``)."""

    options = MpiiOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every rect of the images for training; those with joints, scale and position are listed."""
        options, (images, training) = raw.options(MpiiOptions), _release(raw.file("annotations"))
        told.listed = len(images), 0
        for i in np.flatnonzero(training).tolist():
            for k, rect in enumerate(_structs(images[i], "annorect")):
                outcome = _outcome(raw, told, options, images[i], rect, _RECTS * i + k)
                listed = getattr(outcome, "reason", "") not in ("no_keypoints", "no_box")
                told.listed = len(images), told.listed[1] + listed
                yield outcome


def _release(path: Path) -> tuple[list[Any], np.ndarray]:
    """The images, and (n,) whether each is for training."""
    for release in _structs(read_mat(path, ["RELEASE"], per_byte=512), "RELEASE"):
        images, training = _structs(release, "annolist"), _field(release, "img_train")
        if images and training is not None and training.dtype.kind in "biuf" and training.size == len(images):
            return images, training.ravel() == 1
    fault = f"{path} is a Matlab file but not MPII's: RELEASE has no annolist and img_train of one length"
    raise RawDataCorrupt(fault, expected="mpii_human_pose_v1_u12_1.mat as released", action="fetch it again.")


def _outcome(raw: Raw, told: Told, options: MpiiOptions, image: Any, rect: Any, key: int) -> PersonRecord | Dropped:
    who = f"person {key % _RECTS} of image {key // _RECTS}"
    try:
        points = [point for points in _structs(rect, "annopoints") for point in _structs(points, "point")]
        scale = _number(rect, "scale")
        centre = [_number(place, axis) for place in _structs(rect, "objpos") for axis in "xy"]
        if not points or len(centre) != 2 or None in (scale, *centre):
            return Dropped("no_box" if points else "no_keypoints", who)
        name = str(_field(_structs(image, "image")[0], "name").ravel()[0])
        keypoints = _keypoints(raw, told, f"{who} ({name})", points)
        reason = "held_out" if name.removesuffix(".jpg") in options.held_out else raw.refusal(keypoints)
        if reason:
            return Dropped(reason, who)
        shift, (grow, down) = OFFSETS[raw.manifest.box.origin], {"spin": (1.25, 15), "raw": (1.0, 0)}[options.box]
        return PersonRecord(
            image_name=image_name(raw.folder, name, raw.root),
            annotation_id=key,
            box=(centre[0] + shift, centre[1] + shift + down * scale, 200 * scale * grow * raw.manifest.box.factor),
            keypoints=keypoints,
        )
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return damage(who, error)


def _keypoints(raw: Raw, told: Told, who: str, points: list[Any]) -> dict[str, tuple[float, float, int]]:
    """Joints in continuous px; as in SPIN, none left of or above the first pixel, where int(x) or int(y) is not > 0."""
    names: dict[float, Any] = dict(enumerate(raw.manifest.keypoints.listed.joints))
    shift, found = raw.manifest.keypoints.offset, dict[str, tuple[float, float, int]]()
    for point in points:
        joint, x, y = names[_number(point, "id")], _number(point, "x"), _number(point, "y")
        if x < 1 or y < 1:
            told.adjusted.add("joint_outside", f"{who}: {joint} at ({x:g}, {y:g})")
            continue
        place = x + shift, y + shift, {0: 1, 1: 2, None: 2}[_number(point, "is_visible")]
        if found.setdefault(joint, place) != place:
            raise ValueError(f"{joint} is at two places")
    return found


def _field(record: Any, name: str) -> Any:
    """A field's array; None where it is absent or empty."""
    value = record[name] if name in (record if isinstance(record, dict) else record.dtype.names) else None
    return value if isinstance(value, np.ndarray) and value.size else None


def _structs(record: Any, name: str) -> list[Any]:
    value = _field(record, name)
    return list(value.ravel()) if value is not None and value.dtype.names else []


def _number(record: Any, name: str) -> Any:
    """A number, also one that is text; None where it is absent or empty."""
    value = _field(record, name)
    return None if value is None else float(value.item(0))
