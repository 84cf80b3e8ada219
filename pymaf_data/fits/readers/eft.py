"""EFT's fits (Joo et al., 3DV 2021): ``{"ver", "data": [entry, …]}``, for each person

    parm_pose 24 × 3 × 3 matrices · parm_shape 10 · parm_cam s, tx, ty · bbox_center px · bbox_scale side / 200
    imageName · annotId (COCO alone: the annotation's, not the image's) · smpltype

The camera is orthographic in EFT's crop of 224 px: 112·(s·X + t + 1), where SPIN's adds t before it scales. The crop's
corners are whole pixels (``conv_bboxinfo_center2topleft``). The network saw the crop alone: roots are seen along its
ray. Bad fits were dropped from the files, so rows follow no annotation file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.eft_entries import is_id, packed_entries
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitReader, FitTable
from pymaf_data.fits.table import VIEW
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import orthographic_view


def _read(path: Path, companion: Path | None = None) -> FitTable:
    content, numbers = packed_entries(path)
    entries = content.get("data") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, tuple) for entry in entries):
        raise RawDataCorrupt("it has no list `data` of fits")
    rows, images, ids, bodies = zip(*entries, strict=True)
    numbers = numbers if len(numbers) == len(rows) else numbers[list(rows)]
    pose, betas, camera, centre, scale = np.split(numbers, [72, 82, 85, 87], axis=1)
    low, high = np.trunc(centre - 100 * scale), np.trunc(centre + 100 * scale)
    side = high[:, 1:] - low[:, 1:]
    seen = (side > 0) & (camera[:, :1] > 0)
    box = np.where(seen, np.concatenate([low + side / 2, side], 1), 1.0)
    pi = np.where(seen, np.concatenate([camera[:, :1], camera[:, 1:] / np.where(seen, camera[:, :1], 1.0)], 1), np.nan)
    by_id = all(map(is_id, ids))
    return FitTable(
        keys=ByAnnotation(np.array(ids)) if by_id else ByImage(np.array(images), centre),
        pose=pose,
        betas=betas,
        camera=orthographic_view(torch.from_numpy(pi)).warped(invert(view_affine(box))).matrix.numpy(),
        frame=np.full(len(entries), VIEW, np.uint8),
        body=np.array(bodies),
        licences={"EFT fits": "CC BY-NC 4.0"},
        # EFT itself kept what lay within about 9 px of the crop (root mean square); its hips follow no keypoints.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),
        orthographic=True,
    )


READER = FitReader(
    _read,
    "a .json of EFT's release",
    "CC BY-NC 4.0",
    "https://github.com/facebookresearch/eft has links",
    signs=(('"parm_pose"', '"parm_cam"'),),
)
