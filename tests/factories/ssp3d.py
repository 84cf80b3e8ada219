"""A small SSP-3D: labels.npz, images and silhouettes of 512 × 512."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = 512


def labels(count: int, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The arrays of the file; both genders, boxes that leave the image."""
    random = np.random.default_rng(seed)
    return {
        "fnames": np.array([f"v{i}_clip_1_person_0_frame_{i:03d}.png" for i in range(count)]),
        "shapes": random.normal(size=(count, 10)),
        "poses": random.normal(size=(count, 72)),
        "cam_trans": random.normal(size=(count, 3)) * [0.1, 0.1, 1] + [0, 0, 45],
        "joints2D": np.concatenate([random.uniform(0, 512, (count, 17, 2)), np.ones((count, 17, 1))], 2),
        "bbox_centres": np.stack([np.linspace(100, 400, count), np.linspace(30, 250, count)], 1),  # row, column
        "bbox_whs": np.linspace(180, 400, count),
        "genders": np.array(["m", "f"])[np.arange(count) % 2],
    } | changes


def silhouette(row: int) -> np.ndarray:
    """(512, 512) the pixels of a row's person."""
    found = np.zeros((SIZE, SIZE), bool)
    found[100 + row : 300, 40 : 90 + 10 * row] = True
    return found


def save(root: Path, content: dict[str, Any], images: bool = True) -> Path:
    """Write the data set."""
    for name in ("images", "silhouettes"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for row, name in enumerate(content["fnames"].tolist() if images else []):
        cv2.imwrite(str(root / "images" / name), np.full((SIZE, SIZE, 3), 80, np.uint8))
        cv2.imwrite(str(root / "silhouettes" / name), 255 * silhouette(row).astype(np.uint8))
    path = root / "labels.npz"
    np.savez(path, **content)
    return path
