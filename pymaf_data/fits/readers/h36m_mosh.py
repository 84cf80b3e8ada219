"""Bodies of Human3.6M's subjects, fitted to their markers (MoSh): one Python 2 pickle for each view of a sequence.

    S9/Directions 1_cam0_aligned.pkl    new_poses (N/5, 72) at 10 Hz, betas; cameras 0 … 3 in the data set's order

Pose k is that of frame 5·k. Roots are turned as the camera sees the body, but for half a turn about the body's own x
axis: R_root·Rx(π). No camera comes with them. They never were published for all; sequences may be missing.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.h36m_cameras import CAMERAS
from pymaf_data.datasets.h36m_views import View
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from pymaf_data.untrusted.unpickle import load_trusted_pickle

_EVERY = 5
_NAME = re.compile(r"(.+)_cam([0-3])_aligned")
_HALF_TURN = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))


def _files(path: Path) -> list[Path]:
    """Of a folder: a subject's own, or those of all subjects."""
    found = (sorted(path.glob(f"{below}*_cam[0-3]_aligned.pkl")) for below in ("", "S*/"))
    return [path] if path.is_file() else next((files for files in found if files), [])


def _read(path: Path, companion: Path | None = None) -> FitTable:
    files = _files(path.absolute())
    if not files:
        raise RawDataCorrupt(f"{path} has no fits", expected="*_cam0_aligned.pkl … in it, or in S1/, S5/, …")
    ids, pose, betas = (np.concatenate(columns) for columns in zip(*map(_rows, files), strict=True))
    return FitTable(
        keys=ByAnnotation(ids),
        pose=pose,
        betas=betas,
        camera=None,
        frame=np.full(len(ids), CAMERA, np.uint8),
        body=np.full(len(ids), "smpl-neutral"),
        licences={"SMPL of Human3.6M by MoSh": "Human3.6M licence: academic use; no redistribution"},
        # Joints that markers give lie centimetres from those of bodies; half a turn off is half a metre.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05, metres=0.15),
    )


def _rows(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids (N,), pose (N, 72) and betas (N, 10) of a view."""
    name = _NAME.fullmatch(path.stem)
    view = View.of(path.with_name(f"{name[1]}.{list(CAMERAS)[int(name[2])]}.pkl")) if name else None
    record = load_trusted_pickle(path)
    try:
        if view is None:
            raise ValueError("its folder is no subject's (S9), or its name no view's")
        pose, betas = (np.asarray(record[key]) for key in ("new_poses", "betas"))
        if pose.ndim != 2 or pose.shape[1] != 72 or betas.size < 10 or {pose.dtype.kind, betas.dtype.kind} - {*"iuf"}:
            raise ValueError(f"new_poses {pose.dtype} {pose.shape}, betas {betas.dtype} {betas.shape}")
        pose = pose.astype(np.float64)
        whole = np.isfinite(pose).all(1)
        root = axis_angle_to_matrix(torch.from_numpy(pose[whole, :3])) @ _HALF_TURN
        pose[whole, :3] = matrix_to_axis_angle(root).numpy()
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise RawDataCorrupt(
            f"{path} holds no bodies of Human3.6M: {type(error).__name__}: {str(error)[:200]}",
            expected="S9/Directions 1_cam0_aligned.pkl with new_poses and betas",
        ) from None
    rows = np.arange(len(pose))
    return view.ids(_EVERY * rows), pose.astype(np.float32), np.tile(betas.ravel()[:10], (len(rows), 1)).astype("f4")


READER = FitReader(
    _read,
    file="a folder with S*/*_cam[0-3]_aligned.pkl, or that of a subject, or one file",
    licence="Human3.6M licence: academic use; no redistribution",
    get="not redistributable; who has them had them from the authors of MoSh",
    files=_files,
    raw="h36m",
    signs=(("new_poses",),),
)
