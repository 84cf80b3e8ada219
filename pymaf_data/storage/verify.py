"""Is a store whole? Every byte is compared with what was committed, and every file must belong to something.

Opening and reading check what they touch; this checks the rest. It goes on after a finding, never writes, and says for
each finding which command mends it. Cost: one pass over all bytes (SHA-256, then CRC-32C of the same pages).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pymaf_data.config import StrictModel
from pymaf_data.errors import StoreDamaged
from pymaf_data.progress import Progress
from pymaf_data.storage import plan, records
from pymaf_data.storage.files import LocalFiles
from pymaf_data.storage.records import Commit, Current, FileSum, StageRecord
from pymaf_data.storage.shard import decode_index, open_chunk
from pymaf_data.storage.store import require_store

Kind = Literal["damaged", "missing", "foreign", "incomplete", "leftover", "stale"]
_HARMLESS = ("incomplete", "leftover", "stale")


class Finding(StrictModel):
    """One thing that is not as it should be: what, where, and what to do."""

    kind: Kind
    where: str
    problem: str
    action: str

    @property
    def is_damage(self) -> bool:
        """False for what an interrupted or partial run leaves, and for what was made from something since replaced."""
        return self.kind not in _HARMLESS

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.problem}. What to do: {self.action}"


def verify(path: str | os.PathLike[str], progress: Progress | None = None) -> list[Finding]:
    """Check a whole store.

    Args:
        path: the store.
        progress: called with (shards done, shards, file name).

    Returns:
        What was found; empty for a whole and complete store.

    Raises:
        NotAStore: there is no store.
        StoreVersionError: a store of another major version.
    """
    require_store(Path(path))
    return list(_Check(LocalFiles(Path(path)), progress).findings())


class _Check:
    """One run over one store; ``known`` gathers every file that belongs to something."""

    def __init__(self, files: LocalFiles, progress: Progress | None) -> None:
        self.files, self.progress = files, progress
        self.known: set[str] = {records.PLAN, records.ROWS}
        self.planned: set[str] = set()  # shard files that a run in progress may have written
        self.head: dict[str, Any] | None = None
        self.blind = False  # a record is unreadable: what belongs to it cannot be told from foreign files

    def findings(self) -> Iterator[Finding]:
        keys, unread = self._walk()
        yield from unread
        yield from self._plan()
        whole = []
        for key, stage in self._named(records.STAGES):
            record, found = self._sealed(key, StageRecord, stage, records.record_action)
            problems = list(records.record_problems(key, record, self.head)) if record and self.head else []
            yield from found
            for problem in problems:
                action = records.record_action(key, stage)
                yield Finding(kind="damaged", where=key, problem=problem, action=action)
            if record is None or problems:
                self.blind = True
            else:
                whole.append(record)
                yield from self._record(record)
        done, total = 0, sum(record.shards for record in whole)
        complete = set()
        for record in whole:
            shards = yield from self._commits(record, done, total)
            done += record.shards
            if shards == set(range(record.shards)):
                complete.add((record.stage, record.generation))
            else:
                yield _incomplete(record, shards)
        yield from self._pointers(complete)
        yield from self._orphans()
        if not self.blind:
            yield from self._strangers(keys)

    def _walk(self) -> tuple[list[str], list[Finding]]:
        """Every key of the store, and the folders that cannot be looked into."""
        findings = []

        def unread(key: str, error: StoreDamaged) -> None:
            findings.append(Finding(kind="damaged", where=key, problem=error.found, action=error.action))

        keys = list(self.files.keys("", unread))
        self.blind = bool(findings)
        return keys, findings

    def _plan(self) -> Iterator[Finding]:
        try:
            self.head = plan.read_head(self.files)
            rows = plan.read_rows(self.files, self.head)
        except StoreDamaged as error:
            yield Finding(kind="damaged", where=records.PLAN, problem=error.found, action=error.action)
            return
        if len(rows) != self.head["persons"] or any(a >= b for a, b in pairwise(rows)):
            problem = "its rows are not strictly increasing, or not as many as the plan says"
            yield Finding(kind="damaged", where=records.ROWS, problem=problem, action=plan.ACTION)

    def _sealed(
        self, key: str, model: type[records.Model], stage: str, action: Callable[[str, str], str]
    ) -> tuple[records.Model | None, list[Finding]]:
        try:
            return records.read(self.files, key, model, action(key, stage)), []
        except StoreDamaged as error:
            return None, [Finding(kind="damaged", where=key, problem=error.found, action=error.action)]
        except FileNotFoundError:
            return None, [_missing(key, action(key, stage))]

    def _record(self, record: StageRecord) -> Iterator[Finding]:
        for name, digest in record.metadata.items():
            self.known.add(name)
            yield from self._metadata(record, name, digest)

    def _metadata(self, record: StageRecord, name: str, digest: str) -> Iterator[Finding]:
        action = f"run {records.command(record.stage)} again with the same options: it writes the file anew."
        try:
            if hashlib.sha256(self.files.read(name)).hexdigest() != digest:
                problem = "its SHA-256 is not the one in the stage record"
                yield Finding(kind="damaged", where=name, problem=problem, action=action)
        except FileNotFoundError:
            yield _missing(name, action)
        except StoreDamaged as error:
            yield Finding(kind="damaged", where=name, problem=error.found, action=error.action)

    def _named(self, folder: str, below: str = "") -> Iterator[tuple[str, str]]:
        """(file, stage) of the records in a folder; what is not named like one stays a stranger."""
        for key, stage in records.record_keys(self.files, folder, below, unread=lambda *_: None):
            self.known.add(key)
            yield key, stage

    def _orphans(self) -> Iterator[Finding]:
        """Commits whose stage record is gone."""
        missing = set()
        for key, stage in self._named(records.COMMITS):
            record = f"{records.STAGES}/{stage}/{key.split('/')[-2]}.json"
            if record not in self.known:
                missing.add((record, stage))
        for record, stage in sorted(missing):
            self.blind = True
            problem = "the commits of this generation are there, its record is not"
            yield Finding(kind="missing", where=record, problem=problem, action=records.record_action(record, stage))

    def _commits(self, record: StageRecord, done: int, total: int) -> Generator[Finding, None, set[int]]:
        """Check every commit and its shards; returns the shards that are committed, whole or not."""
        shards = set()
        for spec in record.specs.values():
            self.planned |= {record.key.shard_file(spec, k) for k in range(record.shards)}
        for key, _ in self._named(records.COMMITS, record.key.commits):
            commit, found = self._sealed(key, Commit, record.stage, records.commit_action)
            yield from found
            if commit is not None:
                shards.add(commit.shard)
                yield from self._commit(key, record, commit)
            if self.progress is not None:
                self.progress(done + len(shards), total, key)
        return shards

    def _commit(self, key: str, record: StageRecord, commit: Commit) -> Iterator[Finding]:
        action, specs = records.commit_action(key, record.stage), record.specs
        if not records.agrees(key, commit, record):
            yield Finding(kind="damaged", where=key, problem=records.DISAGREES, action=action)
            return
        for spec in specs.values():
            name = record.key.shard_file(spec, commit.shard)
            self.known.add(name)
            try:
                self._shard(name, commit.files[name], spec.grid(record.persons, record.shard), commit.shard)
            except FileNotFoundError:
                yield _missing(name, action)
            except StoreDamaged as error:
                yield Finding(kind="damaged", where=name, problem=error.found, action=action)

    def _shard(self, name: str, expected: FileSum, grid: Any, shard: int) -> None:
        view = self.files.view(name)
        if len(view) != expected.size:
            raise StoreDamaged(f"it holds {len(view)} bytes, {expected.size} were committed")
        if hashlib.sha256(view.data).hexdigest() != expected.sha256:
            raise StoreDamaged("its SHA-256 is not the committed one")
        # Past this point only a writer's mistake can show, one that was committed together with its checksum.
        for span in decode_index(view, grid, shard, name):
            open_chunk(view, span, lambda: name)

    def _pointers(self, complete: set[tuple[str, str]]) -> Iterator[Finding]:
        for key, stage in self._named(records.CURRENT):
            pointer, found = self._sealed(key, Current, stage, records.record_action)
            yield from found
            if pointer is not None and (pointer.stage != stage or (stage, pointer.generation) not in complete):
                problem = "it points to a generation that is not complete"
                action = records.record_action(key, stage)
                yield Finding(kind="damaged", where=key, problem=problem, action=action)

    def _strangers(self, keys: list[str]) -> Iterator[Finding]:
        for key in keys:
            if key.endswith("/"):
                continue  # an empty folder is nothing
            if key in self.known or (key.startswith(f"{records.LOCKS}/") and key.endswith(".lock")):
                continue
            if key.startswith(f"{records.TEMPORARY}/") or key in self.planned:
                problem = "an interrupted run, or one at work, left it; nothing reads it"
                action = "nothing, or run the interrupted command again: it replaces or removes it."
                yield Finding(kind="leftover", where=key, problem=problem, action=action)
            else:
                problem = "it belongs to nothing in this store"
                action = "find out who put it there; delete it, or if it was a record of this store, make it again."
                yield Finding(kind="foreign", where=key, problem=problem, action=action)


def _missing(where: str, action: str) -> Finding:
    return Finding(kind="missing", where=where, problem="there is no such file", action=action)


def _incomplete(record: StageRecord, shards: set[int]) -> Finding:
    return Finding(
        kind="incomplete",
        where=f"stage {record.stage}, generation {record.key.short}",
        problem=f"{len(shards)} of {record.shards} shards are finished",
        action=f"run {records.command(record.stage)} again: it does what is missing.",
    )
