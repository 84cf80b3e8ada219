"""Reading annotations: seconds of one core and peak memory from COCO's JSON to columns of persons.

    .venv/bin/python benchmarks/ingest_annotations.py [--annotations 185316]

The files are generated, with outlines of 60 numbers: `coco` is like person_keypoints_train2014.json (its images and
annotations, four of seven people with labelled joints, 28,344 with the twelve limb joints that make a row), `rows` the
dearest file of that length: every annotation a row. Goals, of COCO's: 12 s and 900 MB. `json` is the file alone,
parsed without outlines.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from multiprocessing import Process
from pathlib import Path

from _measure import machine, write

from pymaf_data.geometry.joints import COCO17

IMAGES, ANNOTATIONS, LABELLED, ROWS = 82783, 185316, 105900, 28344
_READ = """
import json, resource, sys, time
from pathlib import Path
from pymaf_data.datasets import Raw, load_manifest, select
from pymaf_data.datasets.entries import load
raw = Raw(Path(sys.argv[1]), load_manifest("coco"), "train")
start = time.process_time()
selection = load(raw.file("annotations")) if sys.argv[2] == "json" else select(raw)
seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
columns = 0 if sys.argv[2] == "json" else selection.records.nbytes / 1e6
print(json.dumps({"seconds": round(seconds, 2), "peak_megabytes": round(peak), "columns_megabytes": round(columns)}))
"""


def generate(root: Path, annotations: int, labelled: int, rows: int) -> None:
    """Write the annotation file, of whose persons so many have joints and so many all of them; there are no images."""
    chance, images = random.Random(0), max(1, annotations * IMAGES // ANNOTATIONS)
    names = [f"COCO_train2014_{i:012d}.jpg" for i in range(images)]
    size = {"width": 640, "height": 427, "license": 1, "date_captured": "2013-11-14 16:28:13"}
    content = {
        "licenses": [{"id": 1, "name": "Attribution License", "url": "http://licence.example/by"}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}],
        "images": [{"id": i, "file_name": name, **size} for i, name in enumerate(names)],
        "annotations": [
            person(chance, i, i % images, 17 if i < rows else chance.randint(1, 11) if i < labelled else 0)
            for i in range(annotations)
        ],
    }
    (root / "annotations").mkdir()
    (root / "train2014").mkdir()
    (root / "annotations" / "person_keypoints_train2014.json").write_text(json.dumps(content))


def person(chance: random.Random, key: int, image: int, joints: int) -> dict[str, object]:
    """One annotation; its joints, the last of the list, lie in its box."""
    x, y = chance.randrange(400), chance.randrange(200)
    places = [(x + chance.randrange(200), y + chance.randrange(200), 2) for _ in range(joints)]
    places = [(0, 0, 0)] * (17 - joints) + places
    outline = [round(chance.random() * 400, 2) for _ in range(60)]
    return {
        **{"id": key, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 1234.5, "num_keypoints": joints},
        **{"keypoints": [number for place in places for number in place], "segmentation": [outline]},
        "bbox": [x + 0.25, y + 0.5, 200.25, 200.5],
    }


def measure(annotations: int, labelled: int, rows: int) -> dict[str, object]:
    """Write a file and read it, each in a process of its own, since a child begins with its parent's peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        writer = Process(target=generate, args=(Path(folder), annotations, labelled, rows))
        writer.start()
        writer.join()
        return {
            what: json.loads(subprocess.check_output([sys.executable, "-c", _READ, folder, what]))
            for what in ("json", "columns")
        }


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--annotations", type=int, default=ANNOTATIONS)
    count = parser.parse_args().annotations
    found, share = machine(), count / ANNOTATIONS
    results = {
        "what": "processor seconds and peak memory, COCO's JSON → columns of persons",
        "goal": {"seconds": 12, "peak_megabytes": 900},
        "annotations": count,
        "coco": measure(count, round(LABELLED * share), round(ROWS * share)),
        "rows": measure(count, count, count),
        "machine": found,
    }
    write("ingest_annotations", results)


if __name__ == "__main__":
    main()
