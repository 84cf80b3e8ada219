"""COCO's keypoints, from raw worlds to tables, against pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import EvaluationError
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.model.benchmarks.benchmark import Setting
from pymaf_data.model.benchmarks.coco_keypoints import CocoKeypoints
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.runs.evaluations import read
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from tests.model.pixel_benchmarks.people import FOCAL, People, figures


def seen(body: BodyModel, people: People, boxes: np.ndarray) -> np.ndarray:
    """(N, 17, 2) where COCO's joints of people fall on images on which their views have boxes (N, 4) x, y, w, h."""
    joints = body(people.rotation, torch.from_numpy(people.betas).float()).joints.double().numpy()
    camera = joints[:, [J49.index(joint) for joint in COCO17.joints]] + people.place[:, None]
    view = FOCAL * camera[..., :2] / camera[..., 2:] + 112
    centre, side = boxes[:, None, :2] + boxes[:, None, 2:] / 2, 1.2 * boxes[:, 2:].max(1)[:, None, None]
    return (view - 112) * side / 224 + centre


class Coco:
    """24 persons in COCO's layout: 21 on one image, persons of all sizes, one without keypoints, a crowd."""

    def __init__(self, coco: ModuleType, body: BodyModel, root: Path, shift: float = 0.0) -> None:
        self.people, rng = People(24), np.random.default_rng(3)
        self.raw = coco.CocoSet(root, split="val")
        self.boxes = np.column_stack(
            [rng.uniform(2, 30, (24, 2)), rng.uniform(12, 40, (24, 1)), rng.uniform(20, 60, (24, 1))]
        )
        self.boxes[21:] *= 3.5
        images = [self.raw.picture(240, 240) for _ in range(4)]
        self.image = np.array([0] * 21 + [1, 1, 2])
        places = seen(body, self.people, self.boxes) - shift
        for row, (box, joints) in enumerate(zip(self.boxes, places, strict=True)):
            visible = np.full((17, 1), 2)
            visible[: row % 5] = 0
            keypoints = np.where(visible > 0, np.column_stack([joints, visible]), 0).ravel().tolist()
            counts = {"keypoints": keypoints, "num_keypoints": int((visible > 0).sum())}
            self.raw.person(images[self.image[row]], bbox=box.tolist(), area=0.6 * box[2] * box[3], **counts)
        nothing = {"keypoints": [0] * 51, "num_keypoints": 0, "area": 900.0}
        self.raw.person(images[1], **nothing)
        self.raw.person(images[3], iscrowd=1, bbox=[5.0, 5.0, 200.0, 200.0], area=3e4)
        self.raw.save()

    def store(self, out: Path) -> Path:
        options = IngestOptions(dataset="coco", split="val", root=self.raw.root, crop_size=32, out=out)
        return ingest(options).store

    def statistics(self, points: np.ndarray, rows: range, images: set[int] | None = None) -> np.ndarray:
        """pycocotools' own, of files."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        results = [
            {
                "image_id": int(self.image[row]) + 1,
                "category_id": 1,
                "keypoints": np.column_stack([points[row], np.ones(17)]).ravel().tolist(),
                "score": 1.0,
            }
            for row in rows
        ]
        file = self.raw.root / "results.json"
        file.write_text(json.dumps(results))
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(self.raw.file))
            evaluation = COCOeval(truth, truth.loadRes(str(file)), "keypoints")
            evaluation.params.imgIds = evaluation.params.imgIds if images is None else sorted(images)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return evaluation.stats[:6]


def test_coco_from_raw_to_table(
    coco: ModuleType,
    here: dict[str, BodyModel],
    measured: Callable[..., Any],
    subjects: ModuleType,
    tmp_path: Path,
) -> None:
    pytest.importorskip("pycocotools")
    world = Coco(coco, here["smpl-neutral"], tmp_path / "data" / "raw" / "coco")
    store, body = world.store(tmp_path / "s.zarr"), here["smpl-neutral"]
    found = figures(measured("coco-keypoints", store, body, world.people))
    assert [*found] == ["AP", "AP50", "AP75", "APM", "APL", "AR"]
    assert found["APL"] == pytest.approx(100) and 90 < (found["AP"] or 0) < 100  # of 21 persons on an image 20 count
    other = People(24)
    other.weak[:, 1:] += np.random.default_rng(5).normal(0, 0.06, (24, 2))
    other.pose[:, 16:20] += 0.2
    points = seen(body, other, world.boxes)
    report = measured("coco-keypoints", store, body, other)
    assert np.array([*figures(report).values()]) == pytest.approx(100 * world.statistics(points, range(24)), abs=1e-9)
    assert 20 < (figures(report)["AP"] or 0) < 80 and report.results[0].iterations["M0"]["AP"].low is None
    assert any("SMPLify" in line and "22.0" in line for line in report.lines())
    np.testing.assert_allclose(read(report.files[0]).values["M0/keypoints"], points, atol=1e-4)
    # Released code goes back by the box, and not by the whole pixels that a view was cut at.
    benchmark = CocoKeypoints(Setting(load_benchmark("coco-keypoints"), {}, open_store(store)))
    bodies = subjects.GivenSubject(benchmark, body, other.rotation, other.betas, other.weak).of(np.arange(24))
    cut = replace(bodies, camera=bodies.camera[torch.zeros(24, dtype=torch.long)])
    np.testing.assert_allclose(benchmark.measure(np.arange(24), cut)["keypoints"], points, atol=1e-4)
    # Some persons alone: those who are not predicted are missed, unless their images are left out.
    some, rows = measured("coco-keypoints", store, body, other, persons=2), range(0, 24, 23)
    assert np.array([*figures(some).values()]) == pytest.approx(100 * world.statistics(points, rows), abs=1e-9)
    some = measured("coco-keypoints", store, body, other, "images=predicted", persons=2)
    assert np.array([*figures(some).values()]) == pytest.approx(100 * world.statistics(points, rows, {1, 3}), abs=1e-9)


def test_coco_counts_pixels_as_asked_and_names_what_it_lacks(
    coco: ModuleType, here: dict[str, BodyModel], measured: Callable[..., Any], tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip("pycocotools")
    world = Coco(coco, here["smpl-neutral"], tmp_path / "raw", shift=0.5)
    store, body = world.store(tmp_path / "s.zarr"), here["smpl-neutral"]
    centres, released = (
        figures(measured("coco-keypoints", store, body, world.people, f"pixels={pixels}", raw=raw))
        for pixels, raw in (("centres", world.raw.root), ("released", world.raw.file))
    )
    assert centres["APM"] == pytest.approx(100) and (released["AP"] or 0) < (centres["AP"] or 0)
    nobody = People(24)
    nobody.weak[:, 1] = np.inf
    assert {*figures(measured("coco-keypoints", store, body, nobody, raw=world.raw.root)).values()} == {None}
    with pytest.raises(EvaluationError, match=r"person_keypoints_val2014\.json.*--raw"):
        measured("coco-keypoints", store, body, world.people)
    content = json.loads(world.raw.file.read_text())
    content["images"], short = content["images"][1:], tmp_path / "short.json"
    short.write_text(json.dumps(content))
    found = measured("coco-keypoints", store, body, world.people, raw=short).results[0]
    assert found.persons == 3 and "21 of 24 persons are left out: short.json" in found.notes[0]
    other = coco.small_set(tmp_path / "other")
    content = json.loads(other.file.read_text())
    content["images"] = [image | {"file_name": f"x{image['id']}.jpg"} for image in content["images"]]
    other.file.write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match=r"lists no image of s\.zarr"):
        measured("coco-keypoints", store, body, world.people, raw=other.file)
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.cocoeval", None)
    with pytest.raises(EvaluationError, match=r"pymaf-data\[eval\]"):
        measured("coco-keypoints", store, body, world.people, raw=world.raw.root)
