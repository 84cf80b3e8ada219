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
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol, TypeAlias

import numpy as np

from pymaf_data.errors import DiskFull, NotWritable, StoreDamaged, TooManyFiles

UNFINISHED = ".unfinished"
"""A folder for unfinished bytes beside what they are to become, outside stores; the one who may write clears it."""
_SYNC_THREADS = 8
_REMOVALS = 100
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),
    *(errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENXIO, errno.EFBIG),
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


Unread: TypeAlias = "Callable[[str, StoreDamaged], object]"


def raise_unread(_: str, error: StoreDamaged) -> NoReturn:
    """What cannot be looked into ends the listing."""
    raise error


class Files(Protocol):
    """Bytes by key. Missing keys raise ``FileNotFoundError``; what is there and cannot be read, ``StoreDamaged``."""

    def read(self, key: str) -> bytes:
        """All bytes of a key."""

    def view(self, key: str) -> np.ndarray:
        """All bytes of a key as uint8, fetched late; they stay what they were when the key is replaced."""

    def size(self, key: str) -> int:
        """The number of bytes of a key."""

    def keys(self, prefix: str, unread: Unread = raise_unread) -> Iterator[str]:
        """Every key below a folder, sorted; an empty folder as its name and ``/``.

        What cannot be looked into is told to ``unread`` with its key, which by default raises it.
        """

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
        with os.fdopen(open_file(self.root / key), "rb") as handle:
            return handle.read()

    def size(self, key: str) -> int:
        """See :class:`Files`."""
        path = self.root / key
        with _reading(path):
            return _regular(path.stat(), path).st_size

    def view(self, key: str) -> np.ndarray:
        """See :class:`Files`: a memory map, so pages are read when touched."""
        return _map(self.root / key)

    def keys(self, prefix: str, unread: Unread = raise_unread) -> Iterator[str]:
        """See :class:`Files`."""

        def failed(error: OSError) -> None:
            if TooManyFiles.is_cause(error):
                raise TooManyFiles.of(error)
            if error.errno != errno.ENOENT:
                path = Path(error.filename)
                unread(str(path.relative_to(self.root)), _unreadable(path, str(error.strerror)))

        for folder, folders, names in os.walk(self.root / prefix, onerror=failed):
            folders.sort()
            base = Path(folder).relative_to(self.root)
            yield from (str(base / name) for name in sorted(names))
            if not folders and not names:
                yield f"{base}/"

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
        try:
            if not target.is_dir() or target.is_symlink():
                return target.unlink(missing_ok=True)
        except IsADirectoryError:  # made just now, by who lost his lock
            pass
        return _remove_tree(target)


def _remove_tree(folder: Path) -> None:
    """Remove a folder in which another, who lost his lock, may be removing or making files at this moment."""
    for attempt in range(_REMOVALS):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY) or attempt == _REMOVALS - 1:
                raise
        if not folder.exists():
            return


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file that really is one; never waits for the other end of a pipe.

    Raises:
        FileNotFoundError: nothing is there.
        StoreDamaged: something else is there, or it cannot be read. (To write, see :func:`writing_to`.)
        TooManyFiles: see :func:`opening`.
    """
    with opening() if flags & (os.O_RDWR | os.O_WRONLY) else _reading(path):
        number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        try:
            _regular(os.fstat(number), path)
        except BaseException:
            os.close(number)
            raise
        return number


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        with opening():
            yield
    except FileNotFoundError:
        if not path.is_symlink():
            raise
        raise _unreadable(path, "it is a link to nothing") from None
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        kind = _kind(path)
        raise _unreadable(path, f"it is {kind}, not a file" if kind else str(error.strerror)) from None


def _regular(status: os.stat_result, path: Path) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(path, f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file")
    return status


def _kind(path: Path) -> str | None:
    """What stands there instead of a file, where that can be seen."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:
        return None


def _unreadable(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} cannot be read: {why}",
        expected="a file, or a folder, that this user may read",
        action="see who may read it; if something else took its place, remove that, and run `pymaf-data verify`: "
        "it names the command that makes the file again.",
    )


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
    with os.fdopen(open_file(path), "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        return np.asarray(_Mapping(handle.fileno(), size, path)) if size else np.empty(0, dtype=np.uint8)


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
