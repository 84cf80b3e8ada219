"""A small 3DOH50K: annots.json with keys out of order and backslashes, lengths in an invented unit, masks in RGB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (64, 48)


def entry(number: int, random: np.random.Generator, **changes: Any) -> dict[str, Any]:
    """One person; arrays among ``changes`` become lists."""
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    extri = np.eye(4)
    extri[:3, :3], extri[:3, 3] = turn * np.sign(np.linalg.det(turn)), [0.4, -1.0, 28.0]
    made: dict[str, Any] = {
        "trans": random.normal(size=(1, 3)),
        "img_path": f"images\\{number:05d}.jpg",
        "mask_path": f"masks\\{number:05d}.png",
        "bbox": [[4, 6], [34, 46]],
        "intri": np.array([[2399.0, 0, 32], [0, 2399, 24], [0, 0, 1]]),
        "extri": extri,
        "pose": 0.3 * random.normal(size=(1, 72)),
        "betas": random.normal(size=(1, 10)),
        "scale": [6.5 + 0.25 * number],
        "smpl_joints_2d": random.uniform(0, 40, (24, 2)),
        "smpl_joints_3d": random.normal(size=(24, 3)),
        "lsp_joints_2d": random.uniform(0, 40, (14, 2)),
        "lsp_joints_3d": random.normal(size=(14, 3)) + np.array([0, 0, 28]),
    } | changes
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in made.items()}


def mask(number: int) -> np.ndarray:
    """(48, 64) the person's pixels."""
    found = np.zeros(SIZE[::-1], bool)
    found[6:46, 4 + number : 20 + number] = True
    return found


def save(root: Path, split: str, entries: dict[str, Any], size: tuple[int, int] = SIZE) -> Path:
    """Write a split: the file, an image and a mask for each person who has a path of one."""
    folder = root / f"{split}set"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for one in entries.values():
        if isinstance(one, dict) and "img_path" in one:
            stem = str(one["img_path"])[7:12]
            cv2.imwrite(str(folder / "images" / f"{stem}.jpg"), np.full((size[1], size[0], 3), 99, np.uint8))
            white = np.zeros((*SIZE[::-1], 3), np.uint8)
            white[..., 2] = 255 * mask(int(stem))  # OpenCV's last channel is the file's first; the others say nothing
            white[::2, :, 0] = 255
            cv2.imwrite(str(folder / "masks" / f"{stem}.png"), white)
    path = folder / "annots.json"
    path.write_text(json.dumps(entries))
    return path
