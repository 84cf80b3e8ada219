"""What a reader is to the fuzz."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FACTORIES = Path(__file__).resolve().parents[2] / "factories"


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        write: writes sound files into a folder; each file that it yields is mutated in its turn.
        read: reads the folder's files; a value or a PymafDataError is right, anything else is a fault.
    """

    write: Callable[[Path], Iterator[Path]]
    read: Callable[[Path], Any]


def factory(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FACTORIES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
