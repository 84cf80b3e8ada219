"""From format 1.x to the present one: shard files keep their bytes, documents are written anew, a rename swaps them in.

    <store>          .<store>.migrated       .<store>.previous
    1.x              being made
    1.x              whole
                     whole                   1.x                 renamed aside
    2.0                                      1.x                 swapped in; the old names are removed

Each of these states is ended by the same command; a reader finds a whole store in all but the third.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from pymaf_data.errors import StoreLocked
from pymaf_data.storage import records, swap
from pymaf_data.storage.files import LocalFiles, writing_to
from pymaf_data.storage.lock import StageLock
from pymaf_data.storage.records import Commit, StageRecord
from pymaf_data.storage.specs import ArraySpec
from pymaf_data.storage.store import Store, open_store
from pymaf_data.storage.writer import new_record

_MOVED = {"image": "crops"}  # array of `ingest` → the group in which it lies since 2.0
_VERSION = "2.1"  # the last whose crops are those of 1.x: a half-made store goes on with such ones
_TEMPORARY = records.temporary(records.INGEST)
_log = logging.getLogger(__name__)


def migrate(path: str | os.PathLike[str]) -> bool:
    """Bring a store to the present format, complete or half-made. No shard is read or written, nothing needs room.

    Returns:
        Whether it had another one.

    Raises:
        NotAStore, StoreVersionError, StoreDamaged: as :func:`open_store`.
        StoreLocked: a stage is being written, or the store is being overwritten.
    """
    root = Path(path)
    swap.end_interrupted(root)
    store = open_store(root)
    if records.is_present(store.head):
        return False
    if swap.next_of(root).exists():
        raise StoreLocked(
            f"{root} is being overwritten, or was when a run was killed: {swap.next_of(root)} is there",
            action="end that by the same command: it makes a store of the present format; or remove that folder.",
        )
    swap.require_unlocked(root)
    aside = root.with_name(f".{root.name}.migrated")
    with writing_to(root.parent), ExitStack() as locks:
        for stage in sorted({records.INGEST, *(info.stage for info in store.stages())}):
            locks.enter_context(StageLock(root, stage))
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(root, aside, symlinks=True, copy_function=_link, ignore=_writers(root))
        _write_anew(open_store(root), LocalFiles(aside))
        open_store(aside)  # every committed file is where its commit says
        os.sync()
        swap.replace(root, aside)
    shutil.rmtree(swap.previous_of(root), ignore_errors=True)
    return True


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:  # another disk behind a link, a file system without hard links
        _log.info("%s is copied: %s", source, error)
        shutil.copy2(source, target, follow_symlinks=False)


def _writers(root: Path) -> Any:
    """What :func:`shutil.copytree` leaves out: who writes, and what is unfinished."""
    passing = {root / folder for folder in (records.LOCKS, records.TEMPORARY)}
    return lambda folder, names: {name for name in names if Path(folder) / name in passing}


def _write_anew(old: Store, files: LocalFiles) -> None:
    """Move what lies elsewhere, and write every document of the store."""
    head = {**old.head, "format_version": _VERSION}
    for info in old.stages():
        record, documents = new_record(head, info.record.key, _moved(info.record), info.attributes)
        for before, after in _pairs(info.record, record):
            if before.path != after.path:
                _move(files.root / record.key.below(before.path), files.root / record.key.below(after.path))
        commits = [_commit(info.record, record, commit) for commit in info.commits.values()]
        documents |= {record.key.commit(c.shard): records.seal(c.model_dump(mode="json")) for c in commits}
        documents[record.key.record] = records.seal(record.model_dump(mode="json"))
        files.write({key: [text] for key, text in documents.items()}, _TEMPORARY)
    files.write({records.PLAN: [records.seal(head)]}, _TEMPORARY)
    files.remove(records.TEMPORARY)


def _moved(record: StageRecord) -> list[ArraySpec]:
    """The arrays of a record, each in the group in which it lies now."""
    moved = _MOVED if record.stage == records.INGEST else {}
    return [replace(spec, group=moved.get(name, spec.group)) for name, spec in record.specs.items()]


def _pairs(before: StageRecord, after: StageRecord) -> Iterator[tuple[ArraySpec, ArraySpec]]:
    return zip(before.specs.values(), after.specs.values(), strict=True)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    if source.is_symlink():  # what it says may hold only where it stood
        target.symlink_to(source.resolve())
        source.unlink()
    else:
        source.rename(target)


def _commit(before: StageRecord, after: StageRecord, commit: Commit) -> Commit:
    """The same commit, of files where they lie now."""
    k, old, new = commit.shard, before.key, after.key
    files = {new.shard_file(b, k): commit.files[old.shard_file(a, k)] for a, b in _pairs(before, after)}
    return commit.model_copy(update={"files": files})
