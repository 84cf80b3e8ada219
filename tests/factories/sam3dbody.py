"""What SAM 3D Body's estimator returns for an image, and the ways in which people's scripts save it."""

from __future__ import annotations

import pickle
import warnings
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


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A shard of the data set."""
    import pyarrow
    from pyarrow import parquet as writer

    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def row(image: str, box: np.ndarray, place: np.ndarray, K: np.ndarray, parameters: np.ndarray, **changes: Any) -> Any:
    """A row of it: the rig stands in dm, y up and z backward; ``parameters`` (201) are those behind its translation."""
    (x, y), half = box[:2], box[2] / 2
    model = np.concatenate([[10 * place[0], -10 * place[1], -10 * place[2]], parameters])
    return {
        "dataset": "coco", "image": image, "person_id": 0, "subject_idx": 0, "subject_cnt": 1, "mhr_valid": True,
        "keypoints_2d": np.zeros((70, 3)).tolist(), "keypoints_3d": np.zeros((70, 4)).tolist(), "date": "2025",
        "model_params": model.astype(np.float32).tolist(), "shape_params": [0.0] * 45, "bbox_format": "xyxy",
        "bbox": [x - half, y - half, x + half, y + half], "bbox_center": [x, y], "bbox_scale": [2 * half, 2 * half],
        "cam_int": K.tolist(), "loss": 0.1, "mask_size": [-1, -1], "mask_cnts": b"", **changes,
    }  # fmt: skip


def rig(path: Path, meshes: np.ndarray) -> Path:
    """A TorchScript in the place of MHR's: its first joint parameter is the number of a mesh (M, 18439, 3), metres."""
    import torch

    class Rig(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("meshes", torch.from_numpy(meshes * [100, -100, -100]).float())

        def forward(
            self, shape: torch.Tensor, parameters: torch.Tensor, expression: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            posed = self.meshes[parameters[:, 6].long()] + 10 * parameters[:, None, :3]
            return posed + shape.sum() + expression.sum(), torch.zeros(1, 127, 8)

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Rig(), (torch.zeros(2, 45), torch.zeros(2, 204), torch.zeros(2, 72)), check_trace=False).save(
            str(path)
        )
    return path
