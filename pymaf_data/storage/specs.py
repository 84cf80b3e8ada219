"""What an array is: its specification, its Zarr metadata and the encoding of its inner chunks."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pymaf_data.errors import ShapeError
from pymaf_data.storage import chunks
from pymaf_data.storage.shard import Bytes, Grid

Codec = Literal["zstd", "jpeg"]
# Bytes on disk per byte of array, for the estimate of free space: generous, measured on COCO crops and rendered maps.
_JPEG_RATIO, _MAP_RATIO = 0.13, 0.03
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]


@dataclass(frozen=True)
class ArraySpec:
    """One row array.

    Args:
        name: lower case letters, digits, ``_``.
        shape_per_row: the shape after the row axis; ``()`` for one value per row.
        dtype: anything NumPy reads as a fixed-size number, e.g. ``"f4"``.
        inner_chunk: rows decoded at a time; divides the store's shard size.
        codecs: ``zstd`` (lossless, any type) or ``jpeg`` ((H, W, 3) uint8, one row per inner chunk).
        group: child group of its stage's group in which it lies, named as arrays are; "": the stage's group itself.

    Raises:
        ShapeError: the above does not hold.
    """

    name: str
    shape_per_row: tuple[int, ...]
    dtype: str
    inner_chunk: int = 64
    codecs: Codec = "zstd"
    group: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape_per_row", tuple(int(n) for n in self.shape_per_row))
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        named = _NAME.fullmatch(self.name) and _NAME.fullmatch(self.group or self.name)
        if not named or self.dtype not in _TYPES or min(self.shape_per_row, default=1) < 1:
            raise ShapeError(
                f"array {self.path!r} of {self.dtype} {self.shape_per_row}",
                expected=f"a name like 'crop_affine', sizes of at least 1, a type among {', '.join(_TYPES)}",
            )
        if self.codecs == "jpeg" and not self._is_image:
            raise ShapeError(
                f"array {self.name!r} {self.shape_per_row} {self.dtype}, inner chunk {self.inner_chunk}, as jpeg",
                expected="(H, W, 3) uint8 with one row per inner chunk",
            )

    @property
    def _is_image(self) -> bool:
        shape = self.shape_per_row
        return len(shape) == 3 and shape[2] == 3 and self.dtype == "uint8" and self.inner_chunk == 1

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Little-endian, as the bytes lie on disk."""
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def path(self) -> str:
        """Its folder below the stage's group."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def axes(self) -> int:
        """Axes of the array, rows included."""
        return 1 + len(self.shape_per_row)

    @property
    def estimated_row_bytes(self) -> float:
        """About how many bytes a row takes on disk."""
        raw = math.prod(self.shape_per_row) * self.stored_dtype.itemsize
        if self.codecs == "jpeg":
            return raw * _JPEG_RATIO
        is_map = len(self.shape_per_row) >= 2 and self.dtype == "uint8"
        return raw * _MAP_RATIO if is_map else float(raw)

    def grid(self, rows: int, shard: int) -> Grid:
        """The array's rows, shards and inner chunks."""
        return Grid(rows, shard, self.inner_chunk)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the stage record."""
        entry = {**asdict(self), "shape_per_row": list(self.shape_per_row)}
        return {key: value for key, value in entry.items() if key != "group" or value}


def array_metadata(spec: ArraySpec, rows: int, shard: int) -> bytes:
    """The array's ``zarr.json``."""
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = _inner_codecs(spec, little)
    sharding = {
        "chunk_shape": [spec.inner_chunk, *spec.shape_per_row],
        "codecs": inner,
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    return _text(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [rows, *spec.shape_per_row],
            "data_type": spec.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [shard, *spec.shape_per_row]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": False if spec.dtype == "bool" else (0.0 if spec.dtype.startswith("float") else 0),
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "dimension_names": ["person", *(f"{spec.name}_{axis}" for axis in range(1, spec.axes))],
            "attributes": {},
            "storage_transformers": [],
        }
    )


def group_metadata(attributes: dict[str, Any]) -> bytes:
    """A group's ``zarr.json``."""
    return _text({"zarr_format": 3, "node_type": "group", "attributes": attributes})


def records_metadata(major: int) -> bytes:
    """The ``zarr.json`` that lets a listing pass by the folder of records: an array, below which nobody looks.

    It has no axes; its value is the major version of the store's format.
    """
    return _text(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [],
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": major,
            "codecs": [{"name": "bytes"}],
            "dimension_names": [],
            "attributes": {"description": "major version of the pymaf-data store, whose records lie in this folder"},
            "storage_transformers": [],
        }
    )


def _inner_codecs(spec: ArraySpec, little: dict[str, Any]) -> list[dict[str, Any]]:
    if spec.codecs == "jpeg":
        parameters = {"quality": chunks.QUALITY, "subsampling": chunks.SUBSAMPLING}
        return [{"name": "pymaf_data.jpeg", "configuration": parameters}, {"name": "crc32c"}]
    values = little if spec.stored_dtype.itemsize > 1 else {"name": "bytes"}
    compressor = {"name": "zstd", "configuration": {"level": chunks.ZSTD_LEVEL, "checksum": False}}
    return [values, compressor, {"name": "crc32c"}]


def _text(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def encode_rows(spec: ArraySpec, values: np.ndarray) -> list[bytes]:
    """Encode the rows of one shard into its inner chunks, without checksums.

    Args:
        spec: the array.
        values: (rows of the shard, *shape_per_row) of exactly the specified type: nothing is cast silently.

    Raises:
        ShapeError: another shape or type.
    """
    if values.shape[1:] != spec.shape_per_row or values.dtype != np.dtype(spec.dtype):
        raise ShapeError(
            f"array {spec.name}: {values.dtype} {values.shape}",
            expected=f"{spec.dtype} (rows, {', '.join(map(str, spec.shape_per_row))})",
        )
    if spec.codecs == "jpeg":
        return [chunks.encode_jpeg(image) for image in values]
    short = -len(values) % spec.inner_chunk
    if short:
        values = np.concatenate([values, np.zeros((short, *spec.shape_per_row), values.dtype)])
    plain = np.ascontiguousarray(values, dtype=spec.stored_dtype).reshape(-1).view(np.uint8)
    size = spec.inner_chunk * math.prod(spec.shape_per_row) * spec.stored_dtype.itemsize
    return [chunks.encode_zstd(plain[start : start + size]) for start in range(0, plain.size, size)]


def decode_chunk_into(spec: ArraySpec, data: Bytes, out: np.ndarray, where: str) -> None:
    """Decode one inner chunk into ``out`` (inner_chunk, *shape_per_row), C-contiguous.

    Raises:
        StoreDamaged: it does not decode to that many bytes. ``where`` names it.
    """
    if spec.codecs == "jpeg":
        chunks.decode_jpeg_into(data, out[0], where)
        return
    chunks.decode_zstd_into(data, out, where)


def decode_rows_into(spec: ArraySpec, data: Bytes, out: np.ndarray, rows: slice, where: str) -> None:
    """Decode at least ``rows`` of the one image of an inner chunk into their places in ``out`` (H, W, 3).

    The others are decoded where there is no way around it, and undefined else.

    Raises:
        StoreDamaged: as :func:`decode_chunk_into`.
    """
    if spec.codecs == "jpeg":
        chunks.decode_jpeg_rows_into(data, out, rows, where)
    else:
        decode_chunk_into(spec, data, out[None], where)
