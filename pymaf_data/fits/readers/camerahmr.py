"""CameraHMR's labels (Patel and Black, 3DV 2025) and what its fitter CamSMPLify writes, an .npz with for each person

    imgname · center (2) · pose or pose_cam (72) or (24, 3), root first · shape (10 or more) · cam_int (3, 3)
    gtkps (≥ 44, 3): px and confidence of the first 44 of J49
    trans_cam (3), with cam_ext (4, 4) whose last column adds to it: sets that are rendered alone
    cam_t (3): what the fitter writes alone

Bodies are neutral, whatever a gender says, and seen by the camera of the whole image. Labels of real sets say nowhere
where bodies stand: that is solved on gtkps under cam_int. Their images are named as in 4D-Humans' tars, whose subset is
no folder of the images.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.npz import read_numbers
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.npz import npz_keys, read_npz

logger = logging.getLogger(__name__)

_JOINTS = 44
_KID = 11  # betas of AGORA and BEDLAM: the last leads to a child, which SMPL's ten do not know
# The authors replaced the labels of COCO and MPII (issues #12 and #2 of pixelite1201/CameraHMR).
_MENDED = datetime(2025, 6, 4, tzinfo=UTC)


def _read(path: Path, companion: Path | None = None) -> FitTable:
    keys, names = npz_keys(path), [name or "" for name in read_texts(path, "imgname")]
    count = len(names)
    trans = _translations(path, keys, count)
    points = _keypoints(path, count) if trans is None else None  # first: nothing else takes as much while it is read
    if trans is None:
        names = [name.partition("/")[2] or name for name in names]
    shape, K = read_numbers(path, "shape", count, (10,)), read_numbers(path, "cam_int", count, (9,)).reshape(-1, 3, 3)
    kept: Any = shape[:, 10] == 0 if shape.shape[1] == _KID else slice(None)
    _warn_of_old_labels(path, names)
    camera = full_frame(torch.from_numpy(K), torch.from_numpy(np.zeros((count, 3)) if trans is None else trans))
    return FitTable(
        keys=ByImage(np.array(names, str)[kept], read_numbers(path, "center", count, (2,))[kept]),
        pose=read_numbers(path, "pose_cam" if "pose_cam" in keys else "pose", count, (72,))[kept],
        betas=shape[kept, :10],
        camera=camera.matrix.numpy()[kept],
        points=None if points is None else points[kept],
        frame=np.full(count, CAMERA, np.uint8)[kept],
        body=np.full(count, "smpl-neutral")[kept],
        licences={"CameraHMR fits": "non-commercial research"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's: optimised on keypoints and dense points
    )


def _translations(path: Path, keys: list[str], count: int) -> np.ndarray | None:
    """(count, 3) metres; None: to be solved."""
    if "trans_cam" in keys:
        trans = read_numbers(path, "trans_cam", count, (3,))
        return trans + read_numbers(path, "cam_ext", count, (16,))[:, 3:12:4] if "cam_ext" in keys else trans
    return read_numbers(path, "cam_t", count, (3,)) if "cam_t" in keys else None


def _keypoints(path: Path, count: int) -> np.ndarray:
    """(count, 44, 3) float32."""
    points = read_npz(path, ["gtkps"])["gtkps"]
    if points.shape[:1] + points.shape[2:] != (count, 3) or points.shape[1] < _JOINTS or points.dtype.kind not in "fiu":
        raise RawDataCorrupt(f"{path}: gtkps of {points.dtype} {points.shape}", expected=f"({count}, 44, 3) numbers")
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and so not seen
        return points[:, :_JOINTS].astype(np.float32)


def _warn_of_old_labels(path: Path, names: list[str]) -> None:
    """The date of a file is its release's where it was fetched by what keeps it (wget), and never too early."""
    told = f"{path.name} {names[0] if names else ''}".lower()
    dated = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if ("coco" in told or "mpii" in told) and dated < _MENDED:
        logger.warning(
            "%s is of %s: CameraHMR's labels of COCO and MPII were wrong until %s; fetch the file again",
            *(path, f"{dated:%Y-%m-%d}", f"{_MENDED:%Y-%m-%d}"),
        )


READER = FitReader(
    _read,
    file="an .npz of CameraHMR's training labels, or of CamSMPLify",
    licence="non-commercial research",
    get="https://camerahmr.is.tue.mpg.de, after registration",
    version=2,  # where bodies stand is now solved on joints that differ in the last bit
    signs=tuple(("imgname", "center", "scale", pose, "shape", "cam_int") for pose in ("pose", "pose_cam")),
)
