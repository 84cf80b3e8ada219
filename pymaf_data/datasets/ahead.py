"""Work on items in their order, by threads that are a little ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_Made = TypeVar("_Made")


def in_order(work: Callable[[_T], _Made], items: Iterable[_T], workers: int, ahead: int = 1) -> Iterator[_Made]:
    """What ``work`` makes of each item, in their order, by threads each of which is ``ahead`` items ahead at most."""
    waiting: deque[Future[_Made]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pymaf-ahead")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > workers * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
