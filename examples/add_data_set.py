"""Add a data set: a reader of its annotations, and a manifest (add_data_set.yaml) that says what it is.

    python examples/add_data_set.py FOLDER      draws FOLDER/raw, ingests it into FOLDER/sticks.zarr

people.csv has a line for each person: image, then x and y in pixel indices of 14 joints in LSP's order, empty where a
joint is not labelled.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field

import pymaf_data
from pymaf_data.config import StrictModel
from pymaf_data.datasets import Dropped, PersonRecord, Raw, ReaderOfStills, Told
from pymaf_data.datasets.dataset import READERS
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.select import damage

MANIFEST = Path(__file__).with_suffix(".yaml")


class SticksOptions(StrictModel):
    """What a split of the manifest may say under `options`."""

    margin: float = Field(1.2, ge=1.0, description="side of the box over the extent of the joints")


class Sticks(ReaderOfStills):
    """Reader of people.csv (role `annotations`)."""

    options = SticksOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every line: a person, or why there is none."""
        margin, names = raw.options(SticksOptions).margin, raw.manifest.keypoints.listed.joints
        with raw.file("annotations").open(encoding="utf-8", newline="") as lines:
            for number, line in enumerate(csv.reader(lines)):
                try:
                    image, *cells = line
                    points = np.array([float(cell or "nan") for cell in cells]).reshape(len(names), 2)
                    points += raw.manifest.keypoints.offset  # continuous pixels from here on
                    places = zip(names, points.tolist(), strict=True)
                    found = {name: (x, y, 2) for name, (x, y) in places if name and not isnan(x)}
                    refusal = raw.refusal(found)
                    if refusal:
                        yield Dropped(refusal, f"line {number + 1}")
                        continue
                    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
                    yield PersonRecord(
                        image_name=image_name(raw.folder, image, raw.root),
                        annotation_id=number,
                        box=(*((low + high) / 2).tolist(), margin * float((high - low).max())),
                        keypoints=found,
                    )
                except ValueError as error:  # this line is damaged, the others are not
                    yield damage(f"line {number + 1}", error)


READERS["sticks"] = f"{__name__}:Sticks"  # a package names it in its pyproject.toml instead

FIGURE = np.array([[-20, 90], [-14, 45], [-9, 0], [9, 0], [14, 45], [20, 90], [-45, -20], [-30, -45], [-18, -70],
                   [18, -70], [35, -50], [50, -75], [0, -75], [0, -105]])  # fmt: skip
BONES = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 12), (12, 9), (9, 10), (10, 11), (12, 13),
         (2, 12), (3, 12)]  # fmt: skip


def draw(raw: Path, count: int = 3) -> None:
    """Images with a figure each, the second without its left leg, and the annotations."""
    (raw / "images").mkdir(parents=True, exist_ok=True)
    with (raw / "people.csv").open("w", encoding="utf-8", newline="") as lines:
        for i in range(count):
            image, joints = np.full((240, 320, 3), 230, np.uint8), FIGURE + np.array([100 + 50 * i, 130])
            for a, b in BONES:
                cv2.line(image, joints[a].tolist(), joints[b].tolist(), (60, 60, 200), 5)
            cv2.imwrite(str(raw / "images" / f"{i}.png"), image)
            labelled = [joint if i != 1 or k not in (4, 5) else ("", "") for k, joint in enumerate(joints.tolist())]
            csv.writer(lines).writerow([f"{i}.png", *(value for joint in labelled for value in joint)])


if __name__ == "__main__":
    from pymaf_data.stages.ingest import IngestOptions, ingest

    folder = Path(sys.argv[1])
    draw(folder / "raw")
    report = ingest(IngestOptions(dataset=str(MANIFEST), root=folder / "raw", out=folder / "sticks.zarr"))
    store = pymaf_data.open_store(report.store)
    print(f"{report.store}: {len(store)} persons, {store.array('present')[:].sum()} with an image")
    print("labelled joints of each:", (store.array("keypoints")[:][..., 2] > 0).sum(1).tolist())
