"""Leeds Sports Pose, its extended set and UPi-S1h in small, as their releases lie on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

SIZE = (120, 160)  # width, height of every image


def people(count: int, seed: int = 0) -> np.ndarray:
    """(count, 14, 2) places within the image, none on a lattice."""
    return np.random.default_rng(seed).uniform([5, 5], [SIZE[0] - 5, SIZE[1] - 5], (count, 14, 2))


def save_joints(path: Path, places: np.ndarray, flags: np.ndarray, joints_first: bool = False) -> Path:
    """joints.mat: (3, 14, N) as LSP has it, or (14, 3, N) as its extended set."""
    stacked = np.concatenate([places, flags[..., None]], axis=2)  # N × 14 × 3
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"joints": stacked.transpose((1, 2, 0) if joints_first else (2, 1, 0))})
    return path


def save_image(path: Path, seed: int = 0, grey: bool = False) -> Path:
    """A photograph of noise, of one channel where it is grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (SIZE[1], SIZE[0]) if grey else (SIZE[1], SIZE[0], 3)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
    return path


def lsp(root: Path, places: np.ndarray, hidden: np.ndarray, release: str, joints_first: bool = False) -> Path:
    """A release of LSP; its flag is 1 where a joint is hidden. Images are to be written one by one."""
    return save_joints(root / release / "joints.mat", places, hidden.astype(float), joints_first)


def placeholders(places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Places as the extended set has them: left of or above the image, or at its corner, where a joint is not seen."""
    rng = np.random.default_rng(1)
    nowhere = -rng.uniform(0, 250, places.shape) * rng.integers(0, 2, places.shape)
    return np.where(seen[..., None], places, nowhere)


def lspet(root: Path, places: np.ndarray, seen: np.ndarray, joints_first: bool = True) -> Path:
    """The release of 2011; its flag is 1 where a joint is seen."""
    file = root / "lspet_dataset" / "joints.mat"
    return save_joints(file, placeholders(places, seen), seen.astype(float), joints_first)


def hr_lspet(root: Path, places: np.ndarray, seen: np.ndarray, numbers: list[int]) -> Path:
    """The extended set in full size: one folder, an image for each column, numbers left out."""
    for column, number in enumerate(numbers):
        save_image(root / "hr-lspet" / f"im{number:05d}.png", column)
    file = root / "hr-lspet" / "joints.mat"
    return save_joints(file, placeholders(places, seen), seen.astype(float), joints_first=True)


def outlines(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A person's mask, and all parts of UPi-S1h, with what is not to be measured."""
    mask, parts = np.zeros((2, SIZE[1], SIZE[0]), np.uint8)
    mask[20:140, 30:90] = 255
    for part in range(1, 7):
        parts[20 * part : 20 * part + 20, 30:80] = part
    parts[20:140, 80:90] = 255
    rng = np.random.default_rng(seed)
    holes = rng.random(mask.shape) < 0.05
    mask[holes], parts[holes] = 0, 0
    return mask, parts


def upi_s1h(root: Path, number: int, mask: np.ndarray | None, parts: np.ndarray | None) -> None:
    """Mask and parts of an image of the small release."""
    folder = root / "upi-s1h" / "data" / "lsp"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, image in (("segmentation", mask), ("part_segmentation", parts)):
        if image is not None:
            assert cv2.imwrite(str(folder / f"im{number:04d}_{kind}.png"), image)
