"""SAM 3D Body's data set (Meta, 2025): ``<split>/%06d.parquet``, a row for each person, with

    image · bbox (4) px in bbox_format xyxy or xywh · cam_int (3, 3) · mhr_valid
    model_params (204): translation in dm, root and joints, scales · shape_params (45)

Bodies are MHR's, placed by the first three model_params as the camera cam_int sees them, but with y up and z backward:
t = (p0, −p1, −p2) / 10 m. They are posed by the published rig (:mod:`pymaf_data.fits.mhr_rig`).
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.mhr_rig import PosedMhr
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.rows_on_disk import RowsOnDisk
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.parquet import read_parquet

logger = logging.getLogger(__name__)

_COLUMNS = {
    "image": 0, "bbox_format": 0, "bbox": 4, "cam_int": 9, "mhr_valid": 1, "model_params": 204, "shape_params": 45,
}  # fmt: skip
_DM = np.array([0.1, -0.1, -0.1])


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.parquet"))


def _read(path: Path, companion: Path | None = None) -> FitTable:
    found, parameters, shape = list[dict[str, np.ndarray]](), RowsOnDisk(204), RowsOnDisk(45)
    for file in _files(path):
        columns = _valid(file)
        shape.append(columns.pop("shape_params"))
        parameters.append(whole := columns.pop("model_params"))
        found.append({**columns, "trans": whole[:, :3] * _DM})
    if not len(parameters):
        raise RawDataCorrupt(f"{path} holds no person whose mhr_valid is set")
    columns = {name: np.concatenate([part.pop(name) for part in found]) for name in [*found[0]]}
    bbox, trans = columns["bbox"], columns["trans"]
    far = np.where((columns["bbox_format"] == "xywh")[:, None], bbox[:, :2] + bbox[:, 2:], bbox[:, 2:])
    K = columns.pop("cam_int").reshape(-1, 3, 3)
    K[~((K[:, 0, 0] > 0) & (trans[:, 2] > 0))] = np.nan  # else it sees nothing
    return FitTable(
        keys=ByImage(columns["image"], (bbox[:, :2] + far) / 2),
        pose=np.zeros((len(K), 72)),
        betas=np.zeros((len(K), 10)),
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(trans)).matrix.numpy(),
        frame=np.full(len(K), CAMERA, np.uint8),
        body=np.full(len(K), "smpl-neutral"),
        licences={"SAM 3D Body dataset": "SAM License"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's
        other=PosedMhr(parameters, shape),
    )


def _valid(file: Path) -> dict[str, np.ndarray]:
    """The rows of a file that are fits."""
    columns = read_parquet(file, _COLUMNS)
    kept = columns["mhr_valid"][:, 0] > 0
    logger.info("%s: %d of %d persons have a valid fit", file, kept.sum(), len(kept))
    return {name: array[kept] for name, array in columns.items()}


READER = FitReader(
    _read,
    file="a .parquet of SAM 3D Body's data set, or the folder of a split",
    licence="SAM License",
    get="https://huggingface.co/datasets/facebook/sam-3d-body-dataset, after registration",
    files=_files,
    signs=(("mhr_valid", "model_params", "shape_params"),),
)
