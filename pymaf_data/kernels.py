"""Where compiled kernels are kept: the only place that names numba's ``njit``.

numba keeps a kernel beside its file or in the user's cache, and raises where neither can be written, as in a container
that runs as some user (``docker run --user``): then they go below the data root, else into the system's temporary
folder, else nowhere. ``NUMBA_CACHE_DIR`` goes before all of that.

A kept kernel is machine code that is loaded unseen. So the folder belongs to this user alone, and lies where nobody
else can put another in its place.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

from pymaf_data import __version__
from pymaf_data.paths import DataRoot

_NOWHERE = "cannot cache function"  # how numba's RuntimeError begins
_guard = threading.Lock()
_log = logging.getLogger(__name__)


def njit(**options: Any) -> Any:
    """``numba.njit(**options)``, whose ``cache=True`` always finds a place or does without."""

    def compiled(function: Callable[..., Any]) -> Any:
        if not _homeless():
            try:
                return numba.njit(**options)(function)
            except RuntimeError as error:
                if not str(error).startswith(_NOWHERE):
                    raise
        folder = cache_folder()
        if folder is None:
            return numba.njit(**{**options, "cache": False})(function)
        with _kept_in(folder):
            return numba.njit(**options)(function)

    return compiled


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """A folder for what is compiled, of this user and these versions; None where there is no safe place."""
    for place in _places():
        folder = _own_folder(place)
        if folder is not None:
            _log.info("compiled kernels are kept in %s", folder)
            return folder
    _log.warning(
        "kernels are compiled anew by every process: there is no safe folder to keep them in. "
        "What to do: set NUMBA_CACHE_DIR to a folder that only you may write."
    )
    return None


def _homeless() -> bool:
    """Whether numba would take a folder named ``~`` in the working directory for the user's cache."""
    named = any(map(os.environ.get, ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")))
    return not named and not Path(os.path.expanduser("~")).is_absolute()  # noqa: PTH111 - pathlib's raises


def _places() -> Iterator[Path]:
    yield DataRoot.default().path
    try:
        yield Path(tempfile.gettempdir())
    except FileNotFoundError:  # no folder of any kind can be written
        return


def _own_folder(place: Path) -> Path | None:
    """The folder of this user below ``place``, made where it is not yet there; None if others could change it."""
    user = os.getuid()
    own = place.absolute() / f".pymaf-data-kernels-{user}"
    folder = own / f"{__version__}-numba-{numba.__version__}"
    try:
        around = place.stat()
        shared = around.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not around.st_mode & stat.S_ISVTX
        if shared or around.st_uid not in (0, user):
            return None
        own.mkdir(mode=0o700, exist_ok=True)
        found = own.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return None
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """numba decides on a kernel's place when it is decorated; kernels of other packages keep theirs."""
    with _guard:
        config: Any = numba.config
        before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
        try:
            yield
        finally:
            config.CACHE_DIR = before
