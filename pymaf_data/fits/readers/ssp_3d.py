"""SSP-3D's own bodies: SMPL of each person's gender, fitted to silhouettes and joints of several frames.

Seen by a camera of 5000 px at the centre of the image. What the file holds: see :mod:`pymaf_data.datasets.ssp3d`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.ssp3d import INTRINSICS, read_labels
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame


def _files(path: Path) -> list[Path]:
    return [path / "labels.npz" if path.is_dir() else path]


def _read(path: Path, companion: Path | None = None) -> FitTable:
    labels = read_labels(*_files(path))
    rows = np.flatnonzero(labels["genders"] != "unknown")
    K = torch.tensor(INTRINSICS, dtype=torch.float64).expand(len(rows), 3, 3)
    return FitTable(
        keys=ByAnnotation(rows),
        pose=labels["poses"][rows],
        betas=labels["shapes"][rows],
        camera=full_frame(K, torch.from_numpy(labels["cam_trans"][rows])).matrix.numpy(),
        frame=np.full(len(rows), CAMERA, np.uint8),
        body=np.char.add("smpl-", labels["genders"][rows]),
        licences={"SMPL of SSP-3D": "MIT"},
        tolerance=Tolerance(view=10.0, image=1.5, share=0.1, measured=True),
    )


READER = FitReader(
    _read,
    file="labels.npz, or the folder that holds it",
    licence="MIT",
    get="https://github.com/akashsengupta1997/SSP-3D, ssp_3d.zip",
    files=_files,
    raw="ssp-3d",
    signs=(("fnames", "poses", "shapes", "cam_trans"),),
)
