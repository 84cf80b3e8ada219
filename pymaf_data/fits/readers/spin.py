"""SPIN's fits, static and final, and those that PyMAF took under other names: rows that follow a file of persons.

    <set>_fits.npy (N, 82)     pose 72, betas 10: static fits, and PyMAF's h36m.npy
    <set>_mview_fits.npz       pose (N, 72), shape (N, 10), has_smpl (N): MPI-INF-3DHP's, of all its views
    <set>.npz of final_fits    pose (N, 72), betas (N, 10), valid_fit (N)

They name nobody: row i is row i of the set's training npz (``dataset_extras``), the companion. They have no camera: π
is solved on the keypoints, and what it cannot explain proves them, since it moves and scales a body and turns nothing.
Fits to a crop are seen along its ray, those of several views by the camera. A row of zeros stands for no fit:
``h36m_fits.npy`` was never published, and whoever trains puts zeros in its place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.untrusted.bounds import open_regular
from pymaf_data.untrusted.npz import npz_keys, read_npy, read_npz, require_numbers

_FINAL, _MULTIVIEW = ("pose", "betas", "valid_fit"), ("pose", "shape", "has_smpl")


def _read(path: Path, companion: Path | None = None) -> FitTable:
    pose, betas, valid, frame = _arrays(path)
    of = ByImage.of_companion(companion, len(pose))
    rows = np.flatnonzero(valid & ((pose != 0).any(1) | (betas != 0).any(1)))
    if not len(rows):
        raise RawDataCorrupt(f"{path} has {len(pose):,} rows, and none is a fit: they are zeros, or not valid")
    return FitTable(
        keys=ByImage(of.names[rows], of.centres[rows]),
        pose=pose[rows],
        betas=betas[rows],
        camera=None,
        frame=np.full(len(rows), frame, np.uint8),
        body=np.full(len(rows), "smpl-neutral"),
        licences={"SPIN fits": "not stated; the code is BSD 3-Clause"},
        # Nobody looked at them: fits that failed are among them, and are taken out. Of a file that is a row out of step
        # nine in ten lie beyond, of a mirrored one seven.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.35),
        rows=rows,
    )


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Pose (N, 72), betas (N, 10), whether a row is a fit (N,), and from where roots are seen."""
    with open_regular(path) as stream:
        packed = stream.read(2) == b"PK"
    if not packed:
        fits = read_npy(path)
        require_numbers({"fits": fits}, {"fits": (82,)}, len(np.atleast_1d(fits)))
        return fits[:, :72], fits[:, 72:], np.ones(len(fits), bool), VIEW
    keys = npz_keys(path)
    if "imgname" in keys:
        raise RawDataCorrupt(f"{path} names persons", expected="fits alone; for a file of persons --fits npz:FILE")
    names, frame = (_FINAL, VIEW) if "betas" in keys else (_MULTIVIEW, CAMERA)
    arrays = read_npz(path, names)
    pose, betas, flag = (arrays[name] for name in names)
    rows = len(np.atleast_1d(pose))
    require_numbers(arrays, {names[0]: (72,), names[1]: (10,)}, rows)
    if flag.shape not in ((rows,), (rows, 1)) or flag.dtype.kind not in "fiub":
        raise RawDataCorrupt(f"{names[2]} of {flag.dtype} {flag.shape}", expected=f"a flag for each of {rows:,} rows")
    return pose, betas, flag.reshape(rows) > 0, frame


READER = FitReader(
    _read,
    file="static fits (.npy, or _mview_fits.npz) or final fits (.npz) of SPIN",
    licence="not stated; the code is BSD 3-Clause",
    get="SPIN's fetch_data.sh has links (static_fits, spin_fits)",
    companion="the set's training npz of dataset_extras",
    signs=(_FINAL, _MULTIVIEW, ("NUMPY", ", 82)")),
)
