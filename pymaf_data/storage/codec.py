"""The Zarr codec ``pymaf_data.jpeg``, found by zarr-python through the entry point of that name.

It turns one inner chunk (1, H, W, 3) uint8 into a JPEG stream and back. Our own reader does not pass through it
(:mod:`pymaf_data.storage.reader`) and imports no zarr, which takes a second;
it is there so that ``zarr.open_group(store)["crops/image"]`` simply works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from pymaf_data.errors import ShapeError
from pymaf_data.storage.chunks import QUALITY, SUBSAMPLING, decode_jpeg_into, encode_jpeg

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec as ZarrSpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "pymaf_data.jpeg"


@dataclass(frozen=True)
class JpegCodec(ArrayBytesCodec):
    """Lossy JPEG of one RGB image per chunk."""

    is_fixed_size = False
    quality: int = QUALITY
    subsampling: str = SUBSAMPLING

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read the codec's metadata."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """The codec's metadata."""
        return {"name": NAME, "configuration": {"quality": self.quality, "subsampling": self.subsampling}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ZarrSpec) -> int:
        """Unknown before encoding."""
        raise NotImplementedError

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ZarrSpec) -> NDBuffer:
        out = np.empty(_image_shape(chunk_spec.shape), dtype=np.uint8)
        decode_jpeg_into(chunk_data.as_numpy_array(), out, "an inner chunk")
        return chunk_spec.prototype.nd_buffer.from_numpy_array(out[None])

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ZarrSpec) -> Buffer:
        _image_shape(chunk_spec.shape)
        data = encode_jpeg(chunk_data.as_numpy_array()[0], self.quality, self.subsampling)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ZarrSpec) -> NDBuffer:
        return self._decode_sync(chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ZarrSpec) -> Buffer:
        return self._encode_sync(chunk_data, chunk_spec)


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise ShapeError(f"chunk shape {shape} for the codec {NAME}", expected="(1, H, W, 3)")
    return shape[1:]
