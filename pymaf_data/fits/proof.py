"""Prove that fits were joined to the right persons: they must reproject onto the keypoints of their own person.

Published fits carry names, row numbers or nothing; a wrong join gives every person someone else's body and trains
without a complaint. Two persons of one image, or two images of one person, are hundreds of view pixels apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_data.errors import FitError
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import view_pixels

_NAMED = 5


@dataclass(frozen=True)
class Tolerance:
    """How closely a source must reproject.

    Attributes:
        view: mean distance allowed in pixels of the 224 view.
        image: and on top of it in pixels of the image, for coordinates that annotators round.
        share: of the joined persons that may lie beyond (their fits are taken out); more refuses the source.
    """

    view: float
    image: float
    share: float


def prove_join(origin: str, persons: Persons, reprojection: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Compare joined fits with their persons.

    Args:
        origin: what to call the source in messages.
        persons: the N persons that were found in the source.
        reprojection: (N,) mean view pixels; infinite where nothing is labelled, which proves nothing and passes.
        tolerance: of the source.

    Returns:
        (N,) bool: who is not proved.

    Raises:
        FitError: too many do not reproject.
    """
    allowed = tolerance.view + tolerance.image * view_pixels(persons.box[:, 2])
    failed = np.isfinite(reprojection) & (reprojection > allowed)
    if failed.sum() > tolerance.share * len(persons):
        worst = np.argsort(np.where(failed, -reprojection, np.inf))[: min(_NAMED, int(failed.sum()))]
        named = ", ".join(f"{persons.names[i]} #{persons.annotation_id[i]} ({reprojection[i]:.0f} px)" for i in worst)
        raise FitError(
            f"{origin} does not belong to this store: {failed.sum()} of {len(persons)} fits do not reproject onto "
            f"the keypoints of the person they were joined to; the worst: {named}",
            expected=f"a mean distance of at most {tolerance.view:g} px in the 224 view, and {tolerance.image:g} px "
            "in the image",
            action="give the file that was made for this very data set, split and body.",
        )
    return failed
