"""Who made the fits that other projects pass on: their licence, and from where their roots are seen."""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

from pymaf_data.fits.table import CAMERA, VIEW

logger = logging.getLogger(__name__)


class Maker(NamedTuple):
    """Whose fits they are.

    Attributes:
        frame: index into :data:`~pymaf_data.geometry.frames.FRAMES`.
        gendered: whether a gender said of a person is that of the body, too.
    """

    name: str
    licence: str
    frame: int
    gendered: bool = False


# Who fitted several views, or markers, knew the image's camera; who fitted a crop knew the crop alone.
_SPIN, _MULTIVIEW = (Maker("SPIN fits", "BSD-3-Clause (code)", frame) for frame in (VIEW, CAMERA))
_MOSH = Maker("SMPL of Human3.6M by MoSh", "Human3.6M licence: academic use; no redistribution", CAMERA)
_PROHMR = Maker("ProHMR fits", "not stated", VIEW)
_EFT, _CLIFF = Maker("EFT fits", "CC BY-NC 4.0", VIEW), Maker("CLIFF fits", "MIT", CAMERA)
_NEURAL_ANNOT = Maker("NeuralAnnot fits", "not stated", CAMERA)
_RENDERED = {name: Maker(f"{name} labels", "non-commercial research", CAMERA) for name in ("AGORA", "BEDLAM")}
_3DPW = Maker("SMPL of 3DPW", "3DPW licence: non-commercial research", CAMERA, gendered=True)
_UNKNOWN = Maker("fits of a HumanData file", "as its publisher says; not stated in the file", CAMERA)
# The README of 4D-Humans and its issue #73.
_OF_4D_HUMANS = {"coco": _SPIN, "mpii": _SPIN, "3dhp": _MULTIVIEW, "inf": _MULTIVIEW, "h36m": _MOSH} | dict.fromkeys(
    ("aic", "insta", "ava"), _PROHMR
)


def maker_in_4d_humans(place: str) -> Maker:
    """Whose fits stand in a tar or folder, by the last word of its name that tells a data set."""
    words = re.split(r"[^a-z0-9]+", place.lower())
    known = (_OF_4D_HUMANS[word] for word in reversed(words) if word in _OF_4D_HUMANS)
    return next(known, Maker("fits of 4D-Humans", "MIT (code)", VIEW))


def maker_of_human_data(config: str, detected: bool) -> Maker:
    """Whose fits a file of HumanData holds.

    Args:
        config: what it calls itself; mmhuman3d's converters of SPIN's and of CLIFF's files give the set's name alone.
        detected: whether its keypoints have OpenPose's, which SPIN's files have and CLIFF's have not.
    """
    name = config.lower()
    exact = {"eft": _EFT, "h36m": _MOSH, "pw3d": _3DPW, "mpi_inf_3dhp": _MULTIVIEW, "lsp": _SPIN, "hr-lspet": _SPIN}
    exact |= dict.fromkeys(("coco", "mpii"), _SPIN if detected else _CLIFF)
    within = {"neural": _NEURAL_ANNOT, "agora": _RENDERED["AGORA"], "bedlam": _RENDERED["BEDLAM"]}
    known = exact.get(name) or next((maker for part, maker in within.items() if part in name), None)
    return known or _UNKNOWN


def genders_of_bodies(maker: Maker, said: list[str], origin: str) -> list[str]:
    """N of "neutral", "male", "female": what is said of persons, or "unknown", where the maker's bodies are theirs.

    Of a maker that is not known nobody can tell; what is said is then not heeded, and that is told.
    """
    if maker is _UNKNOWN and {*said} != {"unknown"}:
        logger.warning(
            "%s: config tells no known set, so bodies are taken for neutral ones, and genders of its meta for those "
            "of persons; gendered bodies are written as a table, which names each (docs/fits-table.md)",
            origin,
        )
    return [one if maker.gendered and one != "unknown" else "neutral" for one in said]
