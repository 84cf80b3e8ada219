"""Numbers kept beside a store are those that were read, or are read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_data.datasets.kept import kept


@pytest.mark.parametrize("damage", [lambda data: data[:-8], lambda data: data[:-1] + bytes([data[-1] ^ 1]), None])
def test_what_is_damaged_or_of_another_file_is_read_again(tmp_path: Path, damage: object) -> None:
    file, folder, numbers, read = tmp_path / "a.mat", tmp_path / "kept", np.arange(8.0).reshape(4, 2), list[int]()
    file.write_bytes(b"masks")

    def take() -> np.ndarray:
        return kept(folder, file, ["boxes"], (4, 2), lambda: read.append(1) or numbers)

    for _ in range(2):
        np.testing.assert_array_equal(take(), numbers)
    assert len(read) == 1
    if callable(damage):
        (held,) = (path for path in folder.iterdir() if path.is_file())
        held.write_bytes(damage(held.read_bytes()))
    else:
        file.write_bytes(b"other masks")
    np.testing.assert_array_equal(take(), numbers)
    assert len(read) == 2
