"""The files beside the page: a line for each person and source as CSV, and everything else as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.frames import FRAMES
from pymaf_data.report.sources.columns import Source, Sources
from pymaf_data.report.sources.measures import RANKED, SOURCE_MEASURES
from pymaf_data.report.sources.worst import badness, ranked
from pymaf_data.storage import Store

_BLOCK = 2048
_KEYS = ("row", "image", "annotation", "source", "valid", "reason", "chosen", "frame")


def csv_lines(store: Store, sources: Sources) -> Iterator[bytes]:
    """A line for every person and source, in the order of rows; what is not known is empty, numbers are float32's own.

    Columns: row, image, annotation, source, valid, reason, chosen, frame, and every measure that any source has.
    """
    keys = [m.key for m in SOURCE_MEASURES if any(m.key in source.values for source in sources.of)]
    yield _written([(*_KEYS, *keys)])
    for first in range(0, len(store), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(store)))
        of_each = [_lines_of(sources, place, rows, keys) for place in range(len(sources.of))]
        names = [(row, *store.rows[row]) for row in rows.tolist()]
        yield _written([(*name, *line) for name, *lines in zip(names, *of_each, strict=True) for line in lines])


def worst_named(store: Store, sources: Sources, count: int) -> dict[str, list[dict[str, Any]]]:
    """The worst fits by each measure that ranks, of whichever source."""
    found = {}
    for key in RANKED:
        having = [source for source in sources.of if key in source.values]
        entries = [(row, one) for one in having for row in ranked(key, one.values[key], count).tolist()]
        entries.sort(key=lambda entry: (-badness(key, entry[1].values[key][entry[0]]), entry[0], entry[1].name))
        if entries:
            found[key] = [_entry(store, row, one, key) for row, one in entries[:count]]
    return found


def json_text(described: dict[str, Any]) -> bytes:
    """As the file beside the page."""
    return (json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _entry(store: Store, row: int, source: Source, key: str) -> dict[str, Any]:
    (image, annotation), value = store.rows[row], float(f"{source.values[key][row]:.6g}")
    return {"row": row, "image": image, "annotation": annotation, "source": source.name, "value": value}


def _lines_of(sources: Sources, place: int, rows: NDArray[np.int64], keys: list[str]) -> list[tuple[str, ...]]:
    """What follows a person's name in the lines of one source."""
    source = sources.of[place]
    valid, named = source.valid[rows], [str(name) for name in source.info.attributes["reasons"]]
    reasons = np.array([*named, "not attached yet"])[np.where(source.there[rows], source.reason[rows], len(named))]
    columns = [
        np.full(len(rows), source.name),
        np.where(valid, "1", "0"),
        np.where(valid, "", reasons),
        np.where(sources.chosen[rows] == place, "1", "0"),
        np.where(valid, np.array(FRAMES)[source.frame[rows]], ""),
        *(_text(source.values[key][rows]) if key in source.values else np.full(len(rows), "") for key in keys),
    ]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _text(values: NDArray[np.float32]) -> NDArray[np.str_]:
    """The shortest text that is the very number again; empty for NaN."""
    return np.where(np.isnan(values), "", values.astype(str))


def _written(lines: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode("utf-8")
