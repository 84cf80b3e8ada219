"""Do the tests notice? One small change at a time in a room's code, and that room's own tests over it.

    python tools/mutants.py                           400 mutants of seven rooms
    python tools/mutants.py geometry --count 20 --seed 3 --jobs 2

The working tree stays as it is: a forked process per mutant imports the one module from a changed syntax tree. A first
run, traced, says which tests reach which line and what they cost; a mutant meets those alone, the quickest first, and
the first failure ends it. What nothing could notice is no mutant: docstrings, annotations, log lines, messages of
errors, ``__all__``. A kernel is compiled without its cache. Processes that tests spawn (not fork) see no mutant.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from mutations import Mutant, mutants_of, mutated
from test_layers import FLOOR_OF

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = {"model": "model"} | {
    name: f"pymaf_data/{name}" for name in ("loader", "geometry", "metrics", "fits", "datasets", "storage")
}
MEMORY = 16 << 30  # bytes of address space that a mutant may take
KILLED, SURVIVED, TIMEOUT, UNREACHED = "killed", "survived", "timeout", "unreached"
# What takes longer to import than most tests do: a fork inherits it.
DEAR = ("torch", "numpy", "scipy", "numba", "cv2", "zarr", "h5py", "pydantic", "pytest", "smplx", "hypothesis", "anyio")
SIGN = {KILLED: ".", SURVIVED: "S", TIMEOUT: "t", UNREACHED: "U"}


class Recorder:
    """A pytest plugin: the lines of some files that each test reaches, in its fixtures too, and what a test costs."""

    def __init__(self, files: list[str]) -> None:
        self.files = set(files)
        self.bucket = ""
        self.lines: dict[str, set[tuple[str, int]]] = {"": set()}
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}

    def trace(self, frame: Any, event: str, argument: Any) -> Any:
        """What ``sys.settrace`` wants."""
        if frame.f_code.co_filename not in self.files:
            return None
        self.lines[self.bucket].add((frame.f_code.co_filename, frame.f_lineno))
        return self.trace

    def _within(self, bucket: str) -> Iterator[None]:
        """Count lines and seconds to a bucket, the seconds to it alone."""
        before, start = self.bucket, time.process_time()
        self.bucket = bucket
        self.lines.setdefault(bucket, set())
        yield
        spent = time.process_time() - start
        self.bucket = before
        for name, share in ((bucket, spent), (before, -spent)):
            self.seconds[name] = self.seconds.get(name, 0.0) + share

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """A fixture that tests share is set up once: its lines belong to all who use it, its cost to the first."""
        shared = fixturedef.scope != "function"
        yield from self._within(f"fixture {fixturedef.argname}" if shared else self.bucket)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        """One test."""
        self.fixtures[item.nodeid] = [f"fixture {name}" for name in item.fixturenames]
        yield from self._within(item.nodeid)

    def summary(self) -> dict[str, Any]:
        """Tests, what they and shared fixtures cost, lines run on import, modules that could be imported beforehand."""
        tests = {}
        for test, names in self.fixtures.items():
            shared = [name for name in names if name in self.lines]
            lines = set().union(self.lines[test], *(self.lines[name] for name in shared))
            tests[test] = {"seconds": self.seconds[test], "fixtures": shared, "lines": sorted(lines)}
        modules = [name for name in sys.modules if not name.startswith(("test", "conftest", "__"))]
        return {"tests": tests, "seconds": self.seconds, "modules": modules, "imported": sorted(self.lines[""])}


class Chosen:
    """A pytest plugin: these tests alone, in this order."""

    def __init__(self, order: list[str]) -> None:
        self.place = {test: number for number, test in enumerate(order)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Select and sort."""
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda item: self.place[item.nodeid])


class Instead:
    """A finder that gives one file's module another syntax tree."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path, self.tree = path, tree

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec that the other finders give, with the code exchanged if it is the file's."""
        finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path if finder is not self)
        spec = next((found for find in finders if find and (found := find(name, path, target))), None)
        if spec is not None and spec.origin == self.path:
            code = compile(self.tree, self.path, "exec", dont_inherit=True)
            spec.loader.get_code = lambda fullname: code  # type: ignore[union-attr]
        return spec


def forked(work: Callable[[Path], int], folder: Path, seconds: int) -> int:
    """The id of a process that does the work in its own group, silently, within so many seconds of the processor."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        folder.mkdir()
        # What pytest rewrites is kept for the next process, but not in the tree.
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder.parent / "bytecode")
        out = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(out, stream)
        status = work(folder)
    finally:
        os._exit(status)


def run_tests(paths: list[str], plugin: Any, folder: Path) -> int:
    """pytest in this process."""
    options = ["-x", "-q", "-mnot long", "-pno:cacheprovider", "-pno:randomly", f"--basetemp={folder / 'pytest'}"]
    return int(pytest.main([*options, *paths], plugins=[plugin]))


def baseline(room: str, files: list[str], folder: Path) -> dict[str, Any]:
    """What the room's tests reach, and what they cost."""

    def work(own: Path) -> int:
        recorder = Recorder(files)
        threading.settrace(recorder.trace)
        sys.settrace(recorder.trace)
        status = run_tests([f"tests/{room}"], recorder, own)
        sys.settrace(None)
        (own / "summary.json").write_text(json.dumps(recorder.summary()))
        return status

    own = folder / room
    _, status = os.waitpid(forked(work, own, 3600), 0)
    if status:
        tail = (own / "output").read_text(errors="replace")[-2000:]
        raise SystemExit(f"the tests of {room} fail without any mutant:\n{tail}")
    return json.loads((own / "summary.json").read_text())  # type: ignore[no-any-return]


