"""Write the table of all benchmarks into docs/evaluation.md, from their manifests.

    python tools/benchmarks_table.py            write it
    python tools/benchmarks_table.py --check    exit 1 where it is not what the manifests say

A test runs the check.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pymaf_data.model.benchmarks.manifest import BenchmarkManifest, known_benchmarks, load_benchmark

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
START, END = "<!-- made by tools/benchmarks_table.py -->\n", "<!-- end -->\n"


def table() -> str:
    """A row for each benchmark."""
    lines = ["| Benchmark | Protocol | Figures | Store |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_row(load_benchmark(name)) for name in known_benchmarks()), ""])


def _row(one: BenchmarkManifest) -> str:
    figures = ", ".join(f"{name} {metric.unit}".strip() for name, metric in one.metrics.items())
    stores = ", ".join(f"`{data.dataset}-{data.split}`" for data in one.data) or "none"
    cells = (f"`{one.name}`<br>{one.title}", "<br>".join(one.protocol), figures, stores)
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def page(text: str) -> str:
    """The guide with the table as it is to be."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"{PAGE.name} lacks the marks between which the table stands")
    return f"{before}{start}\n{table()}\n{end}{after}"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if parser.parse_args().check:
        print("the table is as the manifests say" if text == wanted else "run: python tools/benchmarks_table.py")
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
