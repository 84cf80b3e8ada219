"""Who made the fits that other projects pass on: their licence, and from where their roots are seen."""

from __future__ import annotations

import re
from typing import NamedTuple

from pymaf_data.fits.table import CAMERA, VIEW


class Maker(NamedTuple):
    """Whose fits they are; ``frame`` is an index into :data:`~pymaf_data.geometry.frames.FRAMES`."""

    name: str
    licence: str
    frame: int


# Who fitted several views, or markers, knew the image's camera; who fitted a crop knew the crop alone.
_SPIN, _MULTIVIEW = (Maker("SPIN fits", "BSD-3-Clause (code)", frame) for frame in (VIEW, CAMERA))
_MOSH = Maker("SMPL of Human3.6M by MoSh", "Human3.6M licence: academic use; no redistribution", CAMERA)
_PROHMR = Maker("ProHMR fits", "not stated", VIEW)
# The README of 4D-Humans and its issue #73.
_OF_4D_HUMANS = {"coco": _SPIN, "mpii": _SPIN, "3dhp": _MULTIVIEW, "inf": _MULTIVIEW, "h36m": _MOSH} | dict.fromkeys(
    ("aic", "insta", "ava"), _PROHMR
)


def maker_in_4d_humans(place: str) -> Maker:
    """Whose fits stand in a tar or folder, by the last word of its name that tells a data set."""
    words = re.split(r"[^a-z0-9]+", place.lower())
    known = (_OF_4D_HUMANS[word] for word in reversed(words) if word in _OF_4D_HUMANS)
    return next(known, Maker("fits of 4D-Humans", "MIT (code)", VIEW))
