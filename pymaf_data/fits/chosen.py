"""The chosen fits of a store's rows: the one way to read them, whichever sources they come from.

    choice → source of each row → fits/<name>, of the very generation that was chosen from → pose, betas, camera

Rendering, training and reports read through here, so a row has a fit for all of them or for none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import FitError, StoreIncomplete
from pymaf_data.fits.cameras import seen_by
from pymaf_data.fits.choice import NO_FIT, NONE
from pymaf_data.fits.table import CAMERAS, frame_without_column
from pymaf_data.geometry.affines import Floats
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.storage import Array, StageInfo, Store

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ChosenFits:
    """The chosen fit of each of K rows (NumPy); zeros where a row has none.

    Attributes:
        source: (K,) index into :attr:`ChosenReader.names`, −1 where the row has no valid fit.
        pose: (K, 72) axis-angle radians, seen from ``frame``.
        betas: (K, 10).
        frame: (K,) index into :data:`~pymaf_data.geometry.frames.FRAMES`.
        native: (K, 3, 4) camera-space metres → original pixels.
        weak_camera: (K, 3) derived π.
    """

    source: Indices
    pose: NDArray[np.float32]
    betas: NDArray[np.float32]
    frame: NDArray[np.uint8]
    native: NDArray[np.float64]
    weak_camera: NDArray[np.float32]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(K,) whether the row has a fit."""
        return self.source != NONE

    @classmethod
    def none(cls, count: int) -> ChosenFits:
        """Of ``count`` rows that have no fit."""
        return cls(
            np.full(count, NONE, np.int64),
            np.zeros((count, 72), np.float32),
            np.zeros((count, 10), np.float32),
            np.zeros(count, np.uint8),
            np.zeros((count, 3, 4), np.float64),
            np.zeros((count, 3), np.float32),
        )

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Indices | slice) -> ChosenFits:
        return ChosenFits(*(getattr(self, field.name)[rows] for field in fields(self)))

    def cameras(self, kind: str, box: Floats, plane: Floats) -> Camera:
        """The cameras of K rows with fits: the native ones, else those of π.

        Args:
            kind: of the rows' source, one of :data:`~pymaf_data.fits.table.CAMERAS`.
            box: (K, 3) the persons' boxes, in which π is meant.
            plane: (2, 3) or (K, 2, 3) original pixels → the pixels that the cameras shall see.
        """
        return seen_by(kind, self.native, self.weak_camera, box, plane)


class SourceReader:
    """Reads the fits of one source, of one generation.

    Attributes:
        info: the generation of ``fits/<name>``.
    """

    def __init__(self, store: Store, info: StageInfo) -> None:
        self.info, self._store = info, store
        self._arrays: dict[str, Array] = {}

    @property
    def camera(self) -> str:
        """What its native cameras are, one of :data:`~pymaf_data.fits.table.CAMERAS`.

        Raises:
            FitError: it is none of them.
        """
        kind = str(self.info.attributes["native_kind"])
        if kind not in CAMERAS:
            raise FitError(
                f"{self.info.stage} of {self._store.path} has native cameras of kind {kind!r}",
                expected=", ".join(CAMERAS),
                action="attach the fits again with this version of pymaf-data.",
            )
        return kind

    def read(self, rows: Indices, allow_partial: bool = False, source: int = 0) -> ChosenFits:
        """The fits of K rows; those that are not valid, or not finite, count as none.

        Args:
            rows: (K,) row numbers.
            allow_partial: rows of missing shards have no fit, instead of being refused.
            source: what ``source`` says of the valid ones.

        Raises:
            StoreIncomplete: a shard that holds one of the rows is missing.
            StoreDamaged: bytes differ from what was committed.
        """
        fits = ChosenFits.none(len(rows))
        mine = np.flatnonzero(_wanted(self._store, self.info, rows, allow_partial))
        found = {name: self._values(name, rows[mine]) for name in _VALUES}
        valid = self.array("valid").rows(rows[mine]).astype(bool)
        for values in found.values():
            valid &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        fits.source[mine[valid]] = source
        for name, values in found.items():
            getattr(fits, name)[mine[valid]] = values[valid]
        return fits

    def array(self, name: str) -> Array:
        """One of its arrays. Shards are read one after the other, and an array maps all of its own when it is made:
        made once."""
        if name not in self._arrays:
            self._arrays[name] = self._store.array(self.info.record.key.below(name))
        return self._arrays[name]

    def _values(self, name: str, rows: Indices) -> NDArray[np.generic]:
        """Rows of an array; of a source that has no frames, what its kind of camera implies."""
        if name == "frame" and name not in self.info.record.specs:
            return np.full(len(rows), frame_without_column(str(self.info.attributes["native_kind"])), np.uint8)
        values = self.array(name).rows(rows)
        if name == "frame" and values.max(initial=0) >= len(FRAMES):
            raise FitError(
                f"{self.info.stage} of {self._store.path} has a fit seen from frame {values.max()}",
                expected=", ".join(f"{index} ({frame})" for index, frame in enumerate(FRAMES)),
                action="attach the fits again with this version of pymaf-data.",
            )
        return values


