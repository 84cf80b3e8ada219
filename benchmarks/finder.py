"""How many persons the finder finds, how many of those are none, and how far off their joints are.

    python benchmarks/finder.py --package mediapipe-pose-0.5.1675469404.tgz [--coco ../shared/data/coco2014-mini]
                                [--sample FOLDER] [--persons 500] [--landmarks full]

Of COCO's images at hand, and of a generated sample (its held-out split, seed 18), whose truth is exact. Counted are
persons with a labelled joint whose box is at least a quarter of the image's height. Found is one whose box meets one of
the finder's with an IoU of 0.5, one to one; by joints, one whose OKS with it is 0.5. An error is a joint's distance,
per longer side of the person's box. Boxes that are nobody's are held against everybody, small persons too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _measure import machine, write

from pymaf_data.cores import available_cores
from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage
from pymaf_data.finder import Found, open_finder, require_finder
from pymaf_data.world.options import SampleOptions
from pymaf_data.world.sample import write_sample

#: COCO's, of its 17 joints.
SIGMA = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
ENOUGH = 0.5
GROUPS = {"12 … 17 joints visible": (12, 18), "6 … 11": (6, 12), "0 … 5": (0, 6)}
PARTS = {
    "face": range(5),
    "shoulders": (5, 6),
    "elbows, wrists": range(7, 11),
    "hips": (11, 12),
    "knees, ankles": range(13, 17),
}


def overlap(one: Any, other: Any) -> float:
    """IoU of two boxes x, y, w, h."""
    x, y = (min(one[k] + one[k + 2], other[k] + other[k + 2]) - max(one[k], other[k]) for k in (0, 1))
    both = max(x, 0) * max(y, 0)
    return float(both / (one[2] * one[3] + other[2] * other[3] - both))


def joints_of(person: dict[str, Any]) -> np.ndarray:
    """(17, 3) continuous px and visibility."""
    return np.add(np.array(person["keypoints"], float).reshape(17, 3), (0.5, 0.5, 0))


def likeness(found: Found, person: dict[str, Any]) -> float:
    """OKS of the labelled joints."""
    truth = joints_of(person)
    labelled = truth[:, 2] > 0
    apart = ((found.joints[:, :2] - truth[:, :2]) ** 2).sum(1)[labelled]
    return float(np.exp(-apart / (8 * SIGMA[labelled] ** 2 * person["area"])).mean())


def paired(table: np.ndarray) -> dict[int, int]:
    """Person → who was found, one to one, the most alike first; the table is (found, persons)."""
    left, pairs = table.copy(), dict[int, int]()
    while left.size and left.max() >= ENOUGH:
        which, person = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
        pairs[person] = which
        left[which], left[:, person] = -1, -1
    return pairs


def rows_of(found: list[Found], persons: list[dict[str, Any]], height: float) -> list[dict[str, Any]]:
    """What came of each person of a quarter of the image's height."""
    boxes = np.array([[overlap(one.box, person["bbox"]) for person in persons] for one in found])
    by_box = paired(boxes)
    by_joints = paired(np.array([[likeness(one, person) for person in persons] for one in found]))
    rows = []
    for k, person in enumerate(persons):
        if person["bbox"][3] < height / 4:
            continue
        truth, which = joints_of(person), by_box.get(k)
        row = {"visible": int((truth[:, 2] == 2).sum()), "found": which is not None, "by_joints": k in by_joints}
        if which is not None:
            apart = np.linalg.norm(found[which].joints[:, :2] - truth[:, :2], axis=1) / max(person["bbox"][2:])
            row |= {"apart": apart, "seen": truth[:, 2] == 2, "labelled": truth[:, 2] > 0, "iou": boxes[which, k]}
            row["confidence"] = found[which].joints[:, 2]
        rows.append(row)
    return rows


def share(rows: list[dict[str, Any]], key: str = "found") -> float:
    """Of persons."""
    return round(float(np.mean([row[key] for row in rows])), 3) if rows else 0.0


