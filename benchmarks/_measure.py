"""What every benchmark shares: rounds in turn, median and spread, the machine, a JSON file of results.

The candidates take turns within each round, so that a machine that is shared, or throttles, slows all of them alike;
ratios are taken within rounds. Results do not leave this folder: benchmarks/results/<name>.json.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def rounds_of(
    candidates: Mapping[str, Callable[[], int]],
    rounds: int = 9,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Items per second of each candidate in each round.

    Args:
        candidates: name → a function that does the work and returns how many items it did.
        rounds: how often each is timed.
        warm_up: rounds before, which are not counted.
        clock: ``time.process_time`` gives items per second of one core, whoever else uses the machine.
    """
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        for name, work in candidates.items():
            start = clock()
            items = work()
            rate = items / (clock() - start)
            if number >= warm_up:
                rates[name].append(rate)
    return rates


def summary(values: list[float]) -> dict[str, float]:
    """Median and the quartiles about it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "quartile_low": round(low, 3), "quartile_high": round(high, 3)}


def ratio(rates: Mapping[str, list[float]], name: str, reference: str) -> dict[str, float]:
    """Of ``name`` to ``reference``, within each round."""
    return summary([a / b for a, b in zip(rates[name], rates[reference], strict=True)])


def machine() -> dict[str, Any]:
    """Processor, cores and versions; no host name."""
    import cv2
    import numpy
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
        "torch": torch.__version__,
    }


def write(name: str, content: dict[str, Any]) -> Path:
    """Print the results and keep them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    print(text, end="")
    return path


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
