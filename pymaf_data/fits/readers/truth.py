"""Fits that are the truth: the parameters beside a generated sample.

The file is an npz without pickles: annotation_id (N,), pose (N, 72), betas (N, 10), translation (N, 3) metres,
intrinsics (N, 3, 3), body, body_fingerprint, and annotation_noise where annotations are not exact. Bodies stand in the
camera space of the full image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.npz import read_npz, require_numbers

_ROWS: dict[str, tuple[int, ...]] = {
    "annotation_id": (),
    "pose": (72,),
    "betas": (10,),
    "translation": (3,),
    "intrinsics": (3, 3),
}
# View pixels that a noise of 1 may move the mean of a person's keypoints. At worst one hip alone is seen, with COCO's σ
# of 0.107 √area; one in a million lies beyond 3.7 σ. Masks take less than 0.6 of the square of 224 / 1.2 around them.
_REACH_OF_NOISE = 0.107 * 3.7 * 0.6**0.5 * 224 / 1.2


def _read(path: Path, companion: Path | None = None) -> FitTable:
    arrays = read_npz(path, (*_ROWS, "body", "body_fingerprint"), optional=("annotation_noise",))
    for key in ("body", "body_fingerprint"):
        if arrays[key].shape or arrays[key].dtype.kind != "U":
            raise RawDataCorrupt(f"{key} of {arrays[key].dtype} {arrays[key].shape}", expected="one text")
    ids = np.atleast_1d(arrays["annotation_id"])
    require_numbers(arrays, _ROWS, len(ids))
    noise = arrays.get("annotation_noise", np.array(0.0))
    if noise.shape or noise.dtype.kind not in "fiu" or not 0 <= noise < np.inf:
        raise RawDataCorrupt(f"annotation_noise {noise}", expected="one number of at least 0")
    ordered = np.sort(ids)
    if (ordered[1:] == ordered[:-1]).any():
        raise RawDataCorrupt(f"annotation {ordered[1:][ordered[1:] == ordered[:-1]][0]} twice")
    intrinsics, translation = (
        torch.from_numpy(arrays[key].astype(np.float64)) for key in ("intrinsics", "translation")
    )
    return FitTable(
        keys=ByAnnotation(ids),
        pose=arrays["pose"],
        betas=arrays["betas"],
        camera=full_frame(intrinsics, translation).matrix.numpy(),
        frame=np.full(len(ids), CAMERA, np.uint8),
        body=np.full(len(ids), str(arrays["body"])),
        licences={"truth of the generated sample": "CC0 1.0"},
        # Exact but for annotations rounded to whole pixels, and their noise; nobody may lie beyond.
        tolerance=Tolerance(view=2.0 + float(noise) * _REACH_OF_NOISE, image=1.5, share=0.0),
        body_fingerprint=str(arrays["body_fingerprint"]),
    )


READER = FitReader(
    _read,
    file="a sample's truth file, an npz without pickles",
    licence="CC0 1.0",
    get="`pymaf-data sample OUT` writes OUT/truth/<split>.npz",
    signs=(("annotation_id", "translation", "body_fingerprint"),),
)
