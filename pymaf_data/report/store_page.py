"""The page of a store: its table as columns, its provenance, and images of some of its persons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data import __version__
from pymaf_data.digest import digest_json
from pymaf_data.geometry.joints import J49
from pymaf_data.progress import Progress
from pymaf_data.report.gather import Table, gather
from pymaf_data.report.html import Page, design
from pymaf_data.report.measures import MEASURES
from pymaf_data.report.selection import select
from pymaf_data.report.sources.columns import STAGE
from pymaf_data.report.sources.part import CSV, JSON, SourcesPart
from pymaf_data.report.thumbnails import Bodies, draw_rows, encode_row
from pymaf_data.storage import Store, inspect

MOST_ROWS = 50_000
"""Persons whose columns a page holds, at most: 9 MB. Of larger stores it holds an even spread, and says so."""

PERSONS = 400
"""Persons with images, at most, where nothing else is asked for."""

IMAGE_BYTES = 12_000_000
"""What those images may take; in a page that is a third more."""

_CHUNK, _OF_SOURCES = 16, 0.4


def store_page(
    store: Store, persons: int | None = None, progress: Progress | None = None, bodies: Bodies | None = None
) -> Page:
    """Gather everything a page says of a store; images are drawn when the page is written.

    Args:
        store: an ingested store.
        persons: persons with images; by default :data:`PERSONS`, fewer where they exceed :data:`IMAGE_BYTES`.
        progress: told how many are drawn.
        bodies: of the store, where they are loaded already.

    Raises:
        StoreError: it cannot be read.
    """
    table, bodies = gather(store, MOST_ROWS), bodies or Bodies.of(store)
    sources = SourcesPart.of(store, bodies)
    places = select(table, PERSONS if persons is None else persons)
    drawn = _Images(store, table, places.tolist(), bodies, sources, IMAGE_BYTES if persons is None else None, progress)
    described = _described(store)
    title = f"{described['dataset']} {described['split']}"
    notes = [f"Fits of the body {name} are not drawn: it is not on this machine." for name in bodies.missing]
    meta = {
        "kind": "store",
        "version": __version__,
        "notes": notes,
        "store": described,
        "table": _columns(store, table),
        "sources": sources.meta() if sources else None,
    }
    blocks, files = {"columns": _binary(table)}, {}
    if sources:
        blocks["worst"], files = sources.block(), sources.files()
    return Page(title, shows(store, persons, bodies), meta, blocks, drawn, files)


def shows(store: Store, persons: int | None, bodies: Bodies) -> str:
    """Digest of everything that the page of a store depends on."""
    stages = [[info.stage, info.generation, info.current, info.missing] for info in store.stages()]
    known = {name: body.digest for name, body in bodies.loaded.items()}
    return digest_json([design(), __version__, store.path.name, stages, persons, known])


def beside(store: Store) -> tuple[str, ...]:
    """What stands beside the page of a store, by what takes the place of its ``.html``."""
    return (CSV, JSON) if any(info.stage.startswith(STAGE) for info in store.stages()) else ()


class _Images:
    """(element name, panels) of the persons in order of importance, until their bytes are spent.

    First the worst fits of all sources, which may take a part of the bytes; then the persons of the gallery. Where a
    number of persons was asked for, those are the gallery's, and a quarter as many of the worst.
    """

    def __init__(
        self,
        store: Store,
        table: Table,
        places: Sequence[int],
        bodies: Bodies,
        sources: SourcesPart | None,
        most: int | None,
        progress: Progress | None,
    ) -> None:
        self._store, self._table, self._places, self._bodies = store, table, places, bodies
        self._sources, self._most, self._progress = sources, most, progress

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        spent = 0
        worst = (
            self._sources.images(None if self._most is not None else len(self._places) // 4) if self._sources else ()
        )
        for images, share in ((worst, _OF_SOURCES), (self._gallery(), 1.0)):
            for name, panels in images:
                size = sum(map(len, panels.values()))
                if self._most is not None and spent + size > share * self._most:
                    break
                spent += size
                yield name, panels

    def _gallery(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        for first in range(0, len(self._places), _CHUNK):
            chunk = self._places[first : first + _CHUNK]
            rows = self._table.row[chunk].tolist()
            drawn = sorted(draw_rows(self._store, rows, self._bodies), key=lambda pair: pair[0])
            yield from ((f"p{chunk[k]}", encode_row(row)) for k, row in drawn)
            if self._progress:
                self._progress(first + len(chunk), len(self._places), "persons drawn")


def _described(store: Store) -> dict[str, Any]:
    """``inspect`` without what is true of this machine and moment alone: where the store lies, who writes to it."""
    described = inspect(store.path)
    return {key: value for key, value in described.items() if key not in ("path", "writers")}


def _columns(store: Store, table: Table) -> dict[str, Any]:
    """What the scripts must know to read :func:`_binary`."""
    names = [store.rows[row] for row in table.row.tolist()]
    everyone = len(table) == len(store)
    return {
        "measures": [measure.model_dump(mode="json") for measure in MEASURES],
        "names": [name for name, _ in names],
        "annotations": [annotation for _, annotation in names],
        "rows": None if everyone else table.row.tolist(),
        "states": list(table.states),
        "marks": [
            {"joint": joint.rpartition(":")[2], "absent": absent, "hidden": hidden, "seen": seen}
            for joint, (absent, hidden, seen) in zip(J49.joints, table.marks.tolist(), strict=True)
            if hidden + seen
        ],
    }


def _binary(table: Table) -> bytes:
    """Float32 columns in the order of :data:`MEASURES`, then state and flags, a byte each; little-endian."""
    columns = [table.values[measure.key].astype("<f4").tobytes() for measure in MEASURES]
    flags = table.with_image.astype(np.uint8) | (table.mapped.astype(np.uint8) << 1)
    return b"".join([*columns, table.state.tobytes(), flags.tobytes()])


def name_of(store: Path) -> str:
    """The page's file name."""
    return f"{store.name.removesuffix('.zarr')}.html"
