"""Index arithmetic at its boundaries, and the bytes of a shard."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError, StoreDamaged
from pymaf_data.storage.shard import ABSENT, Grid, checksum, decode_index, encode_shard, index_bytes, open_chunk


@pytest.mark.parametrize(
    ("rows", "shard", "inner", "shards", "last_rows", "last_chunks"),
    [
        (1, 512, 1, 1, 1, 1),
        (511, 512, 64, 1, 511, 8),
        (512, 512, 64, 1, 512, 8),
        (513, 512, 64, 2, 1, 1),
        (1024, 512, 512, 2, 512, 1),
        (577, 512, 64, 2, 65, 2),
        (3, 1, 1, 3, 1, 1),
    ],
)
def test_boundaries(rows: int, shard: int, inner: int, shards: int, last_rows: int, last_chunks: int) -> None:
    grid = Grid(rows, shard, inner)
    span = grid.span(grid.shards - 1)
    assert (grid.shards, span.stop - span.start, grid.chunks(grid.shards - 1)) == (shards, last_rows, last_chunks)
    assert span.stop == rows


@given(st.integers(1, 3000), st.sampled_from([(512, 1), (512, 64), (512, 512), (8, 2), (1, 1)]))
def test_every_row_lies_in_exactly_one_place(rows: int, sizes: tuple[int, int]) -> None:
    grid = Grid(rows, *sizes)
    spans = [grid.span(k) for k in range(grid.shards)]
    assert [row for span in spans for row in range(span.start, span.stop)] == list(range(rows))
    for row in {0, rows - 1, rows // 2}:
        shard, chunk, offset = grid.locate(row)
        assert shard * grid.shard + chunk * grid.inner + offset == row
        assert 0 <= offset < grid.inner and chunk < grid.chunks(shard)


@pytest.mark.parametrize(("rows", "shard", "inner"), [(0, 4, 1), (5, 4, 3), (5, 4, 0), (5, 0, 1), (5, 4, 8)])
def test_impossible_grids_are_refused(rows: int, shard: int, inner: int) -> None:
    with pytest.raises(ShapeError):
        Grid(rows, shard, inner)


@pytest.mark.parametrize("shard", [-1, 2])
def test_shards_outside_are_refused(shard: int) -> None:
    with pytest.raises(ShapeError, match="0 to 1"):
        Grid(5, 4, 1).span(shard)


def test_checksum_is_castagnoli() -> None:
    assert checksum(b"123456789") == struct.pack("<I", 0xE3069283)  # the check value in RFC 3720


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_what_is_encoded_is_decoded(chunks: list[bytes]) -> None:
    data = b"".join(encode_shard(chunks, 8))
    grid = Grid(len(chunks), 8, 1)
    spans = decode_index(data, grid, 0, "x")
    assert [bytes(open_chunk(data, span, lambda: "x")) for span in spans] == chunks
    assert len(data) == sum(map(len, chunks)) + 4 * len(chunks) + index_bytes(8)


def test_absent_slots_carry_the_zarr_mark() -> None:
    data = b"".join(encode_shard([b"a"], 3))
    pairs = np.frombuffer(data[-index_bytes(3) : -4], "<u8").reshape(3, 2)
    assert pairs.tolist() == [[0, 5], [ABSENT, ABSENT], [ABSENT, ABSENT]]


@pytest.mark.parametrize("count", [0, 4])
def test_too_few_or_too_many_chunks_are_refused(count: int) -> None:
    with pytest.raises(ShapeError):
        encode_shard([b"a"] * count, 3)


def test_every_flipped_bit_is_noticed() -> None:
    chunks = [b"alpha", b"", b"gamma" * 3]
    good = b"".join(encode_shard(chunks, 4))
    grid = Grid(3, 4, 1)
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreDamaged):
            for span in decode_index(bytes(bad), grid, 0, "x"):
                open_chunk(bytes(bad), span, lambda: "x")


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_truncation_is_noticed(keep: int) -> None:
    data = b"".join(encode_shard([b"abcdefgh"] * 4, 4))
    with pytest.raises(StoreDamaged):
        decode_index(data[:keep], Grid(4, 4, 1), 0, "x")


def test_an_index_that_does_not_tile_the_file_is_refused() -> None:
    """Right checksum, wrong layout: a gap, an overlap, a present chunk marked absent."""
    for pairs in ([(1, 5), (6, 5)], [(0, 5), (4, 6)], [(0, 5), (ABSENT, ABSENT)], [(0, 2**63), (2**63, 10)]):
        index = b"".join(struct.pack("<QQ", *pair) for pair in pairs)
        with pytest.raises(StoreDamaged):
            decode_index(b"x" * 10 + index + checksum(index), Grid(2, 2, 1), 0, "x")


def test_errors_cross_process_borders() -> None:
    with pytest.raises(StoreDamaged) as caught:
        decode_index(b"", Grid(1, 1, 1), 0, "box/c/0")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
