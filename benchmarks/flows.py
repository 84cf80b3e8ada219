"""What Prefect costs a command: wall time over the same command with --direct.

    .venv/bin/python benchmarks/flows.py [--rounds 7]

The command is ``pymaf-data ingest`` on one image whose store is whole already, so that nothing but the start is
measured. The first database, which Prefect makes once for a data root, is made before and timed alone. The peer is the
same stage as a task of a plain flow, with the temporary server that Prefect starts itself. All take turns within each
round. The goal is at most 3 s over ``--direct`` on a machine where the peer takes 6.3 s over it.
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
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.geometry.joints import COCO17

COMMAND = [sys.executable, "-c", "from pymaf_data.cli import main; main()", "ingest", "coco"]
PEER = """
from prefect import flow, task
from pymaf_data.stages.ingest import IngestOptions, ingest

@task
def step():
    ingest(IngestOptions(dataset="coco"))

@flow
def pipeline():
    step()

pipeline()
"""


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
    ours = kept | {"PYMAF_DATA_ROOT": str(root)}
    theirs = ours | {
        "PREFECT_HOME": str(root / "peer"),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    commands = {
        "direct": ([*COMMAND, "--direct"], ours),
        "prefect": (COMMAND, ours),
        "peer": ([sys.executable, "-c", PEER], theirs),
    }
    processor: dict[str, list[float]] = {name: [] for name in commands}

    def turn(name: str) -> int:
        words, environment = commands[name]
        before = _children()
        subprocess.run(words, env=environment, check=True, capture_output=True)
        processor[name].append(_children() - before)
        return 1

    found = machine()
    first = {}
    for name in commands:
        start = time.perf_counter()
        turn(name)
        first[name] = round(time.perf_counter() - start, 2)
    rates = rounds_of({name: partial(turn, name) for name in commands}, rounds)
    seconds = {name: [1 / rate for rate in values] for name, values in rates.items()}
    over = {
        name: [one - direct for one, direct in zip(seconds[name], seconds["direct"], strict=True)]
        for name in ("prefect", "peer")
    }
    return {
        "what": "seconds of `pymaf-data ingest` where nothing is to be done, with and without Prefect",
        "goal": {"seconds_over_direct": 3.0, "of_the_peer": round(3.0 / 6.3, 3)},
        "rounds": rounds,
        "first_database": {name: first[name] for name in over},
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "seconds_over_direct": {name: summary(values) for name, values in over.items()},
        "over_direct_of_the_peer": ratio(over, "prefect", "peer"),
        "processor_seconds": {name: summary(values[-rounds:]) for name, values in processor.items()},
        "machine": found,
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
