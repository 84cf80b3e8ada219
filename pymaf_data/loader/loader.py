"""Batches from stores, in an order and with augmentations that only the seed decides.

    loader = Loader([open_store("stores/coco-train.zarr")], body, atlas, LoaderOptions(batch_size=64))
    for epoch in range(60):
        for batch in loader.epoch(epoch):
            batch = batch.to(device)

The unit of work is a whole batch: a worker decodes and warps its images and does the arithmetic once for all rows, so
nothing passes between workers but finished batches. Threads are the default: all that costs time releases the
interpreter lock, and labels stay in memory once. Measured in ``benchmarks/loader.py``.
"""

from __future__ import annotations

import copy
import logging
import resource
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from pymaf_data.body import BodyModel
from pymaf_data.errors import StoreIncomplete, TooManyFiles, UsageError
from pymaf_data.loader.assemble import Assembler, Rows, Source
from pymaf_data.loader.batch import Batch
from pymaf_data.loader.device import DeviceViews
from pymaf_data.loader.frame import unturned
from pymaf_data.loader.kept import kept_labels
from pymaf_data.loader.labels import Labels, read_labels
from pymaf_data.loader.mixture import Everybody, Mixture, mixture
from pymaf_data.loader.options import AugmentationOptions, LoaderOptions
from pymaf_data.loader.persons import Persons, persons
from pymaf_data.loader.views import HostViews
from pymaf_data.render.atlas import Atlas
from pymaf_data.storage import Store

logger = logging.getLogger(__name__)

# What a process has open besides: libraries, logs, the pipes of its workers.
_OTHER_FILES = 64


