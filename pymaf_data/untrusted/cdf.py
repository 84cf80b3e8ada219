"""Read a variable of NASA's Common Data Format (.cdf), in which Human3.6M keeps its poses.

The package cdflib (extra `raw`) reads it. It believes what a file says of its own lengths and links, so that a damaged
one can keep it busy for ever or make it fill memory: it runs in a process of its own
(:mod:`~pymaf_data.untrusted.isolated`).

Source: NASA GSFC, CDF Internal Format Description 3.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pymaf_data.errors import ConfigError, RawDataCorrupt
from pymaf_data.untrusted import isolated

_SECONDS, _PER_MB = 5.0, 1.0  # of computing: cdflib needs one to be imported, and milliseconds for a megabyte
_GROUND = 1 << 28  # bytes beside the data


def read_cdf(path: Path, name: str) -> np.ndarray:
    """The numbers of a variable, (records, …) in the order of rows, whichever order the file has.

    Raises:
        ConfigError: cdflib is not installed.
        RawDataCorrupt: the file cannot be opened, is no CDF, is damaged, or lacks the variable.
        WorkerError: reading was stopped twice; whether the file is damaged is not known.
    """
    if find_spec("cdflib") is None:
        raise ConfigError(
            f"{path.name} is a CDF file, and cdflib, which reads such, is not installed",
            action="install pymaf-data[raw].",
        )
    try:
        found: np.ndarray = isolated.call_on(path, _read, name, seconds=_SECONDS, per_mb=_PER_MB, memory=_GROUND)
    except ValueError as error:
        raise RawDataCorrupt(
            f"{path} cannot be read as a CDF file: {str(error)[:200]}",
            expected=f"a CDF file with the variable {name}",
            action="fetch it again.",
        ) from None
    return found


def _read(path: str, name: str) -> np.ndarray:
    """In the child."""
    import cdflib

    found = np.asarray(cdflib.CDF(path).varget(name))
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no numbers")
    return np.ascontiguousarray(found, found.dtype.newbyteorder("="))
