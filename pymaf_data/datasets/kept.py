"""What takes long to read out of raw data, kept beside the store from one run to the next."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.digest import digest_json
from pymaf_data.storage.files import LocalFiles

_TEMPORARY = "tmp"
_DIGEST = 32


def kept(
    folder: Path | None, file: Path, what: list[object], shape: tuple[int, int], read: Callable[[], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """What ``read`` makes of a file, of this shape; of a file that is the same as in an earlier run, what it made then.

    Arguments as of :func:`kept_bytes`.
    """
    if folder is None:
        return read()
    numbers = kept_bytes(folder, file, what, lambda: read().astype("<f8").tobytes(), 8 * shape[0] * shape[1])
    return np.frombuffer(numbers, "<f8").reshape(shape).astype(np.float64)


def kept_bytes(
    folder: Path | None, file: Path, what: list[object], read: Callable[[], bytes], size: int | None = None
) -> bytes:
    """The same of bytes.

    Args:
        folder: where it is kept; None: nowhere. It may be removed at any time.
        file: a file whose path, size or time is another is read anew.
        what: what else the bytes depend on.
        read: makes them.
        size: how many they are, where that is known.
    """
    if folder is None:
        return read()
    status, files = file.stat(), LocalFiles(folder)
    key = digest_json([str(file.absolute()), status.st_size, status.st_mtime_ns, what])
    try:
        data = files.read(key)
    except FileNotFoundError:
        data = b""
    digest, content = data[:_DIGEST], data[_DIGEST:]
    if size not in (None, len(content)) or sha256(content).digest() != digest:  # of a disk that failed, too
        content = read()
        files.write({key: [sha256(content).digest(), content]}, _TEMPORARY)
    return content
