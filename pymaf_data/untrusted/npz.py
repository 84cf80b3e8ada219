"""Read .npy and .npz files of strangers: nothing is taken for what a header declares before the bytes prove it.

NumPy's own loader evaluates the header as a literal, allocates what it declares, and lets errors of zlib, zip and the
tokenizer through. Here the header is matched, the declared shape must take exactly the bytes that are there, and an
archive must not unpack to far more than its size explains.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import Bounds, cells, open_regular, read_whole
from pymaf_data.untrusted.kinds import named

_AGAIN = "fetch or write the file again."
_PLAIN_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?|\?|[bBhHiIlLqQefdgFD])")
_HEADER = re.compile(
    rb"\{ *'descr': *'([^']{1,20})', *'fortran_order': *(True|False), *'shape': *\(([0-9, L]{0,400})\),? *\} *\n?"
)
_MAGIC = b"\x93NUMPY"
_BLOCK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What a damaged archive makes zipfile and zlib raise; RuntimeError is a password, NotImplementedError a new version.
_BAD_ZIP = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError, RuntimeError, NotImplementedError,
    struct.error, MemoryError, IndexError,
)  # fmt: skip


def plain_dtype(code: str) -> np.dtype[Any] | None:
    """The dtype of a code, where it is one of numbers, text or objects; None for every other.

    Raises:
        ValueError: its elements would take no bytes.
    """
    if _PLAIN_DTYPE.fullmatch(code) is None:
        return None
    dtype = np.dtype(code)
    if dtype.itemsize == 0:
        raise ValueError("array elements of no bytes")
    return dtype


def require_characters(array: np.ndarray) -> None:
    """Refuse text, in one contiguous piece, with a number that is no character: Python would make broken strings of it.

    Raises:
        ValueError: there is one.
    """
    if array.dtype.kind == "U" and array.size:
        codes = array.reshape(-1).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if codes.max() > 0x10FFFF:
            raise ValueError("its text has characters that are none")


def read_npy(path: Path) -> np.ndarray:
    """A plain array of its own.

    Raises:
        RawDataCorrupt: it cannot be opened, is no .npy file, or holds objects.
    """
    return member_array(bytearray(read_whole(path)), str(path))


def read_npz(
    source: Path | bytes, keys: Iterable[str] | None = None, optional: Iterable[str] = (), origin: str = ""
) -> dict[str, np.ndarray]:
    """Plain arrays of an archive.

    Args:
        source: the file, or its bytes.
        keys: members to read, all of which must be there; None for every member.
        optional: members to read where they are there.
        origin: what to call bytes in messages.

    Raises:
        RawDataCorrupt: it cannot be opened, is no such archive, a member is damaged, absent, or holds objects.
    """
    called = str(source) if isinstance(source, Path) else origin
    return {
        key: member_array(data, f"{called}:{key}") for key, data in npz_members(source, keys, optional, origin).items()
    }


def npz_members(
    source: Path | bytes, keys: Iterable[str] | None = None, optional: Iterable[str] = (), origin: str = ""
) -> dict[str, bytearray]:
    """Members of an archive as bytes, their checksums compared; see :func:`read_npz`."""
    if isinstance(source, Path):
        with open_regular(source) as stream:
            return _members(stream, keys, optional, str(source))
    return _members(io.BytesIO(source), keys, optional, origin)


def npz_keys(path: Path) -> list[str]:
    """Names of the members of an archive, in its order; none is unpacked.

    Raises:
        RawDataCorrupt: it cannot be opened, or is no archive.
    """
    with open_regular(path) as stream, _archive(stream, str(path), "an archive of plain arrays.") as archive:
        return list(_listed(archive))


def require_numbers(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], rows: int) -> None:
    """Refuse arrays that are not (rows, *shape) numbers.

    Raises:
        RawDataCorrupt: one is not.
    """
    for key, shape in shapes.items():
        array = arrays[key]
        if array.shape != (rows, *shape) or array.dtype.kind not in "fiu":
            raise RawDataCorrupt(f"{key} of {array.dtype} {array.shape}", expected=f"numbers of shape {(rows, *shape)}")


def _members(
    stream: BinaryIO, keys: Iterable[str] | None, optional: Iterable[str], called: str
) -> dict[str, bytearray]:
    expected = f"members {', '.join(keys)}." if keys is not None else "an archive of plain arrays."
    with _archive(stream, called, expected) as archive:
        bounds = Bounds(stream.seek(0, io.SEEK_END))
        listed = _listed(archive)
        wanted = list(listed if keys is None else keys)
        absent = [key for key in wanted if key not in listed]
        if absent:
            raise ValueError(f"it lacks {', '.join(absent)}")
        wanted += [key for key in optional if key in listed and key not in wanted]
        return {key: _unpacked(archive, listed[key], bounds) for key in wanted}


@contextmanager
def _archive(stream: BinaryIO, called: str, expected: str) -> Iterator[zipfile.ZipFile]:
    """An archive while it is read; what goes wrong meanwhile becomes one of our errors."""
    try:
        with zipfile.ZipFile(stream) as archive:
            yield archive
    except _BAD_ZIP as error:
        stream.seek(0)
        told = f"{str(error)[:200] or type(error).__name__}.{named(stream.read(4096), but='NumPy arrays')}"
        raise RawDataCorrupt(f"cannot read {called} as .npz: {told}", expected=expected, action=_AGAIN) from None


def _listed(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Arrays by name."""
    listed: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key in listed:
            raise ValueError(f"member {key[:80]!r} is there twice")
        listed[key] = info
    return listed


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, bounds: Bounds) -> bytearray:
    if info.compress_type not in _METHODS:
        raise ValueError(
            f"member {info.filename[:80]!r} is packed by method {info.compress_type}, which NumPy never uses"
        )
    bounds.charge(info.file_size)
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise ValueError(f"member {info.filename[:80]!r} declares two sizes")
    out, at = bytearray(info.file_size), 0
    with archive.open(info) as stream:
        # A block at a time: it makes bytes of as many as it is asked for, and copies them.
        while count := stream.readinto(memoryview(out)[at : at + _BLOCK]):  # type: ignore[attr-defined]
            at += count
    if at != len(out):
        raise ValueError(f"member {info.filename[:80]!r} ends after {at:,} of {len(out):,} bytes")
    return out


