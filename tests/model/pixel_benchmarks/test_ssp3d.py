"""SSP-3D: silhouettes and shapes, from raw worlds to tables, against their definitions written anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.render.raster import rasterize
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from tests.model.pixel_benchmarks.people import FOCAL, People, figures, silhouettes


@pytest.fixture
def sporty(ssp3d: ModuleType, here: dict[str, BodyModel], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The store of four persons of two genders, silhouettes and joints those of their bodies; and the labels."""
    labels, people = ssp3d.labels(4), People(4)
    labels["poses"], labels["shapes"] = people.pose.reshape(4, 72), people.betas
    labels["cam_trans"][:, 0] = [0.0, 0.1, -0.1, 2.3]  # the last half outside
    labels["bbox_centres"] = 256 + FOCAL * labels["cam_trans"][:, 1::-1] / labels["cam_trans"][:, 2:]
    labels["bbox_whs"][:] = 200
    ssp3d.save(tmp_path, labels)
    for row, name in enumerate(("smpl-male", "smpl-female") * 2):
        made = here[name](people.rotation[[row]], torch.from_numpy(people.betas[[row]]).float())
        camera = made.joints[0].double().numpy() + labels["cam_trans"][row]
        points = FOCAL * camera[:, :2] / camera[:, 2:] + 256
        labels["joints2D"][row, :, :2] = points[[J49.index(joint) for joint in COCO17.joints]]
        shown = silhouettes(made.vertices, here[name].faces, labels["cam_trans"][[row]], 512)[0] >= 0
        assert cv2.imwrite(str(tmp_path / "silhouettes" / labels["fnames"][row]), 255 * shown.astype(np.uint8))
    np.savez(tmp_path / "labels.npz", **labels)
    options = IngestOptions(dataset="ssp-3d", split="test", root=tmp_path, crop_size=32, out=tmp_path / "s.zarr")
    store = ingest(options).store
    attach_fits(AttachOptions(store=store, fits=(f"ssp-3d:{tmp_path}",)))
    return store, labels


def test_ssp3d_from_raw_to_table(
    sporty: tuple[Path, dict[str, Any]], here: dict[str, BodyModel], measured: Callable[..., Any], tmp_path: Path
) -> None:
    (store, labels), neutral = sporty, here["smpl-neutral"]
    options = EvaluateOptions(subject="fits:ssp-3d", benchmarks=("ssp-3d",), stores=(store,), out=tmp_path / "ev")
    truth = figures(evaluate(options), "fit")
    assert truth == pytest.approx({"mIOU": 100.0, "PVE-T-SC": 0.0}, abs=1e-4)
    other = People(4, seed=7)
    report = measured("ssp-3d", store, neutral, other)
    assert any("PyMAF" in line and "72.1" in line for line in report.lines())
    want, neutral_want, overlaps = [], [], []
    side, centre = 1.2 * labels["bbox_whs"], labels["bbox_centres"][:, ::-1]
    for row, name in enumerate(("smpl-male", "smpl-female") * 2):
        goal = t_pose(here[name], labels["shapes"][row])
        want.append(shape_error(t_pose(here[name], other.betas[row]), goal))
        neutral_want.append(shape_error(t_pose(neutral, other.betas[row]), goal))
        vertices = neutral(other.rotation[[row]], torch.from_numpy(other.betas[[row]]).float()).vertices
        s, place = side[row] / 224, other.place[row]
        # A camera of the image: the view's, enlarged about its centre.
        K = np.array([[s * FOCAL, 0, centre[row, 0]], [0, s * FOCAL, centre[row, 1]], [0, 0, 1]])
        camera = Camera(torch.from_numpy(np.column_stack([K, K @ place])[None]))
        mine = rasterize(vertices, neutral.faces, camera, 512, backend="numba").mask[0]
        true = cv2.imread(str(tmp_path / "silhouettes" / labels["fnames"][row]), 0) > 0
        overlaps.append((mine & true).sum() / (mine | true).sum())
    assert min(overlaps) > 0.2
    assert figures(report) == pytest.approx({"mIOU": 100 * np.mean(overlaps), "PVE-T-SC": np.mean(want)}, rel=1e-5)
    report = measured("ssp-3d", store, neutral, other, "prediction=neutral")
    assert figures(report)["PVE-T-SC"] == pytest.approx(np.mean(neutral_want), rel=1e-5) != pytest.approx(np.mean(want))
    del here["smpl-female"]
    report = measured("ssp-3d", store, neutral, other)
    assert figures(report)["PVE-T-SC"] == pytest.approx(np.mean(want[::2]), rel=1e-5)
    assert any("smpl-female is not here" in note for note in report.results[0].notes)
    del here["smpl-male"]
    report = measured("ssp-3d", store, neutral, other)
    assert figures(report)["mIOU"] == pytest.approx(100 * np.mean(overlaps)) and figures(report).get("PVE-T-SC") is None
    assert "smpl-female is not here" in report.results[0].lacking["PVE-T-SC"]


def t_pose(body: BodyModel, betas: np.ndarray) -> np.ndarray:
    made = body(torch.eye(3).expand(1, 24, 3, 3), torch.from_numpy(betas[None]).float())
    return made.vertices[0].double().numpy()


def shape_error(mine: np.ndarray, goal: np.ndarray) -> float:
    """In mm."""
    mine, goal = mine - mine.mean(0), goal - goal.mean(0)
    mine = mine * np.sqrt((goal**2).sum() / (mine**2).sum())
    return float(1000 * np.linalg.norm(mine - goal, axis=1).mean())
