"""The Zstandard frame of one inner chunk.

Contexts are kept, one of each kind per thread: made anew for every chunk, as one-call interfaces do, they cost as much
as the coding of a small one.
"""

from __future__ import annotations

import threading

import numpy as np
import zstandard

from pymaf_data.storage.shard import Bytes, damaged

LEVEL = 1


class _Contexts(threading.local):
    """Those of one thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_CONTEXTS = _Contexts()


def encode(plain: np.ndarray) -> bytes:
    """Encode bytes (N,), contiguous, with their number and without a checksum. Releases the interpreter lock."""
    return _CONTEXTS.compressor.compress(plain.data)


def decode_into(data: Bytes, out: np.ndarray, where: str) -> None:
    """Decode a frame into ``out``, C-contiguous. Releases the interpreter lock.

    Raises:
        StoreDamaged: it does not decode to as many bytes. ``where`` names it.
    """
    frame = memoryview(data)  # type: ignore[arg-type]  # an array is a buffer from Python 3.12 on, for mypy
    try:
        claimed = zstandard.frame_content_size(frame)
        if claimed >= 0 and claimed != out.nbytes:  # before memory is asked for
            raise damaged(where, f"it decodes to {claimed} bytes, not {out.nbytes}")
        values = _CONTEXTS.decompressor.decompress(frame, max_output_size=out.nbytes)
    except zstandard.ZstdError as error:
        raise damaged(where, f"it does not decode: {error}") from None
    if len(values) != out.nbytes:
        raise damaged(where, f"it decodes to {len(values)} bytes, not {out.nbytes}")
    out.reshape(-1).view(np.uint8)[:] = np.frombuffer(values, dtype=np.uint8)