def summary(rows: list[dict[str, Any]], found: int, strangers: int, seconds: float, images: int) -> dict[str, Any]:
    """The figures of a set of images."""
    there = [row for row in rows if row["found"]]
    apart, seen, labelled = (np.stack([row[key] for row in there]) for key in ("apart", "seen", "labelled"))
    sure = np.stack([row["confidence"] for row in there]) >= ENOUGH
    groups = {name: [row for row in rows if low <= row["visible"] < high] for name, (low, high) in GROUPS.items()}
    return {
        "images": images,
        "persons": len(rows),
        "recall": share(rows),
        "recall_by_joints": share(rows, "by_joints"),
        "recall_by_visible_joints": {name: [share(each), len(each)] for name, each in groups.items()},
        "found": found,
        "precision": round(1 - strangers / max(found, 1), 3),
        "box_iou_median": round(float(np.median([row["iou"] for row in there])), 3),
        "error_median": {
            "labelled": round(float(np.median(apart[labelled])), 4),
            "visible": round(float(np.median(apart[seen])), 4),
            "surer than 0.5": round(float(np.median(apart[labelled & sure])), 4),
            **{
                part: round(float(np.median(apart[:, [*which]][seen[:, [*which]]])), 4) for part, which in PARTS.items()
            },
        },
        "cpu_seconds_per_image": round(seconds / images, 2),
    }


def content_of(root: Path) -> dict[str, Any]:
    """The annotation file of a set in COCO's layout."""
    content: dict[str, Any] = json.loads(next((root / "annotations").glob("*.json")).read_text(encoding="utf-8"))
    return content


def look(job: tuple[Path, Path, str, list[dict[str, Any]]]) -> tuple[list[tuple[int, list[Found]]], float]:
    """Height and persons found of some images, and processor seconds."""
    package, root, landmarks, entries = job
    finder, start = open_finder(package, landmarks=landmarks), time.process_time()
    images = Images(next(path for path in root.iterdir() if path.is_dir() and path.name.endswith("2014")), "")
    seen = []
    for entry in entries:
        image = images.load(entry["file_name"], UNKNOWN_SIZE)
        assert not isinstance(image, MissingImage)
        seen.append((image.shape[0], finder(image)))
    return seen, time.process_time() - start


def measure(package: Path, root: Path, landmarks: str, processes: int) -> dict[str, Any]:
    """Look for persons on the images of a set, each process at every so-manieth of them."""
    content = content_of(root)
    entries, rows, found, strangers = content["images"], list[dict[str, Any]](), 0, 0
    shares = [entries[k::processes] for k in range(processes)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        done = [*pool.map(look, [(package, root, landmarks, each) for each in shares])]
    for share_, (seen, _) in zip(shares, done, strict=True):
        for entry, (height, everybody) in zip(share_, seen, strict=True):
            people = [
                one for one in content["annotations"] if one["image_id"] == entry["id"] and not one.get("iscrowd")
            ]
            rows += rows_of(everybody, [one for one in people if one["num_keypoints"]], height)
            known = paired(np.array([[overlap(one.box, person["bbox"]) for person in people] for one in everybody]))
            found, strangers = found + len(everybody), strangers + len(everybody) - len(known)
    return summary(rows, found, strangers, sum(seconds for _, seconds in done), len(entries))


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--processes", type=int, default=available_cores())
    parser.add_argument("--coco", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data/coco2014-mini")
    parser.add_argument("--sample", type=Path, help="one that `pymaf-data sample --split val --seed 18` wrote")
    parser.add_argument("--persons", type=int, default=500)
    parser.add_argument("--landmarks", choices=("lite", "full", "heavy"), default="full")
    arguments = parser.parse_args()
    package = require_finder(arguments.package, "name it with --package")
    how = arguments.landmarks, arguments.processes
    content: dict[str, Any] = {"machine": machine(), "landmarks": arguments.landmarks}
    if arguments.coco.is_dir():
        content["coco2014-mini"] = measure(package, arguments.coco, *how)
    with tempfile.TemporaryDirectory() as folder:
        sample = arguments.sample
        if sample is None and arguments.persons:
            sample = Path(folder) / "sample"
            write_sample(SampleOptions(out=sample, persons=arguments.persons, seed=18, split="val"))
        if sample is not None:
            content["sample"] = measure(package, sample, *how)
    write("finder" if arguments.landmarks == "full" else f"finder-{arguments.landmarks}", content)


if __name__ == "__main__":
    main()
