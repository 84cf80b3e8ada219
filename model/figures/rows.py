"""Whom a figure shows, where that is not what it measures."""

from __future__ import annotations

import numpy as np

from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import UsageError
from pymaf_data.storage import Store

from ..preview import spread_rows
from .options import FigureOptions


def shown_rows(store: Store, options: FigureOptions) -> list[int]:
    """Rows with an image: those named, in that order, else drawn by the seed, else evenly spread.

    Raises:
        UsageError: a row or an annotation that is not there, or has no image.
        StoreIncomplete: nobody has an image.
    """
    if options.rows or options.ids:
        return _named(store, options)
    if options.seed is None:
        return spread_rows(store, options.persons)
    there = np.array(spread_rows(store, len(store)))
    drawn = np.random.default_rng(options.seed).choice(there, min(options.persons, len(there)), replace=False)
    return sorted(drawn.tolist())


def _named(store: Store, options: FigureOptions) -> list[int]:
    known = stored_column(store, "annotation_id").rows(np.arange(len(store)))
    rows = [*options.rows]
    for number in options.ids:
        found = np.flatnonzero(known == number).tolist()
        if not found:
            raise UsageError(f"{store.path} has no annotation {number}", expected="an id of its persons")
        rows += found
    present = stored_column(store, "present").rows(np.arange(len(store)))
    for row in rows:
        if not (0 <= row < len(store) and present[row]):
            why = "has no image" if 0 <= row < len(store) else f"is none of its {len(store):,}"
            raise UsageError(
                f"row {row} of {store.path} {why}",
                expected="rows with an image, counted from 0",
                action="`pymaf-data report` shows which there are.",
            )
    return list(dict.fromkeys(rows))
