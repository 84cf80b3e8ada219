"""SIGKILL at a chosen file operation: what is left on disk when a process ends between any two of them."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

# Every call before or after which the state of the disk may differ; a temporary file's name is drawn before it is made.
_OPERATIONS = (
    (os, "fsync"), (os, "mkdir"), (os, "replace"), (os, "rename"), (os, "unlink"), (os, "rmdir"),
    (secrets, "token_hex"),
)  # fmt: skip


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a forked process that is killed before its `step`-th operation; False when it ended before."""
    remaining = iter(range(step, -1, -1))
    return killed_when(lambda _: next(remaining) == 0, work)


def killed_when(ripe: Callable[[tuple[Any, ...]], bool], work: Callable[[], object]) -> bool:
    """The same, before the first operation for whose arguments `ripe` holds."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the child failed instead of being killed"
        return os.WIFSIGNALED(status)
    code = 1
    try:
        for module, name in _OPERATIONS:
            setattr(module, name, _deadly(getattr(module, name), ripe))
        work()
        code = 0
    finally:
        os._exit(code)


def before_commit(stage: str, done: int, commits: Callable[[], int]) -> Callable[[tuple[Any, ...]], bool]:
    """For :func:`killed_when`: before a shard of a stage is committed, when just `done` are, whatever threads write."""
    begun, counting = iter(range(done)), threading.Lock()

    def ripe(arguments: tuple[Any, ...]) -> bool:
        target = str(arguments[-1]) if arguments else ""
        if f"/commits/{stage}/" not in target or not target.endswith(".json"):
            return False
        with counting:
            if next(begun, None) is not None:
                return False
        while commits() < done:  # another thread's is under way
            time.sleep(0.001)
        return True

    return ripe


def _deadly(operation: Callable[..., Any], ripe: Callable[[tuple[Any, ...]], bool]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        if ripe(arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*arguments, **named)

    return run
