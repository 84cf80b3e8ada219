"""Array specifications, and the JPEG codec as zarr-python uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from pymaf_data.errors import ShapeError, StoreDamaged
from pymaf_data.storage import ArraySpec, encode_jpeg
from pymaf_data.storage.chunks import decode_jpeg_into
from pymaf_data.storage.codec import JpegCodec
from pymaf_data.storage.specs import decode_chunk_into, encode_rows


@pytest.mark.parametrize(
    "arguments",
    [
        ("Image", (3,), "f4"),
        ("../x", (3,), "f4"),
        ("x", (0,), "f4"),
        ("x", (3,), "U4"),
        ("x", (3,), "c8"),
        ("x", (8, 8, 3), "u1", 2, "jpeg"),
        ("x", (8, 8, 3), "f4", 1, "jpeg"),
        ("x", (8, 8), "u1", 1, "jpeg"),
    ],
)
def test_impossible_arrays_are_refused(arguments: Any) -> None:
    with pytest.raises(ShapeError):
        ArraySpec(*arguments)


@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("rows", [1, 4, 5])
def test_values_survive_encoding(dtype: str, rows: int) -> None:
    spec = ArraySpec("x", (2, 3), dtype, 4)
    values = (np.random.default_rng(0).normal(size=(rows, 2, 3)) * 50).astype(dtype)
    out = np.empty((4 * -(-rows // 4), 2, 3), spec.stored_dtype)
    for i, chunk in enumerate(encode_rows(spec, values)):
        decode_chunk_into(spec, chunk, out[4 * i : 4 * i + 4], "x")
    assert np.array_equal(out[:rows], values) and not out[rows:].any()


def test_nothing_is_cast_silently() -> None:
    with pytest.raises(ShapeError):
        encode_rows(ArraySpec("x", (), "f4"), np.zeros(3, "f8"))


def test_broken_streams_are_damage() -> None:
    picture = np.full((16, 16, 3), 128, np.uint8)
    data, out = encode_jpeg(picture), np.empty_like(picture)
    for broken in (b"", data[:100], b"not a picture", encode_jpeg(picture[:8])):
        with pytest.raises(StoreDamaged):
            decode_jpeg_into(broken, out, "row 3")
    with pytest.raises(StoreDamaged):
        decode_chunk_into(ArraySpec("x", (), "f4", 4), b"no zstd", np.empty(4, "f4"), "x")


def test_equal_pixels_give_equal_bytes() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    assert encode_jpeg(picture) == encode_jpeg(np.asfortranarray(picture)) == encode_jpeg(picture[::-1][::-1])


def test_smooth_images_survive_the_codec() -> None:
    y, x = np.mgrid[0:64, 0:64]
    picture = np.stack([x * 3, y * 3, 120 + x - y], -1).astype(np.uint8)
    out = np.empty_like(picture)
    decode_jpeg_into(encode_jpeg(picture), out, "x")
    assert np.abs(out.astype(int) - picture).max() <= 6


def test_zarr_python_finds_the_codec_by_its_name(tmp_path: Path) -> None:
    """Through the entry point, in both directions, and into the metadata and back."""
    picture = np.zeros((2, 16, 16, 3), np.uint8)
    picture[1, 4:12] = 200
    array = zarr.create_array(
        tmp_path / "x.zarr",
        shape=picture.shape,
        chunks=(1, 16, 16, 3),
        dtype="u1",
        serializer=JpegCodec(),
        compressors=None,
    )
    array[:] = picture
    again = zarr.open_array(tmp_path / "x.zarr", mode="r")
    assert np.abs(again[:].astype(int) - picture).max() <= 8
    assert '"pymaf_data.jpeg"' in (tmp_path / "x.zarr/zarr.json").read_text()
    assert JpegCodec.from_dict(JpegCodec(quality=90).to_dict()) == JpegCodec(quality=90)
