"""Bits flipped in every kind of file of a store: a reader gives the values that were written, or an error."""

from __future__ import annotations

import random
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import PymafDataError
from pymaf_data.storage import open_store, verify

ARRAYS = ("image", "box", "annotation_id", "present", "reason", "fits/truth/pose", "fits/truth/valid")
LATER = ("choice/source", "iuv/uv", "iuv/rendered")
FLIPS = 6  # of each kind of file


def kinds(store: Path) -> dict[str, list[Path]]:
    """Files by what they are: array, or kind of record; numbers and digests aside."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        name = str(path.relative_to(store))
        if not name.startswith("_pymaf/locks/"):
            found[re.sub(r"/[0-9a-f]{16}\b|/\d+\b", "/N", name)].append(path)
    return found


def values(store: Path) -> dict[str, np.ndarray]:
    opened = open_store(store)
    read = {name: opened.array(name)[:] for name in (*ARRAYS, *LATER)}
    return read | {"rows": np.array([f"{name} {number}" for name, number in opened.rows])}


@pytest.mark.parametrize("seed", [0])
def test_no_flip_changes_a_value_that_is_read(whole: Path, memory: Path, seed: int) -> None:
    store = Path(shutil.copytree(whole, memory / "a.zarr"))
    expected, random_one = values(store), random.Random(seed)
    sorts, refused = kinds(store), 0
    assert len(sorts) > 30
    for kind, paths in sorts.items():
        for _ in range(FLIPS):
            path = random_one.choice(paths)
            good = path.read_bytes()
            bad = bytearray(good)
            bad[random_one.randrange(len(bad))] ^= 1 << random_one.randrange(8)
            path.write_bytes(bytes(bad))
            try:
                read: dict[str, Any] = values(store)
            except PymafDataError:
                refused += 1
            else:
                assert kind.endswith("zarr.json"), "only what readers of other make go by may pass unread"
                assert all(np.array_equal(read[name], expected[name]) for name in expected), path
                assert any(finding.is_damage for finding in verify(store)), path
            path.write_bytes(good)
    assert refused > 0.5 * FLIPS * len(sorts)
    assert verify(store) == []
