"""The bytes of one inner chunk: the JPEG stream of a stored crop, or a Zstandard frame of anything else.

JPEG has fixed parameters, so that equal pixels give equal bytes. Why 4:2:0 at quality 95: measured in
``schemas/store.md``, section 2. Accurate DCT and smooth up-sampling when decoding: the fast variants of
libjpeg-turbo save a tenth of the time and cost 2.4 dB.

Two encoders, for the bytes of a store are those of one: simplejpeg's knows no restart markers, and at this quality its
DCT is the fast one whatever it is told. OpenCV's writes a marker after each row of MCUs and has the accurate DCT
(0.3 dB better on photographs, 1 % fewer bytes, 7 % more time). Stores begun before format 2.2 go on with the former.

Zstandard's contexts are kept, one of each kind per thread: made anew for every chunk, as one-call interfaces do, they
cost as much as the coding of a small one.
"""

from __future__ import annotations

import threading
from itertools import chain

import cv2
import numpy as np
import simplejpeg
import zstandard

from pymaf_data.errors import ShapeError
from pymaf_data.storage.shard import Bytes, damaged

QUALITY = 95
SUBSAMPLING = "420"
ZSTD_LEVEL = 1


def encode_jpeg(
    image: np.ndarray, quality: int = QUALITY, subsampling: str = SUBSAMPLING, markers: bool = True
) -> bytes:
    """Encode an RGB image (H, W, 3) uint8. Releases the interpreter lock.

    Args:
        image: its pixels.
        quality: 1 to 100.
        subsampling: of the colours.
        markers: a restart marker after each row of MCUs, by which readers decode some rows alone; only with 4:2:0.

    Raises:
        ShapeError: another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ShapeError(f"an image {image.shape} of {image.dtype}", expected="(H, W, 3) uint8, RGB")
    if markers and subsampling == SUBSAMPLING:
        options = {
            cv2.IMWRITE_JPEG_QUALITY: quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            cv2.IMWRITE_JPEG_RST_INTERVAL: -(-image.shape[1] // 16),
        }
        turned = image[..., ::-1]  # of BGR that was turned round, BGR as it lies
        lies = turned.flags.c_contiguous
        bgr = turned if lies else cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, list(chain(*options.items())))
        return encoded.tobytes()
    pixels = np.ascontiguousarray(image)
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling=subsampling, fastdct=False)
    return data


def decode_jpeg_into(data: Bytes, out: np.ndarray, where: str) -> None:
    """Decode a stream into ``out`` (H, W, 3) uint8, C-contiguous. Releases the interpreter lock.

    Raises:
        StoreDamaged: the stream is broken or of another size. ``where`` names it.
    """
    try:
        image = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, buffer=out)
    except ValueError as error:
        raise damaged(where, f"it does not decode: {error}") from None
    if image.shape != out.shape:
        raise damaged(where, f"it is {image.shape[1]} x {image.shape[0]} pixels")


def decode_jpeg_rows_into(data: Bytes, out: np.ndarray, rows: slice, where: str) -> None:
    """Decode at least ``rows`` [first, end) of an image into their places in ``out``, as :func:`decode_jpeg_into`.

    What else ``out`` holds afterwards is undefined: other rows of the image, or what it held before. Their bytes, if
    there are markers, are not looked at; the checksum of the chunk has been.

    Raises:
        StoreDamaged: as :func:`decode_jpeg_into`.
    """
    from pymaf_data.storage.jpeg_rows import cut_rows  # its kernels take a moment, and most commands need none

    cut = cut_rows(data, rows, len(out))
    if cut is None:
        decode_jpeg_into(data, out, where)
    else:
        decode_jpeg_into(cut.data, out[cut.rows], where)


def check_jpeg(data: bytes, shape: tuple[int, ...], where: str) -> None:
    """Compare a stream's header with the shape (H, W, 3) and the fixed sub-sampling, without decoding it.

    Raises:
        ShapeError: it is no JPEG, or of another size or sub-sampling.
    """
    try:
        height, width, space, subsampling = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise ShapeError(f"{where} is not a JPEG stream: {error}") from None
    if (height, width, 3) != shape or subsampling != SUBSAMPLING:
        raise ShapeError(
            f"{where} is a JPEG of {width} x {height}, {space}, {subsampling}",
            expected=f"{shape[1]} x {shape[0]}, {SUBSAMPLING} (pymaf_data.storage.encode_jpeg)",
        )


class _Contexts(threading.local):
    """Those of one thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_CONTEXTS = _Contexts()


def encode_zstd(plain: np.ndarray) -> bytes:
    """Encode bytes (N,), contiguous, with their number and without a checksum. Releases the interpreter lock."""
    return _CONTEXTS.compressor.compress(plain.data)


def decode_zstd_into(data: Bytes, out: np.ndarray, where: str) -> None:
    """Decode a frame into ``out``, C-contiguous. Releases the interpreter lock.

    Raises:
        StoreDamaged: it does not decode to as many bytes. ``where`` names it.
    """
    frame = memoryview(data)  # type: ignore[arg-type]  # an array is a buffer from Python 3.12 on, for mypy
    try:
        claimed = zstandard.frame_content_size(frame)
        if claimed >= 0 and claimed != out.nbytes:  # before memory is asked for
            raise damaged(where, f"it decodes to {claimed} bytes, not {out.nbytes}")
        # A whole frame, read at once into as much as it holds, is decoded in place: no copy, no memory of its own.
        reader = _CONTEXTS.decompressor.stream_reader(frame)
        decoded = reader.readinto(out.reshape(-1).view(np.uint8).data) + len(reader.read(1))
    except zstandard.ZstdError as error:
        raise damaged(where, f"it does not decode: {error}") from None
    if decoded != out.nbytes:
        raise damaged(where, f"it does not decode to {out.nbytes} bytes")
