"""UP-3D's fits: beside each image ``00022_image.png``

    00022_body.pkl            pose 72, betas 10, trans 3, rt 3, t 3, f: x = f·(R(rt)·(body + trans) + t)/z + (w, h)/2
    00022_fit_crop_info.txt   h w y0 y1 x0 x1: what was fitted, rows y0:y1 and columns x0:x1 of the image, at w × h px

As in the release's own code, pixels of the crop are divided by the mean of both factors. Where there is no crop, it is
the whole image. In the release rt and trans are 0. A person is keyed by the image's number.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.decoding import ImageFile
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.unpickle import load_trusted_pickle

logger = logging.getLogger(__name__)

_SIZES = {"pose": 72, "betas": 10, "trans": 3, "rt": 3, "t": 3, "f": 1}
_NAME = re.compile(r"\d{1,18}_(body\.pkl|fit_crop_info\.txt)")


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.glob("*.*") if _NAME.fullmatch(file.name))


def _read(path: Path, companion: Path | None = None) -> FitTable:
    files = [file for file in _files(path) if file.suffix == ".pkl"]
    if not files:
        raise RawDataCorrupt("it is no folder with fits such as 00022_body.pkl")
    numbers, K = np.full((len(files), sum(_SIZES.values())), np.nan), np.full((len(files), 3, 3), np.nan)
    for row, file in enumerate(files):
        try:  # what fails leaves a camera that is not finite
            numbers[row] = _body(file)
            K[row] = _intrinsics(file, numbers[row, -1])
        except (RawDataCorrupt, OSError, ValueError, TypeError, LookupError, OverflowError) as error:
            logger.warning("%s: no fit: %s", file.name, str(error).splitlines()[0])
    pose, betas, trans, rt, t, _ = np.split(numbers, np.cumsum([*_SIZES.values()])[:-1], axis=1)
    R = axis_angle_to_matrix(torch.from_numpy(rt)).numpy()
    place = (R @ trans[..., None])[..., 0] + t
    turned = bool(np.nan_to_num(rt).any())  # a table of cameras that are not needs no body to be read
    return FitTable(
        keys=ByAnnotation(np.array([int(file.name.partition("_")[0]) for file in files])),
        pose=pose,
        betas=betas,
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(place * (not turned))).matrix.numpy(),
        extrinsics=np.concatenate([R, place[..., None]], 2) if turned else None,
        frame=np.full(len(files), CAMERA, np.uint8),
        body=np.full(len(files), "smpl-neutral"),
        licences={"UP-3D fits": "CC BY-NC 4.0"},
        # Fits that people called good, to joints whose hips are not those of the body.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),
    )


def _body(file: Path) -> np.ndarray:
    """(92,) the numbers of a fit, in the order of _SIZES."""
    content = load_trusted_pickle(file)
    parts = [np.asarray(content[key], np.float64).ravel() for key in _SIZES]
    for (key, size), part in zip(_SIZES.items(), parts, strict=True):
        if part.size != size:
            raise ValueError(f"{key} has {part.size} numbers, not {size}")
    return np.concatenate(parts)


def _intrinsics(file: Path, focal: float) -> np.ndarray:
    """(3, 3) of the image, from those of the crop that was fitted."""
    stem = file.name.removesuffix("_body.pkl")
    crop = file.with_name(f"{stem}_fit_crop_info.txt")
    if crop.exists():
        h, w, y0, y1, x0, x1 = map(int, read_whole(crop, 1 << 16).split())
    else:
        with file.with_name(f"{stem}_image.png").open("rb") as image:
            w, h = ImageFile.of(image.read(4096)).size
        y0, y1, x0, x1 = 0, h, 0, w
    if min(h, w, y1 - y0, x1 - x0) <= 0:
        raise ValueError(f"a crop of rows {y0}:{y1} and columns {x0}:{x1} at {w} × {h} px")
    grow = (h / (y1 - y0) + w / (x1 - x0)) / 2
    return np.array([[focal / grow, 0, x0 + w / 2 / grow], [0, focal / grow, y0 + h / 2 / grow], [0, 0, 1]])


READER = FitReader(
    _read,
    file="the folder of UP-3D's release",
    licence="CC BY-NC 4.0",
    get="http://files.is.tuebingen.mpg.de/classner/up/",
    files=_files,
    raw="up-3d",
    signs=(("pose", "betas", "trans", "rt"),),
)
