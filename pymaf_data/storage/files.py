"""The store's only way to bytes: a small interface, and local folders behind it.

A key is a path relative to the store's root with ``/``. What an object store would do for each call is said in
``schemas/store.md``, section 11.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from pymaf_data.errors import DiskFull, NotWritable, TooManyFiles

_SYNC_THREADS = 8
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class Files(Protocol):
    """Bytes by key. Missing keys raise ``FileNotFoundError``."""

    def read(self, key: str) -> bytes:
        """All bytes of a key."""

    def view(self, key: str) -> np.ndarray:
        """All bytes of a key as uint8, fetched late; they stay what they were when the key is replaced."""

    def size(self, key: str) -> int:
        """The number of bytes of a key."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a folder, sorted."""

    def write(self, items: Mapping[str, Iterable[bytes]], temporary: str) -> None:
        """Write each key whole and durably, or not at all; ``temporary`` is a folder for unfinished bytes."""

    def remove(self, prefix: str) -> None:
        """Remove a key, or every key below a folder; nothing there is no error."""


class LocalFiles:
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, key: str) -> bytes:
        """See :class:`Files`."""
        with opening():
            return (self.root / key).read_bytes()

    def size(self, key: str) -> int:
        """See :class:`Files`."""
        return (self.root / key).stat().st_size

    def view(self, key: str) -> np.ndarray:
        """See :class:`Files`: a memory map, so pages are read when touched."""
        with opening():
            return _map(self.root / key)

    def keys(self, prefix: str) -> Iterator[str]:
        """See :class:`Files`."""
        with opening():
            for folder, folders, names in os.walk(self.root / prefix, onerror=_unless_absent):
                folders.sort()
                base = Path(folder).relative_to(self.root)
                yield from (str(base / name) for name in sorted(names))

    def write(self, items: Mapping[str, Iterable[bytes]], temporary: str) -> None:
        """See :class:`Files`: temporary files, fsync of all, renames, fsync of all folders that changed.

        Raises:
            DiskFull: no room; nothing of ``items`` that is not complete remains.
            NotWritable: this user may not write there.
        """
        finished: dict[Path, Path] = {}
        try:
            with writing_to(self.root):
                make_folder(self.root / temporary)
                for key, parts in items.items():
                    finished[self.root / key] = _write_temporary(self.root / temporary, parts)
                _sync_all(finished.values())
                changed: set[Path] = set()
                for target, source in finished.items():
                    changed |= {target.parent, *_made(target.parent)}
                    source.replace(target)
                _sync_all(changed)
        finally:
            for source in finished.values():
                source.unlink(missing_ok=True)

    def remove(self, prefix: str) -> None:
        """See :class:`Files`."""
        target = self.root / prefix
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FAILED = ctypes.c_void_p(-1).value


class _Mapping:
    """The bytes of an open file, for as long as an array shows them.

    Python's own ``mmap`` holds a file descriptor for as long. A store of 200,000 persons has 6,000 files, and 1,024
    descriptors are a common limit.
    """

    def __init__(self, descriptor: int, size: int, path: Path) -> None:
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        self._unmap = None if address == _FAILED else partial(_libc.munmap, address, size)
        if self._unmap is None:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (size,), "data": (address, True)}

    def __del__(self) -> None:
        if self._unmap is not None:
            self._unmap()


def _map(path: Path) -> np.ndarray:
    with path.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        return np.asarray(_Mapping(handle.fileno(), size, path)) if size else np.empty(0, dtype=np.uint8)


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _write_temporary(folder: Path, parts: Iterable[bytes]) -> Path:
    # Not by `tempfile`, whose files only their owner may read: here the user's umask decides.
    path = folder / f"tmp{secrets.token_hex(8)}"
    try:
        with path.open("xb") as handle:
            for part in parts:
                handle.write(part)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def make_folder(path: Path) -> None:
    """Create a folder and its parents so that they survive a power cut."""
    _sync_all(_made(path))


def _made(path: Path) -> list[Path]:
    """Create a folder and its parents; returns the folders in which a new name must yet be made durable."""
    if path.is_dir():
        return []
    changed = _made(path.parent)
    path.mkdir(exist_ok=True)
    return [*changed, path.parent]


def sync(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _sync_all(paths: Iterable[Path]) -> None:
    # A shard is some fifty fsyncs of a few milliseconds; together, the file system's journal takes them in groups.
    ordered = sorted(paths)
    if len(ordered) < 2:
        for path in ordered:
            sync(path)
        return
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        list(pool.map(sync, ordered))


@contextmanager
def opening() -> Iterator[None]:
    """Turn the system's refusal of one more open file into ours.

    Raises:
        TooManyFiles: the process, or the machine, has as many open as it may.
    """
    try:
        yield
    except OSError as error:
        if TooManyFiles.is_cause(error):
            raise TooManyFiles.of(error) from None
        raise


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write into ours.

    Raises:
        DiskFull: the disk or the user's quota at ``path`` is full.
        NotWritable: this user may not write at ``path``, or a file stands where a folder is needed.
        TooManyFiles: see :func:`opening`.
    """
    try:
        with opening():
            yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(path) from None
        if error.errno in _FORBIDDEN:
            raise NotWritable(
                f"cannot write {error.filename or path}: {error.strerror}",
                expected="a folder in which you may write",
                action="name another place, or change who may write there.",
            ) from None
        raise


def _disk_full(path: Path, needed: float = 0.0) -> DiskFull:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    expected = f"about {needed / 1e9:.2f} GB free" if needed else ""
    return DiskFull(
        f"the disk that holds {path} is full: {free / 1e9:.2f} GB free",
        expected=expected,
        action="free some space and run the same command again; what is finished is kept.",
    )


def require_space(path: Path, needed: float) -> None:
    """Refuse to begin what will not fit.

    Raises:
        DiskFull: fewer than ``needed`` bytes are free at ``path``.
    """
    if shutil.disk_usage(path).free < needed:
        raise _disk_full(path, needed)
