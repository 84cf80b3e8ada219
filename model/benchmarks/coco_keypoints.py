"""COCO's average precision of projected joints, as PyMAF measures it: joints of J24, score 1, nothing suppressed.

What is true is the annotation file of the raw data set, all of it: whom no body was made of is missed.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets import load_manifest
from pymaf_data.errors import PymafDataError
from pymaf_data.geometry.joints import COCO17, J49, pick
from pymaf_data.paths import DataRoot

from .benchmark import Benchmark, Bodies, Rows, Setting, Values
from .coco_truth import CATEGORY, Annotated, annotated

_STATS = {"AP": 0, "AP50": 1, "AP75": 2, "APM": 3, "APL": 4, "AR": 5}  # places in COCOeval's stats
_FALLBACK = ("coco", "val")  # of files of SPIN's and PyMAF's, which name no annotations


class CocoOptions(StrictModel):
    """What the benchmark can be told."""

    images: Literal["all", "predicted"] = Field(
        "all", description="measured images: all of the annotation file, or those with a prediction"
    )
    pixels: Literal["released", "centres"] = Field(
        "released",
        description="released: continuous pixels are compared with COCO's indices as they stand; centres: index (i, j) "
        "is the centre of its pixel, so half a pixel is taken off",
    )


class CocoKeypoints(Benchmark):
    """The value of a person is where its 17 joints are seen: ``keypoints`` (17, 2), continuous pixels of the image."""

    options_model = CocoOptions
    resampled = False  # precision is of a ranking: whoever is drawn twice is found once

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._true: Annotated | None = None
        try:
            from pycocotools.cocoeval import COCOeval  # noqa: F401

            self._true = annotated(self._file())
        except ImportError:
            self._lack("pycocotools, which measures it, is not installed: pip install 'pymaf-data[eval]'")
        except PymafDataError as error:
            self._lack(f"the annotations cannot be used: {error.found}; name the raw data set or the file with --raw")
        if self._true is not None:
            self._image = self._true.images_of([name for name, _ in self.store.rows])
            self._keep(self._image[self.rows] >= 0, f"{self._true.path.name} does not list their images")
            if not len(self.rows):
                self._lack(f"{self._true.path} lists no image of {self.store.path.name}")

    @torch.no_grad()
    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        _, joints = bodies.body.keypoints(bodies.rotation, bodies.betas)
        seen = bodies.camera.project(pick(joints, J49, COCO17).double().cpu()).numpy()
        return {"keypoints": np.where(np.isfinite(seen).all((1, 2), keepdims=True), seen, np.nan)}

    def figures(self, rows: Rows, values: Values) -> dict[str, float]:
        """See :class:`Benchmark`; of nobody all are NaN."""
        assert self._true is not None
        known = np.isfinite(values["keypoints"]).all((1, 2))
        if not known.any():
            return dict.fromkeys(_STATS, float("nan"))
        points = values["keypoints"][known] - (0.5 if self.options.pixels == "centres" else 0.0)
        images = self._image[rows[known]]
        stats = average_precision(self._true, images, points, self.options.images == "predicted")
        return {name: 100 * stats[place] if stats[place] >= 0 else float("nan") for name, place in _STATS.items()}

    def _file(self) -> Path:
        """The annotation file: what ``--raw`` names, or lies there or below the data root where the manifest says."""
        dataset, split = self.store.head["dataset"], self.store.head["split"]
        if dataset == "npz":
            dataset, split = _FALLBACK
        folder = self.setting.raw or DataRoot.default().raw(dataset)
        if folder.is_file():
            return folder
        stated = [name for name in self.store.head["inputs"] if name.endswith(".json")]
        return folder / (stated[0] if stated else load_manifest(dataset).split(split).files["annotations"])

    def _lack(self, why: str) -> None:
        self.lacking = dict.fromkeys(self.manifest.metrics, why)


def average_precision(
    true: Annotated, images: NDArray[np.int64], points: NDArray[np.float64], restricted: bool
) -> NDArray[np.float64]:
    """The ten statistics of pycocotools' COCOeval, −1 where there is nothing to measure.

    Args:
        true: what is annotated.
        images: (K,) ids.
        points: (K, 17, 2) of persons on them.
        restricted: leave out what is annotated on other images.
    """
    from pycocotools.cocoeval import COCOeval

    keypoints = np.dstack([points, np.ones(points.shape[:2])]).reshape(len(points), -1)
    found = [
        {"image_id": image, "category_id": CATEGORY, "keypoints": person, "score": 1.0}
        for image, person in zip(images.tolist(), keypoints, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = true.coco()
        evaluation = COCOeval(truth, truth.loadRes(found), "keypoints")
        used = {*images.tolist()} if restricted else {*images.tolist(), *(one["image_id"] for one in true.annotations)}
        evaluation.params.imgIds = sorted(used)  # of others there is nothing to say
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats: NDArray[np.float64] = evaluation.stats
    return stats
