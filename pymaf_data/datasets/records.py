"""What every reader of raw data gives: one :class:`PersonRecord` per annotated person, in one set of conventions.

Image coordinates are continuous pixels of the original image (``docs/geometry.md``); a reader has already added the
half pixel where its data set counts in pixel indices. Joints go by name, so a record never depends on a joint order,
and a joint that is not labelled is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from pymaf_data.config import StrictModel
from pymaf_data.datasets.images import LARGEST_SIDE, UNKNOWN_SIZE
from pymaf_data.geometry.joints import J24, J49

#: No image is this large; beyond it lies a broken annotation, not a person.
FAR = 1e6
#: px; nobody is as small, and no crop could show them.
SMALLEST_SIDE = 1.0
_LEAST = 2.0**-149  # a smaller confidence is none in float32
_NAME_BYTES = 1024
#: The longest run lengths that are stored.
MASK_BYTES = 1 << 16
#: Of the body as UPi-S1h divides it, with the values of its maps; 255 is what is not to be measured.
PARTS = (1, 2, 3, 4, 5, 6, 255)

Side = Annotated[int, Field(ge=0, le=LARGEST_SIDE)]
Pixel = Annotated[float, Field(ge=-FAR, le=FAR, allow_inf_nan=False)]
Metre = Annotated[float, Field(ge=-FAR, le=FAR, allow_inf_nan=False)]
Index = Annotated[int, Field(ge=-1, lt=2**31)]
Visibility = Annotated[int, Field(ge=1, le=2)]
Gender = Literal["unknown", "neutral", "male", "female"]
RunLengths = Annotated[bytes, Field(max_length=MASK_BYTES)]
BoxSource = Literal["unknown", "annotated", "keypoints", "silhouette", "detector"]
#: In the order of their codes in a store.
GENDERS: tuple[str, ...] = get_args(Gender)
BOX_SOURCES: tuple[str, ...] = get_args(BoxSource)
Coordinates = TypeVar("Coordinates")


class Licence(StrictModel):
    """What a part of the data may be used for; carried from the manifest to the store and to checkpoints."""

    covers: str = Field(description="the part: annotations, photographs, fits, body …")
    name: str
    url: str = ""
    note: str = ""
    photographs: int | None = Field(default=None, description="number of photographs under it, where counted")
    persons: int | None = Field(default=None, description="number of persons on them")

    @property
    def part(self) -> str:
        """What it covers, told apart from other licences for the same kind of thing."""
        return self.covers if self.photographs is None else f"{self.covers} under {self.url or self.name}"

    def sentence(self) -> str:
        """The licence in one line, as provenance and ``inspect`` show it."""
        if self.photographs is not None:
            return f"{self.name} · {self.photographs:,} photographs, {self.persons or 0:,} persons"
        return " · ".join(text for text in (self.name, self.note, self.url) if text)


class PersonRecord(StrictModel):
    """One annotated person on one image."""

    image_name: str = Field(min_length=1, description="path of the image below the raw data set's root")
    annotation_id: int = Field(ge=0, lt=2**63, description="the data set's own key of the person")
    image_size: tuple[Side, Side] = Field(
        default=UNKNOWN_SIZE, description="width, height in px; (0, 0) where the data set does not say: the image's own"
    )
    box: tuple[Pixel, Pixel, Annotated[float, Field(ge=SMALLEST_SIDE, le=FAR)]] = Field(
        description="centre x, centre y and side of the square box, in px"
    )
    keypoints: dict[str, tuple[Pixel, Pixel, Visibility]] = Field(
        description="J49 joint → x, y in px and visibility (1 hidden, 2 visible); joints not labelled are absent"
    )
    joints3d: dict[str, tuple[Metre, Metre, Metre]] = Field(
        default_factory=dict, description="J24 joint → x, y, z in metres; joints not known are absent"
    )
    subject: Index = Field(default=-1, description="−1: none")
    sequence: Index = Field(default=-1, description="−1: none")
    frame: Annotated[int, Field(ge=-1, lt=2**63)] = Field(default=-1, description="−1: none")
    intrinsics: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] | None = (
        Field(default=None, description="3 × 3 camera matrix of the image, in continuous px")
    )
    confidence: dict[str, Annotated[float, Field(ge=_LEAST, le=1)]] = Field(
        default_factory=dict,
        description="labelled joint → confidence where it was detected; the others have 1",
    )
    camera: Index = Field(default=-1, description="the data set's own number of the camera; −1: none")
    gender: Gender = Field(default="unknown", description="of the body of the person's fits, as the data set says")
    box_source: BoxSource = Field(default="unknown", description="what the box was taken from, as the data set says")
    mask: RunLengths = Field(default=b"", description="run lengths of the person's pixels on the image; empty: unknown")
    parts: tuple[RunLengths, ...] = Field(default=(), description="the same of each of PARTS; none: unknown")

    @field_validator("image_name")
    @classmethod
    def _storable(cls, name: str) -> str:
        # Arrays pad names with zero bytes. (Lone surrogates, which no UTF-8 can spell, fail as str.)
        if "\0" in name or len(name.encode()) > _NAME_BYTES:
            raise ValueError(f"not a file name of at most {_NAME_BYTES} bytes of UTF-8")
        return name

    @field_validator("image_size")
    @classmethod
    def _of_an_image(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size != UNKNOWN_SIZE and 0 in size:
            raise ValueError("an image has a width and a height")
        return size

    @field_validator("keypoints")
    @classmethod
    def _in_j49(cls, keypoints: dict[str, tuple[float, float, int]]) -> dict[str, tuple[float, float, int]]:
        return _known(keypoints, _J49)

    @field_validator("joints3d")
    @classmethod
    def _in_j24(cls, joints: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, float, float]]:
        return _known(joints, _J24)

    @field_validator("intrinsics")
    @classmethod
    def _of_a_camera(cls, K: Any) -> Any:
        if K is not None and not (K[2] == (0, 0, 1) and min(K[0][0], K[1][1]) > 0 and np.isfinite(K).all()):
            raise ValueError("not the matrix of a camera: focal lengths above 0, and a last row 0, 0, 1")
        return K

    @field_validator("parts")
    @classmethod
    def _all_parts(cls, parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
        if len(parts) not in (0, len(PARTS)):
            raise ValueError(f"{len(parts)} parts, not {len(PARTS)}")
        return parts

    @model_validator(mode="after")
    def _of_labelled_joints(self) -> Self:
        if unknown := sorted(self.confidence.keys() - self.keypoints.keys()):
            raise ValueError(f"confidence of {', '.join(unknown[:5])}, which are not labelled")
        return self

    @classmethod
    def sound(cls, **values: Any) -> Self:
        """A record of values that need no validating. Defaults are given: pydantic asks each how it is made."""
        return cls.model_construct(**{**_UNSAID, "joints3d": {}, "confidence": {}, **values})

    @property
    def key(self) -> tuple[str, int]:
        """What rows are ordered by: image name, then annotation id."""
        return self.image_name, self.annotation_id


def keypoint_arrays(records: Sequence[PersonRecord]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """J49 keypoints (N, 49, 3) in px with confidence, 1 where labelled and not stated, and visibility (N, 49)."""
    keypoints = np.zeros((len(records), len(J49), 3), np.float32)
    visibility = np.zeros((len(records), len(J49)), np.uint8)
    listed = [record.keypoints for record in records]
    rows = np.repeat(np.arange(len(records)), [*map(len, listed)])
    joints = np.fromiter(map(_J49.__getitem__, chain.from_iterable(listed)), np.intp)
    places = chain.from_iterable(chain.from_iterable(each.values() for each in listed))
    x, y, seen = np.fromiter(places, np.float64).reshape(-1, 3).T
    sure = np.ones_like(x)
    if any(record.confidence for record in records):
        sure[:] = [record.confidence.get(joint, 1.0) for record in records for joint in record.keypoints]
    keypoints[rows, joints], visibility[rows, joints] = np.stack([x, y, sure], -1), seen
    return keypoints, visibility


def joint3d_array(records: Sequence[PersonRecord]) -> NDArray[np.float32]:
    """J24 joints (N, 24, 4) in metres with flag 1 where known."""
    joints = np.zeros((len(records), len(J24), 4), np.float32)
    for row, record in enumerate(records):
        for joint, position in record.joints3d.items():
            joints[row, _J24[joint]] = *position, 1.0
    return joints


_UNSAID: dict[str, Any] = {
    name: field.default
    for name, field in PersonRecord.model_fields.items()
    if not field.is_required() and field.default_factory is None
}
_J49 = {joint: position for position, joint in enumerate(J49.joints)}
_J24 = {joint: position for position, joint in enumerate(J24.joints)}


def _known(joints: dict[str, Coordinates], positions: dict[str, int]) -> dict[str, Coordinates]:
    unknown = sorted(joints.keys() - positions.keys())
    if unknown:
        raise ValueError(f"unknown joints {', '.join(unknown[:5])}")
    return joints