def member_array(data: bytearray, origin: str, objects: Callable[[bytes, str], Any] | None = None) -> np.ndarray:
    """The array of a .npy file's bytes, which it takes over.

    Args:
        data: the whole file.
        origin: what to call it in messages.
        objects: reads the pickle of an object array; without it such an array is refused.

    Raises:
        RawDataCorrupt: it is no .npy file, is cut, or holds objects. And what ``objects`` raises.
    """
    try:
        dtype, shape, order, start = _header(data)
        if not dtype.hasobject:
            count = cells(shape, len(data))
            if count * dtype.itemsize != len(data) - start:
                raise ValueError(f"{len(data) - start:,} bytes for shape {shape} of {dtype}")
            array = np.frombuffer(data, dtype, count, start) if count else np.empty(0, dtype)
            require_characters(array)
            array = array.reshape(shape, order=order)  # type: ignore[call-overload]
            return array if array.flags.aligned else array.copy(order=order)
    except ValueError as error:
        raise RawDataCorrupt(
            f"{origin} is not a NumPy array: {error}.{named(data, but='.npy')}", expected="a .npy file.", action=_AGAIN
        ) from None
    if objects is None:
        raise RawDataCorrupt(f"{origin} holds pickled objects", expected="a plain array of numbers.", action=_AGAIN)
    value = objects(bytes(memoryview(data)[start:]), origin)
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise RawDataCorrupt(
            f"{origin} holds another object than its header says.",
            expected=f"an array of shape {shape}.",
            action=_AGAIN,
        )
    return value


def _header(data: bytearray) -> tuple[np.dtype[Any], tuple[int, ...], str, int]:
    """dtype, shape, order, and where the values start."""
    if data[:6] != _MAGIC or len(data) < 12 or data[6] not in (1, 2):
        raise ValueError("it does not start as one of version 1 or 2")
    size, start = (
        (int.from_bytes(data[8:10], "little"), 10) if data[6] == 1 else (int.from_bytes(data[8:12], "little"), 12)
    )
    match = _HEADER.fullmatch(data, start, start + size) if size <= len(data) - start else None
    if match is None:
        raise ValueError("its header is damaged, or describes records")
    code, fortran, lengths = match.groups()
    dtype = plain_dtype(code.decode("latin1"))
    if dtype is None:
        raise ValueError(f"elements of dtype {code.decode('latin1')!r}")
    shape = tuple(int(length.strip(b" L")) for length in lengths.split(b",") if length.strip())
    return dtype, shape, "F" if fortran == b"True" else "C", start + size
