"""Fits in a file of HumanData: :mod:`pymaf_data.datasets.human_data`, whose dictionary of bodies is

    smpl {global_orient (N, 3), body_pose (N, 23, 3), betas (N, 10), transl (N, 3)?}

Fits are others', passed on (:mod:`pymaf_data.fits.makers` knows whose by ``config``), and seen as theirs are. With
focal lengths and transl the camera is that of the whole image; without transl bodies stand where their keypoints are;
without focal lengths π is solved on the store's. Boxes are square or tight, as the converter liked: centres tell whose.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.human_data import DAMAGED, HumanData
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.makers import maker_of_human_data
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.geometry.cameras import full_frame

_BETAS = 300
# SPIN's names of MPI-INF-3DHP's frames, which mmhuman3d shortens.
_FRAME = re.compile(r"((?:.*/)?S\d+/Seq\d+/)(video_\d+/)(\d{6}\.jpg)")


def _read(path: Path, companion: Path | None = None) -> FitTable:
    file = HumanData.of(path)
    try:
        pose, betas, valid = _bodies(file)
        camera, points, centred = _cameras(file)
        maker = maker_of_human_data(file.config(), file.detected())
        genders, centres = file.genders() if maker.gendered else ["unknown"] * len(file), file.centres()
    except DAMAGED as error:
        raise RawDataCorrupt(f"{path} is no HumanData with fits: {type(error).__name__}: {str(error)[:200]}") from None
    names = np.array([_FRAME.sub(r"\1imageFrames/\2frame_\3", name) for name in file.names], str)
    body = np.array(["smpl-neutral" if gender == "unknown" else f"smpl-{gender}" for gender in genders])
    return FitTable(
        keys=ByImage(names[valid], centres[valid]),
        pose=pose[valid],
        betas=betas[valid],
        camera=None if camera is None else camera[valid],
        points=None if points is None else points[valid],
        frame=np.full(valid.sum(), maker.frame, np.uint8),
        body=body[valid],
        licences={maker.name: maker.licence},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's, whose fits these often are
        origin="centre" if centred else "corner",
        rows=np.flatnonzero(valid),
    )


def _bodies(file: HumanData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose (N, 72), betas (N, 10), and which rows are fits: zeros are none, nor are betas beyond the tenth."""
    smpl = file.table("smpl")
    pose = np.hstack([file.rows(smpl["global_orient"], 3), file.rows(smpl["body_pose"], 69)])
    betas = file.rows(smpl["betas"], 10, _BETAS)
    valid = file.valid() & ((pose != 0).any(1) | (betas != 0).any(1)) & (betas[:, 10:] == 0).all(1)
    return pose, betas[:, :10], valid


def _cameras(file: HumanData) -> tuple[np.ndarray | None, np.ndarray | None, bool]:
    """Cameras (N, 3, 4), points (N, 49, 3) where there is no translation, and whether pixels begin amid the image."""
    K, whole = file.intrinsics()
    if K is None:
        return None, None, False
    smpl = file.table("smpl")
    trans = file.rows(smpl["transl"], 3) if "transl" in smpl else np.zeros((len(file), 3))
    points = None if trans.any() else file.keypoints()
    if points is None and not trans.any():
        return None, None, False
    return full_frame(torch.from_numpy(K), torch.from_numpy(trans)).matrix.numpy(), points, not whole


READER = FitReader(
    _read,
    file="an .npz of mmhuman3d's, SMPLer-X's or SMPLest-X's HumanData",
    licence="that of whose fits they are",
    get="https://github.com/open-mmlab/mmhuman3d, docs/preprocess_dataset.md has links",
    signs=(("image_path", "bbox_xywh", "smpl"),),
)