class Loader:
    """Epochs of batches over the rows of one or more stores.

    Attributes:
        labels: the labels of all rows.
        rows: the rows that have an image, in order; the others are never drawn.
        views_by: who makes images and IUV targets, in words.
        stores: what was opened; their attributes carry provenance and licences.

    Args:
        stores: opened stores; their rows are counted through in this order.
        body: the body that is trained on. The stores' fits must belong to it.
        atlas: whose charts the stores' IUV maps show.
        options: see :class:`LoaderOptions`.

    Raises:
        StoreIncomplete: a store lacks shards (see ``allow_partial``), or no row has an image.
        AssetMismatch: fits of another body, or maps of another atlas.
        StoreChanged: maps that show fits that are no longer chosen.
    """

    def __init__(self, stores: Sequence[Store], body: BodyModel, atlas: Atlas, options: LoaderOptions) -> None:
        if not stores:
            raise UsageError("a loader without a store", action="name at least one store.")
        self.stores, self.options, self._atlas, self._body = tuple(stores), options, atlas, body.of_joints()
        self.labels = Labels.join([self._read(store, body) for store in stores])
        if options.frame == "view":
            self._tell_unturned()
        self.rows: Rows = np.flatnonzero(self.labels.present)
        if not len(self.rows):
            raise StoreIncomplete(
                f"none of {len(self.labels)} persons in {', '.join(store.path.name for store in stores)} has an image",
                action="look at the reasons with `pymaf-data inspect`.",
            )
        self._order = self._ordered()
        self._assemble = self._assembler()

    def _ordered(self) -> Everybody | Mixture:
        options = self.options
        if not options.mixture:
            return Everybody(self.rows, len(self.labels), options.shuffle)
        names = [(str(store.head["dataset"]), store.path.stem) for store in self.stores]
        return mixture(options.mixture, names, self.rows_by_store(), options.epoch_length)

    def rows_by_store(self) -> list[Rows]:
        """:attr:`rows`, those of each store."""
        ends = np.cumsum([0, *(len(store) for store in self.stores)])
        return [self.rows[(self.rows >= a) & (self.rows < b)] for a, b in pairwise(ends.tolist())]

    def _read(self, store: Store, body: BodyModel) -> Labels:
        """The labels of a store as this loader's options want them."""
        options, atlas = self.options, self._atlas

        def make() -> Labels:
            return read_labels(store, body, atlas, options.maps, options.allow_partial)

        # Fits and maps of another body or atlas are refused when they are read.
        return kept_labels(store, [options.maps, body.digest, atlas.digest if options.maps else ""], make)

    def _tell_unturned(self) -> None:
        lost = int(unturned(self.labels).sum())
        if lost:
            found = "of %d persons %d stay in the frame of their image's camera: its intrinsics are not known"
            logger.warning(found, len(self.labels), lost)

    def plain(self) -> Loader:
        """The same rows as evaluation sees them: in order, not augmented, made by the CPU. Labels are shared."""
        other = copy.copy(self)
        changes: dict[str, Any] = {"augmentation": AugmentationOptions.none(), "shuffle": False, "workers": 0}
        changes |= {"mixture": {}, "rank": 0, "ranks": 1, "device": None}
        other.options = self.options.model_copy(update=changes)
        other._order = other._ordered()
        other._assemble = other._assembler()
        return other

    def _assembler(self) -> Assembler:
        options, sources = self.options, [Source(store, self.options.maps) for store in self.stores]
        views = HostViews() if options.device is None else DeviceViews(torch.device(options.device))
        self.views_by = views.name
        return Assembler(sources, self.labels, self._body, self._atlas, options, views)

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self._order), self.options.batch_size * self.options.ranks)
        # A last batch that is not full cannot be shared out evenly.
        return full + (1 if rest and not self.options.drop_last and self.options.ranks == 1 else 0)

    def batch(self, rows: Sequence[int] | Rows, epoch: int = 0) -> Batch:
        """The batch of any rows, as the augmentation of an epoch shows them.

        Raises:
            UsageError: a row that has no image, or is not there.
        """
        wanted = np.asarray(rows, np.int64)
        missing = np.setdiff1d(wanted, self.rows)
        if len(missing):
            raise UsageError(f"rows {missing[:5].tolist()} have no image", expected="rows among `loader.rows`")
        return self._assemble(epoch, wanted, wanted, len(self.labels)).held_by_current_stream()

    def persons(self, rows: Rows) -> Persons:
        """What follows from the labels of any rows, before augmentation."""
        return persons(self.labels, rows, self._body, self.options)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in order, made ahead by the workers.

        Args:
            number: the epoch, from 0.
            skip: leave out this many batches at the start, as a training that goes on does.
        """
        rows, keys, stream = self._order(self.options.seed, number)
        size, ranks = self.options.batch_size, self.options.ranks
        firsts = [(k * ranks + self.options.rank) * size for k in range(skip, len(self))]
        tasks = [(number, rows[first : first + size], keys[first : first + size], stream) for first in firsts]
        if self.options.workers == 0:
            return (self._assemble(*task).held_by_current_stream() for task in tasks)
        return self._workers.run(tasks)

    @cached_property
    def _workers(self) -> _Threads | _Processes:
        kind = _Threads if self.options.worker_kind == "thread" else _Processes
        return kind(self._assemble, self.options)


Task = tuple[int, Rows, Rows, int]


class _Threads:
    """Worker threads; each epoch has its own, for they cost nothing to start."""

    def __init__(self, assemble: Assembler, options: LoaderOptions) -> None:
        self._assemble, self._options = assemble, options

    def run(self, tasks: list[Task]) -> Iterator[Batch]:
        """The batches of the tasks in order, at most workers · prefetch of them under way or waiting."""
        options = self._options
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(options.workers, thread_name_prefix="pymaf-loader")
        try:
            for task in tasks:
                waiting.append(pool.submit(self._assemble, *task))
                if len(waiting) >= options.workers * options.prefetch:
                    yield waiting.popleft().result().held_by_current_stream()
            while waiting:
                yield waiting.popleft().result().held_by_current_stream()
        finally:
            # A consumer that stops early must not wait for batches that nobody wants.
            pool.shutdown(wait=True, cancel_futures=True)


class _Processes:
    """Worker processes of torch, which live as long as the loader and hand batches over in shared memory.

    Raises:
        TooManyFiles: this process may not open as many files as batches under way need.
    """

    def __init__(self, assemble: Assembler, options: LoaderOptions) -> None:
        _allow_files(options)
        self._tasks: list[Task] = []
        self._loader = DataLoader(
            _Tasks(assemble),
            sampler=_Current(self._tasks),
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=options.prefetch,
            persistent_workers=True,
            multiprocessing_context="forkserver",
        )

    def run(self, tasks: list[Task]) -> Iterator[Batch]:
        """The batches of the tasks in order."""
        self._tasks[:] = tasks
        return iter(self._loader)


def _allow_files(options: LoaderOptions) -> None:
    """Raise the soft limit of open files where batches under way, a file for each tensor, would pass it.

    Checked before, for a worker that meets the limit prints a stack and its batch is waited for without end.
    """
    under_way = options.workers * options.prefetch + 2
    needed = under_way * len(fields(Batch)) + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise TooManyFiles(
            f"{options.workers} worker processes, {options.prefetch} batches ahead each, need {needed} open files; "
            f"this process may have {hard}",
            expected="a file for each tensor under way",
            action="raise the limit (`ulimit -Hn`, `ulimit -n`), use fewer workers, or worker threads.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class _Tasks(Dataset[Batch]):
    """What torch's workers call; a task is its own index."""

    def __init__(self, assemble: Assembler) -> None:
        self._assemble = assemble

    def __getitem__(self, task: Task) -> Batch:
        return self._assemble(*task)


class _Current(Sampler[Task]):
    """The tasks of the epoch that is asked for, in order."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)