class ChosenReader:
    """Reads the chosen fits of a store, from the generations that the choice names, be they current or not.

    Attributes:
        choice: the generation of ``choice`` in force.
        names: the sources, by their index in the choice.

    Raises:
        StoreIncomplete: the store has no choice in force.
    """

    def __init__(self, store: Store) -> None:
        self.choice = store.current("choice")
        self.names = tuple(str(name) for name in self.choice.attributes["sources"])
        self._store = store
        self._arrays: dict[str, Array] = {}
        self._readers: dict[int, SourceReader] = {}

    def source(self, index: int) -> StageInfo:
        """The generation of ``fits/<name>`` that rows of this source were chosen from.

        Raises:
            StoreIncomplete: it is not in the store.
        """
        stage, wanted = f"fits/{self.names[index]}", self.choice.attributes["generations"][self.names[index]]
        for info in self._store.stages():
            if (info.stage, info.generation) == (stage, wanted):
                return info
        raise StoreIncomplete(
            f"{self._store.path} has no {stage} of generation {wanted[:16]}, from which fits were chosen",
            expected="the fits that the choice names",
            action="run `pymaf-data attach-fits` on it again.",
        )

    def bodies(self) -> list[str]:
        """Names of the bodies that the sources' fits belong to, sorted."""
        return sorted({str(self.source(index).attributes["body"]) for index in range(len(self.names))})

    def camera(self, index: int) -> str:
        """What a source's native cameras are, see :attr:`SourceReader.camera`."""
        return self._reader(index).camera

    def sources_of(self, rows: Indices, allow_partial: bool = False) -> Indices:
        """(K,) the source that each row was given, −1: none. Whether its fit is valid, only :meth:`read` tells.

        Raises:
            StoreIncomplete: see :meth:`read`.
        """
        source = np.full(len(rows), NONE, np.int64)
        there = _wanted(self._store, self.choice, rows, allow_partial)
        source[there] = self._array("source").rows(rows[there])
        return source

    def read(self, rows: Indices, allow_partial: bool = False) -> ChosenFits:
        """The chosen fits of K rows. A fit that is not valid, or not finite, counts as none.

        Args:
            rows: (K,) row numbers.
            allow_partial: rows of missing shards have no fit, instead of being refused.

        Raises:
            StoreIncomplete: a shard that holds one of the rows is missing, or a source that was chosen from.
            StoreDamaged: bytes differ from what was committed.
        """
        source = self.sources_of(rows, allow_partial)
        fits = ChosenFits.none(len(rows))
        for index in np.unique(source[source != NONE]).tolist():
            mine = np.flatnonzero(source == index)
            found = self.read_source(index, rows[mine], allow_partial)
            for field in fields(ChosenFits):
                getattr(fits, field.name)[mine] = getattr(found, field.name)
        return fits

    def read_source(self, index: int, rows: Indices, allow_partial: bool = False) -> ChosenFits:
        """The fits that one source has of K rows, chosen or not. See :meth:`read`.

        Raises:
            StoreIncomplete, StoreDamaged: see :meth:`read`.
        """
        return self._reader(index).read(rows, allow_partial, index)

    def errors(self, rows: Indices, fits: ChosenFits) -> NDArray[np.float32]:
        """(K, 2) reprojection and residual of π of the chosen fits of K rows, pixels of the 224 view, as stored.

        Args:
            rows: (K,) row numbers.
            fits: what :meth:`read` gave for them; rows without a fit are NaN.

        Raises:
            StoreDamaged: bytes differ from what was committed.
        """
        out = np.full((len(rows), 2), np.nan, np.float32)
        for index in np.unique(fits.source[fits.valid]).tolist():
            reader, mine = self._reader(index), np.flatnonzero(fits.source == index)
            for column, name in enumerate(("reprojection", "weak_residual")):
                out[mine, column] = reader.array(name).rows(rows[mine])
        return out

    def reasons(self, rows: Indices, allow_partial: bool = False) -> list[str]:
        """Why each of K rows has no fit, where it has none: what the choice says kept its first choice out, else the
        first reason that any of its sources gives, empty where none does.

        Raises:
            StoreIncomplete: see :meth:`read`.
        """
        found = [""] * len(rows)
        if "reason" in self.choice.record.specs:
            there = np.flatnonzero(_wanted(self._store, self.choice, rows, allow_partial))
            codes, named = self._array("reason").rows(rows[there]), self.choice.attributes["reasons"]
            for place, code in zip(there.tolist(), codes.tolist(), strict=True):
                found[place] = "" if code == NO_FIT else str(named[code])
        for index in range(len(self.names)):
            reader = self._reader(index)
            there = np.flatnonzero(_wanted(self._store, reader.info, rows, allow_partial))
            codes, named = reader.array("reason").rows(rows[there]), reader.info.attributes["reasons"]
            for place, code in zip(there.tolist(), codes.tolist(), strict=True):
                found[place] = found[place] or str(named[code])
        return found

    def _reader(self, index: int) -> SourceReader:
        if index not in self._readers:
            self._readers[index] = SourceReader(self._store, self.source(index))
        return self._readers[index]

    def _array(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = self._store.array(self.choice.record.key.below(name))
        return self._arrays[name]


def _wanted(store: Store, info: StageInfo, rows: Indices, allow_partial: bool) -> NDArray[np.bool_]:
    """(K,) the rows to read of a generation; reading those of missing shards is what raises."""
    if not allow_partial:
        return np.ones(len(rows), bool)
    return ~np.isin(rows // store.shard, info.missing)


_VALUES = tuple(field.name for field in fields(ChosenFits) if field.name != "source")
