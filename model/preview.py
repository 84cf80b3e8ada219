"""``contact sheet``: the road's last step, a picture of every step for some persons of a store.

store, checkpoint → runs/<name>/contact_sheet.png
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from pymaf_data.body import load_body
from pymaf_data.config import StrictModel
from pymaf_data.errors import StoreIncomplete
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.storage import Store, open_store

_STEP = "contact sheet"


class SheetOptions(StrictModel):
    """What to show."""

    store: Path
    out: Path
    raw: Path | None = Field(default=None, description="the raw data set, for the original pictures")
    checkpoint: Path | None = Field(default=None, description="whose predictions to show; none leaves the column out")
    persons: int = Field(default=8, ge=1, le=100, description="persons, evenly spread over the store")


class SheetReport(StrictModel):
    """What was drawn."""

    path: Path
    rows: tuple[int, ...]


def contact_sheet(options: SheetOptions, progress: Progress | None = None) -> SheetReport:
    """Draw the sheet.

    Raises:
        StoreIncomplete: no person of the store has a picture.
        StoreError, CheckpointError, AssetError: what is shown cannot be read.
    """
    from pymaf_data.report import compose_sheet, save_sheet
    from pymaf_data.report.persons import COLUMNS, PREDICTION, person_rows

    from .checkpoint import load_checkpoint
    from .predict import predict_rows
    from .training import body_of

    store = open_store(options.store)
    rows = spread_rows(store, options.persons)
    body = load_body(body_of([store]), DataRoot.default().assets)
    predictions = None
    if options.checkpoint is not None:
        predictions = predict_rows(load_checkpoint(options.checkpoint, body=body), store, rows)
    entries = person_rows(store, rows, body, options.raw, predictions)
    columns = [column for column in COLUMNS if any(column in entry.panels for entry in entries)]
    title = f"{store.path.stem}: {len(rows)} of {len(store)} persons, body {body.name}"
    if PREDICTION in columns:
        title += f", network {options.checkpoint.parent.name}" if options.checkpoint else ""
    path = save_sheet(compose_sheet(title, columns, entries), options.out)
    if progress:
        progress(len(rows), len(rows), "")
    return SheetReport(path=path, rows=tuple(rows))


def spread_rows(store: Store, count: int) -> list[int]:
    """Up to ``count`` rows with a picture, evenly spread.

    Raises:
        StoreIncomplete: there is none.
    """
    there = np.flatnonzero(store.array("present")[:])
    if not there.size:
        raise StoreIncomplete(
            f"no person of {store.path} has a picture", action="see `pymaf-data inspect` for the reasons."
        )
    picks = np.unique(np.linspace(0, there.size - 1, min(count, there.size)).round().astype(int))
    return [int(row) for row in there[picks]]
