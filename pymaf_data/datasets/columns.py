"""The columns of N persons: what a store keeps of each beside its crop, in one list; and records turned into columns.

A record is an object while it is read; :class:`PersonColumns` holds arrays, 0.7 kB a person with COCO's columns and
1.1 kB with all, and each image name once. A column that no record brings is absent; a store, whose format has them all,
is given its missing value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.records import PersonRecord, joint3d_array, keypoint_arrays
from pymaf_data.geometry.joints import J24, J49

_BLOCK = 4096  # records that are objects at a time


class Column(NamedTuple):
    """One value of every person, as it lies in memory and in a store."""

    name: str
    shape: tuple[int, ...]  # per row
    dtype: str
    missing: Any = 0  # what a store holds where a data set does not say


#: In the order of ``schemas/store.md``. ``image_name`` is as long as the longest, and comes from names; ``present`` and
#: ``reason`` are known when the image has been looked for.
PERSON_COLUMNS = (
    Column("image_size", (2,), "i4"),
    Column("box", (3,), "f8"),
    Column("keypoints", (len(J49), 3), "f4"),
    Column("joints3d", (len(J24), 4), "f4"),
    Column("visibility", (len(J49),), "u1"),
    Column("image_name", (0,), "u1"),
    Column("annotation_id", (), "i8"),
    Column("present", (), "bool"),
    Column("reason", (), "u1"),
    Column("subject", (), "i4", -1),
    Column("sequence", (), "i4", -1),
    Column("frame", (), "i8", -1),
    Column("intrinsics", (3, 3), "f8"),
    Column("has_intrinsics", (), "bool"),
)


@dataclass(frozen=True)
class PersonColumns:
    """N persons. An index gives a record, a slice their columns.

    Attributes:
        names: distinct image names, sorted.
        name: (N,) index into them.
        columns: name of a column → (N, …), those that are brought.
    """

    names: tuple[str, ...]
    name: NDArray[np.int32]
    columns: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, records: Iterable[PersonRecord]) -> PersonColumns:
        """The columns of records, which are let go block by block, in row order."""
        source, blocks, listed = iter(records), list[dict[str, NDArray[Any]]](), list[str]()
        while block := list(islice(source, _BLOCK)):
            listed += [record.image_name for record in block]
            blocks.append(_block(block))
        names = tuple(sorted(set(listed)))
        place = {name: index for index, name in enumerate(names)}
        name = np.array([place[image] for image in listed], np.int32)
        order = np.lexsort((np.concatenate([block["annotation_id"] for block in blocks]), name)) if blocks else name
        rank, columns = np.argsort(order), dict[str, NDArray[Any]]()
        for column in PERSON_COLUMNS:
            if any(column.name in block for block in blocks):
                columns[column.name] = _missing(column, len(listed))
                for number, held in enumerate(blocks):
                    rows = rank[number * _BLOCK : (number + 1) * _BLOCK]
                    if column.name in held:
                        columns[column.name][rows] = held.pop(column.name)
        return cls(names, name[order], columns)

    def __len__(self) -> int:
        return len(self.name)

    def __iter__(self) -> Iterator[PersonRecord]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, row: int) -> PersonRecord: ...

    @overload
    def __getitem__(self, row: slice) -> PersonColumns: ...

    def __getitem__(self, row: int | slice) -> PersonRecord | PersonColumns:
        values = {name: array[row] for name, array in self.columns.items()}
        if isinstance(row, slice):
            # What travels to a worker is no longer than its rows: of the names, those that they have.
            used, place = np.unique(self.name[row], return_inverse=True)
            return PersonColumns(tuple(self.names[image] for image in used), place.astype(np.int32), values)
        return _record(self.names[self.name[row]], values)

    def row_keys(self) -> list[tuple[str, int]]:
        """What rows are ordered by: image name, annotation id."""
        ids = self.column("annotation_id").tolist()
        return [(self.names[image], key) for image, key in zip(self.name.tolist(), ids, strict=True)]

    def column(self, name: str) -> NDArray[Any]:
        """(N, …) one of :data:`PERSON_COLUMNS` but the image's name, with its missing value where it is absent."""
        column = next(column for column in PERSON_COLUMNS if column.name == name)
        return self.columns[name] if name in self.columns else _missing(column, len(self))

    def image_names(self, length: int) -> NDArray[np.uint8]:
        """(N, length) UTF-8, padded with zero bytes."""
        used, place = np.unique(self.name, return_inverse=True)
        coded = np.array([self.names[index].encode() for index in used], f"S{length}")
        return coded[place].view(np.uint8).reshape(len(self), length)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self.name.nbytes + sum(array.nbytes for array in self.columns.values())


def _missing(column: Column, rows: int) -> NDArray[Any]:
    return np.full((rows, *column.shape), column.missing, column.dtype)


def _block(records: list[PersonRecord]) -> dict[str, NDArray[Any]]:
    """The columns of some records, without those that none of them brings."""
    keypoints, visibility = keypoint_arrays(records)
    known = np.array([record.intrinsics is not None for record in records])
    unknown = ((0.0,) * 3,) * 3
    given = {
        "image_size": [record.image_size for record in records],
        "box": [record.box for record in records],
        "keypoints": keypoints,
        "joints3d": joint3d_array(records) if any(record.joints3d for record in records) else None,
        "visibility": visibility,
        "annotation_id": [record.annotation_id for record in records],
        **{name: [getattr(record, name) for record in records] for name in ("subject", "sequence", "frame")},
        "intrinsics": [record.intrinsics or unknown for record in records] if known.any() else None,
        "has_intrinsics": known,
    }
    needed = ("image_size", "box", "keypoints", "visibility", "annotation_id")
    found = {}
    for column in PERSON_COLUMNS:
        if (values := given.get(column.name)) is not None:
            array = np.asarray(values, column.dtype)
            if column.name in needed or (array != column.missing).any():
                found[column.name] = array
    return found


def _record(image_name: str, row: dict[str, Any]) -> PersonRecord:
    """A record, from one row of its columns."""
    joints = row["visibility"].nonzero()[0].tolist()
    places = zip(joints, row["keypoints"][joints].tolist(), row["visibility"][joints].tolist(), strict=True)
    solid = row["joints3d"] if "joints3d" in row else np.zeros((0, 4))
    values: dict[str, Any] = {
        "image_name": image_name,
        "keypoints": {J49.joints[joint]: (x, y, seen) for joint, (x, y, _), seen in places},
        "joints3d": {
            J24.joints[joint]: tuple(solid[joint, :3].tolist()) for joint in solid[:, 3].nonzero()[0].tolist()
        },
        "image_size": tuple(row["image_size"].tolist()),
        "box": tuple(row["box"].tolist()),
        "intrinsics": tuple(map(tuple, row["intrinsics"].tolist())) if row.get("has_intrinsics") else None,
        **{name: int(row[name]) for name in ("annotation_id", "subject", "sequence", "frame") if name in row},
    }
    return PersonRecord.sound(**values)
