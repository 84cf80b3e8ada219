"""Fits in a file of HumanData: :mod:`pymaf_data.datasets.human_data`, whose dictionary of bodies is one of

    smpl {global_orient (N, 3), body_pose (N, 23, 3), betas (N, 10), transl (N, 3)?}
    smplx {global_orient, body_pose (N, 21, 3), betas (N, 10 or more), transl?, jaw_pose?, leye_pose?, reye_pose?,
        left_hand_pose (N, 15, 3)?, right_hand_pose?, expression?, betas_extra (N, 1)?: AGORA's children}

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
from pymaf_data.fits.bodies import SmplxBodies
from pymaf_data.fits.makers import genders_of_bodies, maker_of_human_data
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.lists import flat_numbers

_BETAS = 300
_REST = {"jaw_pose": 3, "leye_pose": 3, "reye_pose": 3, "left_hand_pose": 45, "right_hand_pose": 45}
# SPIN's names of MPI-INF-3DHP's frames, which mmhuman3d shortens.
_FRAME = re.compile(r"((?:.*/)?S\d+/Seq\d+/)(video_\d+/)(\d{6}\.jpg)")


def _read(path: Path, companion: Path | None = None) -> FitTable:
    file = HumanData.of(path)
    try:
        maker = maker_of_human_data(file.config(), file.detected())
        gender = np.array(genders_of_bodies(maker, file.genders(), str(path)))
        if not (smpl := bool(file.table("smpl"))) and not file.table("smplx"):
            raise ValueError("it has no smpl and no smplx")
        pose, betas, valid = _bodies(file) if smpl else _start(file)
        other = None if smpl else _smplx(file, pose, gender, valid)
        (camera, points, centred), centres = _cameras(file), file.centres()
    except DAMAGED as error:
        raise RawDataCorrupt(f"{path} is no HumanData with fits: {type(error).__name__}: {str(error)[:200]}") from None
    names = np.array([_FRAME.sub(r"\1imageFrames/\2frame_\3", name) for name in file.names], str)
    return FitTable(
        keys=ByImage(names[valid], centres[valid]),
        pose=pose[valid],
        betas=betas[valid],
        camera=None if camera is None else camera[valid],
        points=None if points is None else points[valid],
        frame=np.full(valid.sum(), maker.frame, np.uint8),
        body=(np.full(len(file), "smpl-neutral") if other else np.char.add("smpl-", gender))[valid],
        licences={maker.name: maker.licence},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's, whose fits these often are
        origin="centre" if centred else "corner",
        other=other,
        rows=np.flatnonzero(valid),
    )


def _bodies(file: HumanData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose (N, 72), betas (N, 10), and which rows are fits: zeros are none, nor are betas beyond the tenth."""
    smpl = file.table("smpl")
    pose = np.hstack([file.rows(smpl["global_orient"], 3), file.rows(smpl["body_pose"], 69)])
    betas = file.rows(smpl["betas"], 10, _BETAS)
    valid = file.valid() & ((pose != 0).any(1) | (betas != 0).any(1)) & (betas[:, 10:] == 0).all(1)
    return pose, betas[:, :10], valid


def _start(file: HumanData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`_bodies`, of SMPL-X: what SMPL has of its pose."""
    smplx = file.table("smplx")
    pose = np.hstack([file.rows(smplx["global_orient"], 3), file.rows(smplx["body_pose"], 63)])
    return np.pad(pose, ((0, 0), (0, 6))), np.zeros((len(file), 10)), file.valid() & (pose != 0).any(1)


def _smplx(file: HumanData, start: np.ndarray, gender: np.ndarray, valid: np.ndarray) -> SmplxBodies:
    """The bodies of the rows of a mask (N,). Faces and hands that are not told, or not by angles, are at rest."""
    smplx, misc = file.table("smplx"), file.table("misc")

    def rest(key: str, size: int) -> np.ndarray:
        said = file.rows(smplx[key], 1, _BETAS) if key in smplx else np.zeros((len(file), size))
        return np.nan_to_num(said) if said.shape[1] == size else np.zeros((len(file), size))

    parts = [rest(key, size) for key, size in _REST.items()]
    kid, flat = rest("betas_extra", 1)[:, 0], smplx.get("flat_hand_mean", misc.get("flat_hand_mean", False))
    return SmplxBodies(
        np.hstack([start[:, :66], *parts])[valid],
        file.rows(smplx["betas"], 10, _BETAS)[valid],
        rest("expression", 10)[valid],
        gender[valid],
        flat_hand=bool(flat_numbers(flat, len(file)).any()),
        kid=kid[valid] if kid.any() else None,
    )


def _cameras(file: HumanData) -> tuple[np.ndarray | None, np.ndarray | None, bool]:
    """Cameras (N, 3, 4), points (N, 49, 3) where there is no translation, and whether pixels begin amid the image."""
    K, whole = file.intrinsics()
    if K is None:
        return None, None, False
    smpl = file.table("smpl") or file.table("smplx")
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
    signs=tuple(("image_path", "bbox_xywh", body) for body in ("smpl", "smplx")),
)
