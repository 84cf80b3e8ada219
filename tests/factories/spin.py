"""SPIN's files of fits, as its code writes them and PyMAF's takes them, and those of persons whose rows they follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

# Mirrored left to right: whose rotation SMPL's joint takes.
MIRRORED = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


def static(path: Path, pose: np.ndarray, betas: np.ndarray) -> Path:
    """``<set>_fits.npy``: (N, 82)."""
    np.save(path, np.hstack([pose, betas]))
    return path


def multi_view(path: Path, pose: np.ndarray, betas: np.ndarray, has_smpl: np.ndarray) -> Path:
    """``mpi-inf-3dhp_mview_fits.npz``."""
    np.savez(path, pose=pose, shape=betas, has_smpl=has_smpl)
    return path


def final(path: Path, pose: np.ndarray, betas: np.ndarray, valid_fit: np.ndarray) -> Path:
    """``final_fits/<set>.npz``."""
    np.savez(path, pose=pose, betas=betas, valid_fit=valid_fit)
    return path


def companion(path: Path, names: Any, centres: np.ndarray, sides: np.ndarray) -> Path:
    """``dataset_extras/<set>_train.npz`` with the least that every one of them has."""
    count = len(centres)
    np.savez(
        path, imgname=names, center=centres, scale=np.asarray(sides) / 200, part=np.zeros((count, 24, 3)),
        openpose=np.zeros((count, 25, 3)),
    )  # fmt: skip
    return path


def mirror(pose: np.ndarray) -> np.ndarray:
    """(N, 72) of the bodies' mirror images."""
    return (pose.reshape(-1, 24, 3)[:, MIRRORED] * [1.0, -1.0, -1.0]).reshape(-1, 72)
