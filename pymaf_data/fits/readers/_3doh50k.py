"""3DOH50K's own bodies: SMPL fitted to six views, in the unit of their calibration.

    camera space = R·(scale · body + trans) + T, divided by scale: metres

What the file holds: see :mod:`pymaf_data.datasets.threedoh50k`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.threedoh50k import read_entries
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA


def _files(path: Path) -> list[Path]:
    """The file itself, that of a split's folder, or those of all splits."""
    if path.is_file():
        return [path]
    return [path / "annots.json"] if (path / "annots.json").exists() else sorted(path.glob("*/annots.json"))


def _read(path: Path, companion: Path | None = None) -> FitTable:
    files = _files(path)
    entries = [(file, entry) for file in files for entry in read_entries(file).values()]
    # Both splits count from 0: of several, the folder tells whose image it is.
    found = [_row(f"{file.parent.name}/" * (len(files) > 1), entry) for file, entry in entries]
    rows = [row for row in found if row]
    if not rows:
        raise RawDataCorrupt(
            f"{path} holds no person whose parameters are whole", expected="annots.json, or its folder"
        )
    names, centres, pose, betas, K, world = (np.array(values) for values in zip(*rows, strict=True))
    return FitTable(
        keys=ByImage(names, centres),
        pose=pose,
        betas=betas,
        camera=K,
        extrinsics=world,
        frame=np.full(len(names), CAMERA, np.uint8),
        body=np.full(len(names), "smpl-neutral"),
        licences={"SMPL of 3DOH50K": "not stated; for research"},
        # The file's joints are projections of its bodies, but regressed otherwise: centimetres at hips, neck and head.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),
    )


def _row(folder: str, entry: Any) -> tuple[Any, ...] | None:
    """Image, box's centre, pose, betas, K·[I | 0], [R | (R·trans + T)/scale]; None where one is missing: nobody's."""
    try:
        R, T, scale = entry["extri"][:3, :3], entry["extri"][:3, 3], float(entry["scale"])
        place = (R @ entry["trans"] + T) / (scale if scale > 0 else np.nan)
        world, K = np.concatenate([R, place[:, None]], 1), np.pad(entry["intri"], ((0, 0), (0, 1)))
        name = folder + entry["img_path"].replace("\\", "/")
        return name, entry["bbox"].mean(0), entry["pose"], entry["betas"], K, world
    except (LookupError, TypeError, ValueError):
        return None


READER = FitReader(
    _read,
    file="3DOH50K's folder, that of a split, or its annots.json",
    licence="not stated; for research",
    get="https://www.yangangwang.com/papers/ZHANG-OOH-2020-03.html",
    files=_files,
    raw="3doh50k",
    signs=(('"extri"', '"intri"', '"betas"'),),
)
