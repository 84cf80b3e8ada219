"""Whole stores of invented persons, made in a second: every stage, rows that lack something, hostile names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.datasets.images import REASONS as MISSING
from pymaf_data.digest import digest_json
from pymaf_data.fits.choice import choice_specs
from pymaf_data.fits.rule import Rule
from pymaf_data.fits.table import REASONS, fit_specs
from pymaf_data.geometry.affines import crop_affine
from pymaf_data.geometry.cameras import Camera, full_frame
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from pymaf_data.stages.ingest_shard import array_specs
from pymaf_data.stages.iuv_shard import map_specs
from pymaf_data.storage import Plan, Provenance, Store, create_store, encode_jpeg, open_store

CROP, MAP, SIZE = 96, 36, (640, 480)
HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">&amp;.jpg"
COCO = [J49.index(name) for name in COCO17.joints]


def turned(yaw: np.ndarray) -> np.ndarray:
    """(N, 3) root rotations of upright bodies that face the camera at 0° and the image's right at 90°."""
    upright = axis_angle_to_matrix(torch.tensor([np.pi, 0.0, 0.0], dtype=torch.float64))
    turn = axis_angle_to_matrix(torch.tensor(np.stack([0 * yaw, -np.radians(yaw), 0 * yaw], -1)))
    return matrix_to_axis_angle(turn @ upright).numpy()


def invented_store(
    path: Path,
    body: BodyModel,
    persons: int,
    shard: int = 512,
    seed: int = 0,
    dataset: str = "invented",
    split: str = "train",
) -> Store:
    """A store without some images (every 50th row) and fits (every 40th), with a hostile name (row 0) and IUV maps."""
    rng = np.random.default_rng(seed)
    rows = [(f"train2014/{number:012d}.jpg", 1000 + number) for number in range(persons)]
    rows[0] = (HOSTILE, 1000)
    people = _people(rng, body, persons)
    plan = Plan(dataset=dataset, split=split, rows=tuple(rows), shard=shard)
    specs = array_specs(CROP, max(len(name.encode()) for name, _ in rows), shard)
    provenance = Provenance(
        counts={"total": persons + 7, "kept": persons, "incomplete": 7, "dropped": 7},
        expected={"kept": persons + 2},
        versions={"pymaf-data": "0"},
        licences={"pictures": "CC0 1.0 <b>no markup</b>"},
        attributes={"reasons": list(MISSING), "title": "invented persons"},
    )
    store = create_store(path, plan, specs, provenance)
    _write(store, "ingest", plan.digest, specs, people, {}, _pictures(rng, persons))
    attributes = {"body": body.name, "body_digest": body.digest, "native_kind": "perspective", "reasons": list(REASONS)}
    attributes["proved"] = True
    fits = "f" * 64
    _write(store := open_store(path), "fits/invented", fits, fit_specs(shard), people, attributes)
    rule = Rule()
    chosen = {"source": np.where(people["valid"], 0, -1)}
    generation = rule.generation({"invented": fits})
    _write(store, "choice", generation, choice_specs(shard), chosen, rule.attributes({"invented": fits}))
    maps = {"part": np.zeros((persons, MAP, MAP), np.uint8), "rendered": people["valid"]}
    maps["part"][:, 8:26, 14:22] = 2
    _write(store, "iuv", digest_json("maps"), map_specs(MAP, shard), maps, {"choice": generation})
    return open_store(path)


