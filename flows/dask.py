"""Shards on a Dask cluster: the client stands here, inside the stage's one task, and workers commit what they made.

    --cluster local:4             processes of this machine, which end with the command
    --cluster tcp://HOST:PORT     a scheduler that runs; every worker sees the store and the raw data at the same paths
    --cluster FILE.json           the scheduler that wrote this file

A worker that is killed has its shards made by another; what it had committed stays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from pymaf_data import __version__
from pymaf_data.errors import UsageError, WorkerError
from pymaf_data.stages.executors import again_of, make_shards, orders_of, ranges_of
from pymaf_data.stages.shards import Advance, Committed, ShardJob
from pymaf_data.stages.workers import starting
from pymaf_data.storage import StageWriter
from pymaf_data.storage.lock import holder_of

_RANGE = 4  # neighbouring shards that one task makes, so that a video is mostly read on; it is told when all are made
_SECONDS = 60  # until a scheduler answers, and until it has a worker
_LIBRARIES = ("numpy", "cv2", "torch", "numba", "simplejpeg", "zstandard")
_START = "start `dask scheduler` and `dask worker`, or take --cluster local:4."


class Cluster:
    """An executor, see :mod:`pymaf_data.stages.shards`; ``address`` as this module says.

    Raises:
        UsageError: it names no cluster, or Dask is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address, local = address, re.fullmatch(r"local:([1-9]\d{0,3})", address)
        self._local, self._file = int(local[1]) if local else 0, address.endswith(".json")
        if not (local or re.match(r"(tcp|tls)://.", address) or (self._file and Path(address).is_file())):
            expected = "local:N, tcp://HOST:PORT, or the .json file that a running scheduler wrote"
            raise UsageError(f"--cluster {address!r} names no cluster", expected=expected, action=_START)
        try:
            import_module("distributed")
        except ModuleNotFoundError as error:
            raise UsageError(f"Dask cannot be imported: {error}", action="install pymaf-data[flows].") from None

    def run(self, job: ShardJob, writer: StageWriter, shards: Sequence[int], advance: Advance) -> Committed:
        """See :class:`Executor`.

        Raises:
            WorkerError: no scheduler or worker, workers that differ from this process, or that die of every shard.
        """
        if not shards:
            return
        from distributed import as_completed

        with self._client() as client:
            _require_alike(client, job, writer)
            workers = sum(client.nthreads().values())
            parts = ranges_of(shards, workers, _RANGE, again_of(job))
            ranges = (list(orders_of(job, writer, part)) for part in parts)
            tasks = (client.submit(make_shards, orders, pure=False) for orders in ranges)
            running = as_completed(list(islice(tasks, 2 * workers)))
            for future in running:
                made = future.result()
                running.update(list(islice(tasks, 1)))
                for shard, notes in made:
                    advance(writer.rows(shard).stop - writer.rows(shard).start)
                    yield shard, notes

    @contextmanager
    def _client(self) -> Iterator[Any]:
        from distributed import CancelledError, Client, KilledWorker, LocalCluster

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it would tell between the bars
        place: dict[str, Any] = {"scheduler_file" if self._file else "address": self.address}
        with ExitStack() as stack:
            if self._local:
                one = {"threads_per_worker": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
                with starting():
                    place["address"] = LocalCluster(n_workers=self._local, dashboard_address=None, **one)
                stack.enter_context(place["address"])
            try:
                client = stack.enter_context(Client(**place, timeout=_SECONDS))
                client.wait_for_workers(1, timeout=_SECONDS)
            except (OSError, ValueError, TypeError) as error:  # an address that is none, TLS without certificates
                raise WorkerError(f"{self.address} has no scheduler or no worker: {error}", action=_START) from None
            try:
                yield client
            except (KilledWorker, CancelledError) as error:
                again = "see to the cluster, and run the same command again: it goes on where this one stopped."
                raise WorkerError(f"the cluster loses its workers: {error}", action=again) from None


def look(files: Sequence[Path], writer: StageWriter) -> dict[str, object]:
    """What decides about bytes, as this process has and sees it: versions, files, the lock of the stage."""
    holder = holder_of(writer.root.absolute(), writer.record.stage)
    versions = {name: import_module(name).__version__ for name in _LIBRARIES}
    sizes = {str(file): file.stat().st_size if file.is_file() else "absent" for file in files}
    lock = {f"the lock of {writer.root.absolute()}": holder.token if holder else "absent"}
    return {"pymaf-data": __version__} | versions | sizes | lock


def _require_alike(client: Any, job: ShardJob, writer: StageWriter) -> None:
    ask = partial(look, [file.absolute() for file in job.files], writer)
    own = ask()
    for worker, seen in sorted(client.run(ask, on_error="return").items()):
        found = seen if isinstance(seen, dict) else {"pymaf-data": repr(seen)}
        for key in (key for key in own if found.get(key) != own[key]):
            raise WorkerError(
                f"worker {worker} has another {key}: {found.get(key)}",
                expected=f"{own[key]}, as here",
                action="give all workers one environment, and a disk that shows the same files at the same paths.",
            )
