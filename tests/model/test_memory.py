"""On a CPU what is freed is kept for what comes next."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pymaf_data.errors import PymafDataError
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.model.prediction.options import PredictOptions
from pymaf_data.model.prediction.run import predict

# Bytes of pages that the kernel had to clear for the second of two blocks of 64 MB, one after the other.
_PROGRAM = """
import resource, sys
from pymaf_data.model.memory import keep_freed_memory
if sys.argv[1:]: assert keep_freed_memory()
def block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()
block()
print(block())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_large_block_is_used_again() -> None:
    def cleared(*arguments: str) -> int:
        done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert cleared() > 32 << 20
    assert cleared("keep") < 1 << 20


@pytest.mark.parametrize(
    ("room", "work"),
    [
        ("prediction", lambda absent: predict(PredictOptions(subject="start", inputs=(absent,)))),
        ("evaluation", lambda absent: evaluate(EvaluateOptions(subject=str(absent)))),
    ],
)
def test_who_looks_at_images_asks_for_it(
    room: str, work: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(f"pymaf_data.model.{room}.run.keep_freed_memory", lambda: asked.append(room))
    with pytest.raises(PymafDataError):
        work(tmp_path / "absent")
    assert asked == [room]
