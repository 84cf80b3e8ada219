"""What SAM 3D Body's estimator returns for an image, and the ways in which people's scripts save it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

VERTICES = 18439


def person(box: np.ndarray, mesh: np.ndarray, place: np.ndarray, K: np.ndarray, **changes: Any) -> dict[str, Any]:
    """One of the list that ``process_one_image`` returns.

    Args:
        box: (3,) centre and side in px.
        mesh: (18439, 3) metres without translation.
        place: (3,) pred_cam_t.
        K: (3, 3).
        changes: entries besides, or instead; None leaves one out.
    """
    joints = mesh[:: VERTICES // 69][:70]
    seen = (joints + place) @ K.T
    (x, y), half = box[:2], box[2] / 2
    said: dict[str, Any] = {
        "bbox": np.array([x - half, y - 0.8 * half, x + half, y + 0.8 * half], np.float32),
        "focal_length": np.float32(K[0, 0]), "pred_keypoints_3d": joints.astype(np.float32),
        "pred_keypoints_2d": (seen[:, :2] / seen[:, 2:]).astype(np.float32), "pred_vertices": mesh.astype(np.float32),
        "pred_cam_t": place.astype(np.float32), "shape_params": np.zeros(45, np.float32),
        "mhr_model_params": np.zeros(204, np.float32), "mask": None, "lhand_bbox": np.zeros(4),
    } | changes  # fmt: skip
    return {key: value for key, value in said.items() if value is not None or key == "mask"}


def _stem(name: str) -> str:
    return name.removesuffix(".jpg")


def by_image(folder: Path, images: dict[str, list[dict[str, Any]]]) -> Path:
    """A .npz of a list for each image."""
    for name, persons in images.items():
        path = folder / f"{_stem(name)}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, outputs=np.array(persons, object))
    return folder


def by_person(folder: Path, images: dict[str, list[dict[str, Any]]]) -> Path:
    """A .npz for each person, whose keys are the dict's, as MHR's own examples have it."""
    for name, persons in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(persons):
            arrays = {key: value for key, value in one.items() if key not in ("mask", "focal_length")}
            np.savez_compressed(folder / f"{_stem(name)}_subj{number:02d}.npz", **arrays)
    return folder


def stacked(folder: Path, images: dict[str, list[dict[str, Any]]]) -> Path:
    """A .npz for each image, its persons stacked."""
    for name, persons in images.items():
        path = folder / f"{_stem(name)}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {key: np.stack([one[key] for one in persons]) for key in persons[0] if key != "mask"}
        np.savez(path, **arrays, image=np.array(name))
    return folder


def one_pickle(folder: Path, images: dict[str, list[dict[str, Any]]]) -> Path:
    """One pickle of everything, by image."""
    (folder / "all.pkl").write_bytes(pickle.dumps(images))
    return folder / "all.pkl"


def one_npy(folder: Path, images: dict[str, list[dict[str, Any]]]) -> Path:
    """One .npy of all persons, each of which names its image."""
    everybody = [{**one, "image_path": f"/data/coco/{name}"} for name, persons in images.items() for one in persons]
    np.save(folder / "all.npy", np.array(everybody, object), allow_pickle=True)
    return folder / "all.npy"
