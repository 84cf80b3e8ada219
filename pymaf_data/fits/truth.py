"""Fits that are the truth: the parameters beside a generated sample, joined by annotation id.

The file is an npz without pickles: annotation_id (N,), pose (N, 72), betas (N, 10), translation (N, 3) metres,
intrinsics (N, 3, 3), body, body_fingerprint, and annotation_noise where annotations are not exact. Bodies stand in the
camera space of the full image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_file
from pymaf_data.errors import FitError, RawDataCorrupt
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.source import Progress
from pymaf_data.fits.table import CAMERA, Fits
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.untrusted.npz import read_npz

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
_EXPECTED = "a sample's truth file, an npz without pickles"
_ACTION = "make the sample again with `pymaf-data sample`, or name the truth file that it wrote."


class TruthSource:
    """The sample's truth.

    Args:
        path: ``<sample>/truth/<split>.npz``.

    Raises:
        FitError: missing, not such a file, or an annotation id twice.
    """

    format = "truth"
    native_kind = "perspective"
    tolerance: Tolerance | None
    worst_reprojection: float | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays = _read(path)
        self.body, self.body_fingerprint = (str(self._arrays[key]) for key in ("body", "body_fingerprint"))
        # Exact but for annotations rounded to whole pixels, and their noise; nobody may lie beyond.
        noise = float(self._arrays.get("annotation_noise", 0.0))
        self.tolerance = Tolerance(view=2.0 + noise * _REACH_OF_NOISE, image=1.5, share=0.0)
        self.licences = {"truth of the generated sample": "CC0 1.0"}
        ids = self._arrays["annotation_id"]
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]
        twice = self._sorted[1:][self._sorted[1:] == self._sorted[:-1]]
        if len(twice):
            raise FitError(f"{path} holds annotation {twice[0]} twice", expected="each person once", action=_ACTION)

    def identity(self) -> dict[str, Any]:
        """Format and content of the file."""
        return {"format": self.format, "sha256": digest_file(self.path)}

    def fits(self, persons: Persons, body: BodyModel | None, progress: Progress | None = None) -> Fits:
        """The truth of each person, by annotation id."""
        fits = Fits.empty(len(persons), "no fit in the source", CAMERA)
        if not len(self._sorted):
            return fits
        place = np.searchsorted(self._sorted, persons.annotation_id).clip(max=len(self._sorted) - 1)
        found = self._sorted[place] == persons.annotation_id
        rows = self._order[place[found]]
        arrays = self._arrays
        fits.pose[found], fits.betas[found] = arrays["pose"][rows], arrays["betas"][rows]
        intrinsics, translation = (torch.from_numpy(arrays[key][rows]) for key in ("intrinsics", "translation"))
        fits.native[found] = full_frame(intrinsics, translation).matrix.numpy()
        fits.reason[found] = 0
        fits = fits.without(~_finite(fits), "coordinates not finite")
        return fits.without(~persons.present, "picture not present")


def _finite(fits: Fits) -> np.ndarray:
    parts = (fits.pose, fits.betas, fits.native.reshape(len(fits), -1))
    return np.logical_and.reduce([np.isfinite(part).all(1) for part in parts])


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise FitError(f"{path} is not there", expected="the truth file of a sample", action=_ACTION)
    try:
        arrays = read_npz(path, (*_ROWS, "body", "body_fingerprint"), optional=("annotation_noise",))
    except RawDataCorrupt as error:
        raise FitError(error.found, expected=_EXPECTED, action=_ACTION) from None
    for key in ("body", "body_fingerprint"):
        if arrays[key].shape or arrays[key].dtype.kind != "U":
            found = f"{key} of {arrays[key].dtype} {arrays[key].shape}"
            raise FitError(f"{path}: {found}", expected="one text", action=_ACTION)
    count = len(np.atleast_1d(arrays["annotation_id"]))
    for key, shape in _ROWS.items():
        if arrays[key].shape != (count, *shape) or arrays[key].dtype.kind not in "fiu":
            found = f"{key} of {arrays[key].dtype} {arrays[key].shape}"
            raise FitError(f"{path}: {found}", expected=f"numbers of shape {(count, *shape)}", action=_ACTION)
        if key != "annotation_id":
            arrays[key] = arrays[key].astype(np.float64)
    noise = arrays.get("annotation_noise", np.array(0.0))
    if noise.shape or noise.dtype.kind not in "fiu" or not 0 <= noise < np.inf:
        raise FitError(f"{path}: annotation_noise {noise}", expected="one number of at least 0", action=_ACTION)
    return arrays
