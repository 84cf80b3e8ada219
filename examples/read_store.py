"""Read a store in plain PyTorch: a Dataset whose workers are spawned processes.

    python examples/read_store.py data/stores/sample-train.zarr

pymaf_data.loader does more: augmentation, fits and dense maps under one transform. This is for a loop of your own.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import pymaf_data
from pymaf_data.fits import ChosenReader


class Persons(Dataset[dict[str, Any]]):
    """Crop, keypoints in pixels of the crop, and the chosen fit of each person that has an image and a fit."""

    def __init__(self, path: str) -> None:
        store = pymaf_data.open_store(path)
        fits = ChosenReader(store).read(np.arange(len(store)))
        self.rows = np.flatnonzero(store.array("present")[:] & fits.valid)
        self.fits = fits[self.rows]
        affine, keypoints = store.array("crop_affine")[:], store.array("keypoints")[:]
        self.keypoints = keypoints  # (N, 49, 3): x, y and confidence, 0 where a joint is not labelled
        self.keypoints[..., :2] = keypoints[..., :2] @ affine[:, :, :2].swapaxes(1, 2) + affine[:, None, :, 2]
        self.image = store.array("image")  # read row by row; a worker maps the same files

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        return {
            "row": row,
            "image": torch.from_numpy(self.image[row]).permute(2, 0, 1),  # (3, S, S) uint8
            "keypoints": self.keypoints[row],
            "pose": self.fits.pose[index],  # (72,) axis-angle
            "betas": self.fits.betas[index],  # (10,)
        }


def main(path: str) -> None:
    """Go through the store once."""
    persons = Persons(path)
    loader = DataLoader(persons, batch_size=16, shuffle=True, num_workers=2, multiprocessing_context="spawn")
    brightness = 0.0
    for batch in loader:
        shapes = {name: tuple(values.shape) for name, values in batch.items()}
        brightness += float(batch["image"].float().mean(dim=(1, 2, 3)).sum())
    print(f"{len(persons)} persons in {len(loader)} batches, mean brightness {brightness / len(persons):.2f}")
    print("the last batch:", shapes)


if __name__ == "__main__":
    main(sys.argv[1])
