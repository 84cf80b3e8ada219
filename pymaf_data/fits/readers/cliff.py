"""CLIFF's fits (Li et al., ECCV 2022) to COCO and MPII: an npz of persons as SPIN's, and

    pose (N, 72) · shape (N, 10) · global_t (N, 3) m · focal_l (N) px · annot_id (N), of COCO's alone · has_smpl (N)

They were fitted in the whole image: x = focal_l·(body + global_t)/z + centre of the image, so global_t is the
translation of the body, though CLIFF calls it the pelvis's. focal_l is the image's diagonal: of images in another size,
fits lie beside their persons.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.npz import read_numbers
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.npz import npz_keys, read_npz

logger = logging.getLogger(__name__)

_NUMBERS = {"pose": (72,), "shape": (10,), "global_t": (3,), "focal_l": (1,), "center": (2,)}


def _read(path: Path, companion: Path | None = None) -> FitTable:
    keys = npz_keys(path)
    if absent := [key for key in ("imgname", *_NUMBERS) if key not in keys]:
        raise RawDataCorrupt(f"{path} has no {', '.join(absent)}", expected="fits of CLIFF's release")
    names = np.array([name or "" for name in read_texts(path, "imgname")], str)
    valid = np.ones(len(names), bool)
    if "has_smpl" in keys:
        valid = read_numbers(path, "has_smpl", len(names), (1,))[:, 0] > 0
    rows = np.flatnonzero(valid)
    columns = (read_numbers(path, key, len(names), shape)[rows] for key, shape in _NUMBERS.items())
    pose, betas, translation, focal, centres = columns
    seen = (focal > 0) & (translation[:, 2:] > 0)
    K = np.where(seen[..., None], np.eye(3), np.nan)  # a camera that sees nothing is none
    K[:, :2] *= focal[..., None]
    return FitTable(
        keys=_by_annotation(path, len(names), rows) or ByImage(names[rows], centres),
        pose=pose,
        betas=betas[:, :10],
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(translation)).matrix.numpy(),
        frame=np.full(len(rows), CAMERA, np.uint8),
        body=np.full(len(rows), "smpl-neutral"),
        licences={"CLIFF fits": "MIT"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's, from the same persons
        origin="centre",
        rows=rows,
    )


def _by_annotation(path: Path, count: int, rows: np.ndarray) -> ByAnnotation | None:
    """Keys of the rows, where each of them has an annotation's id."""
    ids = read_npz(path, (), optional=("annot_id",)).get("annot_id")
    if ids is None:
        return None
    if ids.shape != (count,) or ids.dtype.kind not in "iu" or (ids[rows] < 0).any():
        logger.warning("%s: annot_id of %s %s is no id for each; image and box tell", path, ids.dtype, ids.shape)
        return None
    return ByAnnotation(ids[rows])


READER = FitReader(
    _read,
    file="an .npz of CLIFF's release (coco2014part_cliffGT, mpii_cliffGT)",
    licence="MIT",
    get="https://github.com/huawei-noah/noah-research/tree/master/CLIFF has links",
    signs=(("imgname", "center", "scale", "pose", "shape", "focal_l", "global_t"),),
)
