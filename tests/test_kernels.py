"""Compiled kernels are kept in a safe place, wherever this user may write one."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OWN = f".pymaf-data-kernels-{os.getuid()}"
KERNEL = """
from pymaf_data.kernels import njit

@njit(nogil=True, cache=True)
def twice(value: int) -> int:
    return 2 * value
"""
RUN = """
import json, kernel
print(json.dumps([kernel.twice(21), sum(kernel.twice.stats.cache_hits.values())]))
"""
# Processes that start with numba there already: its import and its first compilation take a second of each. What is
# forked has imported nothing of this package, and takes its variables, its folder and its code before it does.
FORKS = """
import json, os, sys, tempfile
import numba
numba.njit(lambda value: 2 * value)(21)
assert not any(name.startswith("pymaf_data") for name in sys.modules)
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if not child:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(told[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ.clear()
        os.environ.update(told["environment"])
        os.chdir(told["folder"])
        sys.path[:0] = told["path"]
        sys.dont_write_bytecode, tempfile.tempdir = True, None
        numba.config.reload_config()
        exec(told["code"], {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Forks = Callable[..., "tuple[str, str]"]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """``forks(code, environment, folder)``: what a process says on its two channels, which ends with 0."""
    out, err = (tmp_path_factory.mktemp("said") / name for name in ("out", "err"))
    command = [sys.executable, "-c", FORKS]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=environment, cwd=out.parent, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None

        def of(code: str, environment: dict[str, str], folder: Path) -> tuple[str, str]:
            told = {"code": code, "environment": environment, "folder": str(folder), "out": str(out), "err": str(err)}
            told["path"] = environment["PYTHONPATH"].split(os.pathsep)
            process.stdin.write(json.dumps(told) + "\n")
            assert process.stdout.readline() == "0\n", err.read_text()
            return out.read_text(), err.read_text()

        yield of
        process.stdin.close()


class Machine:
    """A kernel's file where nothing can be kept beside it, and a home that cannot be written."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder, self.forks = folder, forks
        self.environment = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "HOME")}
        self.environment |= {"HOME": "/proc/nonexistent", "PYTHONPATH": str(folder / "package")}
        self.environment |= {"PYMAF_DATA_ROOT": str(folder / "data"), "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("package", "work"):
            (folder / name).mkdir()
        (folder / "package/kernel.py").write_text(KERNEL)
        (folder / "package/__pycache__").write_text("a file, so that no folder can be made")

    def place(self, name: str, mode: int = 0o755) -> Path:
        """A folder for one of the variables: ``data``, or ``tmp`` with TMPDIR."""
        place = self.folder / name
        place.mkdir()
        place.chmod(mode)
        return place

    def run(self, before: str = "", **variables: str) -> tuple[list[int], str]:
        """What the kernel gives and how often it came from the cache; and what is said."""
        said, complained = self.forks(before + RUN, self.environment | variables, self.folder / "work")
        return json.loads(said), complained

    def kept(self, place: Path) -> list[Path]:
        return sorted(place.rglob("kernel.twice*.nbi"))


@pytest.fixture
def machine(tmp_path: Path, forks: Forks) -> Machine:
    return Machine(tmp_path, forks)


def test_a_kernel_is_kept_below_the_data_root_for_this_user_alone(machine: Machine) -> None:
    root = machine.place("data")
    assert machine.run() == ([42, 0], "")
    assert machine.run() == ([42, 1], ""), "the second process compiles nothing"
    assert len(machine.kept(root / OWN)) == 1
    assert (root / OWN).stat().st_mode & 0o777 == 0o700


def test_without_a_data_root_none_is_made_and_the_temporary_folder_serves(machine: Machine) -> None:
    temporary = machine.place("tmp", 0o1777)
    for hits in (0, 1):
        assert machine.run(TMPDIR=str(temporary)) == ([42, hits], "")
    assert machine.kept(temporary / OWN)
    assert not (machine.folder / "data").exists()
    assert not list((machine.folder / "work").iterdir())


def _open_to_all(root: Path) -> None:
    root.chmod(0o777)


def _open_to_the_group(root: Path) -> None:
    root.chmod(0o775)


def _a_link(root: Path) -> None:
    (root / "elsewhere").mkdir(mode=0o700)
    (root / OWN).symlink_to(root / "elsewhere")


def _a_folder_that_others_write(root: Path) -> None:
    (root / OWN).mkdir()
    (root / OWN).chmod(0o777)


def _a_file(root: Path) -> None:
    (root / OWN).write_text("")


@pytest.mark.parametrize("change", [_open_to_all, _open_to_the_group, _a_link, _a_folder_that_others_write, _a_file])
def test_machine_code_is_never_loaded_from_where_others_could_put_it(machine: Machine, change: Any) -> None:
    root, temporary = machine.place("data"), machine.place("tmp", 0o1777)
    change(root)
    assert machine.run(TMPDIR=str(temporary))[0] == [42, 0]
    assert not machine.kept(root)
    assert machine.kept(temporary / OWN)


def test_with_no_safe_place_kernels_run_all_the_same_and_it_is_said_once(machine: Machine) -> None:
    temporary = machine.place("tmp", 0o777)
    result, said = machine.run("from pymaf_data.kernels import cache_folder; cache_folder()\n", TMPDIR=str(temporary))
    assert result == [42, 0]
    assert said.count("NUMBA_CACHE_DIR") == 1
    assert not machine.kept(machine.folder)


def test_a_folder_that_the_user_named_goes_first(machine: Machine) -> None:
    root, named = machine.place("data"), machine.place("named")
    assert machine.run(NUMBA_CACHE_DIR=str(named)) == ([42, 0], "")
    assert machine.kept(named)
    assert not machine.kept(root)


def test_a_writable_package_keeps_its_own(machine: Machine) -> None:
    (machine.folder / "package/__pycache__").unlink()
    assert machine.run() == ([42, 0], "")
    assert machine.kept(machine.folder / "package/__pycache__")


def test_warp_keeps_its_kernels_there_too(machine: Machine) -> None:
    pytest.importorskip("warp")
    root = machine.place("data")
    start = "import warp\nfrom pymaf_data.render.backends.warp_backend import _start\n_start()\n"
    assert machine.run(f"{start}assert {str(root / OWN)!r} in warp.config.kernel_cache_dir\n")[0] == [42, 0]


def test_a_user_without_entry_and_home_gets_no_folder_of_that_name(machine: Machine) -> None:
    unknown = "import os, pwd\ndel os.environ['HOME']\ndef nobody(number): raise KeyError\npwd.getpwuid = nobody\n"
    root = machine.place("data")
    assert machine.run(unknown) == ([42, 0], "")
    assert machine.kept(root / OWN)
    assert not list((machine.folder / "work").iterdir())


def test_other_errors_of_numba_are_not_taken_for_a_missing_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from pymaf_data import kernels

    def broken(**options: object) -> object:
        raise RuntimeError("another fault")

    monkeypatch.setattr(kernels.numba, "njit", broken)
    with pytest.raises(RuntimeError, match="another fault"):
        kernels.njit(cache=True)(len)


def test_every_kernel_of_the_package_takes_this_way() -> None:
    offenders = []
    for folder in ("pymaf_data", "model", "flows"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                whole = isinstance(node, ast.Import) and any(name.name.split(".")[0] == "numba" for name in node.names)
                compiles = isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba"
                if whole or (compiles and {"njit", "jit", "vectorize", "guvectorize"} & {n.name for n in node.names}):
                    offenders.append(path.name)
    assert offenders == ["kernels.py"]
