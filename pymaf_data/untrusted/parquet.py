"""Read columns of a Parquet file, in which SAM 3D Body's data set keeps its persons.

The package pyarrow (extra `sam`) reads it, in a process of its own (:mod:`~pymaf_data.untrusted.isolated`): C++ that a
damaged file may crash or make take much memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.errors import ConfigError, RawDataCorrupt
from pymaf_data.untrusted import isolated

_SECONDS, _PER_MB = 10.0, 2.0  # of computing: pyarrow needs one to be imported, numbers in lists a second for ten MB
_GROUND = 1 << 31  # bytes beside the data: what pyarrow maps


def read_parquet(path: Path, columns: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Columns by name, in the order of rows: (N, K) float64 of as many numbers as asked for, in whichever lists; (N,)
    text for a K of 0. A row that has not so many numbers is NaN, or "".

    Raises:
        ConfigError: pyarrow is not installed.
        RawDataCorrupt: the file cannot be opened, is no Parquet file, is damaged, or lacks a column.
        WorkerError: reading was stopped twice; whether the file is damaged is not known.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(
            f"{path.name} is a Parquet file, and pyarrow, which reads such, is not installed",
            action="install pymaf-data[sam].",
        )
    try:
        found = isolated.call_on(path, _read, dict(columns), seconds=_SECONDS, per_mb=_PER_MB, memory=_GROUND)
        return {name: np.array(values, str) if columns[name] == 0 else values for name, values in found.items()}
    except ValueError as error:
        raise RawDataCorrupt(
            f"{path} cannot be read as a Parquet file: {str(error)[:200]}",
            expected=f"a Parquet file with the columns {', '.join(columns)}",
            action="fetch it again.",
        ) from None


def _read(path: str, columns: dict[str, int]) -> dict[str, Any]:
    """In the child."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others map more than is asked for
    from pyarrow import parquet

    file = parquet.ParquetFile(path, memory_map=False)
    absent = [name for name in columns if name not in file.schema_arrow.names]
    if absent:
        raise ValueError(f"it has no column {', '.join(absent)}")
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for batch in file.iter_batches(256, columns=list(columns), use_threads=False):
        for name, size in columns.items():
            rows = batch.column(name).to_pylist()
            found[name] += [str(row) if isinstance(row, str) else "" for row in rows] if size == 0 else []
            found[name] += [np.stack([_numbers(row, size) for row in rows])] if size and rows else []
    return {
        name: parts if columns[name] == 0 else np.concatenate([np.empty((0, columns[name])), *parts])
        for name, parts in found.items()
    }


def _numbers(row: Any, size: int) -> np.ndarray:
    try:
        numbers = np.asarray(row, np.float64).ravel()
    except (TypeError, ValueError):
        numbers = np.empty(0)
    return numbers if len(numbers) == size else np.full(size, np.nan)
