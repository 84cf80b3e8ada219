"""Who makes shards: threads of this process, spawned processes, or an executor from elsewhere, found by name.

Whoever makes a shard also writes it, under the lock of the process that began the generation: only tasks travel, and
what the report wants to know comes back. A worker that ends in the middle leaves files without a commit, which do not
exist; a shard that is made twice is the same shard.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from itertools import islice
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from pymaf_data.config import Flag, StrictModel
from pymaf_data.errors import UsageError, WorkerError
from pymaf_data.stages.workers import ended_pool, starting

if TYPE_CHECKING:
    from pymaf_data.stages.shards import Advance, Committed, Executor, Made, Mapper, ShardJob, ShardTask
    from pymaf_data.storage import StageWriter

_BEHIND = ("workers", "allow_unproved")
_CLUSTER = "pymaf_data.flows.dask:Cluster"
_GROUP = "pymaf_data.executors"
# Shards that are written at a time: they are made sooner than a disk has them safe, and it takes several at once.
_WRITING, _WRITING_SMALL, _SMALL = 2, 4, 1 << 22
# Library → how the number of its own threads is asked and set.
_THREADED = {"cv2": ("getNumThreads", "setNumThreads"), "torch": ("get_num_threads", "set_num_threads")}


class ExecutorOptions(StrictModel):
    """Who makes the shards; it leaves no trace in them."""

    processes: Annotated[
        int | None,
        Field(ge=1),
        Flag("Processes of one thread each share the shards; they leave no trace.", after=_BEHIND),
    ] = None
    cluster: Annotated[
        str | None,
        Flag(
            "Make the shards on a Dask cluster: local:4, tcp://HOST:PORT or the scheduler's FILE.json.", after=_BEHIND
        ),
    ] = None

    @model_validator(mode="after")
    def _refused_at_once(self) -> Self:
        self.executor()
        return self

    @property
    def elsewhere(self) -> bool:
        """Whether other processes than this one make shards."""
        return self.processes is not None or self.cluster is not None

    def executor(self) -> Executor:
        """The executor asked for; by default threads, as many as ``workers`` of the options says.

        Raises:
            UsageError: more than one of threads, processes and a cluster, or a cluster that cannot be named so.
        """
        workers: int = getattr(self, "workers", 1)
        if self.elsewhere and "workers" in self.model_fields_set:
            raise UsageError(
                f"--workers {workers} beside {'--cluster' if self.cluster is not None else '--processes'}",
                expected="threads of this process, or other processes, which have one thread each",
                action="leave out --workers.",
            )
        if self.processes is not None and self.cluster is not None:
            raise UsageError(
                f"--processes {self.processes} and --cluster {self.cluster}", expected="one of them", action="choose."
            )
        if self.cluster is not None:
            return _cluster(self.cluster)
        return Processes(self.processes) if self.processes else Threads(workers)


def _cluster(address: str) -> Executor:
    """Other packages offer executors by entry point, called by the word before the colon; all else is Dask's."""
    for point in entry_points(group=_GROUP, name=address.partition(":")[0]):
        return point.load()(address)
    return resolve_name(_CLUSTER)(address)


@dataclass(frozen=True)
class Threads:
    """Threads of this process share each shard; others write the last ones, and wait for the disk, while one is made.

    Memory holds the encoded arrays of three shards, or of five that have 4 MB at most.
    """

    workers: int

    def run(self, job: ShardJob, writer: StageWriter, shards: Sequence[int], advance: Advance) -> Committed:
        """See :class:`Executor`."""
        with threads(self.workers) as each, ThreadPoolExecutor(_WRITING_SMALL) as disk:
            writing: deque[Future[tuple[int, Any]]] = deque()
            for shard in shards:
                made = job.task(shard, writer.rows(shard)).make(each, advance)
                while len(writing) >= (_WRITING_SMALL if _bytes_of(made) <= _SMALL else _WRITING):
                    yield writing.popleft().result()
                writing.append(disk.submit(_write, writer, shard, made))
            while writing:
                yield writing.popleft().result()


def _bytes_of(made: Made) -> int:
    return sum(getattr(part, "nbytes", 0) or sum(map(len, part)) for part in made.data.values())


@dataclass(frozen=True)
class Processes:
    """Spawned processes, each with a shard of its own, whose last one is written meanwhile.

    One more order waits at each, so that it need not.
    """

    count: int

    def run(self, job: ShardJob, writer: StageWriter, shards: Sequence[int], advance: Advance) -> Committed:
        """See :class:`Executor`.

        Raises:
            WorkerError: a process was killed.
        """
        waiting: dict[Future[list[tuple[int, Any]]], tuple[ProcessPoolExecutor, Iterator[Order | None]]] = {}

        def submit(pool: ProcessPoolExecutor, orders: Iterator[Order | None]) -> None:
            waiting.update({pool.submit(_make_next, order): (pool, orders) for order in islice(orders, 1)})

        with ExitStack() as stack, _alive():
            lanes = [_to_the_end(lane) for lane in lanes_of(job, writer, shards, self.count)]
            pools = [stack.enter_context(ended_pool(1)) for _ in lanes]
            with starting():
                for lane in [*zip(pools, lanes, strict=True)] * 2:  # each one first, or two shards were one's
                    submit(*lane)
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    submit(*waiting.pop(future))
                    for shard, notes in future.result():
                        advance(writer.rows(shard).stop - writer.rows(shard).start)
                        yield shard, notes


