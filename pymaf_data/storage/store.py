"""An opened store: what it holds, how to read it, how to write a stage of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pymaf_data.errors import NotAStore, StoreDamaged, StoreIncomplete, UsageError
from pymaf_data.storage import plan, records
from pymaf_data.storage.files import LocalFiles
from pymaf_data.storage.lock import StageLock
from pymaf_data.storage.reader import Array
from pymaf_data.storage.records import Commit, Generation, StageRecord
from pymaf_data.storage.specs import ArraySpec
from pymaf_data.storage.swap import previous_of
from pymaf_data.storage.writer import StageWriter, begin_stage


@dataclass(frozen=True)
class StageInfo:
    """One generation of a stage as it was when the store was opened."""

    record: StageRecord
    commits: dict[int, Commit] = field(repr=False)
    current: bool
    """Whether readers that name only the stage get this generation."""

    @property
    def stage(self) -> str:
        """``ingest``, ``fits/<name>``, ``choice`` or ``iuv``."""
        return self.record.stage

    @property
    def generation(self) -> str:
        """The digest of everything that determines the arrays."""
        return self.record.generation

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the generation's group."""
        return self.record.attributes

    @property
    def missing(self) -> list[int]:
        """Shards that are not committed."""
        return [k for k in range(self.record.shards) if k not in self.commits]

    @property
    def complete(self) -> bool:
        """Whether every shard is committed."""
        return not self.missing


