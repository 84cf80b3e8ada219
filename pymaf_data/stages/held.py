"""What is large and shared by all tasks of a job: held in this process, named in a pickle, loaded once by a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar, cast
from uuid import uuid4

from pymaf_data.errors import AssetMismatch
from pymaf_data.paths import DataRoot


class _Digested(Protocol):
    @property
    def digest(self) -> str: ...


T = TypeVar("T", bound=_Digested)
C = TypeVar("C", bound=AbstractContextManager[Any])


@dataclass(frozen=True)
class Held(Generic[T]):
    """A body or an atlas; pickled, how to load it and the digest that it must have.

    Args:
        load: a function of a module, which loads it.
        arguments: of ``load``; paths are absolute.
        value: what it gave here.
    """

    load: Callable[..., T]
    arguments: tuple[Any, ...]
    digest: str
    value: T | None = field(repr=False)

    @classmethod
    def of(cls, load: Callable[..., T], *arguments: Any) -> Self:
        """Load it now."""
        value = load(*arguments)
        return cls(load, arguments, value.digest, value)

    def get(self) -> T:
        """The very one; a process loads it once, however many tasks name it.

        Raises:
            AssetMissing: this machine does not have it.
            AssetMismatch: it has another one.
        """
        return self.value if self.value is not None else _loaded(self.load, self.arguments, self.digest)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "value": None}


@dataclass(frozen=True)
class Opened(Generic[C]):
    """A context that is open while a job's shards are made; a worker's thread opens one of its own, for all its shards.

    Args:
        value: open in the process of the command.
    """

    value: C
    key: str = field(default_factory=lambda: uuid4().hex)
    here: bool = True

    def get(self) -> C:
        """The one of this process, or of this worker's thread, which leaves it when it is given that of another job."""
        if self.here:
            return self.value
        if _opened.key != self.key:
            _opened.stack.close()
            _opened.value, _opened.key = _opened.stack.enter_context(self.value), self.key
        return cast(C, _opened.value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, here=False)


class _Own(threading.local):
    def __init__(self) -> None:
        self.key, self.value, self.stack = "", None, ExitStack()


_opened = _Own()


def assets_folder(assets: Path | None) -> Path:
    """The folder of licensed files, as a worker finds it whose working directory is another; by default the root's."""
    return (assets or DataRoot.default().assets).absolute()


@lru_cache(maxsize=16)
def _loaded(load: Callable[..., T], arguments: tuple[Any, ...], digest: str) -> T:
    value = load(*arguments)
    if value.digest != digest:
        raise AssetMismatch(
            f"a worker's {arguments[0]} is another than that of the command ({value.digest[:12]})",
            expected=f"the one with digest {digest[:12]}",
            action="give every machine the same files, best in a folder that all see (--assets).",
        )
    return value
