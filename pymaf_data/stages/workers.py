"""Worker processes that end with their command, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from multiprocessing.connection import wait


def spawned_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of spawned processes; make its first submissions inside :func:`starting`."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent)


@contextmanager
def ended_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes end with the context: in an error, or at a signal, in the middle of their work."""
    others = set(active_children())
    pool = spawned_pool(workers)
    try:
        yield pool
    except BaseException:
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def starting() -> Iterator[None]:
    """Processes started inside are whole before a signal stops the command, and never see Ctrl-C, which is sent to all.

    Both signals wait here until the context ends: one that came between a process's start and its first message would
    leave it to read half of that. SIGTERM is put off by a handler, which no process inherits, so that a worker still
    ends by it; SIGINT by the mask, which it does inherit.
    """
    resource_tracker.ensure_running()  # its start would let Ctrl-C through again
    with _put_off(signal.SIGTERM):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _put_off(number: signal.Signals) -> Iterator[None]:
    """A signal that comes inside is delivered when the context ends; outside the main thread nothing can be done."""
    before = signal.getsignal(number)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    signal.signal(number, lambda *_: came.append(number))
    try:
        yield
    finally:
        signal.signal(number, before)
        if came:
            signal.raise_signal(number)


def end_with_parent() -> None:
    """End this worker when its parent has been killed: it would wait for work for ever."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
