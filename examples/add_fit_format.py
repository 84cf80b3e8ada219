"""Add a fit format: JSON lines, one body each, joined by annotation id, seen by the camera of the whole image.

    {"annotation": 17, "pose": [72 angles], "betas": [10], "translation": [x, y, z], "focal": 820.5, "size": [w, h]}

The file belongs at pymaf_data/fits/readers/lines.py, or into a package that names READER as an entry point.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry import full_frame


def _read(path: Path, companion: Path | None = None) -> FitTable:
    """What the file says, in its own order; whether it is true of anybody is found out by others."""
    try:
        with path.open(encoding="utf-8") as lines:
            bodies = [json.loads(line) for line in lines]
        ids = np.array([body["annotation"] for body in bodies], np.int64)
        numbers = [
            np.array([body[key] for body in bodies], np.float64)
            for key in ("pose", "betas", "translation", "focal", "size")
        ]
        pose, betas, translation, focal, size = numbers
        intrinsics = np.tile(np.eye(3), (len(ids), 1, 1))
        intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
        intrinsics[:, :2, 2] = size / 2  # the principal point, in continuous pixels
        camera = full_frame(torch.from_numpy(intrinsics), torch.from_numpy(translation)).matrix.numpy()
    except (ValueError, TypeError, KeyError) as error:
        raise RawDataCorrupt(f"no bodies as JSON lines: {error!r:.100}") from None
    return FitTable(
        keys=ByAnnotation(ids),
        pose=pose,
        betas=betas,
        camera=camera,  # (M, 3, 4): the body without translation, in metres → pixels of the image
        frame=np.full(len(ids), CAMERA, np.uint8),  # from where the root is seen: CAMERA, or VIEW for a crop's network
        body=np.full(len(ids), "free"),  # whose betas these are; "smpl-neutral" of most published files
        licences={"fits of my laboratory": "CC BY 4.0"},
        tolerance=Tolerance(view=3.0, image=1.5, share=0.0),  # px that a fit may lie off, and who may lie beyond
    )


READER = FitReader(
    _read,
    file="a .jsonl file, a body in each line",
    licence="CC BY 4.0",
    get="ask my laboratory",
)
