"""Labels of rendered sets, BEDLAM, BEDLAM2 and AGORA: an .npz for a scene, or a folder of such, with for each person

    imgname · center (2) · cam_int (3, 3) · cam_ext (4, 4), whose last column is (t, 1) · trans_cam (3), of BEDLAM alone
    pose_cam (72) of SMPL, or (165) of SMPL-X, hands flat at 0 · shape (10, 11 or 16)

A body stands at trans_cam + t before the camera of the whole image. Bodies are neutral: gender is that of clothes and
motion. pose_world and trans_world are turned as the world is, and not read. Of AGORA the 11th of shape is how far a
child is one; of BEDLAM it is one more component, millimetres, left out of SMPL. Labels are those of upright images:
files of scenes called closeup (BEDLAM2: portrait) lie on their side until they are turned.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.bodies import KidSmpl, SmplxBodies
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.npz import read_numbers
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable, OtherBodies
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.bounds import open_regular
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.npz import npz_keys

_NEEDED = ("imgname", "center", "pose_cam", "shape", "cam_int", "cam_ext")
_FRAMES = "; of AGORA's .pkl agora_processing_code makes one, and BEDLAM's fetch_training_data.sh brings it made"
_SMPL, _SMPLX, _BETAS = 72, 165, 16


class _Scene(NamedTuple):
    """Labels of M persons; ``kid`` (M,) is how far each is a child."""

    names: np.ndarray
    centres: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    kid: np.ndarray
    camera: np.ndarray
    set: np.ndarray


def _files(path: Path) -> list[Path]:
    """Files of a folder, or the file itself."""
    return [path] if path.is_file() else sorted(path.glob("*.npz"))


def _read(path: Path, companion: Path | None = None) -> FitTable:
    files = _files(path)
    if not files:
        raise RawDataCorrupt(f"{path} has no labels", expected=f"a .npz for each scene in it{_FRAMES}")
    scenes = [_scene(file) for file in files]
    if len({scene.pose.shape[1] for scene in scenes}) > 1:
        raise RawDataCorrupt(f"{path} has scenes of SMPL and of SMPL-X", expected="a folder for each")
    names, centres, pose, betas, kid, camera, sets = map(np.concatenate, zip(*scenes, strict=True))
    other: OtherBodies | None = KidSmpl(pose, betas[:, :10], kid) if kid.any() else None
    if pose.shape[1] == _SMPLX:
        used = max(10, np.flatnonzero(betas.any(0)).max(initial=0) + 1)  # older files of the model have ten
        other = SmplxBodies(pose, betas[:, :used], gender="neutral", flat_hand=True, kid=kid if kid.any() else None)
        pose, betas = np.pad(pose[:, :66], ((0, 0), (0, 6))), np.zeros((len(pose), 10))
    return FitTable(
        keys=ByImage(names, centres),
        pose=pose,
        betas=betas[:, :10],
        camera=camera,
        frame=np.full(len(names), CAMERA, np.uint8),
        body=np.full(len(names), "smpl-neutral"),
        licences={f"{name} labels": "non-commercial research" for name in np.unique(sets).tolist()},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's: a store's keypoints may be another model's
        other=other,
        rows=np.arange(len(names)) if len(files) == 1 else None,
    )


def _scene(path: Path) -> _Scene:
    with open_regular(path) as stream:
        if kind_of(stream.read(4096)) == "a pickle":
            raise RawDataCorrupt(f"{path} is a pickle", expected=f"an .npz of labels{_FRAMES}")
    keys, names = npz_keys(path), [name or "" for name in read_texts(path, "imgname")]
    if absent := [key for key in _NEEDED if key not in keys]:
        world = ", and pose_world is no camera's" if "pose_world" in keys else ""
        raise RawDataCorrupt(f"{path} has no {', '.join(absent)}{world}", expected="labels in the camera's space")
    M, agora = len(names), "trans_cam" not in keys
    ext, shape = read_numbers(path, "cam_ext", M, (16,)).reshape(-1, 4, 4), read_numbers(path, "shape", M, (10,))
    placed = (ext[:, 3] == (0, 0, 0, 1)).all(1)
    if not placed.any():
        raise RawDataCorrupt(f"{path}: cam_ext does not end in (0, 0, 0, 1)", expected="(t, 1) as last column")
    trans = ext[:, :3, 3] + (0 if agora else read_numbers(path, "trans_cam", M, (3,)))
    K = np.where(placed[:, None], read_numbers(path, "cam_int", M, (9,)), np.nan).reshape(-1, 3, 3)
    betas, B = np.zeros((M, _BETAS)), min(shape.shape[1], 10 if agora else _BETAS)
    betas[:, :B] = shape[:, :B]
    # Frames of all scenes have the same names; images lie in <scene>/png/.
    full = [f"{path.stem}/png/{name}" if name.startswith("seq_") else name for name in names]
    return _Scene(
        names=np.array(full, str),
        centres=read_numbers(path, "center", M, (2,)),
        pose=read_numbers(path, "pose_cam", M, (_SMPL, _SMPLX)).astype(np.float32),
        betas=betas,
        kid=shape[:, 10] if agora and shape.shape[1] > 10 else np.zeros(M),
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(trans)).matrix.numpy(),
        set=np.full(M, "AGORA" if agora else "BEDLAM"),
    )


READER = FitReader(
    _read,
    file="an .npz of BEDLAM's, BEDLAM2's or AGORA's training labels, or a folder of them",
    licence="non-commercial research",
    get="https://bedlam.is.tue.mpg.de and https://bedlam2.is.tue.mpg.de, after registration",
    files=_files,
    signs=((*_NEEDED, "scale"),),
)
