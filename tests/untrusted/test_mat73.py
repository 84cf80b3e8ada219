"""Matlab's v7.3 files, read in a process of its own that damage may end and not us."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt, WorkerError
from pymaf_data.untrusted import isolated
from pymaf_data.untrusted.mat73 import map_cells, read_mat73

VALUES: dict[str, Any] = {
    "double": np.arange(24.0).reshape(2, 3, 4),
    "single": np.float32([[1.5, -2]]),
    "whole": np.array([[1], [-7]], np.int16),
    "flags": np.array([[True, False, True]]),
    "text": "TS1 größer",
    "nothing": np.empty((0, 3)),
    "cells": [np.eye(3), "a", np.array([[7.0]])],
}


def ask(function: Any, *arguments: Any, seconds: float = 5.0, memory: int = 1 << 28) -> Any:
    return isolated.call(function, *arguments, seconds=seconds, memory=memory)


@pytest.mark.parametrize("packed", [False, True])
def test_values_are_as_matlab_has_them(mat73: ModuleType, tmp_path: Path, packed: bool) -> None:
    path = mat73.save(tmp_path / "a.mat", VALUES, packed)
    found = read_mat73(path, VALUES)
    for name in ("double", "single", "whole", "flags", "nothing"):
        assert found[name].shape == VALUES[name].shape
        assert np.array_equal(found[name], VALUES[name])
    assert (found["single"].dtype, found["whole"].dtype, found["flags"].dtype) == (np.float32, np.int16, bool)
    assert read_mat73(path, ["text"], optional=["flags", "none"]).keys() == {"text", "flags"}
    assert found["text"].tolist() == ["TS1 größer"]
    assert found["cells"].shape == (3, 1)
    eye, letter, seven = found["cells"].ravel()
    assert np.array_equal(eye, np.eye(3)) and letter.tolist() == ["a"] and seven.tolist() == [[7.0]]


def test_other_byte_orders_and_filters_of_matlab_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("v", data=np.arange(6, dtype=">f4"), shuffle=True, fletcher32=True, compression="gzip")
    found = read_mat73(tmp_path / "a.mat", ["v"])["v"]
    assert found.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.dtype == np.float32


def test_a_path_is_meant_from_where_we_stand_now(
    mat73: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        mat73.save(tmp_path / folder / "v.mat", {"v": folder})
        monkeypatch.chdir(tmp_path / folder)
        assert read_mat73(Path("v.mat"), ["v"])["v"].tolist() == [folder]


def test_cells_are_mapped_where_they_lie(mat73: ModuleType, tmp_path: Path) -> None:
    masks = [np.zeros((40, 30), bool) for _ in range(5)]
    for i, mask in enumerate(masks):
        mask[i : i + 10, 2 * i + 1 : 20] = True
    path = mat73.save(tmp_path / "a.mat", {"Masks": masks, "v": np.eye(2)})
    found = map_cells(path, "Masks", np.argmax, 1)
    assert found.ravel().tolist() == [np.argmax(mask) for mask in masks]
    at = map_cells(path, "Masks", np.argmax, 1, at=[4, 0, 7])
    assert at[:2].ravel().tolist() == [found[4, 0], found[0, 0]]
    assert np.isnan(at[2])
    with pytest.raises(RawDataCorrupt, match="no cell array"):
        map_cells(path, "v", np.argmax, 1)


def test_one_damaged_cell_is_one_row_of_nan(mat73: ModuleType, tmp_path: Path) -> None:
    path = mat73.save(tmp_path / "a.mat", {"c": [np.eye(2), "text", np.empty((0, 0)), 3 * np.eye(2)]})
    with h5py.File(path, "r+") as file:
        references = file["c"][()]
        references[0, 1] = h5py.Reference()
        file["c"][...] = references
    found = map_cells(path, "c", np.max, 1).ravel()
    assert found[[0, 3]].tolist() == [1, 3]
    assert np.isnan(found[1:3]).all()


def _lies_outside(file: Any) -> None:
    file.create_dataset("v", (4,), "f8", external=[("/etc/hostname", 0, 32)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "v", (4,))
    file.create_virtual_dataset("v", layout)


def _far_larger(file: Any) -> None:
    file.create_dataset("v", (1 << 20, 1 << 20), "f8", chunks=(64, 64), compression="gzip")


def _link(file: Any) -> None:
    file["v"] = h5py.ExternalLink("other.h5", "/v")


def _soft(file: Any) -> None:
    file["w"], file["v"] = [1.0], h5py.SoftLink("/w")


def _plug_in(file: Any) -> None:
    file.create_dataset("v", data=np.arange(9.0), compression="lzf")


def _unwritten(file: Any) -> None:
    file.create_dataset("v", (9,), "f8")


def _partly(file: Any) -> None:
    file.create_dataset("v", (8,), "f8", chunks=(4,))[:4] = 1


def _struct(file: Any) -> None:
    file.create_group("v")["x"] = [1.0]


def _records(file: Any) -> None:
    file["v"] = np.zeros(2, [("real", "f8"), ("imag", "f8")])


def _circle(file: Any) -> None:
    made = file.create_dataset("v", (1,), h5py.ref_dtype)
    made[0] = made.ref


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_lies_outside, "outside"), (_virtual, "outside"), (_far_larger, "memory"), (_link, "link"), (_soft, "link"),
        (_plug_in, "filter"), (_unwritten, "never written"), (_partly, "never written"), (_struct, "struct"),
        (_records, "no numbers"), (_circle, "nested"), (lambda file: None, "lacks v"),
    ],
)  # fmt: skip
def test_what_matlab_does_not_write_is_refused(tmp_path: Path, spoil: Any, word: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["v"] = np.arange(4.0)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        spoil(file)
    with pytest.raises(RawDataCorrupt, match=word):
        read_mat73(tmp_path / "a.mat", ["v"])


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM", b"\x89HDF\r\n\x1a\n" + bytes(99)]
)
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(RawDataCorrupt, match=r"v7\.3"):
        read_mat73(tmp_path / "a.mat", ["v"])
    with pytest.raises(RawDataCorrupt, match="check the path"):
        read_mat73(tmp_path / "none.mat", ["v"])
    with pytest.raises(RawDataCorrupt, match="check the path"):
        read_mat73(tmp_path, ["v"])


def test_a_child_that_dies_hangs_or_swells_is_followed_by_another() -> None:
    first = ask(os.getpid)
    assert first != os.getpid()
    assert ask(os.getpid) == first
    with pytest.raises(ValueError, match="SIGABRT"):
        ask(os.abort)
    with pytest.raises(WorkerError, match="over 1 s"):
        ask(pow, 7, 10**8, seconds=1)
    with pytest.raises(ValueError, match="MemoryError"):
        ask(bytearray, 1 << 30)
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        ask(divmod, 1, 0)
    second = ask(os.getpid)
    assert second not in (first, os.getpid())
    os.kill(second, signal.SIGKILL)
    time.sleep(0.2)
    assert ask(os.getpid) not in (first, second)


@pytest.mark.parametrize("sent", ["KILL", "PROF"])
def test_a_child_that_is_stopped_is_asked_again_and_no_file_is_called_damaged_for_it(tmp_path: Path, sent: str) -> None:
    """A machine that stood still for minutes once cost sound files their boxes: by the clock, or by whoever kills."""
    once = f"test -e {tmp_path}/mark && echo sound && exit; touch {tmp_path}/mark; kill -{sent} $PPID; sleep 5"
    assert ask(subprocess.check_output, ["sh", "-c", once]) == b"sound\n"
    with pytest.raises(WorkerError, match="SIGKILL" if sent == "KILL" else "over 5 s"):
        ask(subprocess.check_output, ["sh", "-c", f"kill -{sent} $PPID; sleep 5"])


FORK = """
import os, sys
from pymaf_data.untrusted import isolated
ask = lambda: isolated.call(os.getpid, seconds=5, memory=1 << 28)
ours = ask()
if os.fork() == 0:
    sys.exit(0 if ask() not in (ours, os.getppid()) else 3)
theirs = os.waitstatus_to_exitcode(os.wait()[1])
sys.exit(theirs or (0 if ask() == ours else 4))
"""


def test_a_fork_has_a_child_of_its_own_and_leaves_ours_alive() -> None:
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=60, check=False).returncode == 0


HOLD = """
import os, sys, time
from pymaf_data.untrusted import isolated
print(isolated.call(os.getpid, seconds=5, memory=1 << 28), flush=True)
time.sleep(60)
"""


def test_many_open_files_are_no_damage() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"no more than {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    ours = ask(os.getpid)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        os.kill(ours, signal.SIGKILL)
        time.sleep(0.2)
        assert ask(os.getpid) != ours  # whose pipes have numbers beyond 1024
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_child_ends_with_us() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    until = time.monotonic() + 10
    while time.monotonic() < until and Path(f"/proc/{child}/status").exists():
        if "Z (zombie)" in Path(f"/proc/{child}/status").read_text():
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()
