"""What one file of a stranger may cost, before anything is taken for it; and regular files read whole."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pymaf_data.errors import RawDataCorrupt

_GROUND = 1 << 28
PER_BYTE = 32
"""Memory that a byte of a file may take."""
_TUPLE_KEYS = 10_000
_ATOMS_OF_A_KEY = 64
LARGEST_FILE = 1 << 33
"""No body, label or fit file has 8 GB; what is larger is not read."""
DEEPEST = 100
"""Levels of containers within containers; label files of the field have six."""


class Bounds:
    """A budget of memory that grows with the file: 256 MB, and 32 bytes for each of its bytes.

    A file that was written from data needs about as much memory as it is long. One that was made to exhaust a machine
    says much with few bytes, by sharing, by repeating or by declaring sizes.

    Args:
        size: of the file, in bytes.
        per_byte: of memory, where a format is known to pack its data better.
    """

    def __init__(self, size: int, per_byte: int = PER_BYTE) -> None:
        self._left = _GROUND + per_byte * size
        self._tuple_keys = _TUPLE_KEYS

    def charge(self, cost: int) -> None:
        """Take ``cost`` bytes from what is left.

        Raises:
            ValueError: it is used up.
        """
        self._left -= cost
        if self._left < 0:
            raise ValueError("it would take far more memory than its size explains")

    def key(self, value: Any) -> Any:
        """A key of a dictionary or member of a set, if it is one whose hash costs little.

        Tuples within tuples hash in exponential time; hashes of tuples, and of numbers beyond 61 bits, can be forged to
        be equal, which makes a dictionary quadratic.

        Raises:
            ValueError: it is not.
        """
        if type(value) is str or type(value) is bytes:
            return value
        if type(value) is tuple:
            self._tuple_keys -= 1
        waiting, atoms = [value], 0
        while waiting:
            atom = waiting.pop()
            atoms += 1
            if type(atom) is tuple and len(atom) <= _ATOMS_OF_A_KEY:
                waiting.extend(atom)
            elif type(atom) is int:
                if abs(atom) >= 1 << 61:
                    raise ValueError("a key is a number beyond 61 bits")
            elif atom is not None and type(atom) not in (str, bytes, bool, float):
                raise ValueError(f"a key is a {type(atom).__name__}")
            if atoms > _ATOMS_OF_A_KEY or self._tuple_keys < 0:
                raise ValueError("its keys are nested or many tuples")
        return value


def cells(shape: tuple[int, ...], most: int) -> int:
    """How many elements a declared shape has.

    Raises:
        ValueError: a negative length, more than 32 axes, or more than ``most`` elements.
    """
    if len(shape) > 32 or any(n < 0 or n > max(most, 1) for n in shape):
        raise ValueError(f"an array of shape {str(shape)[:60]}, which the file cannot hold")
    count = math.prod(shape)
    if count > most:
        raise ValueError(f"an array of shape {shape}, which the file cannot hold")
    return count


def read_whole(path: Path, most: int = LARGEST_FILE) -> bytes:
    """The bytes of a regular file.

    Raises:
        RawDataCorrupt: it cannot be opened, is none, or has more than ``most`` bytes.
    """
    with open_regular(path, most) as stream:
        return stream.read()


@contextmanager
def open_regular(path: Path, most: int = LARGEST_FILE) -> Iterator[BinaryIO]:
    """A regular file, open while it lasts; see :func:`read_whole`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RawDataCorrupt(f"{path} is no file", action="check the path.")
        if status.st_size > most:
            raise RawDataCorrupt(
                f"{path} has {status.st_size:,} bytes", expected=f"at most {most:,}", action="check the path."
            )
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise RawDataCorrupt(f"cannot read {path}: {error.strerror}", action="check the path.") from None
