"""Fuzz the readers: ``python tests/fuzz --count 10000``.

Each reader reads mutated files in a child process. Right is a value or a PymafDataError; a fault is any other
exception, a child that ends, a file that computes for over ten seconds, or memory that grows by more than a gigabyte. A
fault is named by its number, and a number makes the same file on every machine: ``--only mat --first 4711 --count 1``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from mutate import mutate
from readers import READERS, sound

SECONDS, MEGABYTES = 10, 1024
# Seconds of computing, so that a busy machine makes no fault; of waiting a child may take many more.
_WAITING, _STARTING = 120, 900


@dataclass
class Tally:
    """What became of a reader's mutations."""

    values: int = 0
    refused: int = 0
    seconds: float = 0.0
    megabytes: int = 0
    faults: list[str] = field(default_factory=list)


def attempt(name: str, number: int, files: list[tuple[Path, bytes]], folder: Path) -> tuple[str, str]:
    """Mutate, read, put the sound file back: ("value" | "refused" | "fault", what)."""
    from pymaf_data.errors import PymafDataError

    path, content = files[number % len(files)]
    path.write_bytes(mutate(content, name, number))
    try:
        READERS[name].read(folder)
        return "value", ""
    except PymafDataError:
        return "refused", ""
    except Exception as error:
        return "fault", f"{path.name}: {type(error).__name__}: {str(error)[:160]}"
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def child(jobs: list[tuple[str, int, int]], folder: Path) -> None:
    """Tell on stdout, a line each, what is begun and what became of it."""
    warnings.simplefilter("ignore")
    logging.disable()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for name, first, end in jobs:
        files = sound(name, folder)
        READERS[name].read(folder)
        before = _peak(anew=True)
        for number in range(first, end):
            print(json.dumps({"begin": name, "number": number}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            began = time.process_time()
            outcome, what = attempt(name, number, files, folder)
            signal.setitimer(signal.ITIMER_PROF, 0)
            spent = {"s": time.process_time() - began, "mb": _peak() - before}
            print(json.dumps({"end": outcome, "what": what, **spent}), flush=True)


def _peak(anew: bool = False) -> int:
    """Megabytes that this process had at most; Linux forgets them on request."""
    if anew:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def fuzz(names: Sequence[str], first: int, count: int) -> dict[str, Tally]:
    """Run mutations ``first`` … of each reader; a child that ends is followed by another."""
    tallies = {name: Tally() for name in names}
    jobs = [(name, first, first + count) for name in names]
    while jobs:
        jobs = _run(jobs, tallies)
    return tallies


def _run(jobs: list[tuple[str, int, int]], tallies: dict[str, Tally]) -> list[tuple[str, int, int]]:
    """One child; returns the jobs that are left."""
    name, number, ends = "", 0, {name: end for name, _, end in jobs}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", json.dumps(jobs), f"{folder}/files"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            begun, heavy = False, False
            while not heavy:
                line = _line(process.stdout, _WAITING if begun else _STARTING)
                if not line:
                    break  # it has ended, or hangs
                told: dict[str, Any] = json.loads(line)
                begun = "begin" in told
                if begun:
                    name, number = told["begin"], told["number"]
                else:
                    _count(tallies[name], number, told)
                    heavy = told["mb"] > MEGABYTES  # the next child starts with little
            if heavy or line is None:
                process.kill()
            code = process.wait()
    if code == 0:
        return []
    if not begun and not heavy:
        raise SystemExit(f"a sound file after {name or 'none'} cannot be written or read")
    if begun:
        late = code in (-signal.SIGPROF, -signal.SIGKILL)
        tallies[name].faults.append(f"{number}: {f'took over {SECONDS} s' if late else f'ended the process, {code}'}")
    names = [name for name, _, _ in jobs]
    rest = [(other, first, end) for other, first, end in jobs[names.index(name) + 1 :]]
    return [(name, number + 1, ends[name]), *rest]


def _line(stream: Any, seconds: float) -> bytes | None:
    """The next line of an unbuffered pipe; none where it says nothing for so long, empty where it has ended."""
    ready, _, _ = select.select([stream], [], [], seconds)
    line: bytes | None = stream.readline() if ready else None
    return line


def _count(tally: Tally, number: int, told: dict[str, Any]) -> None:
    tally.seconds = max(tally.seconds, told["s"])
    tally.megabytes = max(tally.megabytes, told["mb"])
    tally.values += told["end"] == "value"
    tally.refused += told["end"] == "refused"
    if told["end"] == "fault":
        tally.faults.append(f"{number}: {told['what']}")
    elif told["mb"] > MEGABYTES:
        tally.faults.append(f"{number}: took {told['mb']} MB")


def line(name: str, tally: Tally) -> str:
    """A line of the table, the first faults below it."""
    counts = f"{tally.values:7} {tally.refused:8} {len(tally.faults):7}"
    first = [f"\n    {fault}" for fault in tally.faults[:10]]
    return f"{name:18} {counts} {tally.seconds:7.2f} s {tally.megabytes:5} MB{''.join(first)}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Mutated files for every reader.")
    parser.add_argument("--count", type=int, default=10_000, help="mutations of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--only", nargs="*", choices=list(READERS), default=list(READERS), help="these readers")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(json.loads(options.child[0]), Path(options.child[1]))
        return 0
    print(f"{'reader':18} {'values':>7} {'refused':>8} {'faults':>7} {'slowest':>9} {'memory':>8}")
    faults = 0
    for name in options.only:
        tally = fuzz([name], options.first, options.count)[name]
        faults += len(tally.faults)
        print(line(name, tally), flush=True)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
