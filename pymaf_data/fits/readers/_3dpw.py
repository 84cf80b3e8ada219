"""3DPW's own bodies: SMPL of each actor's gender, measured by IMUs and placed by the video.

They stand in the world; ``cam_poses`` leads into the camera of each frame. What the files hold: see
:mod:`pymaf_data.datasets.threedpw`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_data.datasets.threedpw import Sequence, read_sequence
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA

_WHERE = ("*.pkl", "*/*.pkl", "sequenceFiles/*/*.pkl")


def _files(path: Path) -> list[Path]:
    """Of a folder: its own pickles, or those of its splits, or those of the whole data set."""
    found = ([path] if path.is_file() else sorted(path.glob(where)) for where in _WHERE)
    return next((files for files in found if files), [])


def _read(path: Path, companion: Path | None = None) -> FitTable:
    files = _files(path)
    if not files:
        raise RawDataCorrupt(f"{path} has no sequences", expected="*.pkl in it, or in sequenceFiles/<split>/")
    sequences = [read_sequence(file) for file in files]
    parts = [_rows(sequence, k) for sequence in sequences for k in range(len(sequence.actors))]
    ids, body, pose, betas, K, world = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return FitTable(
        keys=ByAnnotation(ids),
        pose=pose,
        betas=betas,
        camera=K,
        extrinsics=world,
        frame=np.full(len(ids), CAMERA, np.uint8),
        body=body,
        licences={"SMPL of 3DPW": "3DPW licence: non-commercial research"},
        # Detections lie where they like, on the wrong person at times; the joints of the file are the bodies' own, but
        # for betas beyond the tenth.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.25, measured=True, metres=0.01),
    )


def _rows(sequence: Sequence, k: int) -> tuple[np.ndarray, ...]:
    """Of an actor's M frames with a camera: ids, body, pose, betas, K·[I | 0], and [R | R·trans + T]."""
    actor, frames = sequence.actors[k], np.flatnonzero(sequence.actors[k].valid)
    M, world = len(frames), sequence.extrinsics[frames].copy()
    world[:, :, 3] += (world[:, :, :3] @ actor.trans[frames, :, None])[..., 0]
    camera = np.tile(np.pad(sequence.intrinsics, ((0, 0), (0, 1))), (M, 1, 1))
    body, betas = np.full(M, f"smpl-{actor.gender}"), np.tile(actor.betas, (M, 1))
    return sequence.ids(k, frames), body, actor.pose[frames], betas, camera, world


READER = FitReader(
    _read,
    file="3DPW's folder, that of its sequenceFiles or of one split, or one sequence",
    licence="3DPW licence: non-commercial research",
    get="https://virtualhumans.mpi-inf.mpg.de/3DPW/",
    files=_files,
    raw="3dpw",
    signs=(("cam_poses", "campose_valid"),),
)
