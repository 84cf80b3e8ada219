"""Whom to look at: the worst fits of every source, by every measure that ranks, chosen or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.choice import NONE
from pymaf_data.report.sources.columns import Sources
from pymaf_data.report.sources.measures import BY_KEY, RANKED, Values

COUNT = 50
"""Persons in each list."""

Indices = NDArray[np.int64]


def badness(key: str, values: Values) -> Values:
    """A measure's values so that larger is worse."""
    return values if BY_KEY[key].worst == "high" else -values


def worst_rows(sources: Sources, count: int = COUNT) -> Indices:
    """(U,) rows of everybody whom a list of the page may show, sorted.

    A list is of one measure, of one source or all, and of fits that were chosen, that gave way to another's, or of
    persons for whom none was chosen. A list of all sources takes each person's worst fit: it is among those of each.
    """
    found = [np.empty(0, np.int64)]
    for place, source in enumerate(sources.of):
        states = (sources.chosen == place, (sources.chosen != place) & (sources.chosen != NONE), sources.chosen == NONE)
        for key in RANKED:
            if key in source.values:
                found += [ranked(key, source.values[key], count, state) for state in states]
    return np.unique(np.concatenate(found))


def order_of_images(sources: Sources, count: int = COUNT) -> list[int]:
    """Rows in the order in which images are made: the lists of all sources in turns, then those of each source.

    As many as the lists of all sources would show, were nobody on two of them.
    """
    overall, single = [], []
    for key in RANKED:
        having = [source.values[key] for source in sources.of if key in source.values]
        if having:
            values = np.fmax.reduce([badness(key, one) for one in having])
            overall.append(ranked(key, badness(key, values), count))  # twice turned is as it was
            single += [ranked(key, one, count) for one in having]
    return list(dict.fromkeys([*_in_turns(overall), *_in_turns(single)]))[: count * len(overall)]


def ranked(key: str, values: Values, count: int, among: NDArray[np.bool_] | bool = True) -> Indices:
    """Up to ``count`` rows of whom a measure is known, worst first, lower rows first among equals."""
    rows = np.flatnonzero(among & ~np.isnan(values))
    return rows[np.argsort(-badness(key, values[rows]), kind="stable")[:count]]


def _in_turns(lists: list[Indices]) -> list[int]:
    longest = max(map(len, lists), default=0)
    return [int(rows[rank]) for rank in range(longest) for rows in lists if rank < len(rows)]
