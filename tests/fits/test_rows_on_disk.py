"""Rows that lie on disk come back as they were, in any order, to several threads, and a full disk is told."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import DiskFull, NotWritable
from pymaf_data.fits.rows_on_disk import RowsOnDisk


def test_rows_come_back_by_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    wanted, kept = np.random.default_rng(0).normal(size=(700, 45)).astype(np.float32), RowsOnDisk(45)
    for first, last in ((0, 300), (300, 300), (300, 700)):
        kept.append(wanted[first:last].astype(np.float64))
    assert len(kept) == 700 and not [*tmp_path.iterdir()], "nothing of it is left behind"
    orders = [np.random.default_rng(seed).integers(0, 700, 200) for seed in range(16)] + [np.arange(0)]
    with ThreadPoolExecutor(4) as each:
        for order, found in zip(orders, each.map(kept.__getitem__, orders), strict=True):
            assert np.array_equal(found, wanted[order])


def test_what_float32_cannot_hold_is_infinite() -> None:
    kept = RowsOnDisk(2)
    kept.append(np.array([[1e300, np.nan]]))
    assert np.isinf(kept[np.array([0])][0, 0]) and np.isnan(kept[np.array([0])][0, 1])


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = RowsOnDisk(2)

    class Full:
        def write(self, data: Any) -> int:
            if len(data) <= 8:
                raise OSError(errno.ENOSPC, "No space left on device")
            return len(data) - 8  # as files without a buffer do when room ends

    monkeypatch.setattr(kept, "_file", Full())
    with pytest.raises(DiskFull):
        kept.append(np.zeros((4, 2)))


def test_a_folder_that_may_not_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "/forbidden/x")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(NotWritable, match="/forbidden/x"):
        RowsOnDisk(2)
