"""The pipeline on a small generated sample: raw data → store → true fits → IUV maps, by the public stages alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, load_atlas
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.stages.render_iuv import RenderOptions, render_iuv_stage
from pymaf_data.storage import Store, open_store
from pymaf_data.world.sample import SampleOptions, write_sample

PERSONS, SEED = 24, 4


@dataclass(frozen=True)
class Pipeline:
    """A sample and the store that was made of it; one entry or row per person of the store."""

    raw: Path
    store: Store
    body: BodyModel

    @cached_property
    def annotations(self) -> list[dict[str, Any]]:
        """COCO's annotation of each row, as the sample wrote it."""
        content = json.loads((self.raw / "annotations/person_keypoints_train2014.json").read_text())
        by_id = {entry["id"]: entry for entry in content["annotations"]}
        return [by_id[number] for number in self.store.array("annotation_id")[:].tolist()]

    @cached_property
    def masks(self) -> list[np.ndarray]:
        """Visible pixels (H, W) of each row's dressed person, from the annotation's run lengths."""
        return [_decoded(**entry["segmentation"]) for entry in self.annotations]

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """The truth's columns, one row per row of the store."""
        with np.load(self.raw / "truth/train.npz") as file:
            columns = {key: file[key] for key in file if file[key].ndim}
        place = {number: row for row, number in enumerate(columns["annotation_id"].tolist())}
        rows = [place[entry["id"]] for entry in self.annotations]
        return {key: values[rows] for key, values in columns.items()}

    @cached_property
    def bodies(self) -> list[np.ndarray]:
        """Silhouettes (H, W) of each row's bare body, whatever hides it, from the dense truth beside the images."""
        placed = [np.zeros_like(mask) for mask in self.masks]
        for entry, (left, top), whole in zip(self.annotations, self.truth["iuv_origin"].tolist(), placed, strict=True):
            part = cv2.imread(str(self.raw / f"truth/train_iuv/{entry['id']:012d}.png"))[..., 2]
            whole[top : top + part.shape[0], left : left + part.shape[1]] = part > 0
        return placed

    @cached_property
    def pose(self) -> torch.Tensor:
        """(N, 24, 3, 3) of the attached fits."""
        stored = self.store.array("fits/truth/pose")[:]
        return axis_angle_to_matrix(torch.tensor(stored, dtype=torch.float64).reshape(-1, 24, 3))

    @cached_property
    def betas(self) -> torch.Tensor:
        """(N, 10)."""
        return torch.tensor(self.store.array("fits/truth/betas")[:], dtype=torch.float64)

    @cached_property
    def vertices(self) -> torch.Tensor:
        """(N, V, 3) metres; the native camera's matrix carries the translation."""
        return self.body(self.pose, self.betas).vertices

    @cached_property
    def cameras(self) -> Camera:
        """Native cameras of all rows, in pixels of their images."""
        return Camera(torch.tensor(self.store.array("fits/truth/native")[:]))

    @cached_property
    def whole(self) -> np.ndarray:
        """Rows of the persons whom no frame cuts."""
        pixels = self.cameras.project(self.vertices).numpy()
        size = np.array([mask.shape[::-1] for mask in self.masks])[:, None]
        return np.flatnonzero(((pixels > 1) & (pixels < size - 1)).all((1, 2)))

    @cached_property
    def large(self) -> np.ndarray:
        """Those of them whose limbs are several pixels thick: of smaller ones four centres miss fingers and feet."""
        return np.array([row for row in self.whole if self.bodies[row].sum() >= 3000])


def _decoded(counts: list[int], size: list[int]) -> np.ndarray:
    """COCO's uncompressed run lengths: column by column, beginning with zeros."""
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(size[1], size[0]).T


def take_pipeline(root: Path, body: BodyModel, workers: int = 1) -> Pipeline:
    """The whole pipeline below a folder, with the default sizes."""
    raw, out = root / "raw", root / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=PERSONS, seed=SEED))
    ingest(IngestOptions(dataset="sample", root=raw, out=out, workers=workers, shard=16))
    attach_fits(AttachOptions(store=out, fits=(f"truth:{raw / 'truth/train.npz'}",)))
    render_iuv_stage(RenderOptions(stores=(out,), workers=workers))
    return Pipeline(raw, open_store(out), body)


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return load_atlas("free")


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory, body: BodyModel) -> Pipeline:
    return take_pipeline(tmp_path_factory.mktemp("whole"), body)


@pytest.fixture(scope="session")
def second_pipeline(tmp_path_factory: pytest.TempPathFactory, body: BodyModel) -> Pipeline:
    """The same again, elsewhere and with other numbers of workers."""
    return take_pipeline(tmp_path_factory.mktemp("again"), body, workers=2)
