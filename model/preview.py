"""``contact sheet``: the pipeline's last step, an image of every step for some persons of a store.

store, checkpoint → runs/<name>/contact_sheet.png
                    runs/<name>/contact_sheet.json    the digest of what the sheet shows

A sheet that shows just this already is left as it is.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from pymaf_data.body import load_body
from pymaf_data.config import StrictModel
from pymaf_data.datasets import ImageSource, Raw, find_reader, load_manifest
from pymaf_data.digest import canonical_json, digest_file, digest_json
from pymaf_data.errors import StoreIncomplete
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.report.options import SheetOptions
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.files import LocalFiles

# Part of every digest: raise it when the same inputs are drawn in another way.
_DRAWING = 1


class SheetReport(StrictModel):
    """What was drawn."""

    path: Path
    rows: tuple[int, ...]
    drawn: bool
    """False where the sheet was there already."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        return [f"{self.path}: {len(self.rows)} persons" + ("" if self.drawn else ", drawn already, nothing to do")]


def contact_sheet(options: SheetOptions, progress: Progress | None = None) -> SheetReport:
    """Draw the sheet, unless it is there already and shows the same.

    Raises:
        StoreIncomplete: no person of the store has an image.
        StoreError, CheckpointError, AssetError: what is shown cannot be read.
    """
    store = open_store(options.store)
    rows = spread_rows(store, options.persons)
    shown = _digest(store, options)
    drawn = not (options.out.is_file() and _shown_by(options.out) == shown)
    if drawn:
        _draw(store, rows, options, shown)
    if progress:
        progress(len(rows), len(rows), "")
    return SheetReport(path=options.out, rows=tuple(rows), drawn=drawn)


def _draw(store: Store, rows: list[int], options: SheetOptions, shown: str) -> None:
    from pymaf_data.report.persons import COLUMNS, PREDICTION, person_rows
    from pymaf_data.report.sheet import compose_sheet, save_sheet

    from .checkpoint import load_checkpoint
    from .predict import predict_rows
    from .training import body_of

    body = load_body(body_of([store]), DataRoot.default().assets)
    predictions = None
    if options.checkpoint is not None:
        predictions = predict_rows(load_checkpoint(options.checkpoint, body=body), store, rows)
    with _images(store, options) as images:
        entries = person_rows(store, rows, body, images, predictions)
    columns = [column for column in COLUMNS if any(column in entry.panels for entry in entries)]
    title = f"{store.path.stem}: {len(rows)} of {len(store)} persons, body {body.name}"
    if PREDICTION in columns:
        title += f", network {options.checkpoint.parent.name}" if options.checkpoint else ""
    path = save_sheet(compose_sheet(title, columns, entries), options.out)
    # Written last: a sheet without its digest is drawn again.
    files, record = LocalFiles(path.parent), _record(path)
    files.write({record.name: [canonical_json({"shows": shown}).encode()]}, temporary="")


def _images(store: Store, options: SheetOptions) -> AbstractContextManager[ImageSource | None]:
    """The original images, where the raw data is at hand."""
    if options.raw is None:
        return nullcontext()
    manifest = load_manifest(options.dataset or store.head["dataset"])
    raw = Raw(options.raw, manifest, store.head["split"], follow_links=options.follow_links)
    return find_reader(manifest.reader).images(raw)


def _digest(store: Store, options: SheetOptions) -> str:
    """Of everything that the sheet shows: persons, stages, network, images."""
    stages = {info.stage: info.generation for info in store.stages() if info.current}
    checkpoint = digest_file(options.checkpoint) if options.checkpoint and options.checkpoint.is_file() else ""
    return digest_json(
        {
            "drawing": _DRAWING,
            "stages": stages,
            "persons": options.persons,
            "checkpoint": checkpoint,
            "raw": options.raw is not None and options.raw.is_dir(),
            **({"follow_links": True} if options.follow_links else {}),
        }
    )


def _shown_by(sheet: Path) -> str:
    """The digest beside a sheet; empty where there is none to read, which has it drawn again."""
    try:
        return str(json.loads(_record(sheet).read_text(encoding="utf-8"))["shows"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _record(sheet: Path) -> Path:
    return sheet.with_suffix(".json")


def spread_rows(store: Store, count: int) -> list[int]:
    """Up to ``count`` rows with an image, evenly spread.

    Raises:
        StoreIncomplete: there is none.
    """
    there = np.flatnonzero(store.array("present")[:])
    if not there.size:
        raise StoreIncomplete(
            f"no person of {store.path} has an image", action="see `pymaf-data inspect` for the reasons."
        )
    picks = np.unique(np.linspace(0, there.size - 1, min(count, there.size)).round().astype(int))
    return [int(row) for row in there[picks]]
