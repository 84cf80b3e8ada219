"""Write persons whose bodies are known as the authors of published fits write theirs."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class People(NamedTuple):
    """N persons before a camera: names of images, annotation ids, boxes, SMPL, K, translation, 44 joints in px."""

    names: np.ndarray
    ids: np.ndarray
    box: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    K: np.ndarray
    trans: np.ndarray
    joints: np.ndarray

    def take(self, rows: Any) -> People:
        return People(*(values[rows] for values in self))


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def hmr2_person(people: People, i: int, **changes: Any) -> dict[str, Any]:
    """A person of ``data.pyd``."""
    loss = np.empty((), object)
    loss[()] = {"reprojection_loss": np.float32(512.0)}
    return {
        "keypoints_2d": np.concatenate([people.joints[i], np.ones((44, 1))], 1).astype(np.float32),
        "keypoints_3d": np.zeros((44, 4), np.float32),
        "center": people.box[i, :2].astype(np.float32), "scale": np.full(2, people.box[i, 2] / 200, np.float32),
        "body_pose": people.pose[i].astype(np.float32), "betas": people.betas[i].astype(np.float32),
        "has_body_pose": np.array(1.0), "has_betas": 1.0, "personid": i,
        "extra_info": {"detection_npz_idx": 0, "fitting_loss": loss}, **changes,
    }  # fmt: skip


def hmr2_tar(path: Path, images: dict[str, list[dict[str, Any]] | bytes], subset: str = "coco") -> Path:
    """A tar of samples: stem of each image → its persons, or the bytes to stand for them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for stem, persons in images.items():
            data = persons if isinstance(persons, bytes) else pickle.dumps(persons)
            _add(tar, f"{subset}/{stem}.jpg", b"\xff\xd8 no image \xff\xd9")
            _add(tar, f"{subset}/{stem}.data.pyd", data)
            masks = io.BytesIO()
            np.savez(masks, masks=np.zeros((1, 4, 4), bool))
            _add(tar, f"{subset}/{stem}.detection.npz", masks.getvalue())
    return path


def hmr2_tars(folder: Path, people: People, subset: str = "coco") -> Path:
    """The tars of a subset, ten persons each."""
    for first in range(0, len(people.names), 10):
        rows = range(first, min(first + 10, len(people.names)))
        images: dict[str, Any] = {}
        for i in rows:
            stem = people.names[i].split("/")[-1].removesuffix(".jpg")
            images.setdefault(stem, []).append(hmr2_person(people, i))
        hmr2_tar(folder / f"{first:06d}.tar", images, subset)
    return folder


def hmr2_npz(path: Path, people: People, **changes: Any) -> Path:
    """An evaluation file, whose scale is px."""
    N = len(people.names)
    arrays: dict[str, Any] = {
        "imgname": np.array([name.encode() for name in people.names.tolist()]), "center": people.box[:, :2],
        "scale": np.tile(people.box[:, 2:], (1, 2)), "body_keypoints_2d": np.zeros((N, 25, 3)),
        "extra_keypoints_2d": np.zeros((N, 19, 3)), "body_pose": people.pose, "betas": people.betas,
        "has_body_pose": np.ones(N), "has_betas": np.ones(N), "extra_info": np.array([{}] * N, object),
    }  # fmt: skip
    np.savez(path, **(arrays | changes))
    return path


def camera_hmr(path: Path, people: People, **changes: Any) -> Path:
    """Labels of a real set: a camera, joints, and no translation."""
    joints = np.concatenate([people.joints, np.ones((len(people.names), 44, 1))], 2)
    arrays: dict[str, Any] = {
        "imgname": people.names.astype(object), "center": people.box[:, :2],
        "scale": np.tile(people.box[:, 2:] / 200, (1, 2)), "pose": people.pose.reshape(-1, 24, 3),
        "shape": np.pad(people.betas, ((0, 0), (0, 1))), "cam_int": people.K, "gtkps": joints,
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return path


def table(path: Path, people: People, **changes: Any) -> Path:
    """A table of our own with cameras; None leaves an array out."""
    arrays: dict[str, Any] = {
        "image": people.names, "box": people.box, "pose": people.pose.astype(np.float32), "betas": people.betas,
        "K": people.K, "translation": people.trans, "frame": "camera", "body": "smpl-neutral", "licence": "CC0 1.0",
        "pixels": "continuous",
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return path


def neural_annot(path: Path, people: People, **changes: Any) -> Path:
    """The file of a set; ``changes`` add entries, or replace them."""
    entries: dict[str, Any] = {}
    for i in range(len(people.names)):
        K = people.K[i]
        entries[str(people.ids[i])] = {
            "smpl_param": {
                "pose": people.pose[i].tolist(), "shape": people.betas[i].tolist(), "trans": people.trans[i].tolist()
            },
            "cam_param": {"focal": [K[0, 0], K[1, 1]], "princpt": [K[0, 2], K[1, 2]]},
        }  # fmt: skip
    path.write_text(json.dumps(entries | changes))
    return path
