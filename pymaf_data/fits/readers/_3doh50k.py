"""3DOH50K's own bodies: SMPL fitted to six views, in the unit of their calibration.

    camera space = R·(scale · body + trans) + T, divided by scale: metres

What the file holds: see :mod:`pymaf_data.datasets.threedoh50k`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.threedoh50k import key_of, read_entries
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA


def _files(path: Path) -> list[Path]:
    return [path / "annots.json" if path.is_dir() else path]


def _read(path: Path, companion: Path | None = None) -> FitTable:
    rows = [row for key, entry in read_entries(*_files(path)).items() if (row := _row(key, entry))]
    if not rows:
        raise RawDataCorrupt("it holds no person whose parameters are whole")
    ids, pose, betas, K, world = (np.array(values) for values in zip(*rows, strict=True))
    return FitTable(
        keys=ByAnnotation(ids),
        pose=pose,
        betas=betas,
        camera=K,
        extrinsics=world,
        frame=np.full(len(ids), CAMERA, np.uint8),
        body=np.full(len(ids), "smpl-neutral"),
        licences={"SMPL of 3DOH50K": "not stated; for research"},
        # The file's joints are projections of its bodies, but regressed otherwise: centimetres at hips, neck and head.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),
    )


def _row(key: str, entry: Any) -> tuple[Any, ...] | None:
    """id, pose, betas, K·[I | 0], [R | (R·trans + T)/scale]; None where one is missing: nobody's fit."""
    try:
        R, T, scale = entry["extri"][:3, :3], entry["extri"][:3, 3], float(entry["scale"])
        place = (R @ entry["trans"] + T) / (scale if scale > 0 else np.nan)
        world = np.concatenate([R, place[:, None]], 1)
        return key_of(key), entry["pose"], entry["betas"], np.pad(entry["intri"], ((0, 0), (0, 1))), world
    except (LookupError, TypeError, ValueError):
        return None


READER = FitReader(
    _read,
    file="annots.json of a split, or the folder that holds it",
    licence="not stated; for research",
    get="https://www.yangangwang.com/papers/ZHANG-OOH-2020-03.html",
    files=_files,
)
