"""The server's process; :mod:`.api` starts it, as a script of its own, so that it imports nothing of this package.

    python server.py SOCKET PIPE

SOCKET is a bound and listening socket, inherited; PIPE is the end of a pipe that nobody writes to: when it closes, the
command that started the server has ended, however it ended, and the server ends with it. What becomes of it is told on
standard output, a line each: ``importing``, ``opening its database``, ``ready``, and ``failed: …``.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def tell(line: str) -> None:
    """Say a line to the command; one that is gone needs none."""
    with contextlib.suppress(OSError):
        os.write(1, (" ".join(line.split()) + "\n").encode(errors="replace"))


def end_with(pipe: int) -> None:
    """End when the pipe does. At once: SQLite loses nothing by it, and every request was answered."""

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class Failures(logging.Handler):
    """Tells the errors that requests meet, a full disk for one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the cause rather than what was being done."""
        error = record.exc_info[1] if record.exc_info else None
        tell(f"failed: {cause(error) if error is not None else record.getMessage()}")


def cause(error: BaseException) -> str:
    """The error at the root, in one line: SQLAlchemy wraps the driver's and adds the statement."""
    root = getattr(error, "orig", None) or error
    return f"{type(root).__name__}: {root}"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One server at a time opens the database: two commands that make it at once would meet each other's tables."""
    home = Path(os.environ["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)  # not before: a command that is refused at once leaves nothing
    with (home / "opening.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def serve(listener: socket.socket) -> None:
    """Open the database and answer until the process ends."""
    import uvicorn
    from prefect.server.api.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.freeze()
            gc.enable()
            tell("ready")

    app: Any = create_app(ephemeral=True)
    logging.getLogger("prefect.server").addHandler(Failures(logging.ERROR))
    tell("opening its database")
    async with contextlib.AsyncExitStack() as stack:
        with alone():
            await stack.enter_async_context(app.router.lifespan_context(app))
        server: Any = Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
        # It ends with its command, not with the terminal's signals: the command still reports how its run ended.
        server.capture_signals = contextlib.nullcontext
        await server.serve([listener])


def main() -> None:
    """Serve on the inherited socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_with(int(sys.argv[2]))
    gc.disable()  # imports make hundreds of thousands of objects that stay: collecting takes a third of their time
    tell("importing")
    try:
        import asyncio

        asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
    except Exception as error:
        tell(f"failed: {cause(error)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
