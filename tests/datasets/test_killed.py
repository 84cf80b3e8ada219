"""kill -9 while any kind of raw data set is ingested, then the same command: the store of an undisturbed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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
    *("coco-wholebody", "halpe", "posetrack", "jhmdb", "h36m", "mpi-inf-3dhp", "images"),
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
        ripe = kill.before_commit("ingest", done, lambda store=one.out: commits(store))
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


@pytest.mark.long
def test_the_command_is_killed_with_its_processes_in_the_middle_of_videos(h36m: ModuleType, tmp_path: Path) -> None:
    """kill -9 of the command alone, early and late: its processes end by themselves, and the same command goes on."""
    world = h36m.start(tmp_path / "raw")
    for camera in ("54138969", "60457274"):
        h36m.add(world, 9, "Walking", camera, 130)
        h36m.save_video(world, 9, "Walking", camera, 130)
    command = [sys.executable, "-m", "pymaf_data", "ingest", "h36m", "--direct", "--root", world.root, "--split", "p1"]
    command += ["--option", "boxes=joints", "--option", "every=1", "--crop-size", "128", "--processes", "2", "--out"]
    mine = {**os.environ, "PYMAF_DATA_ROOT": str(tmp_path)}

    def start(out: Path, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, out, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=mine)

    def alive() -> list[Path]:
        return [path for path in Path("/proc").glob("[0-9]*") if f"PYMAF_DATA_ROOT={tmp_path}\0" in seen(path)]

    assert start(tmp_path / "whole.zarr").wait() == 0
    whole, left = content(tmp_path / "whole.zarr"), []
    threads = IngestOptions(
        dataset="h36m", split="p1", root=world.root, option=("boxes=joints", "every=1"), crop_size=128
    )
    assert content(ingest(threads.model_copy(update={"out": tmp_path / "threads.zarr"})).store) == whole
    for k, least in enumerate((0, 0, 1, 2, 3)):
        out = tmp_path / f"{k}.zarr"
        for enough in (least, least + 1):  # killed twice, the second time going on
            child = start(out)
            while (child.poll() is None and commits(out) < enough) or not out.exists():
                time.sleep(0.002)
            time.sleep(0.3 * k)
            child.kill()
            child.communicate()
        while alive():
            time.sleep(0.05)
        left.append(5 - commits(out))
        report = json.loads(start(out, "--json").communicate()[0])
        assert (report["shards"], report["shards_written"]) == (5, left[-1])
        assert content(out) == whole
    assert max(left) > 2, "kills that come too late test nothing"


def seen(process: Path) -> str:
    """The environment of a process; nothing of one that has ended."""
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""