def stands_below(module: str, room: str) -> bool:
    """Whether a module of ours knows nothing of the room, as tests/test_layers.py has it."""
    package, _, rest = module.partition(".")
    return package == "pymaf_data" and FLOOR_OF.get(rest.partition(".")[0], FLOOR_OF[room]) < FLOOR_OF[room]


def tests_for(mutant: Mutant, known: dict[str, Any]) -> list[str]:
    """The tests that reach its line, quickest first: all tests where it runs on import (defaults) or compiled."""
    tests, lines = known["tests"], set(mutant.lines)
    of_file = {test: {line for file, line in one["lines"] if file == mutant.file} for test, one in tests.items()}
    found = [test for test, reached in of_file.items() if reached & lines]
    if mutant.unseen or any(file == mutant.file and line in lines for file, line in known["imported"]):
        found = list(tests)
    seconds, users = known["seconds"], Counter(name for test in found for name in tests[test]["fixtures"])
    found.sort(key=lambda test: seconds[test] + sum(seconds[name] / users[name] for name in tests[test]["fixtures"]))
    # One case of each function first: the others mostly notice the same.
    firsts = {test.partition("[")[0]: test for test in reversed(found)}
    return sorted(found, key=lambda test: firsts[test.partition("[")[0]] != test)


def cost(order: list[str], known: dict[str, Any]) -> float:
    """Seconds of the processor that tests took when they were traced, with their fixtures."""
    fixtures = {name for test in order for name in known["tests"][test]["fixtures"]}
    return sum(known["seconds"][name] for name in (*order, *fixtures))


def affordable(order: list[str], known: dict[str, Any], seconds: float) -> list[str]:
    """The first of the tests, as many as cost no more."""
    return order[: max(1, bisect_right(range(1, len(order) + 1), seconds, key=lambda n: cost(order[:n], known)))]


def trial(mutant: Mutant, order: list[str]) -> Callable[[Path], int]:
    """The work of the process that tries a mutant."""

    def work(folder: Path) -> int:
        sys.meta_path.insert(0, Instead(mutant.file, mutated(mutant)))  # type: ignore[arg-type]
        return run_tests(sorted({test.split("::")[0] for test in order}), Chosen(order), folder)

    return work


def try_all(
    mutants: list[tuple[Mutant, dict[str, Any]]], wanted: argparse.Namespace, folder: Path
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with its fate, as they end."""
    waiting, running, last = list(enumerate(mutants)), {}, time.monotonic() + 60 * wanted.minutes
    while waiting or running:
        while waiting and len(running) < wanted.jobs:
            number, (mutant, known) = waiting.pop(0)
            if time.monotonic() > last:
                continue
            order = affordable(tests_for(mutant, known), known, wanted.seconds)
            if not order:
                yield mutant, UNREACHED
                continue
            # Of the processor, since a busy machine takes its time; by the clock only for what waits for ever.
            limit = 30 + 5 * cost(order, known)
            own = folder / f"{number}"
            running[forked(trial(mutant, order), own, int(limit))] = (mutant, own, time.monotonic() + 5 * limit)
        for child, (mutant, own, end) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            late = not ended and time.monotonic() > end
            if late:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
            if ended or late:
                del running[child]
                shutil.rmtree(own, ignore_errors=True)
                spent = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
                yield mutant, TIMEOUT if spent else KILLED if status else SURVIVED
        time.sleep(0.05)


def wilson(hits: int, total: int) -> str:
    """A share with its 95 % interval."""
    z, share = 1.96, hits / max(total, 1)
    middle, spread = share + z * z / (2 * total), z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    low, high = ((middle + sign * spread) / (1 + z * z / total) for sign in (-1, 1))
    return f"{hits:4} of {total:4}   {100 * share:5.1f} %   [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> int:
    """Sample, try, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--count", type=int, default=400, help="mutants in all, evenly by room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--seconds", type=float, default=60, help="of tests, quickest first; who outlives them survived"
    )
    parser.add_argument("--minutes", type=float, default=600, help="after which no further mutant is tried")
    wanted = parser.parse_args()
    os.chdir(REPOSITORY)
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    folder, chosen, fates = Path(tempfile.mkdtemp(prefix="mutants-")), [], []
    for name in DEAR:
        importlib.import_module(name)
    for room in wanted.rooms:
        files = sorted(str(path) for path in (REPOSITORY / ROOMS[room]).rglob("*.py"))
        known = baseline(room, files, folder)
        for name in known["modules"]:
            if name.split(".")[0] in DEAR or stands_below(name, room):
                importlib.import_module(name)
        every = [mutant for file in files for mutant in mutants_of(room, file)]
        share = wanted.count // len(wanted.rooms)
        chosen += [(m, known) for m in random.Random(f"{wanted.seed} {room}").sample(every, min(share, len(every)))]
        print(f"{room}: {len(every)} possible, {len(known['tests'])} tests", flush=True)
    for mutant, fate in try_all(chosen, wanted, folder):
        fates.append((mutant, fate))
        print(SIGN[fate] if fate in (KILLED, TIMEOUT) else f"\n{fate} {mutant}", end="", flush=True)
    print()
    for room in [*wanted.rooms, "all"]:
        mine = [fate for mutant, fate in fates if room in (mutant.room, "all")]
        print(f"{room:10}{wilson(sum(fate in (KILLED, TIMEOUT) for fate in mine), len(mine))}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
