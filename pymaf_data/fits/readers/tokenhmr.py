"""BEDLAM's labels in the tars that TokenHMR (Dwivedi et al., CVPR 2024) trains on: :mod:`pymaf_data.fits.tars`, with

    pose_cam (72), root first · shape (10 or more) · trans_cam (3) · cam_ext (4, 4) · cam_int (3, 3)? · center (2)

of each person, as in BEDLAM's own files (:mod:`pymaf_data.fits.readers.bedlam`): a neutral body at trans_cam and
the last column of cam_ext before the camera of the upright image. Without cam_int nobody knows that camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.fits.tars import PERSONS, persons_of, tars
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.lists import flat_numbers

_SIZES = {"pose_cam": 72, "shape": 10, "center": 2, "trans_cam": 3, "cam_int": 9, "cam_ext": 16}
_MORE = 6  # betas


def _read(path: Path, companion: Path | None = None) -> FitTable:
    rows = [(image, _numbers(person)) for file in tars(path) for image, person in persons_of(file)]
    if not rows:
        raise RawDataCorrupt(f"{path} holds no person with a label")
    names, parts = zip(*rows, strict=True)
    pose, betas, centres, trans, K, ext = np.split(np.stack(parts), np.cumsum([*_SIZES.values()])[:-1], axis=1)
    trans = np.where((ext[:, 12:] == (0, 0, 0, 1)).all(1, keepdims=True), trans + ext[:, 3:12:4], np.nan)
    camera = full_frame(torch.from_numpy(K.reshape(-1, 3, 3)), torch.from_numpy(trans)).matrix.numpy()
    return FitTable(
        keys=ByImage(np.array(names, str), centres),
        pose=pose,
        betas=betas,
        camera=camera,
        frame=np.full(len(pose), CAMERA, np.uint8),
        body=np.full(len(pose), "smpl-neutral"),
        licences={"BEDLAM labels": "non-commercial research"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as of BEDLAM's own files
    )


def _numbers(person: Any) -> np.ndarray:
    """(112,) of a person, NaN where one is amiss. Betas beyond the tenth are left out."""
    try:
        parts = [flat_numbers(person[key], size + _MORE * (key == "shape"))[:size] for key, size in _SIZES.items()]
        sound = [part.size for part in parts] == [*_SIZES.values()]
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        sound = False
    return np.concatenate(parts) if sound else np.full(sum(_SIZES.values()), np.nan)


READER = FitReader(
    _read,
    file="TokenHMR's tars of BEDLAM, or their folder",
    licence="non-commercial research",
    get="https://github.com/saidwivedi/TokenHMR, after registration",
    files=tars,
    signs=((PERSONS, "trans_cam", "cam_ext"),),
)
