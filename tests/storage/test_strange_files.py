"""Folders, pipes, sockets, devices, circular links and unreadable files where a file of the store should be."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pymaf_data.errors import PymafDataError, StoreDamaged
from pymaf_data.storage import collect_garbage, inspect, open_store, verify


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o020666, os.makedev(1, 5))  # like /dev/zero, which never ends
    except PermissionError:
        path.symlink_to("/dev/zero")


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_text("x")


STRANGE: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "full folder": _full_folder,
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": _device,
    "circle": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
}
PLACES = (
    "zarr.json",
    "box/zarr.json",
    "box/c/1/0",
    "crops/image/c/0/0/0/0",
    "_pymaf/plan.json",
    "_pymaf/rows.jsonl",
    "_pymaf/stages/ingest/*.json",
    "_pymaf/commits/iuv/*/00001.json",
    "_pymaf/current/choice.json",
)


@pytest.fixture
def store(whole: Path, memory: Path) -> Path:
    return Path(shutil.copytree(whole, memory / "coco-train.zarr"))


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """A pipe that is waited for would wait for ever."""
    import signal

    def late(*_: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("place", PLACES)
def test_verify_names_it_and_goes_on(store: Path, place: str, kind: str) -> None:
    path = next(store.glob(place))
    path.unlink()
    STRANGE[kind](path)
    (store / "frob").write_text("found after it")
    other = store / "present/c/2"
    other.write_bytes(other.read_bytes()[:-1])
    with within(20):
        found = [finding for finding in verify(store) if finding.is_damage]
    name = str(path.relative_to(store))
    told = " ".join(f"{f.where} {f.problem} {f.action}" for f in found)
    assert name in told
    if "stages" not in place:  # without a stage's record nothing tells its files from foreign ones
        assert {"present/c/2", "frob"} <= {finding.where for finding in found}
    for look in (open_store, inspect, collect_garbage):
        with within(20), pytest.raises(PymafDataError):
            look(store)


@pytest.mark.parametrize("kind", STRANGE)
def test_a_reader_says_what_it_met(store: Path, kind: str) -> None:
    path = store / "box/c/1/0"
    path.unlink()
    STRANGE[kind](path)
    with within(20), pytest.raises(StoreDamaged, match="box/c/1/0") as error:
        open_store(store)
    words = {"full folder": "a folder", "pipe": "a named pipe", "link to nothing": "a link to nothing"}
    expected = words.get(kind, {"circle": "symbolic links"}.get(kind, f"a {kind}"))
    assert expected in str(error.value)


def test_a_file_where_a_folder_should_be(store: Path) -> None:
    shutil.rmtree(store / "box")
    (store / "box").write_text("x")
    assert any(finding.is_damage and finding.where == "box/c/1/0" for finding in verify(store))
    with pytest.raises(StoreDamaged, match="Not a directory"):
        open_store(store)
    shutil.rmtree(store / "_pymaf/commits")
    (store / "_pymaf/commits").write_text("x")
    with pytest.raises(StoreDamaged, match="_pymaf/commits"):
        open_store(store)


@contextmanager
def nobody() -> Iterator[None]:
    """Root may read anything: be somebody else for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "place", ["box/c/1/0", "_pymaf/commits/iuv/*/00001.json", "_pymaf/commits/iuv", "box/c", "zarr.json"]
)
def test_what_may_not_be_read(store: Path, place: str) -> None:
    if "dev/shm" not in str(store) and not os.geteuid():
        pytest.skip("nobody else could enter the folder of this test")
    store.parent.chmod(0o755)
    path = next(store.glob(place))
    path.chmod(0)
    try:
        with nobody():
            found = [finding for finding in verify(store) if finding.is_damage]
            assert any(
                "Permission denied" in finding.problem and place.split("*")[0] in finding.problem for finding in found
            )
            if place != "zarr.json":  # which is for readers of other make
                with pytest.raises(StoreDamaged, match="Permission denied"):
                    open_store(store).array("box")[:]
    finally:
        path.chmod(0o755)


def test_the_command_prints_what_it_found_and_ends_with_1(store: Path) -> None:
    import subprocess

    (store / "box/c/1/0").unlink()
    os.mkfifo(store / "box/c/1/0")
    call = [sys.executable, "-c", "from pymaf_data.cli.app import run; run()"]
    for command, code in (("verify", 1), ("inspect", 1), ("gc", 1)):
        done = subprocess.run([*call, command, str(store)], capture_output=True, text=True, timeout=100)
        assert done.returncode == code, done.stderr
        assert "box/c/1/0" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_whole_store_behind_a_link_is_a_store(whole: Path, tmp_path: Path) -> None:
    """People keep large arrays on another disk."""
    moved = Path(shutil.copytree(whole, tmp_path / "a.zarr"))
    (moved / "crops/image").rename(tmp_path / "image")
    (moved / "crops/image").symlink_to(tmp_path / "image")
    assert verify(moved) == []
    assert open_store(moved).array("image")[:].any()
