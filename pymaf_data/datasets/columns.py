"""The columns of N persons: what a store keeps of each beside its crop, in one list; and records turned into columns.

:data:`PERSON_COLUMNS` is the one schema: a store's arrays, what is read from them and the table in ``schemas/store.md``
follow from it. A record is an object while it is read; :class:`PersonColumns` holds arrays, 0.7 kB a person with COCO's
columns and 1.1 kB with all, and each image name once. A column that no record brings is absent there. In a store those
are absent that came with format 2.0; the older ones are always there, with the missing value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.records import (
    BOX_SOURCES,
    FAR,
    GENDERS,
    PARTS,
    PersonRecord,
    joint3d_array,
    keypoint_arrays,
)
from pymaf_data.geometry.joints import J24, J49
from pymaf_data.storage import Array, Store

_BLOCK = 4096  # records that are objects at a time
_TOGETHER = 1 << 17  # rows whose arrays are so large that the system has their memory back when they are let go


class Column(NamedTuple):
    """One value of every person, as it lies in memory and in a store."""

    name: str
    shape: tuple[int, ...]  # per row; 0 is as long as the longest
    dtype: str
    missing: Any = 0  # where a data set does not say
    words: tuple[str, ...] = ()  # what its codes mean
    always: bool = True  # in a store also where a data set does not bring it

    def absent(self, rows: int) -> NDArray[Any]:
        """(rows, …) of the missing value; zeros take no memory before they are written to."""
        found = np.zeros((rows, *self.shape), self.dtype)
        if self.missing:
            found[:] = self.missing
        return found


#: In the order of ``schemas/store.md``. ``image_name`` comes from names; ``present`` and ``reason`` are known when the
#: image has been looked for.
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
    Column("camera", (), "i4", -1, always=False),
    Column("gender", (), "u1", 0, GENDERS, always=False),
    Column("box_source", (), "u1", 0, BOX_SOURCES, always=False),
    Column("mask", (0,), "u1", always=False),
    Column("parts", (len(PARTS), 0), "u1", always=False),
)
#: The same by name.
COLUMN = {column.name: column for column in PERSON_COLUMNS}
#: What a record says itself, in the same order.
STATED = tuple(column for column in PERSON_COLUMNS if column.name not in ("image_name", "present", "reason"))
_NEEDED = ("image_size", "box", "keypoints", "visibility", "annotation_id")


class Absent(NamedTuple):
    """Stands for the array of a column that a store does not have."""

    column: Column

    def rows(self, indices: NDArray[Any]) -> NDArray[Any]:
        """(len(indices), …) of the missing value."""
        return self.column.absent(len(indices))


def stored_column(store: Store, name: str, rows: slice | None = None) -> Array | Absent:
    """One of :data:`PERSON_COLUMNS` of a store; where that has none, what gives the missing value for any rows.
    ``rows`` as of :meth:`Store.array`.

    Raises:
        StoreIncomplete: nothing was ingested.
    """
    return store.array(name, rows) if name in store.current("ingest").record.specs else Absent(COLUMN[name])


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
    def of(cls, records: Iterable[PersonRecord | PersonColumns]) -> PersonColumns:
        """The columns of records, which are let go block by block, and of blocks, which are emptied, in row order."""
        large, small = list[PersonColumns](), list[PersonColumns]()
        for block in _blocks(records):
            small.append(block)
            if sum(map(len, small)) >= _TOGETHER:
                large.append(_joined(small))
                small = []
        return _joined([*large, *small])

    @classmethod
    def of_arrays(cls, images: Sequence[str], **values: Any) -> PersonColumns:
        """Persons of a reader that has them as arrays; one value may stand for all rows.

        Args:
            images: image name of each of the N persons.
            values: :data:`STATED` → (N, …), by their names.

        Raises:
            ValueError: boxes, joints or camera matrices that no record could have.
        """
        names, name = np.unique(np.array(images, str), return_inverse=True)
        columns = {
            column.name: np.broadcast_to(values[column.name], (len(images), *column.shape)).astype(column.dtype)
            for column in STATED
            if column.name in values
        }
        for place in ("box", "keypoints", "joints3d", "intrinsics"):
            if place in columns and not (np.abs(columns[place]) <= FAR).all():
                raise ValueError(f"{place} with a value that is not finite, or beyond {FAR:g}")
        if not (columns["box"][:, 2] > 0).all():
            raise ValueError("boxes without area")
        return cls(tuple(names.tolist()), name.astype(np.int32), columns)

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
        """(N, …) one of :data:`STATED`, with its missing value where it is absent."""
        return self.columns[name] if name in self.columns else COLUMN[name].absent(len(self))

    @property
    def brought(self) -> dict[str, tuple[int, ...]]:
        """Of the columns that a store does not always have, those that are here, with their shape per row."""
        here = (column.name for column in STATED if not column.always and column.name in self.columns)
        return {name: self.columns[name].shape[1:] for name in here}

    def image_names(self, length: int) -> NDArray[np.uint8]:
        """(N, length) UTF-8, padded with zero bytes."""
        used, place = np.unique(self.name, return_inverse=True)
        coded = np.array([self.names[index].encode() for index in used], f"S{length}")
        return coded[place].view(np.uint8).reshape(len(self), length)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self.name.nbytes + sum(array.nbytes for array in self.columns.values())


def _blocks(source: Iterable[PersonRecord | PersonColumns]) -> Iterator[PersonColumns]:
    """Records are objects until there are enough of them for a block."""
    held: list[PersonRecord] = []
    for one in source:
        if isinstance(one, PersonRecord):
            held.append(one)
            if len(held) == _BLOCK:
                yield _block(held)
                held = []
        else:
            yield one
    if held:
        yield _block(held)


def _joined(blocks: list[PersonColumns]) -> PersonColumns:
    """Blocks as one, in row order; each array is let go as soon as it is copied."""
    names = tuple(sorted({name for block in blocks for name in block.names}))
    place = {name: index for index, name in enumerate(names)}
    listed = [np.array([place[name] for name in block.names], np.int32)[block.name] for block in blocks]
    name = np.concatenate([np.zeros(0, np.int32), *listed])
    order = np.lexsort((np.concatenate([block.columns["annotation_id"] for block in blocks]), name)) if blocks else name
    ranks, columns = np.split(np.argsort(order), np.cumsum([*map(len, blocks)])[:-1]), dict[str, NDArray[Any]]()
    for column in PERSON_COLUMNS:
        shapes = [block.columns[column.name].shape[1:] for block in blocks if column.name in block.columns]
        if shapes:
            widest = column._replace(shape=tuple(np.max(shapes, axis=0).astype(int).tolist()))
            columns[column.name] = widest.absent(len(name))
            for rows, block in zip(ranks, blocks, strict=True):
                if column.name in block.columns:
                    part = block.columns.pop(column.name)
                    cells: tuple[Any, ...] = (rows, *map(slice, part.shape[1:]))
                    columns[column.name][cells] = part
    return PersonColumns(names, name[order], columns)


def _block(records: list[PersonRecord]) -> PersonColumns:
    """The columns of some records, without those that none of them brings."""
    known = np.array([record.intrinsics is not None for record in records])
    unknown = ((0.0,) * 3,) * 3
    made: dict[str, Any] = {
        **dict(zip(("keypoints", "visibility"), keypoint_arrays(records), strict=True)),
        "joints3d": joint3d_array(records) if any(record.joints3d for record in records) else None,
        "intrinsics": [record.intrinsics or unknown for record in records] if known.any() else None,
        "has_intrinsics": known,
        "mask": _padded([(record.mask,) for record in records], ()),
        "parts": _padded([record.parts or (b"",) * len(PARTS) for record in records], (len(PARTS),)),
    }
    found = {}
    for column in STATED:
        values = made[column.name] if column.name in made else [getattr(record, column.name) for record in records]
        if values is None:
            continue
        array = np.asarray([column.words.index(word) for word in values] if column.words else values, column.dtype)
        if column.name in _NEEDED or (array != column.missing).any():
            found[column.name] = array
    place = {name: index for index, name in enumerate(dict.fromkeys(record.image_name for record in records))}
    return PersonColumns(tuple(place), np.array([place[record.image_name] for record in records], np.int32), found)


def _padded(rows: list[tuple[bytes, ...]], shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """(N, *shape, L): texts padded with zero bytes; None where all are empty."""
    texts = [text for row in rows for text in row]
    length = max(map(len, texts))
    return np.array(texts, f"S{length}").view(np.uint8).reshape(len(rows), *shape, length) if length else None


def _record(image_name: str, row: dict[str, Any]) -> PersonRecord:
    """A record, from one row of its columns."""
    marked = {joint: J49.joints[joint] for joint in row["visibility"].nonzero()[0].tolist()}
    places, seen = row["keypoints"][list(marked)].tolist(), row["visibility"][list(marked)].tolist()
    solid = row["joints3d"] if "joints3d" in row else np.zeros((0, 4))
    values: dict[str, Any] = {
        "image_name": image_name,
        "keypoints": {name: (x, y, v) for name, (x, y, _), v in zip(marked.values(), places, seen, strict=True)},
        "confidence": {name: sure for name, (_, _, sure) in zip(marked.values(), places, strict=True) if sure != 1},
        "joints3d": {
            J24.joints[joint]: tuple(solid[joint, :3].tolist()) for joint in solid[:, 3].nonzero()[0].tolist()
        },
        "image_size": tuple(row["image_size"].tolist()),
        "box": tuple(row["box"].tolist()),
        "intrinsics": tuple(map(tuple, row["intrinsics"].tolist())) if row.get("has_intrinsics") else None,
        "mask": row["mask"].tobytes().rstrip(b"\0") if "mask" in row else b"",
    }
    if "parts" in row and row["parts"].any():
        values["parts"] = tuple(part.tobytes().rstrip(b"\0") for part in row["parts"])
    for column in STATED:
        if column.name in row and not column.shape and column.dtype != "bool":
            code = int(row[column.name])
            values[column.name] = column.words[code] if column.words else code
    return PersonRecord.sound(**values)
