"""Rows decoded alone are those of the whole image to the last bit, and what cannot be cut is decoded whole."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import simplejpeg

from pymaf_data.errors import StoreDamaged
from pymaf_data.storage import encode_jpeg
from pymaf_data.storage.chunks import decode_jpeg_rows_into
from pymaf_data.storage.jpeg_rows import cut_rows


def photograph(height: int, width: int) -> np.ndarray:
    """Colours that change from row to row, so that a wrong neighbour shows."""
    noise = np.random.default_rng(height).uniform(0, 255, (height, width, 3)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1).astype(np.uint8)


def whole(data: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False)


@pytest.mark.parametrize("size", [(1, 1), (15, 31), (17, 17), (50, 33), (176, 64)])
def test_any_rows_are_those_of_the_whole(size: tuple[int, int]) -> None:
    data = encode_jpeg(photograph(*size))
    expected, short = whole(data), 0
    for first in range(0, size[0], 3):
        for end in range(first + 1, size[0] + 1, 5):
            out = np.full_like(expected, 255 * (first % 2))
            decode_jpeg_rows_into(data, out, slice(first, end), "x")
            assert np.array_equal(out[first:end], expected[first:end])
            cut = cut_rows(data, slice(first, end), size[0])
            short += cut is not None
            needed = min(-(-(end + 1) // 16), -(-size[0] // 16)) - max(first - 1, 0) // 16
            assert cut is None or len(whole(cut.data.tobytes())) == min(needed * 16, size[0] - cut.rows.start)
    assert short if size[0] > 16 else not short


def test_a_marker_ends_each_row_of_blocks_but_the_last() -> None:
    data = encode_jpeg(photograph(176, 64))
    coded = data[data.index(b"\xff\xda") :]
    assert [b for a, b in pairwise(coded) if a == 0xFF and b not in (0, 0xDA)] == [
        *(0xD0 + k % 8 for k in range(10)),
        0xD9,
    ]
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], whole(data))


def test_what_is_coded_otherwise_is_decoded_whole() -> None:
    image, rows = photograph(96, 64), slice(40, 50)

    def coded(**options: int) -> bytes:
        pairs = [x for name, value in options.items() for x in (getattr(cv2, f"IMWRITE_JPEG_{name}"), value)]
        return cv2.imencode(".jpg", image, pairs)[1].tobytes()

    assert cut_rows(coded(RST_INTERVAL=4), rows, 96) is not None
    others = [
        encode_jpeg(image, markers=False),
        encode_jpeg(image, subsampling="444"),
        coded(RST_INTERVAL=2),
        coded(RST_INTERVAL=8),
        coded(RST_INTERVAL=4, PROGRESSIVE=1),
        coded(RST_INTERVAL=4, SAMPLING_FACTOR=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
        coded(RST_INTERVAL=8, SAMPLING_FACTOR=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    for data in others:
        assert cut_rows(data, rows, 96) is None
        out = np.zeros_like(image)
        decode_jpeg_rows_into(data, out, rows, "x")
        assert np.array_equal(out, whole(data)), "not one row alone"


def test_damage_is_told() -> None:
    data, rows, out = encode_jpeg(photograph(96, 64)), slice(20, 30), np.zeros((96, 64, 3), np.uint8)
    third = data.index(b"\xff\xd2")
    other = data.replace(b"\x00\x60\x00\x40", b"\x00\x70\x00\x40", 1)  # 112 rows high
    lost = data[: data.index(b"\xff\xd0")] + data[data.index(b"\xff\xd1") :]
    for broken in (b"", data[:100], data[:third], data[: third + 2], other, lost, encode_jpeg(photograph(96, 48))):
        with pytest.raises(StoreDamaged, match="row 3"):
            decode_jpeg_rows_into(broken, out, rows, "row 3")
