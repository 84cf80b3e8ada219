"""Fits that stand in a file of persons (SPIN's and PyMAF's ``dataset_extras``): :mod:`pymaf_data.datasets.npz_rows` and

    pose (N, 72) axis-angle, root first · shape (N, 10) · has_smpl (N): which rows are valid

As SPIN and PyMAF take them: pose and shape without has_smpl are valid in every row. No camera is read. Where joints
were measured (S is not all zero), bodies have a gender or the file has cameras of its own (CLIFF, CameraHMR), roots are
seen by the image's camera; fits of stills, by networks that saw a crop, along its ray.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_data.datasets.npz_rows import NpzRows
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.untrusted.npz import npz_keys, read_npz

_CAMERAS = {"cam_int", "focal_l", "global_t", "trans_cam"}
_KID = 11  # betas of AGORA and BEDLAM: the last leads to a child, which SMPL's ten do not know


def _read(path: Path, companion: Path | None = None) -> FitTable:
    rows, keys = NpzRows.of(path, ("S", "gender")), npz_keys(path)
    if absent := [key for key in ("pose", "shape") if key not in keys]:
        raise RawDataCorrupt(f"{path} has persons and no {' and no '.join(absent)}, so no fits")
    pose = read_numbers(path, "pose", len(rows), (72,))
    shape = read_numbers(path, "shape", len(rows), (10,))
    valid = np.ones(len(rows), bool)
    if "has_smpl" in keys:
        valid = read_numbers(path, "has_smpl", len(rows), (1,))[:, 0] > 0
    if shape.shape[1] == _KID:
        valid &= shape[:, 10] == 0
    measured = "S" in rows.numbers and (rows.numbers["S"][..., 3] > 0)[rows.numbers["S"][..., :3].any(2)].any()
    genders = [rows.gender(row) for row in np.flatnonzero(valid).tolist()]
    bodies = ["smpl-neutral" if gender == "unknown" else f"smpl-{gender}" for gender in genders]
    frame = CAMERA if measured or {"male", "female"} & {*genders} or _CAMERAS & {*keys} else VIEW
    names = np.array([name or "" for name in rows.texts["imgname"]], str)
    return FitTable(
        keys=ByImage(names[valid], rows.numbers["center"][valid]),
        pose=pose[valid],
        betas=shape[valid, :10],
        camera=None,
        frame=np.full(len(genders), frame, np.uint8),
        body=np.array(bodies, str),
        licences={"fits of the persons' npz": "as its publisher says; not stated in the file"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's; SPIN's own include some that failed
        rows=np.flatnonzero(valid),
    )


def read_numbers(path: Path, key: str, rows: int, sizes: tuple[int, ...]) -> np.ndarray:
    """(rows, K) numbers of an array, K one of ``sizes`` or, of betas, more.

    Raises:
        RawDataCorrupt: it cannot be read, or has other numbers.
    """
    array = read_npz(path, [key])[key]
    flat = array.reshape(rows, -1) if array.shape[:1] == (rows,) and rows and array.dtype.kind in "fiub" else None
    if flat is None or not (flat.shape[1] in sizes or (key == "shape" and flat.shape[1] > sizes[0])):
        expected = f"({rows}, {' or '.join(map(str, sizes))}) numbers"
        raise RawDataCorrupt(f"{path}: {key} of {array.dtype} {array.shape}", expected=expected)
    return flat.astype(np.float64, copy=False)


READER = FitReader(
    _read,
    file="an .npz of SPIN's or PyMAF's dataset_extras with pose and shape",
    licence="as its publisher says",
    get="SPIN's fetch_data.sh and PyMAF's README have links",
    signs=(("imgname", "center", "scale", "pose", "shape"),),
)
