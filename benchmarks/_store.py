"""A store for benchmarks: bodies over images with the spectrum of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_data.body import load_body
from pymaf_data.digest import digest_json
from pymaf_data.geometry import affines
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import MAP_SIZE, load_atlas, render_stored
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, encode_jpeg, open_store

CROP, PICTURES = 400, 256


def photograph(rng: np.random.Generator) -> np.ndarray:
    """A crop (S, S, 3) uint8 with the 1/f spectrum of photographs; its JPEG is about as large as a COCO person's."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(CROP), np.fft.rfftfreq(CROP), indexing="ij"))
    frequency[0, 0] = 1
    colour = []
    for _ in range(3):
        phase = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
        plane = np.fft.irfft2(phase / frequency**1.6, (CROP, CROP))
        colour.append(plane / plane.std())
    grey = colour[0]
    planes = [128 + 50 * (0.85 * grey + 0.3 * plane) for plane in colour]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def make_store(path: Path, persons: int, maps: bool = True) -> Store:
    """Persons with image (256 different ones at most), fit and, where asked for, map."""
    rng = np.random.default_rng(0)
    body, atlas = load_body("free"), load_atlas("free")
    pose = rng.normal(0, 0.2, (persons, 24, 3)).astype(np.float32)
    pose[:, 0] = [np.pi, 0, 0]
    betas = rng.normal(0, 1, (persons, 10)).astype(np.float32)
    pi = torch.tensor([[0.9, 0.0, 0.0]]).expand(persons, 3)
    camera = weak_to_camera(pi)
    rotations, shapes = axis_angle_to_matrix(torch.from_numpy(pose)), torch.from_numpy(betas)
    with torch.no_grad():
        _, joints = body.keypoints(rotations, shapes)
    box = np.tile([320.0, 213.5, 300.0], (persons, 1))
    native = camera.warped(affines.invert(affines.view_affine(box)))
    keypoints = np.ones((persons, 49, 3), np.float32)
    keypoints[..., :2] = native.project(joints).numpy()
    everyone = np.ones(persons, bool)
    to_crop = affines.compose(affines.invert(affines.crop_to_view(CROP)), affines.view_affine(box))
    unmeasured = np.zeros((persons, 24, 4), np.float32)
    ingest = {"box": box, "crop_affine": to_crop, "keypoints": keypoints, "joints3d": unmeasured}
    stages = {
        "ingest": (ingest | {"present": everyone}, {}),
        "fits/truth": (
            {
                "pose": pose.reshape(persons, 72),
                "betas": betas,
                "native": native.matrix.double().numpy(),
                "weak_camera": pi.numpy(),
                "valid": everyone,
            },
            {"body": body.name, "body_digest": body.digest, "native_kind": "perspective"},
        ),
        "choice": (
            {"source": np.zeros(persons, np.int16)},
            {"sources": ["truth"], "generations": {"truth": digest_json("fits/truth")}},
        ),
    }
    if maps:
        with torch.no_grad():
            vertices = body.mesh(rotations, shapes)
        drawn = render_stored(vertices, camera.warped(affines.invert(affines.crop_to_view(MAP_SIZE))), atlas)
        attributes = {"atlas_digest": atlas.digest, "choice": digest_json("choice")}
        stages["iuv"] = {"part": drawn.part, "uv": drawn.uv, "rendered": everyone}, attributes
    plan = Plan(dataset="benchmark", split="train", rows=tuple((f"{i:06d}", i) for i in range(persons)))
    different = [encode_jpeg(photograph(rng)) for _ in range(min(persons, PICTURES))]
    pictures = (different * (persons // len(different) + 1))[:persons]
    store = create_store(path, plan, specs(stages["ingest"][0], True), Provenance())
    for stage, (arrays, attributes) in stages.items():
        with store.lock(stage):
            first = stage == "ingest"
            digest = plan.digest if first else digest_json(stage)
            writer = store.stage(stage, digest, specs(arrays, first), attributes or None)
            for shard in writer.missing():
                rows = writer.rows(shard)
                content = {name: values[rows] for name, values in arrays.items()}
                writer.write_shard(shard, content | ({"image": pictures[rows]} if first else {}), digest_json(shard))
            writer.finish()
        store = open_store(path)
    return store


def specs(arrays: dict[str, np.ndarray], with_pictures: bool) -> list[ArraySpec]:
    """The arrays of a stage; images and maps one row per inner chunk."""
    pictures = [ArraySpec("image", (CROP, CROP, 3), "u1", 1, "jpeg")] if with_pictures else []
    inner = {"part": 1, "uv": 1}
    return pictures + [ArraySpec(n, v.shape[1:], v.dtype.str, inner.get(n, 64)) for n, v in arrays.items()]
