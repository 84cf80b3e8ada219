"""Stores and their locks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .reader import Reader, factory


def _write_store(folder: Path) -> Iterator[Path]:
    from pymaf_data.body import load_body

    factory("stores").invented_store(folder / "s.zarr", load_body("free"), persons=6, shard=4)
    files = sorted(path for path in (folder / "s.zarr").rglob("*") if path.is_file())
    # Some of every kind: metadata, records, commits, pointers, shards.
    yield from files[:: max(len(files) // 40, 1)]


def _read_store(folder: Path) -> Any:
    from pymaf_data.storage import open_store
    from pymaf_data.storage.verify import verify

    found = verify(folder / "s.zarr")
    store = open_store(folder / "s.zarr")
    names = [f"{info.stage}/{spec}".removeprefix("ingest/") for info in store.stages() for spec in info.record.specs]
    return found, [store.array(name)[:] for name in names if not name.startswith("image")]


def _write_lock(folder: Path) -> Iterator[Path]:
    from pymaf_data.storage.lock import StageLock

    (folder / "locks").mkdir()
    lock = StageLock(folder, "ingest")
    with lock:
        (path,) = (path for path in folder.rglob("*.lock"))
        content = path.read_bytes()
    path.write_bytes(content)
    yield path


def _read_lock(folder: Path) -> Any:
    from pymaf_data.storage.lock import holder_of, living_holders

    return holder_of(folder, "ingest"), living_holders(folder)


READERS = {
    "store": Reader(_write_store, _read_store),
    "lock": Reader(_write_lock, _read_lock),
}
