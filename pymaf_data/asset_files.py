"""Is a companion file what its name says? Told from its first bytes, its lengths and its checksums; nothing is run.

Whether its content fits the body is the loader's question; this tells a file from a web page, a pointer or a half.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pymaf_data.untrusted.kinds import kind_of_file

_KINDS = {".pkl": "pickle", ".npy": ".npy", ".npz": ".npz", ".mat": "Matlab"}
_MAX_CHECKED = 1 << 28  # bytes unpacked to compare checksums
_HEAD = 520  # bytes of a Matlab v7.3 header, and of the HDF5 mark behind it
_COMPRESSED = 15  # a MATLAB element that is not padded to eight bytes


class NotWhole(ValueError):
    """The file is not what its name says; the message says what it is."""


def describe(path: Path, shape: tuple[int, ...] | None = None) -> str:
    """What a file is, in a few words.

    Args:
        path: a file that is there.
        shape: of the array that a .npy must hold, where known.

    Raises:
        NotWhole: it is something else, cut off or damaged.
        OSError: it cannot be read.
    """
    found = kind_of_file(path)
    if _KINDS.get(path.suffix, "") not in found:
        raise NotWhole(f"it is {found or 'of no known kind'}, not {path.suffix}")
    readers = {".pkl": _pickle, ".npz": _archive, ".mat": _matlab}
    return _array(path, shape) if path.suffix == ".npy" else readers.get(path.suffix, lambda _: found)(path)


def _pickle(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b".":
            raise NotWhole("it is a pickle that is cut off: it does not end with its end mark")
    return "pickle"


def _array(path: Path, shape: tuple[int, ...] | None) -> str:
    try:
        with path.open("rb") as file:
            reader = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
            found, _, dtype = reader[np.lib.format.read_magic(file)[0]](file)
            there = path.stat().st_size - file.tell()
    except (ValueError, KeyError) as error:
        raise NotWhole(f"it is a NumPy array with a damaged header: {str(error)[:80]}") from None
    if dtype.hasobject:
        raise NotWhole("it is a NumPy array of pickled objects, not of numbers")
    if there != math.prod(found) * dtype.itemsize:
        raise NotWhole(f"it is a NumPy array with {there:,} of {math.prod(found) * dtype.itemsize:,} bytes")
    sides = " × ".join(map(str, found))
    if shape is not None and found != shape:
        raise NotWhole(f"it is an array of {sides}, not of {' × '.join(map(str, shape))}")
    return f"{dtype} of {sides}"


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(entry.file_size for entry in archive.infolist()) > _MAX_CHECKED or archive.testzip() is None
            names = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:8])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotWhole(f"it is a damaged archive: {error}") from None
    if not whole:
        raise NotWhole("it is an archive with a member that fails its checksum")
    return f"npz of {names or 'nothing'}"


def _matlab(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(b"MATLAB 7.3"):
            if head[512:520] != b"\x89HDF\r\n\x1a\n":
                raise NotWhole("it is a MATLAB 7.3 file without its HDF5 part")
            return "MATLAB 7.3 file"
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None:
            raise NotWhole("it is a MATLAB 5 file with a damaged header")
        at = 128
        while at < size:
            file.seek(at)
            tag = file.read(8)
            if len(tag) < 8:
                break
            form, length = struct.unpack(f"{order}II", tag)
            at += 8 + length + (0 if form == _COMPRESSED else -length % 8)
    if at != size or size <= 128:
        raise NotWhole("it is a MATLAB 5 file that is cut off")
    return "MATLAB 5 file"
