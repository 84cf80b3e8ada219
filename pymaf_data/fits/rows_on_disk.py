"""Numbers that are written down row by row and asked for some rows at a time, of files larger than memory should be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from pymaf_data.storage.files import writing_to


class RowsOnDisk:
    """Rows (N, width) of float32 in a file without a name, which goes with this object or its process.

    It lies in the system's temporary folder (``TMPDIR``).

    Args:
        width: numbers of a row.

    Raises:
        DiskFull, NotWritable: it cannot be made there.
    """

    def __init__(self, width: int) -> None:
        self._width, self._rows = width, 0
        self._folder = Path(tempfile.gettempdir())
        with writing_to(self._folder):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # it goes with this object

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: np.ndarray) -> None:
        """Add rows (K, width); what float32 cannot hold becomes infinite.

        Raises:
            DiskFull: there is no room for them.
        """
        with np.errstate(over="ignore"):
            left = memoryview(np.ascontiguousarray(rows, np.float32).tobytes())
        with writing_to(self._folder):
            while left:
                left = left[self._file.write(left) :]
        self._rows += len(rows)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(K, width) of the rows (K,) by number, from 0; several threads may ask."""
        size = 4 * self._width
        found = b"".join(os.pread(self._file.fileno(), size, row * size) for row in rows.tolist())
        return np.frombuffer(found, np.float32).reshape(len(rows), self._width)
