"""A process with few file descriptors, and a user whose umask is not 022."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import TooManyFiles
from pymaf_data.storage import ArraySpec, open_store, verify

_SPECS = tuple(ArraySpec(f"a{number:02d}", (3,), "f8", 1) for number in range(15))


@contextmanager
def at_most(files: int) -> Iterator[None]:
    """No more than ``files`` open files; both limits would be final, so the hard one stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        yield
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == files, "nobody raised the limit"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def under(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def large(kit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """70 shards of 15 arrays: 1,050 files."""
    folder = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path_factory.getbasetemp()
    path = folder / f"{tmp_path_factory.mktemp('large').name}-{os.getpid()}"
    yield kit.ingest(path / "a.zarr", kit.replace(kit.recipe, persons=70, shard=1, specs=_SPECS))
    shutil.rmtree(path)


def test_all_arrays_of_several_stores_are_read_with_few_descriptors(kit: Any, large: Path) -> None:
    recipe = kit.replace(kit.recipe, persons=70, shard=1, specs=_SPECS)
    with at_most(64):
        stores = [open_store(large) for _ in range(3)]
        held = [store.array(spec.name) for spec in _SPECS for store in stores]
        for array, spec in zip(held[::3], _SPECS, strict=True):
            assert np.array_equal(array[:], recipe.values(spec))
        assert verify(large) == []


def test_an_array_keeps_no_descriptor_and_no_map_when_it_is_gone(large: Path) -> None:
    def state() -> tuple[int, int]:
        maps = Path("/proc/self/maps").read_text()
        return len(os.listdir("/proc/self/fd")), maps.count(str(large))  # noqa: PTH208 - names, not paths

    before = state()
    array = open_store(large).array("a00")
    row = array.rows([3])
    assert state() == (before[0], 70)
    del array
    assert state() == before
    assert row.any(), "rows are copies"


def test_without_a_descriptor_left_the_error_is_ours(large: Path) -> None:
    store = open_store(large)
    used = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
    highest = max(used) + 1
    try:
        with at_most(highest):
            used += _all_that_are_left()
            for work in (lambda: open_store(large), lambda: store.array("a00"), lambda: verify(large)):
                with pytest.raises(TooManyFiles, match=rf"this process may have {highest}(.|\n)*ulimit -n"):
                    work()
    finally:
        for number in used:
            os.close(number)


def _all_that_are_left() -> list[int]:
    found = []
    while True:
        try:
            found.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return found


@pytest.mark.parametrize("mask", [0o002, 0o027, 0o077])
def test_files_and_folders_obey_the_umask(kit: Any, tmp_path: Path, mask: int) -> None:
    with under(mask):
        path = kit.everything(tmp_path / "stores" / "a.zarr", kit.recipe)
    for entry in (path.parent, path, *path.rglob("*")):
        expected = (0o777 if entry.is_dir() else 0o666) & ~mask
        assert stat.S_IMODE(entry.stat().st_mode) == expected, entry
