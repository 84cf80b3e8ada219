"""One shard of the stage ``ingest``: images to encoded crops, records to row arrays.

An image is read and decoded once for all its persons in the shard. Decoding, warping and encoding release the
interpreter lock, so threads share the work; results are taken in row order, which is why their number leaves no trace.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import make_crop
from pymaf_data.datasets.images import REASONS, Images, MissingImage
from pymaf_data.datasets.records import PersonRecord, joint3d_array, keypoint_arrays
from pymaf_data.digest import digest_json
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.affines import crop_affine
from pymaf_data.geometry.joints import J24, J49
from pymaf_data.stages.shards import Advance, Made, Mapper
from pymaf_data.storage import ArraySpec, encode_jpeg

logger = logging.getLogger(__name__)

Missing: TypeAlias = dict[str, tuple[int, int, str]]
"""Reason → images, persons, and the first of them."""

_INNER_CHUNK = 64


def array_specs(crop_size: int, name_bytes: int, shard: int) -> tuple[ArraySpec, ...]:
    """The arrays of the stage (``schemas/store.md``, section 3).

    Args:
        crop_size: S in pixels.
        name_bytes: L, bytes of the longest image name.
        shard: rows per shard; inner chunks divide it.
    """
    inner = math.gcd(_INNER_CHUNK, shard)
    rows = {
        "crop_affine": ((2, 3), "f8"),
        "image_size": ((2,), "i4"),
        "box": ((3,), "f8"),
        "keypoints": ((len(J49), 3), "f4"),
        "joints3d": ((len(J24), 4), "f4"),
        "visibility": ((len(J49),), "u1"),
        "image_name": ((name_bytes,), "u1"),
        "annotation_id": ((), "i8"),
        "present": ((), "bool"),
        "reason": ((), "u1"),
        "subject": ((), "i4"),
        "sequence": ((), "i4"),
        "frame": ((), "i8"),
        "intrinsics": ((3, 3), "f8"),
        "has_intrinsics": ((), "bool"),
    }
    pictures = ArraySpec("image", (crop_size, crop_size, 3), "u1", inner_chunk=1, codecs="jpeg")
    return pictures, *(ArraySpec(name, shape, dtype, inner) for name, (shape, dtype) in rows.items())


def input_digest(records: Sequence[PersonRecord], pictures: Images) -> str:
    """Digest of a shard's images by name and file size, which is what a later run can afford to look at again."""
    names = sorted({record.image_name for record in records})
    return digest_json([[name, pictures.byte_count(name)] for name in names])


def row_arrays(records: Sequence[PersonRecord], crop_size: int, name_bytes: int) -> dict[str, NDArray[Any]]:
    """The arrays that follow from the records alone, (rows, …) each."""
    boxes = np.array([record.box for record in records], np.float64)
    keypoints, visibility = keypoint_arrays(records)
    names = np.zeros((len(records), name_bytes), np.uint8)
    intrinsics = np.zeros((len(records), 3, 3), np.float64)
    for row, record in enumerate(records):
        name = record.image_name.encode()
        names[row, : len(name)] = np.frombuffer(name, np.uint8)
        if record.intrinsics is not None:
            intrinsics[row] = record.intrinsics
    return {
        "crop_affine": crop_affine(boxes, crop_size),
        "image_size": np.array([record.image_size for record in records], np.int32),
        "box": boxes,
        "keypoints": keypoints,
        "joints3d": joint3d_array(records),
        "visibility": visibility,
        "image_name": names,
        "annotation_id": np.array([record.annotation_id for record in records], np.int64),
        "subject": np.array([record.subject for record in records], np.int32),
        "sequence": np.array([record.sequence for record in records], np.int32),
        "frame": np.array([record.frame for record in records], np.int64),
        "intrinsics": intrinsics,
        "has_intrinsics": np.array([record.intrinsics is not None for record in records], np.bool_),
    }


@dataclass(frozen=True)
class IngestTask:
    """Makes one shard.

    Args:
        records: its rows.
        digest: :func:`input_digest` of them, taken before reading: a change meanwhile is found by the next run.
        pictures: where images are read.
        crop_size: S in pixels.
        name_bytes: L, bytes of the longest image name.
        stop: raise at the first image that cannot be used instead of counting it as missing.
    """

    records: Sequence[PersonRecord]
    digest: str
    pictures: Images
    crop_size: int
    name_bytes: int
    stop: bool

    def make(self, each: Mapper, advance: Advance) -> Made:
        """Every array of the stage, the crops already encoded; the notes are the shard's :data:`Missing`.

        Raises:
            RawDataCorrupt: an image cannot be used and ``stop`` is set.
        """
        crops: list[bytes] = []
        missing: Missing = {}
        reason = np.zeros(len(self.records), np.uint8)
        black = encode_jpeg(np.zeros((self.crop_size, self.crop_size, 3), np.uint8))
        groups = [list(group) for _, group in groupby(self.records, key=lambda record: record.image_name)]
        for group, outcome in zip(groups, each(self._crops, groups), strict=True):
            if isinstance(outcome, MissingImage):
                self._account_for(outcome, group, missing)
                reason[len(crops) : len(crops) + len(group)] = REASONS.index(outcome.reason)
                outcome = [black] * len(group)
            crops += outcome
            advance(len(group))
        rows = row_arrays(self.records, self.crop_size, self.name_bytes)
        return Made({**rows, "image": crops, "present": reason == 0, "reason": reason}, self.digest, missing)

    def _crops(self, records: list[PersonRecord]) -> list[bytes] | MissingImage:
        """The encoded crops of all persons on one image."""
        picture = self.pictures.load(records[0].image_name, records[0].image_size)
        if isinstance(picture, MissingImage):
            return picture
        return [encode_jpeg(make_crop(picture, record.box, self.crop_size)) for record in records]

    def _account_for(self, hole: MissingImage, records: list[PersonRecord], missing: Missing) -> None:
        found = f"{records[0].image_name}: {hole}"
        if self.stop:
            raise RawDataCorrupt(
                found,
                expected="an intact JPEG, PNG or WebP of the annotated size, below the data set's folder",
                action="fetch the image again, or count it as missing with --on-error skip.",
            )
        images, persons, first = missing.get(hole.reason, (0, 0, found))
        missing[hole.reason] = images + 1, persons + len(records), first


def warn(shards: Iterable[Missing]) -> None:
    """One warning per reason, not one per image: whole data sets are missing for one reason."""
    total: Missing = {}
    for shard in shards:
        for reason, (images, persons, first) in shard.items():
            before = total.get(reason, (0, 0, first))
            total[reason] = before[0] + images, before[1] + persons, before[2]
    for reason, (images, persons, first) in total.items():
        logger.warning("%s: %d images of %d persons; the first: %s", reason, images, persons, first)
