"""One shard of the stage ``ingest``: images to encoded crops, records to row arrays.

An image is read and decoded once for all its persons in the shard. Decoding, warping and encoding release the
interpreter lock, so threads share the work; results are taken in row order, which is why their number leaves no trace.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import make_crop
from pymaf_data.datasets.columns import COLUMN, PERSON_COLUMNS, STATED, PersonColumns
from pymaf_data.datasets.dataset import ImageSource
from pymaf_data.datasets.images import REASONS, UNKNOWN_SIZE, MissingImage
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.digest import digest_json
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.affines import crop_affine
from pymaf_data.stages.held import Opened
from pymaf_data.stages.shards import Advance, Made, Mapper
from pymaf_data.storage import ArraySpec, encode_jpeg

logger = logging.getLogger(__name__)

Missing: TypeAlias = dict[str, tuple[int, int, str]]
"""Reason → images, persons, and the first of them."""

_INNER_CHUNK = 64


def array_specs(
    crop_size: int, name_bytes: int, shard: int, brought: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[ArraySpec, ...]:
    """The arrays of the stage (``schemas/store.md``, section 3).

    Args:
        crop_size: S in pixels.
        name_bytes: L, bytes of the longest image name.
        shard: rows per shard; inner chunks divide it.
        brought: columns that the data set brings of those that are not always there, with their shape per row.
    """
    inner = math.gcd(_INNER_CHUNK, shard)
    shapes = {column.name: column.shape for column in PERSON_COLUMNS if column.always}
    shapes |= {"image_name": (name_bytes,), **(brought or {})}
    persons = {name: (shape, COLUMN[name].dtype) for name, shape in shapes.items()}
    rows: dict[str, tuple[tuple[int, ...], str]] = {"crop_affine": ((2, 3), "f8"), **persons}
    pictures = ArraySpec("image", (crop_size, crop_size, 3), "u1", inner_chunk=1, codecs="jpeg", group="crops")
    return pictures, *(ArraySpec(name, shape, dtype, inner) for name, (shape, dtype) in rows.items())


def input_digest(records: PersonColumns, pictures: ImageSource) -> str:
    """Digest of a shard's images by name and stamp, which is what a later run can afford to look at again."""
    names = sorted({name for name, _ in records.row_keys()})
    return digest_json([[name, pictures.stamp(pictures.place(name).file)] for name in names])


def row_arrays(records: PersonColumns, crop_size: int, name_bytes: int) -> dict[str, NDArray[Any]]:
    """The arrays that follow from the persons alone, (rows, …) each."""
    stated = [column.name for column in STATED if column.always or column.name in records.columns]
    return {
        "crop_affine": crop_affine(records.column("box"), crop_size),
        **{name: records.column(name).copy() for name in stated},
        "image_name": records.image_names(name_bytes),
    }


class _Crops(NamedTuple):
    size: tuple[int, int]  # of the image
    jpegs: list[bytes]


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
        markers: whether crops have restart markers, see :func:`encode_jpeg`.
    """

    records: PersonColumns
    digest: str
    pictures: Opened[ImageSource]
    crop_size: int
    name_bytes: int
    stop: bool
    markers: bool = True

    def make(self, each: Mapper, advance: Advance) -> Made:
        """Every array of the stage, the crops already encoded; the notes are the shard's :data:`Missing`.

        Raises:
            RawDataCorrupt: an image cannot be used and ``stop`` is set.
        """
        crops: list[bytes] = []
        missing: Missing = {}
        reason = np.zeros(len(self.records), np.uint8)
        black = encode_jpeg(np.zeros((self.crop_size, self.crop_size, 3), np.uint8), markers=self.markers)
        rows = row_arrays(self.records, self.crop_size, self.name_bytes)
        place = self.pictures.get().place
        files = [list(group) for _, group in groupby(self.records, key=lambda row: place(row.image_name).file)]
        for persons, outcome in chain.from_iterable(each(self._of_file, files)):
            here = slice(len(crops), len(crops) + len(persons))
            if isinstance(outcome, MissingImage):
                self._account_for(outcome, persons, missing)
                reason[here] = REASONS.index(outcome.reason)
                crops += [black] * len(persons)
            else:
                rows["image_size"][here] = outcome.size
                crops += outcome.jpegs
            advance(len(persons))
        return Made({**rows, "image": crops, "present": reason == 0, "reason": reason}, self.digest, missing)

    def _of_file(self, records: list[PersonRecord]) -> list[tuple[list[PersonRecord], _Crops | MissingImage]]:
        """The encoded crops of all persons of one file, image by image."""
        images = [list(group) for _, group in groupby(records, key=lambda record: record.image_name)]
        pictures = self.pictures.get()
        places = [pictures.place(persons[0].image_name) for persons in images]
        frames = pictures.decode(places[0].file, [place.frame for place in places], records[0].image_size)
        return [(persons, self._crops(image, persons)) for persons, image in zip(images, frames, strict=True)]

    def _crops(self, image: NDArray[np.uint8] | MissingImage, records: list[PersonRecord]) -> _Crops | MissingImage:
        if isinstance(image, MissingImage):
            return image
        size = (image.shape[1], image.shape[0])
        if all(record.image_size == UNKNOWN_SIZE and _beside(record, size) for record in records):
            return all_beside(image)
        jpegs = [encode_jpeg(make_crop(image, r.box, self.crop_size), markers=self.markers) for r in records]
        return _Crops(size, jpegs)

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


def all_beside(image: NDArray[np.uint8]) -> MissingImage:
    """What is said of an image that nobody stands on who is annotated on it."""
    told = f"{image.shape[1]} × {image.shape[0]} px, and who is annotated stands beside"
    return MissingImage("mis_sized_picture", told)


def _beside(record: PersonRecord, size: tuple[int, int]) -> bool:
    """Whether a person stands outside an image of this size: the centre of the box, and most of the joints.

    So does nearly everybody where the images are those of a smaller release, and no size is annotated to tell.
    """
    places = [record.box[:2], *((x, y) for x, y, _ in record.keypoints.values())]
    outside = [not (0 <= x <= size[0] and 0 <= y <= size[1]) for x, y in places]
    return outside[0] and 2 * sum(outside) > len(outside)


def warn(shards: Iterable[Missing]) -> None:
    """One warning per reason, not one per image: whole data sets are missing for one reason."""
    total: Missing = {}
    for shard in shards:
        for reason, (images, persons, first) in shard.items():
            before = total.get(reason, (0, 0, first))
            total[reason] = before[0] + images, before[1] + persons, before[2]
    for reason, (images, persons, first) in total.items():
        logger.warning("%s: %d images of %d persons; the first: %s", reason, images, persons, first)
