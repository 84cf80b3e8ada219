"""NeuralAnnot's fits (Moon et al., CVPRW 2022): for each annotation, by its id as text

    {"17": {"smpl_param": {"pose": 72, "shape": 10, "trans": 3 m}, "cam_param": {"focal": 2, "princpt": 2}}, …}

The body stands in the camera space of the whole image, pixels are those of the original one. Bodies are neutral. Ids of
COCO are its own, those of train2017 and train2014 alike. Ids of MPII are those of the author's own train.json.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.json_text import read_json

logger = logging.getLogger(__name__)

_SIZES = {"pose": 72, "shape": 10, "trans": 3, "focal": 2, "princpt": 2}
_BODY, _CAMERA = ("pose", "shape", "trans"), ("focal", "princpt")


def _packed(entry: dict[str, Any]) -> Any:
    """Of a body, or a camera, its numbers, as of the person they belong to; NaN where one is amiss."""
    for keys in (_BODY, _CAMERA):
        if keys[0] in entry:
            return _numbers(entry, keys)
    if "smpl_param" not in entry:
        return entry
    parts = [entry["smpl_param"], entry.get("cam_param")]
    counts = [part.size if isinstance(part, np.ndarray) else 0 for part in parts]
    return np.concatenate(parts) if counts == [85, 4] else np.full(89, np.nan)


def _numbers(entry: dict[str, Any], keys: tuple[str, ...]) -> np.ndarray:
    """The numbers of some keys, 85 of a body and 4 of a camera; none where one key has not as many as it should."""
    try:
        parts = [np.asarray(entry.get(key), np.float64).ravel() for key in keys]
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
    return np.concatenate(parts) if [part.size for part in parts] == [_SIZES[key] for key in keys] else np.empty(0)


def _read(path: Path, companion: Path | None = None) -> FitTable:
    content = read_json(path, _packed)
    if not isinstance(content, dict) or not any(isinstance(row, np.ndarray) for row in content.values()):
        raise RawDataCorrupt("it has no fits by annotation id", expected='{"17": {"smpl_param": …, "cam_param": …}, …}')
    rows = [(int(key), row) for key, row in content.items() if _is_id(key) and isinstance(row, np.ndarray)]
    if len(rows) < len(content):
        logger.warning("%s: %d entries are no fit of an annotation", path, len(content) - len(rows))
    if not rows:
        raise RawDataCorrupt("its fits are not named by annotation ids")
    ids, parts = zip(*rows, strict=True)
    pose, betas, trans, focal, centre = np.split(np.stack(parts), np.cumsum([*_SIZES.values()])[:-1], axis=1)
    K = np.tile(np.eye(3), (len(rows), 1, 1))
    K[:, [0, 1], [0, 1]], K[:, :2, 2] = np.where(focal > 0, focal, np.nan), centre
    return FitTable(
        keys=ByAnnotation(np.array(ids)),
        pose=pose,
        betas=betas,
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(trans)).matrix.numpy(),
        frame=np.full(len(rows), CAMERA, np.uint8),
        body=np.full(len(rows), "smpl-neutral"),
        licences={"NeuralAnnot fits": "not stated"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's
    )


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= 18


READER = FitReader(
    _read,
    file="a .json of NeuralAnnot's release for COCO, or of that form",
    licence="not stated",
    get="https://github.com/mks0601/NeuralAnnot_RELEASE has links",
    signs=(('"smpl_param"', '"cam_param"'),),
)
