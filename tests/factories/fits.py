"""Persons whose bodies are known: usual poses seen by a pinhole camera, keypoints as an annotator would mark them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import ANGLES, HIGH, LOW
from pymaf_data.fits.fitter.objective import State
from pymaf_data.fits.fitter.prior import ARM, LEGS, NECK, SPINE
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.cameras import Camera, full_frame
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.stages.ingest_shard import array_specs
from pymaf_data.storage import Plan, Provenance, Store, create_store, encode_jpeg, open_store

SIZE = (640, 480)
COCO = [J49.index(name) for name in COCO17.joints]


class Known(NamedTuple):
    """Persons and the truth about them."""

    persons: Persons
    truth: Fits
    joints: np.ndarray  # (N, 49, 3) camera-space metres


def usual_angles(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 26) drawn from the habits, halfway to their means, within the limits."""
    angles = np.zeros((count, len(ANGLES)))
    for row in angles:
        for prefix, habits in (("spine.", SPINE), ("neck.", NECK), ("", LEGS), ("left_", ARM), ("right_", ARM)):
            habit = habits[
                rng.choice(len(habits), p=np.array([h.share for h in habits]) / sum(h.share for h in habits))
            ]
            for name, (mean, deviation) in habit.angles.items():
                row[ANGLES.index(prefix + name)] = np.radians(mean + 0.5 * deviation * rng.normal())
    return angles.clip(LOW, HIGH)


def make_known(fitter: KeypointFitter, body: BodyModel, count: int, seed: int) -> Known:
    """Persons in usual poses and every heading, 3–6 m before a level camera of CLIFF's focal length."""
    rng = np.random.default_rng(seed)
    yaw = rng.uniform(0, 2 * np.pi, count)
    upright = axis_angle_to_matrix(torch.tensor([[np.pi - 0.1, 0.0, 0.0]], dtype=torch.float64))
    turned = axis_angle_to_matrix(torch.from_numpy(np.stack([0 * yaw, yaw, 0 * yaw], -1)))
    depth = rng.uniform(3, 6, count)
    position = np.stack([rng.uniform(-0.2, 0.2, count) * depth, rng.uniform(-0.05, 0.05, count) * depth, depth], -1)
    betas = torch.from_numpy(0.5 * rng.normal(size=(count, 10)))
    angles = torch.from_numpy(usual_angles(rng, count))
    pose = fitter.pose_of(State(upright @ turned, torch.from_numpy(position), angles, betas))
    rest = body.rest_joints(betas)[:, 0]
    focal = float(np.hypot(*SIZE))
    K = torch.tensor([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]], dtype=torch.float64)
    native = full_frame(K.expand(count, 3, 3), torch.from_numpy(position) - rest).matrix
    joints = body.keypoints(axis_angle_to_matrix(pose.reshape(count, 24, 3)), betas)[1]
    pixels = Camera(native).project(joints).numpy()
    truth = Fits(pose.numpy(), betas.numpy(), native.numpy(), np.zeros(count, np.uint8), np.zeros(count, np.uint8))
    absolute = (joints + (torch.from_numpy(position) - rest)[:, None]).numpy()
    return Known(annotated(pixels, absolute), truth, absolute)


def annotated(pixels: np.ndarray, joints: np.ndarray) -> Persons:
    """COCO's keypoints of bodies; face points that look away are not labelled."""
    count = len(pixels)
    keypoints, visibility = np.zeros((count, 49, 3), np.float32), np.zeros((count, 49), np.uint8)
    keypoints[:, COCO, :2], keypoints[:, COCO, 2], visibility[:, COCO] = pixels[:, COCO], 1, 2
    nose, ears = joints[:, J49.index("nose")], joints[:, [J49.index("left_ear"), J49.index("right_ear")]].mean(1)
    away = nose[:, 2] > ears[:, 2] + 0.03
    for name in ("nose", "left_eye", "right_eye"):
        keypoints[away, J49.index(name)] = 0
        visibility[away, J49.index(name)] = 0
    low, high = pixels[:, COCO].min(1), pixels[:, COCO].max(1)
    box = np.concatenate([(low + high) / 2, 1.35 * (high - low).max(1, keepdims=True)], 1)
    return Persons(
        keypoints=keypoints,
        visibility=visibility,
        box=box,
        image_size=np.tile(np.array([SIZE], np.int32), (count, 1)),
        intrinsics=np.zeros((count, 3, 3)),
        has_intrinsics=np.zeros(count, bool),
        annotation_id=np.arange(100, 100 + count),
        present=np.ones(count, bool),
        names=np.array([f"train2014/{i:04d}.jpg" for i in range(count)]),
    )


def make_store(path: Path, persons: Persons, shard: int = 4, masks: Sequence[bytes] = ()) -> Store:
    """A store of these persons, as ``ingest`` would leave it, with black images, and masks where they are given."""
    rows = tuple(zip(persons.names.tolist(), persons.annotation_id.tolist(), strict=True))
    brought = {"mask": (max(map(len, masks)),)} if masks else {}
    specs = array_specs(32, max(len(name) for name, _ in rows), shard, brought=brought)
    plan = Plan(dataset="sample", split="train", rows=rows, shard=shard)
    store = create_store(path, plan, specs, Provenance(attributes={"reasons": [""]}))
    black = encode_jpeg(np.zeros((32, 32, 3), np.uint8))
    with store.lock("ingest"):
        writer = store.stage("ingest", plan.digest, specs)
        for k in writer.missing():
            part = persons[writer.rows(k)]
            data: dict[str, object] = {
                spec.name: np.zeros((len(part), *spec.shape_per_row), spec.dtype) for spec in specs
            }
            stored = ("keypoints", "visibility", "box", "image_size", "intrinsics", "has_intrinsics")
            data |= {name: getattr(part, name) for name in (*stored, "annotation_id", "present")}
            if masks:
                padded = [mask.ljust(brought["mask"][0], b"\0") for mask in masks[writer.rows(k)]]
                data["mask"] = np.frombuffer(b"".join(padded), np.uint8).reshape(len(part), -1)
            writer.write_shard(k, data | {"image": [black] * len(part)}, "0" * 64)  # type: ignore[arg-type]
        writer.finish()
    return open_store(path)


def write_truth(path: Path, known: Known, model: BodyModel, /, **changes: object) -> Path:
    """The truth file of a sample; ``changes`` replace arrays."""
    native = known.truth.native
    intrinsics = native[:, :, :3]
    translation = np.linalg.solve(intrinsics, native[:, :, 3:])[..., 0]
    arrays: dict[str, object] = {
        "annotation_id": known.persons.annotation_id,
        "pose": known.truth.pose,
        "betas": known.truth.betas,
        "translation": translation,
        "intrinsics": intrinsics,
        "body": np.array(model.name),
        "body_fingerprint": np.array(model.fingerprint),
    }
    np.savez(path, **(arrays | changes))  # type: ignore[arg-type]
    return path