@contextmanager
def _alive() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise WorkerError(
            "a worker process was ended from outside, as the system does when memory runs out",
            action="run the same command again: it goes on where this one stopped; fewer --processes need less memory.",
        ) from None


@dataclass(frozen=True)
class Order:
    """What travels to a worker."""

    shard: int
    writer: StageWriter
    task: ShardTask


def nothing_again(shard: int) -> float:
    """Of jobs that can begin anywhere."""
    return 0.0


def ranges_of(
    shards: Sequence[int], workers: int, longest: int | None = None, again: Callable[[int], float] = nothing_again
) -> Iterator[Sequence[int]]:
    """Ranges of neighbours among ascending shards, in order: each at most half of a worker's part of those left.

    The last ones are single shards, so that no worker waits long for another. A range is longer where the next one
    would do ``again`` more than half of what it has, in shards: decode a video anew up to where it begins.
    """
    while shards:
        most = -(-len(shards) // (2 * workers))
        most = min(most, longest or most)
        size = next((i for i in range(1, most) if shards[i] != shards[i - 1] + 1), most)
        while size < len(shards) and shards[size] == shards[size - 1] + 1 and again(shards[size]) > size / 2:
            size += 1
        yield shards[:size]
        shards = shards[size:]


def again_of(job: ShardJob) -> Callable[[int], float]:
    """What a range that begins with a shard does again, where a job says that."""
    said: Callable[[int], float] = getattr(job, "again", nothing_again)
    return said


def lanes_of(job: ShardJob, writer: StageWriter, shards: Sequence[int], workers: int) -> list[Iterator[Order]]:
    """For each worker its orders: ascending shards, so that it reads a video on. Who has none left takes another's."""
    left: list[Sequence[int]] = [shards, *[()] * (workers - 1)]

    def own(worker: int) -> Iterator[int]:
        while left[worker] or _taken_over(left, worker, again_of(job)):
            shard, *left[worker] = left[worker]
            yield shard

    return [orders_of(job, writer, own(worker)) for worker in range(workers)]


def _taken_over(left: list[Sequence[int]], worker: int, again: Callable[[int], float]) -> bool:
    """Give a worker the end of the most that another has left, cut so that both are done soonest, if that is sooner.

    The other one is still at work on a shard; who takes over does ``again`` what its first shard says.
    """
    other = max(range(len(left)), key=lambda one: len(left[one]))
    shards, count = left[other], len(left[other])
    cut, soonest = count, count + 1.0
    for k in sorted(range(count), key=lambda k: abs(2 * k + 1 - count)):
        if max(k + 1, count - k) >= soonest:
            break
        done = max(k + 1, count - k + again(shards[k]))
        cut, soonest = (k, done) if done < soonest else (cut, soonest)
    left[other], left[worker] = shards[:cut], shards[cut:]
    return cut < count


def orders_of(job: ShardJob, writer: StageWriter, shards: Iterable[int]) -> Iterator[Order]:
    """Each shard's order, for :func:`make_shard` in another process, whose working directory may be another."""
    away = replace(writer, root=writer.root.absolute())
    for shard in shards:
        yield Order(shard, away, job.task(shard, writer.rows(shard)))


def make_shard(order: Order) -> tuple[int, Any]:
    """Make and commit a shard in a worker; returns its number and its notes."""
    _single_threaded(*_THREADED)
    return _write(order.writer, order.shard, order.task.make(map, lambda _: None))


def make_shards(orders: Iterable[Order]) -> list[tuple[int, Any]]:
    """The same of several, one after the other."""
    return [make_shard(order) for order in orders]


def _to_the_end(orders: Iterator[Order]) -> Iterator[Order | None]:
    """The same, and None behind the last, if there is one."""
    order = None
    for order in orders:
        yield order
    if order:
        yield None


class _Own(threading.local):
    """Of a worker: who writes, and what is being written."""

    def __init__(self) -> None:
        self.disk = ThreadPoolExecutor(1)
        self.writing: Future[tuple[int, Any]] | None = None


_own = _Own()


def _make_next(order: Order | None) -> list[tuple[int, Any]]:
    """Make a shard in a worker while the one before is written, of which it returns number and notes; None: the end."""
    _single_threaded(*_THREADED)
    made = order.task.make(map, lambda _: None) if order else None
    done = [_own.writing.result()] if _own.writing else []
    _own.writing = _own.disk.submit(_write, order.writer, order.shard, made) if order and made else None
    return done


def _write(writer: StageWriter, shard: int, made: Made) -> tuple[int, Any]:
    writer.write_shard(shard, made.data, made.input_digest)
    return shard, made.notes


@contextmanager
def threads(workers: int) -> Iterator[Mapper]:
    """A ``map`` over threads. Its queue is dropped on the way out, so that Ctrl-C and --on-error stop end at once."""
    before = {name: getattr(sys.modules[name], get)() for name, (get, _) in _THREADED.items() if name in sys.modules}
    _single_threaded("cv2")  # its number is the process's, torch's that of each thread
    pool = ThreadPoolExecutor(workers, initializer=_single_threaded, initargs=("torch",))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        for name, count in before.items():
            getattr(sys.modules[name], _THREADED[name][1])(count)


def _single_threaded(*libraries: str) -> None:
    """Workers are the parallelism: libraries' own threads would compete, and divide sums by how many they are.

    A library that is not loaded is not loaded for this: no task uses it.
    """
    for name in libraries:
        if name in sys.modules:
            getattr(sys.modules[name], _THREADED[name][1])(1)
