"""One writer per stage: the second waits or is refused, the dead are succeeded, the living can be evicted on demand."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pymaf_data.errors import NotWritable, StoreDamaged, StoreLocked
from pymaf_data.storage import lock, open_store, records
from pymaf_data.storage.lock import StageLock, holder_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "a.zarr"


@contextmanager
def another_process(root: Path, stage: str = "iuv") -> Iterator[int]:
    """A process that holds the lock until it is told to end."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with StageLock(root, stage):
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError, ChildProcessError):  # the test may have ended it
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_the_second_is_refused_with_host_process_and_since_when(root: Path) -> None:
    with another_process(root) as child, pytest.raises(StoreLocked) as error, StageLock(root, "iuv"):
        pass
    assert re.search(rf"process {child} on \S+ since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d", str(error.value))
    assert "--break-lock" in str(error.value)


def test_stages_are_locked_apart(root: Path) -> None:
    with another_process(root, "iuv"), StageLock(root, "fits/truth"):
        assert set(lock.living_holders(root)) == {"iuv", "fits/truth"}


def test_the_second_may_wait(root: Path) -> None:
    with StageLock(root, "iuv") as first:
        threading.Timer(0.3, lambda: lock.release(root, "iuv", first.token)).start()
        begun = time.monotonic()
        with StageLock(root, "iuv", wait=10):
            assert 0.2 < time.monotonic() - begun < 5


def test_a_killed_holder_is_succeeded_at_once_and_its_leftovers_go(root: Path) -> None:
    with another_process(root) as child:
        leftover = root / records.temporary("iuv") / "half-a-shard"
        leftover.parent.mkdir(parents=True)
        leftover.write_bytes(b"x")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with StageLock(root, "iuv"):
            assert not leftover.exists()


def test_a_holder_elsewhere_is_dead_when_its_heart_stops(root: Path) -> None:
    path = root / records.lock("iuv")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": "far", "pid": 1, "machine": "other", "started": time.time(), "token": "t"}))
    with pytest.raises(StoreLocked, match="process 1 on far"), StageLock(root, "iuv"):
        pass
    stopped = time.time() - lock.STALE_SECONDS - 1
    os.utime(path, (stopped, stopped))
    with StageLock(root, "iuv"):
        pass


def test_the_heart_beats(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.02)
    with StageLock(root, "iuv"):
        path = root / records.lock("iuv")
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 5
        while path.stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        holder = holder_of(root, "iuv")
        assert holder is not None and holder.alive and time.time() - holder.heartbeat < 5


def test_an_evicted_writer_commits_nothing_more(kit: Any, tmp_path: Path) -> None:
    store = open_store(kit.ingest(tmp_path / "a.zarr", kit.recipe))
    with store.lock("iuv"):
        writer = store.stage("iuv", "a" * 64, kit.iuv)
        data = {spec.name: kit.recipe.values(spec)[0:4] for spec in kit.iuv}
        with StageLock(store.path, "iuv", break_lock=True):
            with pytest.raises(StoreLocked, match="taken away"):
                writer.write_shard(0, data, "x")
            assert writer.missing() == [0, 1, 2]
        assert holder_of(store.path, "iuv") is None
        with pytest.raises(StoreLocked, match="held by nobody"):
            writer.write_shard(0, data, "x")


def test_who_does_not_hold_the_lock_cannot_begin(kit: Any, whole: Path) -> None:
    with pytest.raises(StoreLocked):
        open_store(whole).stage("iuv", "a" * 64, kit.iuv)


def test_two_commands_at_once_lose_nothing(kit: Any, tmp_path: Path) -> None:
    """Both run to the end, the second by waiting: it finds nothing left to do."""
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    failures: list[BaseException] = []

    def command() -> None:
        try:
            store = open_store(path)
            with store.lock("iuv", wait=30):
                writer = store.stage("iuv", "a" * 64, kit.iuv)
                for shard in writer.missing():
                    rows = writer.rows(shard)
                    writer.write_shard(shard, {s.name: kit.recipe.values(s)[rows] for s in kit.iuv}, "x")
                    time.sleep(0.02)
                writer.finish()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=command) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (open_store(path).array("iuv/uv")[:] == kit.recipe.values(kit.iuv[0])).all()


def test_a_store_at_work_is_not_swapped_away(kit: Any, tmp_path: Path) -> None:
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    newer = kit.replace(kit.recipe, seed=1)
    with another_process(path), pytest.raises(StoreLocked, match="cannot be replaced: its stage iuv"):
        kit.ingest(path, newer, overwrite=True)
    kit.ingest(path, newer, overwrite=True)
    assert lock.living_holders(path) == {}


def test_of_two_takeovers_the_loser_is_told_so(kit: Any, tmp_path: Path) -> None:
    """Many --break-lock at once, each writing: one finishes; every other hears StoreLocked, whatever it was doing."""
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    outcomes: list[str] = []
    children = []
    for number in range(6):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            told = "done"
            try:
                store = open_store(path)
                time.sleep(0.02 * number)
                with store.lock("iuv", break_lock=True):
                    writer = store.stage("iuv", "a" * 64, kit.iuv)
                    for shard in writer.missing():
                        rows = writer.rows(shard)
                        writer.write_shard(shard, {s.name: kit.recipe.values(s)[rows] for s in kit.iuv}, "x")
                    writer.finish()
            except BaseException as error:
                told = type(error).__name__
            os.write(writing, told.encode())
            os._exit(0)
        os.close(writing)
        children.append((child, reading))
    for child, reading in children:
        outcomes.append(os.read(reading, 100).decode())
        os.close(reading)
        os.waitpid(child, 0)
    # StoreChanged: the winner committed the shard that the loser was about to write.
    assert set(outcomes) <= {"done", "StoreLocked", "StoreChanged"} and "done" in outcomes
    assert (open_store(path).array("iuv/uv")[:] == kit.recipe.values(kit.iuv[0])).all()


