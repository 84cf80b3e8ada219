"""kill -9 while any kind of raw data set is ingested, then the same command: the store of an undisturbed run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import pytest

from pymaf_data.datasets.dataset import READERS
from pymaf_data.stages.ingest import IngestOptions, ingest, require_raw_data

SUITE = ("lsp", "npz", "video")  # with masks, which are read ahead by threads; with frames decoded ahead
LONG = (
    *("coco", "own", "zip", "mpii", "lspet", "up-3d", "3dpw", "3doh50k", "ssp-3d", "aic", "crowdpose", "ochuman"),
    *("coco-wholebody", "halpe", "posetrack", "jhmdb", "h36m", "mpi-inf-3dhp"),
)


@pytest.fixture(autouse=True)
def as_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No threads of OpenCV's, which a fork would leave behind; and who is killed need not wait for the disk before."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def content(store: Path) -> dict[str, bytes]:
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def commits(store: Path) -> int:
    return len(list(store.glob("_pymaf/commits/ingest/*/*.json")))


@pytest.mark.parametrize("name", [*SUITE, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def test_killed_before_a_commit_and_run_again(name: str, worlds: ModuleType, kill: ModuleType, tmp_path: Path) -> None:
    options: dict[str, Any] = worlds.write(name, tmp_path / "raw") | {"crop_size": 32, "shard": 1, "workers": 2}
    for done in (0, 1):
        one = IngestOptions(**options, out=tmp_path / f"{done}.zarr")

        def ripe(arguments: tuple[Any, ...], store: Path = one.out, done: int = done) -> bool:
            return any("/commits/" in str(argument) for argument in arguments) and commits(store) == done

        assert kill.killed_when(ripe, lambda one=one: ingest(one))
        assert commits(one.out) == done
        report = ingest(one)
        assert report.shards > 1 and report.shards_written == report.shards - done
        assert not report.holes.counts, "the world is whole"
    whole = content(ingest(IngestOptions(**options, out=tmp_path / "whole.zarr")).store)
    for done in (0, 1):
        assert content(tmp_path / f"{done}.zarr") == whole


def test_every_reader_is_killed(worlds: ModuleType, tmp_path: Path) -> None:
    """A reader that comes gets a world, and so stands here."""
    assert {*SUITE, *LONG} == {*worlds.WORLDS}
    options = [IngestOptions(**worlds.write(name, tmp_path / name)) for name in worlds.WORLDS]
    assert {require_raw_data(one).manifest.reader for one in options} == {*READERS}
