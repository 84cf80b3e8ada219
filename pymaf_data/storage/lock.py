"""One advisory lock per store and stage: who writes, since when, and whether they still live.

The lock is the content of a small file, so that a person can read it and ``--break-lock`` can end it; ``flock`` is held
only while that content is read or changed. A dead holder is known at once on its own machine (the process is gone),
elsewhere by a heartbeat that stopped.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from pydantic import BaseModel, Field, ValidationError

from pymaf_data.errors import StoreDamaged, StoreLocked
from pymaf_data.storage import records
from pymaf_data.storage.files import LocalFiles, make_folder, open_file, writing_to

BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
_POLL_SECONDS = 0.2
_LAST_SECOND = 253402300799.0  # of the year 9999
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    ``machine`` names the boot and process namespace in which ``pid`` has a meaning; ``heartbeat`` is the time at which
    the file was last touched, so that a beat needs no room on a full disk and can lose nothing.
    """

    host: str
    pid: int
    machine: str
    started: float
    token: str
    heartbeat: float

    @classmethod
    def me(cls) -> Self:
        """This process, from now on."""
        now = time.time()
        return cls(socket.gethostname(), os.getpid(), _machine(), now, uuid.uuid4().hex, now)

    @classmethod
    def parse(cls, text: str, heartbeat: float) -> Self | None:
        """Who a lock file says that holds it. None: nobody, or half a file, whose writer died writing it.

        What a later version wrote otherwise is a holder too, of whom only the heartbeat is known.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(content, dict):
            return None
        given = {key: content.get(key) for key in ("host", "pid", "machine", "started", "token")}
        try:
            return cls(**_Content.model_validate(given).model_dump(), heartbeat=heartbeat)
        except ValidationError:
            return cls("a host unknown", 0, "", 0.0, "", heartbeat)

    @property
    def alive(self) -> bool:
        """Whether the holder may still be writing."""
        if self.machine == _machine() and not _process_exists(self.pid):
            return False
        return time.time() - self.heartbeat < STALE_SECONDS

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        host = self.host if self.host.isprintable() else repr(self.host)
        return f"process {self.pid} on {host} since {since}"


class _Content(BaseModel):
    """What a lock file holds, with what a process id and a time can be."""

    host: str
    pid: int = Field(gt=0, le=2**31 - 1, strict=True)
    machine: str
    started: float = Field(ge=0, le=_LAST_SECOND)
    token: str


class StageLock:
    """The lock of one stage of one store, to be used as a context manager.

    Args:
        root: the store's folder.
        stage: the stage to write.
        break_lock: take the lock also from a holder that lives.
        wait: seconds to wait for a living holder before refusing.

    Raises:
        StoreLocked: another process holds it (says host, process and since when).
    """

    def __init__(self, root: Path, stage: str, break_lock: bool = False, wait: float = 0.0) -> None:
        self.root, self.stage = root, stage
        self._break, self._wait = break_lock, wait
        self._path = root / records.lock(stage)
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None
        self.token = ""

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self._wait
        while not self._try():
            if time.monotonic() >= deadline:
                raise self._refusal()
            time.sleep(_POLL_SECONDS)
        self._stop.clear()
        self._beat = threading.Thread(target=self._keep_alive, name=f"lock {self.stage}", daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._beat is not None:
            self._beat.join()
        release(self.root, self.stage, self.token)

    def _try(self) -> bool:
        me = Holder.me()
        with writing_to(self.root):
            make_folder(self._path.parent)
            with _opened(self._path, os.O_RDWR | os.O_CREAT) as handle:
                holder = _read(handle)
                if holder is not None and holder.alive and not self._break:
                    return False
                if holder is not None:
                    _log.warning("taking over the lock of stage %s from %s", self.stage, holder)
                # Only now is nobody else writing: what an interrupted run left unfinished can go.
                LocalFiles(self.root).remove(records.temporary(self.stage))
                _write(handle, me)
        self.token = me.token
        return True

    def _refusal(self) -> StoreLocked:
        holder = holder_of(self.root, self.stage) or "another process"
        return StoreLocked(
            f"stage {self.stage} of {self.root} is being written by {holder}",
            action="wait for it to end; if you know that it is dead, use --break-lock.",
        )

    def _keep_alive(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                with _opened(self._path) as handle:
                    holder = _read(handle)
                    if holder is None or holder.token != self.token:
                        return  # broken by another: require_held will say so before the next commit
                    os.utime(handle.fileno())
            except FileNotFoundError:
                return  # the store was swapped in elsewhere, its lock released there
            except (OSError, StoreDamaged) as error:
                _log.warning("the lock of stage %s of %s cannot be kept fresh: %s", self.stage, self.root, error)


def release(root: Path, stage: str, token: str) -> None:
    """Free a lock and remove what is unfinished, if ``token`` still holds it; else both are another's."""
    with writing_to(root), suppress(FileNotFoundError), _opened(root / records.lock(stage)) as handle:
        holder = _read(handle)
        if holder is not None and holder.token == token:
            LocalFiles(root).remove(records.temporary(stage))
            _write(handle, None)


