"""The bytes of a Zarr v3 shard, and the arithmetic of rows, shards and chunks. Pure: no input or output.

A shard is the encoded inner chunks in row order, without gaps, then an index of (offset, byte count) pairs of
little-endian uint64, then the CRC-32C of that index (``schemas/store.md``, section 2). zarr-python packs inner chunks
in Morton order and drops the all-zero ones; this encoder does neither, so that equal input gives equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import google_crc32c
import numpy as np

from pymaf_data.errors import ShapeError, StoreDamaged

Bytes: TypeAlias = "bytes | np.ndarray"
ABSENT = 2**64 - 1
CRC_BYTES = 4
_PAIR_BYTES = 16


@dataclass(frozen=True)
class Grid:
    """How N rows fall into shards and inner chunks along the first axis.

    Args:
        rows: N, the number of persons.
        shard: rows of a full shard.
        inner: rows of an inner chunk; divides ``shard``.
    """

    rows: int
    shard: int
    inner: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.inner < 1 or self.shard < 1 or self.shard % self.inner:
            raise ShapeError(
                f"{self.rows} rows in shards of {self.shard} with inner chunks of {self.inner}",
                expected="at least one row, and an inner chunk that divides the shard",
            )

    @property
    def shards(self) -> int:
        """The number of shards; the last one may be short."""
        return -(-self.rows // self.shard)

    @property
    def slots(self) -> int:
        """Index entries per shard, present or absent."""
        return self.shard // self.inner

    def span(self, shard: int) -> slice:
        """The rows [first, end) of a shard."""
        if not 0 <= shard < self.shards:
            raise ShapeError(f"shard {shard}", expected=f"0 to {self.shards - 1} for {self.rows} rows")
        return slice(shard * self.shard, min((shard + 1) * self.shard, self.rows))

    def chunks(self, shard: int) -> int:
        """Inner chunks of a shard that hold a row: those that must be written."""
        span = self.span(shard)
        return -(-(span.stop - span.start) // self.inner)

    def locate(self, row: int) -> tuple[int, int, int]:
        """Row → (shard, inner chunk in the shard, row in the chunk)."""
        shard, rest = divmod(row, self.shard)
        chunk, offset = divmod(rest, self.inner)
        return shard, chunk, offset


def index_bytes(slots: int) -> int:
    """The size of a shard's index with its checksum."""
    return slots * _PAIR_BYTES + CRC_BYTES


def checksum(data: Bytes) -> bytes:
    """CRC-32C as four little-endian bytes."""
    return struct.pack("<I", google_crc32c.value(data))


def encode_shard(chunks: Sequence[bytes], slots: int) -> list[bytes]:
    """Lay out a shard from encoded inner chunks (without checksum), in row order.

    Returns:
        Parts to be written one after another: per chunk its bytes and checksum, then the index.
    """
    if not 0 < len(chunks) <= slots:
        raise ShapeError(f"{len(chunks)} inner chunks", expected=f"1 to {slots} for one shard")
    lengths = np.array([len(chunk) + CRC_BYTES for chunk in chunks], dtype="<u8")
    index = np.full((slots, 2), ABSENT, dtype="<u8")
    index[: len(chunks), 0] = np.cumsum(lengths) - lengths
    index[: len(chunks), 1] = lengths
    pairs = index.tobytes()
    parts = [part for chunk in chunks for part in (chunk, checksum(chunk))]
    return [*parts, pairs, checksum(pairs)]


def decode_index(data: Bytes, grid: Grid, shard: int, where: str) -> list[tuple[int, int]]:
    """Read the index at the end of a whole shard's bytes.

    Returns:
        (first byte, end byte before the checksum) of each inner chunk that holds a row.

    Raises:
        StoreDamaged: too short, a wrong checksum, or a layout other than the specified one. ``where`` names the file.
    """
    size = index_bytes(grid.slots)
    if len(data) < size:
        raise damaged(where, f"it holds {len(data)} bytes, fewer than its index of {size}")
    body, index = data[: len(data) - size], data[len(data) - size :]
    if checksum(index[:-CRC_BYTES]) != bytes(index[-CRC_BYTES:]):
        raise damaged(where, "the checksum of its index does not match")
    pairs = np.frombuffer(index[:-CRC_BYTES], dtype="<u8").reshape(-1, 2)
    count = grid.chunks(shard)
    lengths = pairs[:count, 1]
    ends = np.cumsum(lengths)
    if (
        (lengths < CRC_BYTES).any()
        or (pairs[:count, 0] != ends - lengths).any()
        or int(ends[-1]) != len(body)
        or (pairs[count:] != ABSENT).any()
    ):
        raise damaged(where, "its index does not describe inner chunks laid end to end")
    return [(int(end - length), int(end) - CRC_BYTES) for end, length in zip(ends, lengths, strict=True)]


def open_chunk(data: Bytes, span: tuple[int, int], where: Callable[[], str]) -> Bytes:
    """The encoded inner chunk at ``span`` of a whole shard, its checksum compared.

    Raises:
        StoreDamaged: the checksum does not match. ``where`` names file and rows, and is called only then.
    """
    first, end = span
    chunk = data[first:end]
    if checksum(chunk) != bytes(data[end : end + CRC_BYTES]):
        raise damaged(where(), "the checksum of an inner chunk does not match")
    return chunk


def damaged(where: str, problem: str) -> StoreDamaged:
    """The error of bytes that are not those of a shard; ``where`` names them."""
    return StoreDamaged(
        f"{where} is damaged: {problem}",
        expected="the bytes that were committed",
        action="run `pymaf-data verify` on the store; it names each damaged file and the command that makes it again.",
    )