class Store:
    """A store as it was when it was opened; its length is the number of persons N.

    What it showed then it goes on showing: generations and commits that are added later appear on opening again.
    It can be pickled, and shows the same elsewhere. Made by :func:`open_store` and :func:`create_store`.
    """

    def __init__(self, path: Path, head: dict[str, Any], generations: Sequence[StageInfo]) -> None:
        self.path, self._head, self._generations = path, head, tuple(generations)
        self.files = LocalFiles(path)
        self._held: dict[str, StageLock] = {}
        self._arrays: dict[str, Array] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "head": self._head, "generations": self._generations}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __len__(self) -> int:
        return int(self._head["persons"])

    def __repr__(self) -> str:
        stages = ", ".join(sorted({info.stage for info in self.stages()}))
        return f"<Store {self.path.name}: {len(self)} persons, stages {stages}>"

    @property
    def shard(self) -> int:
        """Rows per shard."""
        return int(self._head["shard"])

    @property
    def attrs(self) -> dict[str, Any]:
        """The root group's attributes: what the store is, its provenance, ``reasons`` and the like."""
        return plan.root_attributes(self._head)

    @property
    def head(self) -> dict[str, Any]:
        """The plan without its rows: dataset, split, options, inputs, provenance."""
        return dict(self._head)

    @cached_property
    def rows(self) -> list[tuple[str, int]]:
        """(image name, annotation id) of every row."""
        return plan.read_rows(self.files, self._head)

    def stages(self) -> list[StageInfo]:
        """Every generation of every stage, sorted."""
        return list(self._generations)

    def has(self, stage: str) -> bool:
        """Whether there is any generation of ``stage``, finished or not."""
        return any(info.stage == stage for info in self._generations)

    def current(self, stage: str) -> StageInfo:
        """The generation of ``stage`` to read: the last one completed, else the only one.

        Raises:
            StoreIncomplete: none is there, or several and none is complete.
        """
        records.check_stage(stage)
        found = [info for info in self._generations if info.stage == stage]
        chosen = [info for info in found if info.current] or found
        if len(chosen) == 1:
            return chosen[0]
        state = f"{len(found)} unfinished generations" if found else "nothing"
        raise StoreIncomplete(
            f"{self.path} holds {state} of stage {stage}",
            expected="one complete generation, or a single one",
            action=f"run {records.command(stage)} on it.",
        )

    def array(self, name: str, rows: slice | None = None) -> Array:
        """A row array: ``"image"``, ``"fits/<name>/pose"``, ``"choice/source"``, ``"iuv/part"``.

        A generation other than the current one is named by the first 16 digits of its digest: ``"iuv/<digest>/part"``.
        Asked for again it is the same array: to open one is to map all its shards. One that is opened for some
        ``rows`` maps their shards alone, and lets go of them with itself: what was read of a map counts as memory.

        Raises:
            StoreIncomplete: the stage is not there.
            UsageError: the stage has no such array.
        """
        if rows is not None:
            return self._opened(name, range(*rows.indices(len(self))))
        if name not in self._arrays:
            self._arrays[name] = self._opened(name, range(len(self)))
        return self._arrays[name]

    def _opened(self, name: str, rows: range) -> Array:
        parent, _, leaf = name.rpartition("/")
        by_group = {info.record.key.group: info for info in self._generations}
        info = by_group.get(parent) or self.current(parent)
        spec = info.record.specs.get(leaf)
        if spec is None:
            raise UsageError(f"stage {info.stage} has no array {leaf!r}", expected=", ".join(info.record.specs))
        first, last = sorted((*rows[:1], *rows[-1:])) or (0, -1)
        shards = range(first // info.record.shard, last // info.record.shard + 1)
        return Array(self.files, info.record, {k: info.commits[k] for k in shards if k in info.commits}, spec)

    def lock(self, stage: str, break_lock: bool = False, wait: float = 0.0) -> StageLock:
        """The lock under which ``stage`` is written, as a context manager. See :class:`StageLock`."""
        self._held[stage] = StageLock(self.path, stage, break_lock, wait)
        return self._held[stage]

    def stage(
        self, stage: str, generation_digest: str, specs: Sequence[ArraySpec], attributes: dict[str, Any] | None = None
    ) -> StageWriter:
        """Begin, or go on with, a generation of a stage whose lock this store holds.

        Args:
            stage: ``ingest``, ``fits/<name>``, ``choice`` or ``iuv``.
            generation_digest: digest of everything that determines the arrays; of ``ingest``, the plan's.
            specs: the arrays.
            attributes: of the generation's group: JSON, no time, path or host. Not for ``ingest``.

        Raises:
            StoreLocked: the lock is not held.
            StoreChanged: the generation was begun with other arrays or attributes.
            StoreVersionError: the store has an older format: ``pymaf-data migrate``.
            DiskFull: what is missing is estimated not to fit.
        """
        token = self._held[stage].token if stage in self._held else ""
        key = Generation(stage, generation_digest)
        return begin_stage(self.path, self._head, key, specs, attributes or {}, token)


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a store for reading: checks version, seals and the size of every committed file, reads no rows.

    Raises:
        NotAStore: something else is there, or nothing.
        StoreVersionError: a format of a newer major version.
        StoreDamaged: a record does not match its seal, or a file its committed size.
    """
    root = Path(path)
    require_store(root)
    files = LocalFiles(root)
    head = plan.read_head(files)
    pointers = records.read_pointers(files)  # before what they point to, which was there before them
    infos = []
    for record in records.read_records(files, head):
        committed = records.read_commits(files, record)
        for commit in committed.values():
            _check_sizes(files, record, commit)
        infos.append(StageInfo(record, committed, pointers.get(record.stage) == record.generation))
    _check_pointers(pointers, infos)
    return Store(root, head, infos)


def require_store(root: Path) -> None:
    """Refuse what is not a store of a major version that this library reads.

    The sealed plan is believed first; the root group speaks where there is none, as in a store of another major.

    Raises:
        NotAStore: see :func:`open_store`.
        StoreVersionError: see :func:`open_store`.
    """
    if not root.is_dir():
        raise NotAStore(_absence(root), expected="a store made by `pymaf-data ingest`", action="check the path.")
    try:
        plan.read_head(LocalFiles(root))
    except StoreDamaged:
        version = _root_version(root)
        if version is not None:
            records.check_version(version, str(root))
        elif not os.path.lexists(root / records.PLAN):
            raise NotAStore(
                f"{root} is a folder, but not a pymaf-data store",
                expected=f"{records.ROOT_METADATA} with the attribute format = {records.FORMAT!r}",
                action="give the path of a store (by custom <dataset>-<split>.zarr).",
            ) from None


def _root_version(root: Path) -> object:
    """The format version that the root group claims; None where it claims to be no store."""
    try:
        attributes = json.loads(LocalFiles(root).read(records.ROOT_METADATA))["attributes"]
        return attributes["format_version"] if attributes["format"] == records.FORMAT else None
    except (FileNotFoundError, StoreDamaged, ValueError, KeyError, TypeError, RecursionError):
        return None


def _absence(root: Path) -> str:
    if root.exists():
        return f"{root} is a file, not a store"
    if previous_of(root).is_dir():
        return f"{root} is not there: an --overwrite or `migrate` was killed while swapping; the same command ends it"
    return f"{root} is not there"


def _check_pointers(pointers: dict[str, str], infos: Sequence[StageInfo]) -> None:
    known = {(info.stage, info.generation) for info in infos}
    for stage, generation in pointers.items():
        if (stage, generation) not in known:
            key = records.current(stage)
            raise StoreDamaged(
                f"{key} points to generation {generation[: records.SHORT]!r}, which is not there",
                expected="a generation of this store",
                action=records.record_action(key, stage),
            )


def _check_sizes(files: LocalFiles, record: StageRecord, commit: Commit) -> None:
    for key, expected in commit.files.items():
        try:
            size = files.size(key)
        except FileNotFoundError:
            size = -1
        if size != expected.size:
            raise StoreDamaged(
                f"{key} is missing" if size < 0 else f"{key} holds {size} bytes",
                expected=f"the {expected.size} bytes that were committed",
                action=records.commit_action(record.key.commit(commit.shard), record.stage),
            )
