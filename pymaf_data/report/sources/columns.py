"""Every source of a store's fits as columns over all of its persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.choice import NONE
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.fits.table import frame_without_column
from pymaf_data.report.sources.measures import SOURCE_MEASURES, Values
from pymaf_data.storage import StageInfo, Store

STAGE = "fits/"


@dataclass(frozen=True)
class Source:
    """What a store holds of one source, over its N persons.

    Attributes:
        name: of the source.
        info: the generation of ``fits/<name>`` that fits are chosen from, else the one to read.
        index: in the choice; −1 where the choice does not know it, as of fits whose body is not here.
        there: (N,) whether the person's shard is attached.
        valid: (N,) whether there is a fit.
        reason: (N,) why there is none, index into the attribute ``reasons``.
        frame: (N,) from where the root is seen, index into :data:`~pymaf_data.geometry.frames.FRAMES`.
        values: measure → (N,), NaN where there is no fit or it is not known; what the source does not have is absent.
    """

    name: str
    info: StageInfo
    index: int
    there: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    reason: NDArray[np.uint8]
    frame: NDArray[np.uint8]
    values: dict[str, Values]


@dataclass(frozen=True)
class Sources:
    """All sources, sorted by name, and who got whose fit.

    Attributes:
        reader: of the fits themselves; ``None`` where nothing was chosen yet.
        chosen: (N,) index into ``of``, −1 where nothing is chosen.
        kept_out: (N,) what kept the first choice from the person, index into the choice's attribute ``reasons``;
            ``None`` where preference alone chose.
    """

    of: tuple[Source, ...]
    reader: ChosenReader | None
    chosen: NDArray[np.int64]
    kept_out: NDArray[np.uint8] | None = None

    @classmethod
    def read(cls, store: Store) -> Sources:
        """Read the columns of every source; pose and cameras are left to ``reader``.

        Raises:
            StoreIncomplete: fits that the choice names are gone.
            StoreDamaged: bytes differ from what was committed.
        """
        reader = ChosenReader(store) if store.has("choice") else None
        names = {info.stage.removeprefix(STAGE) for info in store.stages() if info.stage.startswith(STAGE)}
        known = reader.names if reader else ()
        found = []
        for name in sorted(names | set(known)):
            index = known.index(name) if name in known else NONE
            info = reader.source(index) if reader and index != NONE else _to_read(store, name)
            found.append(_columns(store, name, info, index))
        chosen, kept_out = np.full(len(store), NONE, np.int64), None
        if reader is not None:
            places = np.array([*([one.name for one in found].index(name) for name in known), NONE])  # −1 stays −1
            chosen = places[reader.sources_of(np.arange(len(store)), allow_partial=True)]
            kept_out = _column(store, reader.choice, "reason", 0) if "reason" in reader.choice.record.specs else None
        return cls(tuple(found), reader, chosen, kept_out)

    @property
    def compared(self) -> list[int]:
        """Places of the sources whose fits can be read, as those of the choice can."""
        return [place for place, source in enumerate(self.of) if source.index != NONE]


def _to_read(store: Store, name: str) -> StageInfo:
    """The current generation; while none is complete, the one that has most."""
    found = [info for info in store.stages() if info.stage == STAGE + name]
    return max(found, key=lambda info: (info.current, len(info.commits)))


def _columns(store: Store, name: str, info: StageInfo, index: int) -> Source:
    N, has = len(store), info.record.specs
    valid = _column(store, info, "valid", 0).astype(bool)
    implied = frame_without_column(str(info.attributes["native_kind"]))
    frame = _column(store, info, "frame", 0) if "frame" in has else np.full(N, implied, np.uint8)
    values: dict[str, Values] = {}
    for measure in SOURCE_MEASURES:
        if measure.array in has:
            found = measure.of(_column(store, info, measure.array, np.nan).astype(np.float32))
            # Infinite says that nothing was labelled to measure by: not known.
            values[measure.key] = np.where(valid & np.isfinite(found), found, np.nan).astype(np.float32)
    there = ~np.isin(np.arange(N) // store.shard, info.missing)
    return Source(name, info, index, there, valid, _column(store, info, "reason", 0), frame, values)


def _column(store: Store, info: StageInfo, array: str, otherwise: float) -> NDArray[Any]:
    """(N, …) of an array of a generation; of shards that are missing, something else."""
    spec, rows = info.record.specs[array], np.arange(len(store))
    there = rows[~np.isin(rows // store.shard, info.missing)]
    out = np.full((len(rows), *spec.shape_per_row), otherwise, spec.dtype)
    out[there] = store.array(info.record.key.below(array)).rows(there)
    return out
