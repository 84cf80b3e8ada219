"""Frames of inner chunks: those of any writer are read, and no claim of a frame is believed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numcodecs.zstd
import numpy as np
import pytest
import zstandard

from pymaf_data.errors import StoreDamaged
from pymaf_data.storage.chunks import ZSTD_LEVEL, decode_zstd_into, encode_zstd

PLAIN = np.repeat(np.random.default_rng(0).integers(0, 9, 700, dtype=np.uint8), 11)


def decoded(frame: bytes, size: int = PLAIN.size) -> np.ndarray:
    out = np.empty(size, np.uint8)
    decode_zstd_into(frame, out, "chunk 3 of part")
    return out


def test_frames_are_those_that_other_writers_make():
    assert encode_zstd(PLAIN) == numcodecs.zstd.compress(PLAIN, ZSTD_LEVEL)


def test_threads_share_nothing():
    blocks = [np.roll(PLAIN, n) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        back = list(pool.map(lambda block: decoded(encode_zstd(block)), blocks))
    assert all(np.array_equal(one, block) for one, block in zip(back, blocks, strict=True))


def test_a_frame_need_not_tell_its_size():
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(PLAIN.tobytes())
    np.testing.assert_array_equal(decoded(frame), PLAIN)


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("size", [PLAIN.size - 1, PLAIN.size + 1])
def test_another_size_is_damage(tells: bool, size: int):
    frame = zstandard.ZstdCompressor(write_content_size=tells).compress(PLAIN.tobytes())
    with pytest.raises(StoreDamaged, match="chunk 3 of part"):
        decoded(frame, size)


def test_a_frame_that_claims_much_is_refused_before_memory_is_asked_for():
    # Magic number, a header byte for an 8-byte content size in a single segment, the size, and an empty last block.
    frame = bytes.fromhex("28b52ffd") + bytes([0b1110_0000]) + (1 << 50).to_bytes(8, "little") + bytes([1, 0, 0])
    with pytest.raises(StoreDamaged, match=str(1 << 50)):
        decoded(frame)


@pytest.mark.parametrize("frame", [b"", b"not a frame", encode_zstd(PLAIN)[:-5], bytes.fromhex("28b52ffd")])
def test_what_is_no_frame_is_damage(frame: bytes):
    with pytest.raises(StoreDamaged, match="chunk 3 of part"):
        decoded(frame)
