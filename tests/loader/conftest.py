"""A small store made by hand: images with markers at keypoints, fits of the free body, rendered maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.crop import make_crop
from pymaf_data.digest import digest_json
from pymaf_data.geometry.affines import crop_to_view, invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import MAP_SIZE, Atlas, StoredMaps, load_atlas, render_stored
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, encode_jpeg, open_store

CROP, SHARD = 400, 8
WIDTH, HEIGHT = 640, 427


@dataclass(frozen=True)
class Persons:
    """What the store was made from."""

    box: np.ndarray
    keypoints: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    pi: np.ndarray
    vertices: torch.Tensor


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free")


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return load_atlas("free")


@pytest.fixture(scope="session")
def persons(body: BodyModel) -> Persons:
    """20 posed bodies; keypoints are their projections, so the weak camera of every view is known."""
    rng = np.random.default_rng(1)
    N = 20
    box = np.stack([rng.uniform(0, WIDTH, N), rng.uniform(0, HEIGHT, N), np.exp(rng.uniform(3.5, 6.5, N))], -1)
    pose = rng.normal(0, 0.25, (N, 24, 3)).astype(np.float32)
    pose[:, 0] = [math.pi, 0, 0]  # upright in camera space, where y points down
    pose[:, 0] += rng.normal(0, 0.2, (N, 3))
    betas = rng.normal(0, 1, (N, 10)).astype(np.float32)
    pi = np.stack([rng.uniform(0.7, 1.0, N), *rng.uniform(-0.1, 0.1, (2, N))], -1)
    out = body(axis_angle_to_matrix(torch.from_numpy(pose)), torch.from_numpy(betas))
    camera = weak_to_camera(torch.from_numpy(pi)).warped(invert(view_affine(box)))
    keypoints = np.ones((N, 49, 3), np.float32)
    keypoints[..., :2] = camera.project(out.joints.double()).numpy()
    return Persons(box, keypoints, pose, betas, pi, out.vertices)


@pytest.fixture(scope="session")
def make_store(
    persons: Persons, body: BodyModel, atlas: Atlas, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Store]:
    """Build a store; ``iuv_shards`` leaves out maps, ``absent`` rows have no image, ``unfitted`` rows no fit.

    ``ingested`` and ``fitted`` add or replace arrays of their stages; ``kind`` is that of the native cameras.
    """

    def make(
        absent: tuple[int, ...] = (),
        unfitted: tuple[int, ...] = (),
        iuv_shards: tuple[int, ...] = (0, 1, 2),
        ingested: dict[str, np.ndarray] | None = None,
        fitted: dict[str, np.ndarray] | None = None,
        kind: str = "none",
    ) -> Store:
        path = tmp_path_factory.mktemp("store") / "made.zarr"
        N = len(persons.box)
        plan = Plan(dataset="made", split="train", rows=tuple((f"{i:03d}.jpg", i) for i in range(N)), shard=SHARD)
        ingest = {
            "box": persons.box,
            "keypoints": persons.keypoints,
            "joints3d": np.zeros((N, 24, 4), np.float32),
            "present": ~np.isin(np.arange(N), absent),
        } | (ingested or {})
        pictures = [encode_jpeg(make_crop(picture(i), persons.box[i], CROP)) for i in range(N)]
        store = create_store(path, plan, _specs(ingest, pictures=True), Provenance())
        _write(store, "ingest", plan.digest, ingest, {}, pictures=pictures)
        fits = {
            "pose": persons.pose.reshape(N, 72),
            "betas": persons.betas,
            "native": np.zeros((N, 3, 4)),
            "weak_camera": persons.pi.astype(np.float32),
            "valid": ~np.isin(np.arange(N), unfitted),
        } | (fitted or {})
        of_body = {"body": body.name, "body_digest": body.digest, "native_kind": kind}
        _write(open_store(path), "fits/truth", digest_json("fits"), fits, of_body)
        choice = {"source": np.where(fits["valid"], 0, -1).astype(np.int16)}
        _write(
            open_store(path),
            "choice",
            digest_json("choice"),
            choice,
            {"sources": ["truth"], "generations": {"truth": digest_json("fits")}},
        )
        shown_maps = stored_maps(persons, atlas)
        maps = {"part": shown_maps.part, "uv": shown_maps.uv, "rendered": fits["valid"] & ingest["present"]}
        shown = {"atlas_digest": atlas.digest, "choice": digest_json("choice")}
        _write(open_store(path), "iuv", digest_json("iuv"), maps, shown, shards=iuv_shards)
        return open_store(path)

    return make


@pytest.fixture(scope="session")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store()


def picture(seed: int) -> np.ndarray:
    """A smooth image (H, W, 3) uint8."""
    noise = np.random.default_rng(seed).uniform(0, 255, (14, 20, 3)).astype(np.float32)
    return cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def stored_maps(persons: Persons, atlas: Atlas) -> StoredMaps:
    """N maps in the crop's frame."""
    camera = weak_to_camera(torch.from_numpy(persons.pi)).warped(invert(crop_to_view(MAP_SIZE)))
    return render_stored(persons.vertices, camera.to(dtype=torch.float32), atlas)


def _specs(arrays: dict[str, np.ndarray], pictures: bool) -> list[ArraySpec]:
    specs = [
        ArraySpec(name, values.shape[1:], values.dtype.str, inner_chunk=1 if name in ("part", "uv") else 4)
        for name, values in arrays.items()
    ]
    return [ArraySpec("image", (CROP, CROP, 3), "u1", 1, "jpeg"), *specs] if pictures else specs


def _write(
    store: Store,
    stage: str,
    digest: str,
    arrays: dict[str, np.ndarray],
    attributes: dict,
    shards: tuple[int, ...] = (0, 1, 2),
    pictures: list[bytes] | None = None,
) -> None:
    with store.lock(stage):
        writer = store.stage(stage, digest, _specs(arrays, pictures is not None), attributes or None)
        for shard in shards:
            rows = writer.rows(shard)
            content: dict = {name: values[rows] for name, values in arrays.items()}
            if pictures is not None:
                content["image"] = pictures[rows]
            writer.write_shard(shard, content, digest_json(shard))
        if len(shards) == 3:
            writer.finish()