def _people(rng: np.random.Generator, body: BodyModel, N: int) -> dict[str, np.ndarray]:
    pose = 0.25 * rng.normal(size=(N, 24, 3))
    pose[:, 0] = turned(rng.uniform(-180, 180, N))
    betas = 0.7 * rng.normal(size=(N, 10))
    side = rng.gamma(6, 40, N) + 40
    box = np.stack([rng.uniform(0, SIZE[0], N), rng.uniform(0, SIZE[1], N), side], 1)
    native = _cameras(box)
    keypoints, visibility = np.zeros((N, 49, 3), np.float32), np.zeros((N, 49), np.uint8)
    visibility[:, COCO] = rng.choice(3, (N, len(COCO)), p=(0.1, 0.25, 0.65))
    for first in range(0, N, 1024):
        block = slice(first, first + 1024)
        rotation = axis_angle_to_matrix(torch.from_numpy(pose[block]).float())
        joints = body.keypoints(rotation, torch.from_numpy(betas[block]).float())[1].double()
        keypoints[block, :, :2] = Camera(torch.from_numpy(native[block])).project(joints).numpy()
    keypoints[..., 2] = visibility > 0
    number = np.arange(N)
    present, valid = number % 50 != 49, (number % 40 != 39) & (number % 50 != 49)
    return {
        "crop_affine": crop_affine(box, CROP),
        "box": box,
        "image_size": np.tile(np.array(SIZE, np.int32), (N, 1)),
        "keypoints": keypoints * (keypoints[..., 2:] > 0),
        "visibility": visibility,
        "annotation_id": 1000 + number,
        "present": present,
        "reason": np.where(present, np.where(valid, 0, REASONS.index("too few keypoints")), 1).astype(np.uint8),
        "valid": valid,
        "pose": pose.reshape(N, 72) * valid[:, None],
        "betas": betas * valid[:, None],
        "native": native * valid[:, None, None],
        "weak_camera": np.tile([0.9, 0.0, 0.0], (N, 1)),
        "weak_residual": np.where(valid, rng.gamma(2, 2, N), np.inf),
        "reprojection": np.where(valid, rng.gamma(3, 1, N), np.inf),
    }


def _cameras(box: np.ndarray) -> np.ndarray:
    """(N, 3, 4) cameras at 5 m that show a body of 1.8 m in 80 % of its box."""
    N = len(box)
    K = np.zeros((N, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = 0.8 * box[:, 2] * 5 / 1.8
    K[:, :2, 2], K[:, 2, 2] = box[:, :2], 1
    return full_frame(
        torch.from_numpy(K), torch.tensor([[0.0, 0.0, 5.0]], dtype=torch.float64).expand(N, 3)
    ).matrix.numpy()


def _pictures(rng: np.random.Generator, N: int) -> list[bytes]:
    """JPEG files of smoothed noise, a few for all."""
    pool = []
    for _ in range(8):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (CROP, CROP, 3), dtype=np.uint8), (0, 0), 1.2)
        pool.append(encode_jpeg(cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)))
    return [pool[number % len(pool)] for number in range(N)]


def _write(
    store: Store,
    stage: str,
    digest: str,
    specs: tuple,
    values: dict[str, np.ndarray],
    attributes: dict[str, object],
    pictures: list[bytes] | None = None,
) -> None:
    with store.lock(stage):
        writer = store.stage(stage, digest, specs, attributes)
        for shard in writer.missing():
            rows = writer.rows(shard)
            count = rows.stop - rows.start
            data: dict[str, object] = {}
            for spec in specs:
                blank = np.zeros((count, *spec.shape_per_row), spec.dtype)
                data[spec.name] = values[spec.name][rows].astype(spec.dtype) if spec.name in values else blank
            if pictures is not None:
                data |= {"image": pictures[rows], "reason": data["reason"] * ~values["present"][rows]}
            writer.write_shard(shard, data, digest_json(shard))  # type: ignore[arg-type]
        writer.finish()


def attach(store: Store, name: str, values: dict[str, np.ndarray], **attributes: object) -> None:
    """Add the source ``fits/<name>`` as if it had been attached; ``values`` of its arrays, the others blank."""
    said = {"proved": True, "body_digest": "", "native_kind": "perspective", "reasons": list(REASONS)} | attributes
    _write(store, f"fits/{name}", digest_json(name), fit_specs(store.shard), values, said)


def fits_of(store: Store) -> dict[str, np.ndarray]:
    """The arrays of ``fits/invented``."""
    info = store.current("fits/invented")
    return {key: store.array(info.record.key.below(key))[:] for key in info.record.specs}
