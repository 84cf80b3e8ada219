"""How fast a run goes, and which share of its time it waits for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from pymaf_data.loader.batch import Batch

RATES = ("images_per_second", "waiting")
"""Images a second, and the share, 0 to 1, of the time that passed in waiting for the next batch."""


class Feed(Protocol):
    """Where batches come from; :class:`pymaf_data.loader.Loader` is one."""

    def __len__(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, a function of its number alone, without the first ``skip``."""


class Pace:
    """Counts from its making, or from when it was asked last: everything, measuring and saving too.

    A step ends when its device has done it, for then it is asked whether the loss is finite; so nothing computes while
    a batch is waited for, on a GPU neither.
    """

    def __init__(self) -> None:
        self._since, self._waited, self._images = time.monotonic(), 0.0, 0

    def epoch(self, feed: Feed, number: int, skip: int) -> Iterator[Batch]:
        """The batches of an epoch; what they are waited for is noted."""
        begun = time.monotonic()
        batches = feed.epoch(number, skip)
        while (batch := next(batches, None)) is not None:
            self._waited += time.monotonic() - begun
            self._images += len(batch)
            yield batch
            begun = time.monotonic()
        self._waited += time.monotonic() - begun

    def told(self, processes: int = 1) -> dict[str, float]:
        """:data:`RATES` since it was asked last, where so many processes go at this pace."""
        now = time.monotonic()
        seconds = max(now - self._since, 1e-9)
        rates = (processes * self._images / seconds, self._waited / seconds)
        self._since, self._waited, self._images = now, 0.0, 0
        return dict(zip(RATES, rates, strict=True))
