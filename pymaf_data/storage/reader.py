"""The fast way to rows: memory maps and the shards' own indices, no Zarr library in between.

A row of an array with one row per inner chunk costs one slice of a memory map, one CRC-32C and one decode; measured
against bare decoding and zarr-python in ``benchmarks/store.py``.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pymaf_data.errors import ShapeError, StoreChanged, StoreIncomplete
from pymaf_data.storage import records
from pymaf_data.storage.files import Files
from pymaf_data.storage.records import Commit, StageRecord
from pymaf_data.storage.shard import Bytes, Grid, damaged, decode_index, open_chunk
from pymaf_data.storage.specs import ArraySpec, decode_chunk_into, decode_rows_into

# A shard's own checksums do not say whose they are. Up to this size, SHA-256 of the whole costs a few milliseconds.
BOUND_BYTES = 4 << 20


class Array:
    """One row array of a store, (N, *shape_per_row), read-only.

    ``array[i]`` is one row, ``array[first:end]`` a block, ``array.rows(indices)`` rows in the order asked for. Every
    checksum on the way is compared; a shard of up to 4 MiB is hashed when it is first read, lest it be another's. All
    shards are mapped on construction, so a store that is swapped or cleaned afterwards does not change what is read.
    Threads may share an array; pickled, it maps the same files elsewhere, or says that they changed.

    Raises:
        StoreIncomplete: a row of a shard that is not committed.
        StoreDamaged: bytes differ from what was committed.
    """

    def __init__(self, files: Files, record: StageRecord, committed: Mapping[int, Commit], spec: ArraySpec) -> None:
        self.spec, self.name = spec, record.key.below(spec.path)
        self.grid: Grid = spec.grid(record.persons, record.shard)
        self.shape = (record.persons, *spec.shape_per_row)
        self.dtype = np.dtype(spec.dtype)
        self._files, self._record, self._committed = files, record, committed
        self._views = {k: self._view(files, k, commit) for k, commit in committed.items()}
        self._spans: dict[int, list[tuple[int, int]]] = {}
        self._last: tuple[tuple[int, int], np.ndarray] | None = None
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> tuple[type[Array], tuple[Any, ...]]:
        return Array, (self._files, self._record, self._committed, self.spec)

    def __repr__(self) -> str:
        return f"<Array {self.name} {self.shape} {self.dtype}, {len(self._views)} of {self.grid.shards} shards>"

    def __getitem__(self, item: int | slice) -> np.ndarray:
        if isinstance(item, slice):
            return self.rows(range(*item.indices(len(self))))
        row = int(item)
        row += len(self) if row < 0 else 0
        shard, chunk, offset = self.grid.locate(self._checked(row))
        if self.spec.inner_chunk == 1:
            return self._chunk(shard, chunk)[0]
        return self._recent_chunk(shard, chunk)[offset].copy()

    def rows(self, indices: Sequence[int] | np.ndarray | range) -> np.ndarray:
        """Rows by number, in the order asked for; each inner chunk that they touch is decoded once.

        Returns:
            (len(indices), *shape_per_row).

        Raises:
            IndexError: a number outside [0, N).
        """
        wanted = np.asarray(indices)
        if wanted.ndim != 1 or (wanted.size and wanted.dtype.kind not in "iu"):
            raise ShapeError(f"row numbers {wanted.dtype} {wanted.shape}", expected="a sequence of whole numbers")
        if wanted.size:
            self._checked(int(wanted.min()))
            self._checked(int(wanted.max()))
        out = np.empty((len(wanted), *self.spec.shape_per_row), dtype=self.dtype)
        if self.spec.inner_chunk == 1:
            for place, row in enumerate(wanted.tolist()):
                shard, chunk, _ = self.grid.locate(row)
                self._decode(shard, chunk, out[place : place + 1])
            return out
        chunks = wanted // self.spec.inner_chunk
        order = np.argsort(chunks, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(chunks[order])) + 1) if len(order) else ():
            shard, chunk, _ = self.grid.locate(int(chunks[places[0]]) * self.spec.inner_chunk)
            out[places] = self._chunk(shard, chunk)[wanted[places] % self.spec.inner_chunk]
        return out

    def encoded(self, row: int) -> Bytes:
        """The encoded inner chunk that holds a row, its checksum compared; of ``image``, a JPEG file."""
        shard, chunk, _ = self.grid.locate(self._checked(row))
        return self._encoded(shard, chunk)

    def pixels_into(self, row: int, shown: slice, out: np.ndarray) -> None:
        """At least the rows of pixels ``shown`` of an image, into their places in ``out`` (H, W, 3); others undefined.

        Of an array with one row per inner chunk, as ``image`` is.
        """
        decode_rows_into(self.spec, self.encoded(row), out, shown, f"row {row} of {self.name}")

    def row_into(self, row: int, out: np.ndarray) -> None:
        """One row into memory that is there already, C-contiguous; of an array with one row per inner chunk."""
        decode_chunk_into(self.spec, self.encoded(row), out[None], f"row {row} of {self.name}")

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {self.name}, which has {len(self)} rows")
        return row

    def _recent_chunk(self, shard: int, chunk: int) -> np.ndarray:
        # Labels are read row by row out of inner chunks of many rows: keep the last one.
        last = self._last
        if last is None or last[0] != (shard, chunk):
            last = ((shard, chunk), self._chunk(shard, chunk))
            self._last = last
        return last[1]

    def _chunk(self, shard: int, chunk: int) -> np.ndarray:
        out = np.empty((self.spec.inner_chunk, *self.spec.shape_per_row), dtype=self.dtype)
        self._decode(shard, chunk, out)
        return out

    def _decode(self, shard: int, chunk: int, out: np.ndarray) -> None:
        decode_chunk_into(self.spec, self._encoded(shard, chunk), out, self._where(shard, chunk))

    def _encoded(self, shard: int, chunk: int) -> Bytes:
        spans = self._spans.get(shard)
        if spans is None:
            spans = self._index(shard)
        return open_chunk(self._views[shard], spans[chunk], lambda: self._where(shard, chunk))

    def _index(self, shard: int) -> list[tuple[int, int]]:
        view = self._views.get(shard)
        if view is None:
            span = self.grid.span(shard)
            raise StoreIncomplete(
                f"{self.name}: shard {shard} (rows {span.start} to {span.stop - 1}) is not finished",
                expected=f"all {self.grid.shards} shards; {len(self._views)} are there",
                action=f"run {records.command(self._record.stage)} again: it does what is missing.",
            )
        where = self._file(shard)
        spans = decode_index(view, self.grid, shard, where)
        committed = self._committed[shard].files[where].sha256
        if len(view) <= BOUND_BYTES and hashlib.sha256(view.data).hexdigest() != committed:
            raise damaged(where, "it is not the shard that was committed under this name")
        with self._guard:
            self._spans[shard] = spans
        return spans

    def _file(self, shard: int) -> str:
        return self._record.key.shard_file(self.spec, shard)

    def _where(self, shard: int, chunk: int) -> str:
        first = shard * self.grid.shard + chunk * self.grid.inner
        return f"{self._file(shard)} (rows {first} to {min(first + self.grid.inner, len(self)) - 1})"

    def _view(self, files: Files, shard: int, commit: Commit) -> np.ndarray:
        key = self._file(shard)
        expected: Any = commit.files.get(key)
        try:
            view = files.view(key)
        except FileNotFoundError:
            view = None
        if view is None or expected is None or len(view) != expected.size:
            raise StoreChanged(
                f"{key} is not the file that was there when the store was opened",
                expected="files that stay as they were committed",
                action="open the store again; if it still fails, run `pymaf-data verify`.",
            )
        return view
