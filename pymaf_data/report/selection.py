"""Whose images a report shows: the worst and the best fits, who lacks something, an even spread over the rest.

A page of ten thousand persons cannot hold ten thousand images; which ones it holds is a function of the store alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_data.report.gather import Table

Places = NDArray[np.int64]

_WORST, _BEST, _MISSING = 4, 8, 8  # one in so many of the images


def select(table: Table, count: int) -> Places:
    """Places in the table of up to ``count`` persons with an image, in order of importance: worst fits first.

    Persons without an image have nothing to show and are left to the page's lists.
    """
    shown = np.flatnonzero(table.with_image)
    error = table.values["reprojection"][0, shown]
    known = shown[np.isfinite(error)]
    ranked = known[np.argsort(-table.values["reprojection"][0, known], kind="stable")]
    lacking = np.flatnonzero(table.lacking & table.with_image)
    first = np.concatenate(
        [ranked[: count // _WORST], ranked[::-1][: count // _BEST], spread(lacking, count // _MISSING)]
    ).astype(np.int64)
    picked = first[np.sort(np.unique(first, return_index=True)[1])]
    rest = np.setdiff1d(shown, picked)
    return np.concatenate([picked, spread(rest, count - len(picked))])[:count]


def spread(places: Places, count: int) -> Places:
    """Up to ``count`` of the places, evenly spread, in order."""
    if count <= 0 or not len(places):
        return places[:0]
    return places[np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(np.int64))]
