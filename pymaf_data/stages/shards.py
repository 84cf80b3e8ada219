"""The one shard loop: every stage that writes a store is a job, and any executor makes its shards.

    lock → job.begin → shards asked for and missing → executor: task.make → write_shard → finish

A task is one shard's work, whole in itself: it can be pickled, and made by any process that sees the same files. Equal
tasks give equal bytes, so neither the executor nor its number of workers leaves a trace.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from pymaf_data.progress import Progress
from pymaf_data.stages.shard_choice import choose_shards
from pymaf_data.storage import StageWriter, Store
from pymaf_data.storage.writer import ShardData

logger = logging.getLogger(__name__)

Mapper: TypeAlias = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]
Advance: TypeAlias = Callable[[int], None]
Committed: TypeAlias = Generator[tuple[int, Any], None, None]
"""(shard, notes) of each shard as it is committed."""


class Made(NamedTuple):
    """One shard as it is to be written.

    Args:
        data: its arrays, see :meth:`StageWriter.write_shard`.
        input_digest: of what it was made from.
        notes: what the stage's report wants to know of it; small.
    """

    data: ShardData
    input_digest: str
    notes: Any = None

    def make(self, each: Mapper, advance: Advance) -> Made:
        """What is made already is its own task."""
        return self


class ShardTask(Protocol):
    """Picklable, and small: one shard's columns, names and paths; what is large and shared goes by its digest."""

    def make(self, each: Mapper, advance: Advance) -> Made:
        """Make the shard.

        Args:
            each: ``map``, or one over threads, whose results come in order.
            advance: called with the number of rows done since the last call.
        """
        ...


class ShardJob(Protocol):
    """What a stage writes into one store."""

    @property
    def stage(self) -> str:
        """Of the store: ``ingest``, ``fits/<name>``, ``choice``, ``iuv``."""
        ...

    @property
    def remark(self) -> str:
        """Beside the progress; ``{rate}`` is rows per second."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """What workers read beside the store: there and here the same, or they cannot work."""
        ...

    def begin(self, store: Store) -> StageWriter:
        """Begin the generation, or go on with it; called under the lock, and refuses what must not begin."""
        ...

    def task(self, shard: int, rows: slice) -> ShardTask:
        """The work of one shard."""
        ...


class Executor(Protocol):
    """Makes and commits shards: threads of this process, other processes, other machines."""

    def run(self, job: ShardJob, writer: StageWriter, shards: Sequence[int], advance: Advance) -> Committed:
        """Make and commit these shards, in any order. When the generator is closed, nothing is being written."""
        ...


@dataclass(frozen=True)
class ShardsDone:
    """What a run found and did.

    Attributes:
        writer: of the generation, all of whose shards are ``writer.shards``.
        path: where the store now lies.
        asked: shards that the run was asked for.
        written: those of them that it made.
        missing: shards that no run was asked for yet; the generation is finished when there are none.
        notes: of the shards written, in their order.
        seconds: spent on them.
    """

    writer: StageWriter
    path: Path
    asked: list[int]
    written: list[int]
    missing: list[int]
    notes: list[Any]
    seconds: float


def run_shards(
    store: Store,
    job: ShardJob,
    executor: Executor,
    progress: Progress | None = None,
    shards: str = "all",
    break_lock: bool = False,
) -> ShardsDone:
    """Make the shards that are missing among those asked for; finish the generation where none is left.

    Args:
        store: to write into.
        job: what to write.
        executor: who makes it.
        progress: called with (rows there, rows asked for, remark).
        shards: see :func:`choose_shards`.
        break_lock: take over another run's lock.

    Raises:
        StoreLocked, StoreChanged, DiskFull: see :mod:`pymaf_data.storage`. What a task raises passes.
    """
    with store.lock(job.stage, break_lock):
        writer = job.begin(store)
        missing = set(writer.missing())
        asked = choose_shards(shards, writer.shards, missing)
        todo = [k for k in asked if k in missing]
        clock = time.perf_counter()
        tell = _teller(job, progress, _rows(writer, asked), _rows(writer, todo))
        notes = {}
        with closing(executor.run(job, writer, todo, tell)) as made:
            for shard, note in made:
                notes[shard] = note
                logger.info("%s: shard %d of %d is written", job.stage, shard, writer.shards)
        seconds = time.perf_counter() - clock
        left = writer.missing()
        path = store.path if left else writer.finish()
    return ShardsDone(writer, path, asked, todo, left, [notes[k] for k in todo], seconds)


def _rows(writer: StageWriter, shards: Iterable[int]) -> int:
    return sum(span.stop - span.start for span in map(writer.rows, shards))


def _teller(job: ShardJob, progress: Progress | None, total: int, todo: int) -> Advance:
    """Tells the progress, from now on."""
    made, clock = 0, time.perf_counter()

    def advance(rows: int) -> None:
        nonlocal made
        made += rows
        if progress:
            rate = made / max(time.perf_counter() - clock, 1e-9)
            progress(total - todo + made, total, job.remark.format(rate=rate))

    advance(0)
    return advance
