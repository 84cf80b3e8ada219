"""What files of fits that were exported from a store say beyond what their formats have a place for.

    fit_frame (N,)     from where each root is seen, "camera" or "view"; "" without a fit
    fit_body (N,)      whose betas they are, "smpl-neutral"; "" without a fit
    licences (L, 2)    what went in, and its licence
    fit_forced (N,)    whose source the proof had refused, and --force kept; only where there is one

Published files of SPIN's and EFT's form are all of the view; others' readers pass these members over.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.readers.reader import FitTable
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.untrusted.bounds import open_regular
from pymaf_data.untrusted.npz import npz_keys, read_npz

logger = logging.getLogger(__name__)

_MEMBERS, _FORCED = ("fit_frame", "fit_body", "licences"), "fit_forced"


def members(
    frame: np.ndarray, body: np.ndarray, licences: Mapping[str, str], forced: np.ndarray
) -> dict[str, np.ndarray]:
    """The members.

    Args:
        frame: (N,) index into :data:`~pymaf_data.geometry.frames.FRAMES`.
        body: (N,) names, "" without a fit.
        licences: what went in → licence.
        forced: (N,) bool.
    """
    frames = np.where(body != "", np.array(FRAMES)[frame], "")
    values = frames, body, np.array(sorted(licences.items()), str).reshape(-1, 2)
    return dict(zip(_MEMBERS, values, strict=True)) | ({_FORCED: forced} if forced.any() else {})


def as_exported(path: Path, table: FitTable) -> FitTable:
    """A table of M fits as its file says, where that was exported from a store; else as it is. Forced ones are told.

    Raises:
        RawDataCorrupt: the file says it of other rows.
    """
    if not path.is_file() or not _packed(path) or not {*_MEMBERS} <= {*npz_keys(path)}:
        return table
    arrays = read_npz(path, _MEMBERS, optional=(_FORCED,))
    frames, bodies, licences = (arrays[key] for key in _MEMBERS)
    fitted: np.ndarray = (
        np.flatnonzero(bodies != "") if (bodies.ndim, bodies.dtype.kind) == (1, "U") else np.empty(0, int)
    )
    shapes = (frames.shape, licences.shape[1:]) == (bodies.shape, (2,)) and licences.dtype.kind == "U"
    if len(fitted) != len(table) or not shapes or not np.isin(frames[fitted], FRAMES).all():
        raise RawDataCorrupt(f"{path}: {', '.join(_MEMBERS)} are not those of its {len(table):,} fits")
    if _FORCED in arrays:
        count = np.count_nonzero(arrays[_FORCED])
        logger.warning(
            "%s: %d of its fits are of sources that --force kept although the proof refused them", path, count
        )
    frame = np.array([FRAMES.index(name) for name in frames[fitted].tolist()], np.uint8)
    return replace(table, frame=frame, body=bodies[fitted], licences=dict(licences.tolist()))


def _packed(path: Path) -> bool:
    with open_regular(path) as stream:
        return stream.read(2) == b"PK"
