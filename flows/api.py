"""The API that flows report to: the user's, where ``PREFECT_API_URL`` names one, else a server of our own.

Prefect's own temporary server costs a command six seconds and outlives it when it is killed. Ours starts before
anything of weight is imported here, so that both load at once, on a socket that is bound already (no port to search,
none to lose), without the services of a server that others use, and it ends with this process.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from pymaf_data.errors import FlowError, UsageError

from .settings import DIRECT, home, import_prefect, make_home, prepare_command, server_environment, spare_loopback

logger = logging.getLogger(__name__)

_NOTICE, _LATE = 15.0, 60.0  # seconds until a start that takes long is told, and until that is a warning
_STANDSTILL = 60.0  # given up after so many seconds in which it did nothing: a busy machine only waits
_WORK = 0.5  # seconds of processor time that count as having done something
_STARTING = "Prefect's server is still starting (%.0f s so far, now: %s); it is waited for; --direct needs none"
_active: ContextVar[bool] = ContextVar("pymaf_data_flow_api", default=False)
_started: list[Server] = []  # by :func:`start_server`, for the flow that comes next


def start_server() -> None:
    """Start the server of a flow that is to come: it loads while the command imports its stage.

    Where no flow comes, it ends with this process.

    Raises:
        FlowError: no socket can be opened.
    """
    prepare_command()
    spare_loopback()
    while _started:
        _started.pop().end()
    if not os.environ.get("PREFECT_API_URL"):
        _started.append(Server())


def _server() -> Server | None:
    """The server of this flow; None where the user names an API."""
    started = _started.pop() if _started else None
    if started is not None and started.settings == _settings():
        return started
    if started is not None:
        started.end()  # meant for another data root
    return None if os.environ.get("PREFECT_API_URL") else Server()


def _settings() -> dict[str, str]:
    """What decides which server it is: where its database lies."""
    return {key: value for key, value in server_environment().items() if key.startswith("PREFECT_")}


@contextmanager
def flow_api() -> Iterator[None]:
    """Flows called inside report to the user's API, or to a server that lives as long as this context.

    Raises:
        UsageError: Prefect's home cannot be made, Prefect cannot be imported, or the user's API does not answer.
        NotWritable: Prefect's home is to lie in the data root, which may not be written.
        FlowError: the server does not come up, or it fails.
    """
    if _active.get():
        yield
        return
    with ExitStack() as stack:
        stack.callback(_active.reset, _active.set(True))
        spare_loopback()
        # As early as can be: it loads while this process imports.
        server = _server()
        if server is not None:
            stack.enter_context(server.running())
            make_home()
        import_prefect()
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        url = PREFECT_API_URL.value()  # of the environment, a profile or a prefect.toml
        if server is None or url:
            if server is not None:
                server.end()
            # The heartbeat thread serves remote workers; here it would hold the process a second longer.
            stack.enter_context(temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
            _require_answer(str(url))
            with _named(f"Prefect's API at {url}", None):
                yield
        else:
            server.wait()
            stack.enter_context(_reporting_to(server))
            with _named("Prefect's own server", server):
                yield


@contextmanager
def _reporting_to(server: Server) -> Iterator[None]:
    """Prefect's settings for a server that nobody else looks at: no logs, no events, no heartbeat go there."""
    from prefect.events.clients import NullEventsClient
    from prefect.events.worker import EventsWorker
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )

    ours = {PREFECT_API_URL: server.url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    EventsWorker.set_client_override(NullEventsClient)
    try:
        with temporary_settings(updates=ours):
            yield
    finally:
        EventsWorker.set_client_override(None)


def _require_answer(url: str) -> None:
    """Ask the user's API, once.

    Raises:
        UsageError: it does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    try:
        with (
            temporary_settings(updates={PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: _NOTICE - 5}),
            get_client(sync_client=True) as client,
        ):
            client.hello().raise_for_status()
    except Exception as error:  # whatever Prefect, its client or the connection raise
        raise UsageError(
            f"Prefect's API at {url} does not answer: {type(error).__name__}: {error}",
            expected="the API of a running Prefect server",
            action=f"check PREFECT_API_URL and the proxy's variables, unset it for a server of our own, {DIRECT}",
        ) from None


@contextmanager
def _named(what: str, server: Server | None) -> Iterator[None]:
    """What Prefect's client raises about its server becomes a message; what a stage raises passes."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        yield
    except (HTTPError, PrefectHTTPStatusError) as error:
        told = server.failure() if server is not None else ""
        reason = told or str(error).partition("\n")[0]
        raise FlowError(f"{what} failed: {reason}", action=_remedy(reason)) from None


def _remedy(reason: str) -> str:
    """What to do about a server that failed."""
    place = f"PREFECT_HOME ({home()})"
    if (
        "disk is full" in reason
        or "disk I/O error" in reason
        or os.strerror(errno.ENOSPC) in reason
        or os.strerror(errno.EDQUOT) in reason
    ):
        return f"free some space for its database, set {place} to a folder on another disk, {DIRECT}"
    if "readonly database" in reason or "unable to open database" in reason or os.strerror(errno.EACCES) in reason:
        return f"set {place} to a folder that you may write, {DIRECT}"
    if "database is locked" in reason:
        return f"wait for other commands of this data root, set {place} to a folder on a local disk, {DIRECT}"
    return f"look at {place} and the installed packages, {DIRECT}"


class Server:
    """A server as a child process, started at once."""

    def __init__(self) -> None:
        self.settings = _settings()
        with self._bound() as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            theirs, self._pipe = os.pipe()
            try:
                # -P: no module of the folder it is started in stands in for Prefect's.
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",
                        str(Path(__file__).with_name("server.py")),
                        str(listener.fileno()),
                        str(theirs),
                    ],
                    env=server_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(listener.fileno(), theirs),
                )
            finally:
                os.close(theirs)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self._begun, self._text, self._last, self._ended = time.monotonic(), b"", "starting", False

    @staticmethod
    def _bound() -> socket.socket:
        try:
            listener = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            raise FlowError(
                f"no socket can be opened on 127.0.0.1 for Prefect's server: {error.strerror}",
                action=f"allow connections on the loopback interface, {DIRECT}",
            ) from None
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener

    @contextmanager
    def running(self) -> Iterator[Server]:
        """The server; it has ended when this context has."""
        try:
            yield self
        finally:
            self.end()

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            FlowError: it failed, or is not ready in time.
        """
        told, spent, moved = 0.0, 0.0, self._begun
        while True:
            open_ended = self._read(0.5)
            if self._last == "ready":
                return
            now = time.monotonic()
            waited = now - self._begun
            if self._spent() > spent + _WORK:
                spent, moved = self._spent(), now
            if not open_ended or self._last.startswith("failed") or now - moved > _STANDSTILL:
                reason = self.failure() or f"it ended or hung while {self._last}"
                raise FlowError(f"Prefect's server does not come up: {reason}", action=_remedy(reason))
            due = _LATE if told else _NOTICE
            if waited > due > told:
                told = due
                logger.log(logging.WARNING if due == _LATE else logging.INFO, _STARTING, waited, self._last)

    def _spent(self) -> float:
        """Its processor time in seconds; 0 where the system does not say."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def failure(self) -> str:
        """The reason of its last failure, empty where it told none."""
        while self._read(0.0):
            pass
        return self._last.removeprefix("failed: ") if self._last.startswith("failed") else ""

    def _read(self, seconds: float) -> bool:
        """Take in what it tells within this time; False at its end, or, with no time, when there is nothing."""
        if not select.select([self._output], [], [], seconds)[0]:
            return seconds > 0
        data = os.read(self._output.fileno(), 65536)
        self._text += data
        *lines, self._text = self._text.split(b"\n")
        if lines:
            self._last = lines[-1].decode(errors="replace")
        return bool(data)

    def end(self) -> None:
        """End it, and wait until it has."""
        if self._ended:
            return
        self._ended = True
        os.close(self._pipe)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
