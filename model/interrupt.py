"""Ctrl-C and SIGTERM between two steps instead of inside one."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO = 1.0  # seconds; a terminal and a program that wraps the command often send the same Ctrl-C twice


class StopRequest:
    """While entered, the first Ctrl-C or SIGTERM only sets ``requested``; a second Ctrl-C interrupts at once.

    An interrupt inside an optimizer step would leave parameters of two steps mixed, so the loop asks between steps.
    Nothing interrupts while :meth:`uninterrupted`. A signal that was ignored stays so. Outside the main thread, where
    Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._signal, self._since, self._held = signal.SIGINT, 0.0, False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Every signal waits until this has ended."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def obey(self) -> None:
        """Do what the signal does without this; KeyboardInterrupt where nobody has decided otherwise.

        Raises:
            KeyboardInterrupt: a stop is requested.
        """
        if self.requested:
            self._restore()
            signal.raise_signal(self._signal)
            raise KeyboardInterrupt  # a handler that does not raise must not keep the run going

    def _request(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._signal, self._since = True, signal.Signals(number), time.monotonic()
            logger.warning("stopping after this step; press Ctrl-C again to stop at once")
        elif number == signal.SIGINT and not self._held and time.monotonic() - self._since > _ECHO:
            self.obey()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
