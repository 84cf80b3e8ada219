"""4D-Humans' training labels and evaluation files (HMR2, Goel et al., ICCV 2023).

    .tar    <subset>/<stem>.jpg beside <stem>.data.pyd, a pickled list of persons: center 2, body_pose 72 (root first),
            betas 10, has_body_pose, has_betas
    .npz    imgname, center (N, 2), body_pose (N, 72), betas (N, 10), has_body_pose, has_betas

A tar's subset is no folder of the images. No camera stands in them. Most fits are not HMR2's own (see
:mod:`pymaf_data.fits.makers`); licences name whose they are, for they are no second opinion beside those.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.makers import maker_in_4d_humans
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.npz import read_numbers
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.tars import PERSONS, persons_of, tars
from pymaf_data.untrusted.lists import flat_numbers
from pymaf_data.untrusted.npz import npz_keys

logger = logging.getLogger(__name__)

Row = tuple[str, str, np.ndarray]  # image, a place that tells whose fit it is, numbers in the order of _SIZES
_SIZES = {"body_pose": 72, "betas": 10, "center": 2}
_FLAGS = ("has_body_pose", "has_betas")


def _read(path: Path, companion: Path | None = None) -> FitTable:
    rows = [row for file in tars(path) for row in (_of_tar(file) if file.suffix == ".tar" else _of_npz(file))]
    if not rows:
        raise RawDataCorrupt(f"{path} holds no person with a fit")
    names, places, parts = zip(*rows, strict=True)
    makers = {place: maker_in_4d_humans(place) for place in {*places}}
    whose = Counter(makers[place] for place in places)
    logger.info("%s: %s", path, ", ".join(f"{count:,} {maker.name}" for maker, count in whose.items()))
    pose, betas, centre = np.split(np.stack(parts), [72, 82], axis=1)
    return FitTable(
        keys=ByImage(np.array(names), centre),
        pose=pose,
        betas=betas,
        camera=None,
        frame=np.array([makers[place].frame for place in places], np.uint8),
        body=np.full(len(pose), "smpl-neutral"),
        licences={maker.name: maker.licence for maker in whose},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's; SPIN's own include some that failed
    )


def _of_npz(path: Path) -> Iterator[Row]:
    keys, names = npz_keys(path), read_texts(path, "imgname")
    columns = np.concatenate(
        [read_numbers(path, key, len(names), (size,))[:, :size] for key, size in _SIZES.items()], 1
    )
    flags = [read_numbers(path, key, len(names), (1,))[:, 0] for key in _FLAGS if key in keys]
    for row in np.flatnonzero(np.all([np.ones(len(names)), *flags], axis=0)).tolist():
        name = names[row] or ""
        yield name, f"{path.stem}/{name.rpartition('/')[0]}", columns[row]


def _of_tar(path: Path) -> Iterator[Row]:
    for image, person in persons_of(path):
        row = _numbers(person)
        if row is not None:
            place = f"{path.parent.name}/{path.stem}/{image.rpartition('/')[0]}"
            yield image.partition("/")[2] or image, place, row


def _numbers(person: Any) -> np.ndarray | None:
    """(84,) of a person; None without a fit."""
    try:
        if not all(flat_numbers(person.get(key, 1), 1).all() for key in _FLAGS):
            return None
        parts = [flat_numbers(person[key], size) for key, size in _SIZES.items()]
        sound = [part.size for part in parts] == [*_SIZES.values()]
    except (AttributeError, LookupError, ValueError, OverflowError):
        sound = False
    return np.concatenate(parts) if sound else np.full(sum(_SIZES.values()), np.nan)


READER = FitReader(
    _read,
    file="4D-Humans' tars or their folder, or one of its .npz",
    licence="MIT (code); of the fits not stated",
    get="https://github.com/shubham-goel/4D-Humans, fetch_training_data.sh and its evaluation metadata",
    files=tars,
    signs=((PERSONS,), ("imgname", *_SIZES)),
)
