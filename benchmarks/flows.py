"""What Prefect costs a command: wall time over the same command with --direct.

    .venv/bin/python benchmarks/flows.py [--rounds 7]

The command is ``pymaf-data ingest`` on one image whose store is whole already, so that nothing but the start is
measured. The first database, which Prefect makes once for a data root, is made before and timed alone. Both commands
take turns within each round. The goal is at most 3 s over ``--direct``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.geometry.joints import COCO17

COMMAND = [sys.executable, "-c", "from pymaf_data.cli import main; main()", "ingest", "coco"]


def draw(folder: Path) -> None:
    """A data set of one person on one image."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "train2014").mkdir()
    person = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 80], "keypoints": [30, 40, 2] * 17}
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 96}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}],
    }
    (folder / "annotations" / "person_keypoints_train2014.json").write_text(json.dumps(content))
    cv2.imwrite(str(folder / "train2014" / "1.jpg"), np.full((96, 64, 3), 128, np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="bench-flows-") as folder:
        draw(Path(folder) / "raw" / "coco")
        write("flows", measure(Path(folder), rounds))


def measure(root: Path, rounds: int) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment = kept | {"PYMAF_DATA_ROOT": str(root)}
    processor: dict[str, list[float]] = {"direct": [], "prefect": []}

    def command(name: str, *words: str) -> int:
        before = _children()
        subprocess.run([*COMMAND, *words], env=environment, check=True, capture_output=True)
        processor[name].append(_children() - before)
        return 1

    found = machine()
    command("direct", "--direct")
    start = time.perf_counter()
    command("prefect")
    first = time.perf_counter() - start
    rates = rounds_of({name: _turn(command, name) for name in processor}, rounds)
    seconds = {name: [1 / rate for rate in values] for name, values in rates.items()}
    over = [prefect - direct for prefect, direct in zip(seconds["prefect"], seconds["direct"], strict=True)]
    processor = {name: values[-rounds:] for name, values in processor.items()}
    return {
        "what": "seconds of `pymaf-data ingest` where nothing is to be done, with and without Prefect",
        "goal": {"seconds_over_direct": 3.0},
        "rounds": rounds,
        "first_database": round(first, 2),
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "seconds_over_direct": summary(over),
        "prefect_of_direct": ratio(seconds, "prefect", "direct"),
        "processor_seconds": {name: summary(values) for name, values in processor.items()},
        "machine": found,
    }


def _turn(command: Any, name: str) -> Any:
    return lambda: command(name, *(["--direct"] if name == "direct" else []))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
