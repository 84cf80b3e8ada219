"""Call a function in a process of its own, for C libraries that a damaged file can crash, hang or bloat.

One child is started with the first call and kept, so that each further call costs milliseconds; it ends with us,
however we end. It may compute and take memory within bounds that the kernel keeps. What it answers is read as a
stranger's pickle is, since what broke the library may have broken the child.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from pymaf_data.errors import PymafDataError, WorkerError
from pymaf_data.untrusted.bounds import PER_BYTE, open_regular

_START = "import sys; sys.path[:] = sys.argv[1:]; from pymaf_data.untrusted.isolated import serve; serve()"
_WAITING = 60.0  # seconds that reading from a slow disk may add, beside ten times those of computing
_LARGEST = 1 << 32  # bytes of an answer

_one = threading.Lock()
_child: subprocess.Popen[bytes] | None = None


def call(function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> Any:
    """What a function returns: builtin containers, numbers, text and NumPy arrays.

    Args:
        function: of a module, by whose name the child imports it.
        arguments: what JSON can say.
        seconds: that it may compute.
        memory: bytes that it may take.

    Raises:
        ValueError: the function raised, took too much, or ended the child; the text says which.
        WorkerError: it was stopped twice, by the clock or from outside. Whether the file is at fault nobody knows then,
            so nothing may be taken in its place.
    """
    order = _order(function, arguments, seconds, memory)
    try:
        answer = _asked(order, seconds)
    except _Stopped:
        answer = _asked_again(order, seconds, str(arguments[0] if arguments else function.__name__))
    return _value(answer)


@contextlib.contextmanager
def beside(function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> Iterator[Future[Any]]:
    """:func:`call` while this process does something else, in a process that is stopped when the context ends.

    It is asked once: the future raises ValueError for whatever went wrong.
    """
    order = _order(function, arguments, seconds, memory)
    with _started() as child, ThreadPoolExecutor(1) as waiting:
        try:
            yield waiting.submit(lambda: _value(_answered(child, order, seconds)))
        finally:
            child.kill()


def _order(function: Callable[..., Any], arguments: Any, seconds: float, memory: int) -> bytes:
    return json.dumps([function.__module__, function.__qualname__, arguments, seconds, memory]).encode() + b"\n"


def _value(answer: bytes) -> Any:
    from pymaf_data.untrusted.unpickle import loads_trusted  # SciPy, which the child need not load

    try:
        sound, value = loads_trusted(answer, "the answer of the process that reads it")
    except (PymafDataError, TypeError) as error:
        raise ValueError(str(error)[:200]) from None
    if not sound:
        raise ValueError(str(value)[:300])
    return value


def call_on(
    path: Path, function: Callable[..., Any], *arguments: Any, seconds: float, per_mb: float, memory: int
) -> Any:
    """:func:`call` with the path of a file first; ``per_mb`` seconds and what is usual of memory come with its size.

    Raises:
        RawDataCorrupt: the file cannot be opened.
        ValueError, WorkerError: as :func:`call`.
    """
    with open_regular(path) as stream:
        size = stream.seek(0, 2)
    seconds, memory = seconds + per_mb * size / (1 << 20), memory + PER_BYTE * size
    return call(function, str(path.absolute()), *arguments, seconds=seconds, memory=memory)


class _Stopped(ValueError):
    """By the clock or from outside: a machine that stood still or ran out of memory says nothing of the file yet."""


def _asked_again(order: bytes, seconds: float, what: str) -> bytes:
    try:
        return _asked(order, seconds)
    except _Stopped as error:
        raise WorkerError(
            f"reading {what} was stopped twice: {error}",
            expected="an answer in that time, as a sound file gives on any machine that is not overloaded",
            action="run the same command again; if it stops here on an idle machine too, the file is damaged: fetch it "
            "again, or take it away.",
        ) from None


def _asked(order: bytes, seconds: float) -> bytes:
    with _one:
        try:
            return _answered(_running(), order, seconds)
        except BaseException:  # whatever stopped us, what comes next would be the answer to another question
            _end()
            raise


def _running() -> subprocess.Popen[bytes]:
    global _child
    if _child is None or _child.poll() is not None:
        _end()
        _child = _started()
    return _child


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _START, *sys.path]
    # In a session of its own it hears no Ctrl-C: that one is ours.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )


def _forget() -> None:
    """A fork has a child of its own: two that ask one would hear each other's answers."""
    global _child, _one
    _child, _one = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end() -> None:
    global _child
    child, _child = _child, None
    if child is not None:
        child.kill()
        with child:  # closes the pipes, and waits
            pass


def _answered(child: subprocess.Popen[bytes], order: bytes, seconds: float) -> bytes:
    assert child.stdin is not None and child.stdout is not None
    until = time.monotonic() + 10 * seconds + _WAITING
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(order)
    head = _taken(child.stdout.fileno(), 8, until)
    size = int.from_bytes(head, "little")
    answer = _taken(child.stdout.fileno(), size, until) if len(head) == 8 and size <= _LARGEST else b""
    if answer and len(answer) == size:
        return answer
    try:
        code = child.wait(max(0.1, min(10.0, until - time.monotonic())))
    except subprocess.TimeoutExpired:
        code = -signal.SIGPROF
    if code == -signal.SIGPROF:
        raise _Stopped(f"it takes over {seconds:.0f} s to read")
    cause = signal.Signals(-code).name if code < 0 else f"code {code}"
    kind = _Stopped if code == -signal.SIGKILL else ValueError
    raise kind(f"the library that reads it ended, {cause}")


def _taken(descriptor: int, size: int, until: float) -> bytes:
    found = bytearray()
    while len(found) < size and wait([descriptor], max(0.0, until - time.monotonic())):
        block = os.read(descriptor, min(size - len(found), 1 << 20))
        if not block:
            break
        found += block
    return bytes(found)


# In the child


def serve() -> None:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends it also where a library never returns
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for order in sys.stdin.buffer:
        module, name, arguments, seconds, memory = json.loads(order)
        function = getattr(import_module(module), name)
        _bound(memory)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = _tried(function, arguments)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(len(answer).to_bytes(8, "little"))
        answers.write(answer)
        answers.flush()


def _tried(function: Callable[..., Any], arguments: list[Any]) -> bytes:
    try:
        return pickle.dumps((True, function(*arguments)), 5)
    except Exception as error:  # damage leads libraries into errors of any kind
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return pickle.dumps((False, text[:300]), 5)


def _bound(memory: int) -> None:
    """Take no more memory than so many bytes above what is taken; where the system does not count, nothing happens."""
    with contextlib.suppress(OSError, ValueError):
        taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
