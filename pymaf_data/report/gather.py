"""A store as a table: one number per person and measure, read shard by shard.

Whatever is missing is NaN or a named state, never a number that looks real: shards that are not committed yet, images
that could not be read, persons without a fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.columns import Absent
from pymaf_data.fits.chosen import ChosenFits, ChosenReader
from pymaf_data.fits.persons import Persons
from pymaf_data.geometry.joints import J49
from pymaf_data.report.measures import MEASURES
from pymaf_data.report.posture import posture
from pymaf_data.storage import Array, Store

NOT_INGESTED, NOT_CHOSEN = "not ingested yet", "no fit: nothing was chosen"
NO_IMAGE, NO_FIT, FIT = "no image: ", "no fit: ", "fit of "
_CHUNK = 4096  # rows at a time: 3 MB of labels, 40 MB of rotations


@dataclass(frozen=True)
class Table:
    """N persons of a store.

    Attributes:
        row: (N,) rows of the store.
        values: measure → (series, N) float32, NaN where it is not known.
        state: (N,) what is there of each person, index into ``states``.
        states: names, sorted; those that begin with :data:`FIT` are whole persons, the others lack something.
        image: (N,) whether there is an image.
        mapped: (N,) whether an IUV map is stored.
        marks: (49, 3) persons by joint of J49 and visibility: not labelled, hidden, seen.
    """

    row: NDArray[np.int64]
    values: dict[str, NDArray[np.float32]]
    state: NDArray[np.uint8]
    states: tuple[str, ...]
    with_image: NDArray[np.bool_]
    mapped: NDArray[np.bool_]
    marks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """(N,) persons who lack image or fit, where others of the store have one."""
        lacking = np.array([not name.startswith(FIT) for name in self.states], bool)
        return lacking[self.state]


@dataclass(frozen=True)
class _Block:
    values: dict[str, NDArray[np.float32]]
    state: list[str]
    with_image: NDArray[np.bool_]
    mapped: NDArray[np.bool_]
    marks: NDArray[np.int64]


def gather(store: Store, limit: int | None = None, rows: NDArray[np.int64] | None = None) -> Table:
    """Read the table of a store.

    Args:
        store: an ingested store; stages that are absent or partial leave their measures unknown.
        limit: at most this many persons, evenly spread over the rows; all by default.
        rows: of these persons, ascending; by default of all.

    Raises:
        StoreIncomplete: the store has no ingested shard at all, or fits that the choice names are gone.
        StoreDamaged: bytes differ from what was committed.
    """
    rows = np.arange(len(store)) if rows is None else rows
    if limit is not None and len(rows) > limit:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, limit).round().astype(np.int64))]
    source = _Source.of(store)
    blocks = [_read(source, rows[first : first + _CHUNK]) for first in range(0, len(rows), _CHUNK)]
    names = [name for block in blocks for name in block.state]
    states, state = np.unique(names, return_inverse=True)
    joined = {
        measure.key: np.concatenate([block.values[measure.key] for block in blocks], axis=1) for measure in MEASURES
    }
    flags = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in ("with_image", "mapped")}
    marks = np.sum([block.marks for block in blocks], axis=0)
    return Table(rows, joined, state.astype(np.uint8), tuple(states.tolist()), marks=marks, **flags)


@dataclass(frozen=True)
class _Source:
    """The arrays of a store, opened once; None where a stage is absent."""

    store: Store
    persons: dict[str, Array | Absent]
    reason: Array
    chosen: ChosenReader | None
    rendered: Array | None

    @classmethod
    def of(cls, store: Store) -> _Source:
        chosen = ChosenReader(store) if store.has("choice") else None
        rendered = store.array("iuv/rendered") if store.has("iuv") else None
        return cls(store, Persons.arrays(store), store.array("reason"), chosen, rendered)

    def there(self, stage: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of the rows whose shard of a stage is committed."""
        return np.flatnonzero(~np.isin(rows // self.store.shard, self.store.current(stage).missing))


def _read(source: _Source, rows: NDArray[np.int64]) -> _Block:
    """The rows of one block; those of missing shards are known by nothing but their name."""
    N = len(rows)
    values = {measure.key: np.full((len(measure.series), N), np.nan, np.float32) for measure in MEASURES}
    state, with_image = np.full(N, NOT_INGESTED, object), np.zeros(N, bool)
    there, chosen = source.there("ingest", rows), source.chosen
    marks = np.zeros((len(J49), 3), np.int64)
    if len(there):
        persons = Persons.at(source.store, source.persons, rows[there])
        with_image[there] = persons.present
        marks = np.stack([(persons.visibility == mark).sum(0) for mark in range(3)], axis=1)
        for name, series in _labels(persons).items():
            values[name][:, there] = series
        state[there] = NOT_CHOSEN
        if chosen is not None:
            fits, errors = _fits(chosen, rows[there])
            _add_fits(values, there[fits.valid], fits[np.flatnonzero(fits.valid)], errors[fits.valid])
            state[there] = _fit_states(chosen, rows[there], fits)
        codes, reasons = source.reason.rows(rows[there]), source.store.attrs.get("reasons", [])
        for place in np.flatnonzero(~persons.present).tolist():
            state[there[place]] = NO_IMAGE + str(reasons[codes[place]]).replace("_", " ")
    return _Block(values, state.tolist(), with_image, _mapped(source, rows), marks)


def _labels(persons: Persons) -> dict[str, NDArray[np.float64]]:
    """What ingest knows of K persons: measure → (K,)."""
    centre, side, size = persons.box[:, :2], persons.box[:, 2:], persons.image_size
    inside = np.minimum(centre + side / 2, size) - np.maximum(centre - side / 2, 0)
    share = np.clip(inside, 0, None).prod(axis=1) / side[:, 0] ** 2
    labelled, seen = (persons.visibility > 0).sum(1), (persons.visibility == 2).sum(1)
    return {
        "box": persons.box[:, 2],
        "outside": np.round(100 * np.clip(1 - share, 0, 1), 3),  # a box that touches the frame is not beyond it
        "seen": seen.astype(float),
        "hidden": np.where(labelled > 0, 100 * (labelled - seen) / np.maximum(labelled, 1), np.nan),
    }


def _fits(chosen: ChosenReader, rows: NDArray[np.int64]) -> tuple[ChosenFits, NDArray[np.float32]]:
    fits = chosen.read(rows, allow_partial=True)
    return fits, chosen.errors(rows, fits)


def _add_fits(
    values: dict[str, NDArray[np.float32]], places: NDArray[np.int64], fits: ChosenFits, errors: NDArray[np.float32]
) -> None:
    # Infinite says that nothing was labelled to measure by: not known.
    known = np.where(np.isfinite(errors), errors, np.nan)
    found = {"reprojection": known[:, :1].T, "residual": known[:, 1:].T} | posture(fits.pose)
    found |= {f"beta{number}": fits.betas[None, :, number] for number in range(fits.betas.shape[1])}
    for name, series in found.items():
        values[name][:, places] = series


def _fit_states(chosen: ChosenReader, rows: NDArray[np.int64], fits: ChosenFits) -> list[str]:
    state = [FIT + chosen.names[source] if source >= 0 else "" for source in fits.source.tolist()]
    lacking = np.flatnonzero(~fits.valid)
    for place, reason in zip(lacking.tolist(), chosen.reasons(rows[lacking], allow_partial=True), strict=True):
        state[place] = NO_FIT + (reason or "not attached yet")
    return state


def _mapped(source: _Source, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    mapped = np.zeros(len(rows), bool)
    if source.rendered is not None:
        there = source.there("iuv", rows)
        mapped[there] = source.rendered.rows(rows[there])
    return mapped