def require_held(root: Path, stage: str, token: str) -> None:
    """Refuse to commit under a lock that is no longer ours.

    Raises:
        StoreLocked: it was broken, or has ended.
    """
    holder = holder_of(root, stage)
    if holder is None or holder.token != token:
        raise StoreLocked(
            f"the lock of stage {stage} of {root} was taken away; it is held by {holder or 'nobody'}",
            expected="the lock to be held until the last commit",
            action="let the other process end, then run the same command again.",
        )


@contextmanager
def held(root: Path, stage: str, token: str) -> Iterator[None]:
    """Around a write under a lock. Who takes a lock away also sweeps away what its holder is writing.

    Raises:
        StoreLocked: it was broken, or has ended, before or meanwhile.
    """
    require_held(root, stage, token)
    try:
        yield
    except FileNotFoundError:
        require_held(root, stage, token)
        raise


def holder_of(root: Path, stage: str) -> Holder | None:
    """Who holds the lock of a stage, dead or alive."""
    with suppress(FileNotFoundError), _opened(root / records.lock(stage), os.O_RDONLY) as handle:
        return _read(handle)
    return None


def living_holders(root: Path) -> dict[str, Holder]:
    """Stage → holder of every lock of a store that is held by a process that may still write."""
    stages = [path.stem.replace("+", "/") for path in sorted((root / records.LOCKS).glob("*.lock"))]
    holders = ((stage, holder_of(root, stage)) for stage in stages)
    return {stage: holder for stage, holder in holders if holder is not None and holder.alive}


@contextmanager
def _opened(path: Path, flags: int = os.O_RDWR) -> Iterator[IO[str]]:
    """The lock's file, while nobody else changes it; only to look at, it need not be writable."""
    reads = flags == os.O_RDONLY
    if path.is_symlink():  # what it leads to would be overwritten
        raise StoreDamaged(f"{path} is a link", expected="a lock file", action="delete it and run the command again.")
    with os.fdopen(open_file(path, flags | os.O_NOFOLLOW), "r" if reads else "r+", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH if reads else fcntl.LOCK_EX)  # released when the handle closes
        yield handle


def _read(handle: IO[str]) -> Holder | None:
    handle.seek(0)
    try:
        text = handle.read()
    except UnicodeDecodeError:
        text = ""
    return Holder.parse(text, os.fstat(handle.fileno()).st_mtime)


def _write(handle: IO[str], holder: Holder | None) -> None:
    handle.seek(0)
    handle.truncate()
    if holder is not None:
        content = {key: value for key, value in asdict(holder).items() if key != "heartbeat"}
        handle.write(json.dumps(content, indent=1) + "\n")
    handle.flush()


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # A killed child stays visible until its parent collects it; it writes no more.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _machine() -> str:
    """Where a process id means the same process: this boot, this process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
