"""kill -9 at every single file operation, a full disk at every write: the same command ends in the same bytes."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.errors import DiskFull, NotWritable, PymafDataError
from pymaf_data.storage import files, inspect, open_store, verify

# Killed before every eleventh operation; `make test-all` takes every one.
strides = pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.long)])


@pytest.fixture
def small(kit: Any) -> Any:
    return kit.replace(kit.recipe, persons=5, specs=kit.recipe.specs[:2])


@strides
def test_killed_at_every_step_of_an_ingest(kill: ModuleType, kit: Any, small: Any, memory: Path, stride: int) -> None:
    reference = kit.tree(kit.ingest(memory / "reference.zarr", small))
    step = 0
    while True:
        path = memory / f"{step}.zarr"
        if not kill.killed_at(step, lambda path=path: kit.ingest(path, small)):
            break
        assert kit.tree(kit.ingest(path, small)) == reference, f"killed before operation {step}"
        step += stride
    assert step > 40, "the work was really interrupted at every operation"


@strides
def test_killed_at_every_step_of_a_later_stage(
    kill: ModuleType, kit: Any, small: Any, memory: Path, stride: int
) -> None:
    """And a reader that comes between sees a whole store, less what is not committed."""

    def iuv(path: Path) -> None:
        kit.write(open_store(path), "iuv", "a" * 64, small, kit.iuv[:1])

    ingested = kit.ingest(memory / "ingested.zarr", small)
    reference = Path(shutil.copytree(ingested, memory / "reference.zarr"))
    iuv(reference)
    step = 0
    while True:
        path = Path(shutil.copytree(ingested, memory / f"{step}.zarr"))
        if not kill.killed_at(step, lambda path=path: iuv(path)):
            break
        assert not [finding for finding in verify(path) if finding.is_damage and finding.kind != "foreign"]
        assert open_store(path).array("box")[:].any()
        iuv(path)
        assert kit.tree(path) == kit.tree(reference), f"killed before operation {step}"
        step += stride
    assert step > 30


@strides
def test_killed_at_every_step_of_an_overwrite(
    kill: ModuleType, kit: Any, small: Any, memory: Path, stride: int
) -> None:
    newer = kit.replace(small, seed=1)
    reference = kit.tree(kit.ingest(memory / "reference.zarr", newer))
    ingested = kit.ingest(memory / "ingested.zarr", small)
    old, step = kit.tree(ingested), 0
    while True:
        folder = memory / str(step)
        path = Path(shutil.copytree(ingested, folder / "a.zarr"))
        if not kill.killed_at(step, lambda path=path: kit.ingest(path, newer, overwrite=True)):
            break
        assert not path.exists() or kit.tree(path) in (old, reference), "never a mixture"
        assert kit.tree(kit.ingest(path, newer, overwrite=True)) == reference, f"killed before operation {step}"
        left = sorted(entry.name for entry in folder.iterdir() if ".new-" not in entry.name)
        assert left == ["a.zarr"], "nothing stays beside it"
        step += stride
    assert step > 40


def test_a_full_disk_at_every_write(kit: Any, small: Any, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = kit.tree(kit.ingest(memory / "reference.zarr", small))
    fsync, path, failures = os.fsync, memory / "a.zarr", 0
    for allowed in range(1000):
        calls = iter(range(allowed, -1, -1))

        def full(number: int, calls: Iterator[int] = calls) -> None:
            if next(calls, 0) == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(number)

        monkeypatch.setattr(os, "fsync", full)
        try:
            kit.ingest(path, small)
            break
        except DiskFull as error:
            failures += 1
            assert "full" in str(error) and "same command" in str(error)
        finally:
            monkeypatch.setattr(os, "fsync", fsync)
    assert failures > 5
    assert kit.tree(path) == reference


def test_a_really_full_disk(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny file system of its own, where the machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system needs privileges")
    recipe = kit.replace(kit.recipe, persons=200, shard=20)
    try:
        with pytest.raises(DiskFull, match="GB free"):
            kit.ingest(disk / "a.zarr", recipe)  # the estimate refuses before the first shard
        monkeypatch.setattr("pymaf_data.storage.writer.require_space", lambda *_: None)
        with pytest.raises(DiskFull):
            kit.ingest(disk / "a.zarr", recipe)
        assert 0 < len(open_store(disk / "a.zarr").current("ingest").missing) < 10, "finished shards are kept"
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        path = kit.ingest(disk / "a.zarr", recipe)
        assert verify(path) == []
        assert kit.tree(path) == kit.tree(kit.ingest(tmp_path / "reference.zarr", recipe))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_read_only_disk_is_read_and_not_written(kit: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system needs privileges")
    try:
        path = kit.ingest(disk / "a.zarr", kit.recipe)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert verify(path) == []
        assert inspect(path)["persons"] == kit.recipe.persons
        for attempt in (
            lambda: kit.ingest(disk / "b.zarr", kit.recipe),
            lambda: open_store(path).lock("iuv").__enter__(),
        ):
            with pytest.raises(NotWritable, match=r"cannot write .*disk.*Read-only"):
                attempt()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_in_the_way_of_a_folder_is_said(kit: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file/a.zarr", "file/folder/a.zarr"):
        with pytest.raises(NotWritable, match="file"):
            kit.ingest(tmp_path / place, kit.recipe)


def test_space_is_estimated_first(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10_000_000})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match=r"0.01 GB free\nExpected: about 0.03 GB free") as error:
        kit.ingest(tmp_path / "a.zarr", kit.recipe)
    assert isinstance(error.value, PymafDataError) and error.value.exit_code == 1


def test_an_interrupt_frees_the_lock_and_keeps_what_is_done(kit: Any, small: Any, tmp_path: Path) -> None:
    from pymaf_data.storage import create_store

    store = create_store(tmp_path / "a.zarr", small.plan, small.specs, small.provenance)
    with pytest.raises(KeyboardInterrupt), store.lock("ingest"):
        writer = store.stage("ingest", small.plan.digest, small.specs)
        writer.write_shard(0, {s.name: small.values(s)[:4] for s in small.specs}, "x")
        raise KeyboardInterrupt
    assert open_store(store.path).current("ingest").missing == [1]
    kit.ingest(store.path, small)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_within_a_file(
    kit: Any, small: Any, memory: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Shards, commits, rows, plan: each write itself fails, without a file's name in the system's error."""
    path, failures = memory / "a.zarr", 0
    real = files._write_temporary
    for allowed in range(1000):
        calls = iter(range(allowed, -1, -1))

        def full(folder: Path, parts: Any, calls: Iterator[int] = calls) -> Path:
            def some() -> Iterator[bytes]:
                yield from list(parts)[:1]
                if next(calls, 0) == 0:
                    raise OSError(number, os.strerror(number))
                yield from list(parts)[1:]

            return real(folder, some())

        monkeypatch.setattr(files, "_write_temporary", full)
        try:
            kit.ingest(path, small)
            break
        except DiskFull as error:
            failures += 1
            assert "same command" in str(error)
            assert not path.exists() or not any(path.glob("_pymaf/tmp/*/*")), "nothing half-written remains"
        finally:
            monkeypatch.setattr(files, "_write_temporary", real)
    assert failures >= 5, "rows and plan, metadata, record, shards and commits, pointer"
    assert verify(path) == []


def test_the_lock_needs_room_and_says_so(kit: Any, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(kit.ingest(tmp_path / "a.zarr", small))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pymaf_data.storage.lock._write", full)
        with pytest.raises(DiskFull):
            store.lock("iuv").__enter__()
    with store.lock("iuv"):
        pass