def test_an_evicted_writer_whose_files_were_swept_away_hears_who_did_it(kit: Any, tmp_path: Path) -> None:
    """The takeover falls between writing a shard's temporary files and renaming them."""
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    store, others = open_store(path), []
    data = {spec.name: kit.recipe.values(spec)[0:4] for spec in kit.iuv}

    with store.lock("iuv"):
        writer = store.stage("iuv", "a" * 64, kit.iuv)
        sync = lock.LocalFiles.write

        def taken_meanwhile(files: Any, items: Any, temporary: str) -> None:
            def parts(given: Any) -> Iterator[bytes]:
                yield from given
                if not others:
                    others.append(StageLock(path, "iuv", break_lock=True).__enter__())

            sync(files, {key: parts(given) for key, given in items.items()}, temporary)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pymaf_data.storage.files.LocalFiles.write", taken_meanwhile)
            with pytest.raises(StoreLocked, match="taken away"):
                writer.write_shard(0, data, "x")
    assert holder_of(path, "iuv").token == others[0].token, "the loser, leaving, frees nothing"
    others[0].__exit__()


def test_the_loser_leaves_the_winners_unfinished_files_alone(root: Path) -> None:
    loser = StageLock(root, "iuv")
    with loser, StageLock(root, "iuv", break_lock=True):
        unfinished = root / records.temporary("iuv") / "half-a-shard"
        unfinished.parent.mkdir(parents=True)
        unfinished.write_bytes(b"x")
        loser.__exit__()
        assert unfinished.exists()
    assert not unfinished.exists()


def test_a_folder_that_another_fills_is_removed(tmp_path: Path) -> None:
    """An evicted writer makes files where its successor sweeps."""
    stop, files = threading.Event(), lock.LocalFiles(tmp_path)

    def fill() -> None:
        number = 0
        while not stop.is_set():
            with suppress(OSError):
                (tmp_path / "tmp").mkdir(exist_ok=True)
                (tmp_path / "tmp" / str(number)).touch()
            number += 1
            if number % 16 == 0:
                stop.wait(1e-4)  # no writer makes files without end as fast as they are removed

    threads = [threading.Thread(target=fill)]
    threads[0].start()
    try:
        for _ in range(200):
            files.remove("tmp")
    finally:
        stop.set()
        threads[0].join()


HELD = {"host": "far", "pid": 1, "machine": "other", "started": 0.0, "token": "t"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"host": "far", "pid', b"\x80\x00\xff" * 99, b"[]", b"17", b"[" * 9999]
)
def test_what_a_dead_writer_left_of_a_lock_is_taken(root: Path, content: bytes) -> None:
    path = root / records.lock("iuv")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with StageLock(root, "iuv"):
        assert lock.living_holders(root)["iuv"].pid == os.getpid()


@pytest.mark.parametrize(
    "change",
    [
        {"more": "of a later version"},
        {"pid": "1"},
        {"pid": -1},
        {"pid": 1 << 70},
        {"pid": None},
        {"started": "today"},
        {"started": 1e300},
        {"started": time.time() + 1e9},
        {"host": ["far"]},
        {"token": None},
    ],
)
def test_a_lock_of_another_version_is_held_until_its_heart_stops(root: Path, change: dict[str, Any]) -> None:
    path = root / records.lock("iuv")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(HELD | change))
    with pytest.raises(StoreLocked, match="--break-lock"), StageLock(root, "iuv"):
        pass
    assert set(lock.living_holders(root)) == {"iuv"}
    stopped = time.time() - lock.STALE_SECONDS - 1
    os.utime(path, (stopped, stopped))
    with StageLock(root, "iuv"):
        pass


def test_a_heartbeat_of_the_future_yields_to_break_lock(root: Path) -> None:
    path = root / records.lock("iuv")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(HELD))
    os.utime(path, (time.time() + 1e6,) * 2)
    with pytest.raises(StoreLocked, match="--break-lock"), StageLock(root, "iuv"):
        pass
    with StageLock(root, "iuv", break_lock=True):
        pass


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "link to nothing"])
def test_what_is_no_lock_file_is_said_and_left_alone(root: Path, tmp_path: Path, kind: str) -> None:
    path, mine = root / records.lock("iuv"), tmp_path / "mine.txt"
    path.parent.mkdir(parents=True)
    mine.write_text("mine")
    make = {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to(mine),
        "link to nothing": lambda: path.symlink_to(tmp_path / "new"),
    }
    make[kind]()
    for act in (lambda: StageLock(root, "iuv").__enter__(), lambda: lock.living_holders(root)):
        with pytest.raises((StoreDamaged, NotWritable), match=re.escape("iuv.lock")):
            act()
    assert mine.read_text() == "mine" and not (tmp_path / "new").exists()


def test_a_heart_that_cannot_beat_goes_on_trying(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.02)
    with StageLock(root, "iuv") as held:
        with monkeypatch.context() as patch:
            patch.setattr(os, "utime", full)
            deadline = time.monotonic() + 5
            while "cannot be kept fresh" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.01)
        assert "No space left" in caplog.text
        os.utime(held._path, (0, 0))
        deadline = time.monotonic() + 5
        while held._path.stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert held._path.stat().st_mtime > 1
