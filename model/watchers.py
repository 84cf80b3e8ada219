"""What is looked at while a network trains, in evaluation mode, without touching what it learns.

    HeldOut      errors of every iteration on persons that it never learns from
    Snapshots    its bodies for the same few persons, to be drawn later

Both see plain views, made once and kept in memory (150 kB a person), so that a measurement costs the network's forward
pass alone: that of 256 persons takes 50 s on one core, as long as one or two steps of 64 persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pymaf_data.loader import Batch, Loader
from pymaf_data.loader.assemble import Rows
from pymaf_data.render import Atlas
from pymaf_data.runs.history import HistoryLine
from pymaf_data.runs.snapshots import Snapshot, SnapshotFolder, SnapshotPersons

from .drawing import Drawn, PersonSheet
from .images import normalise
from .losses import has_origin
from .measures import held_out_distances, iteration_distances, means
from .networks.network import Network, Output

_BATCH = 32


class Watcher(Protocol):
    """Looks at a network every so many steps, before the first and after the last."""

    @property
    def every(self) -> int:
        """Steps from one look to the next."""

    def begin(self, step: int, model: Network) -> None:
        """The run starts or goes on from here."""

    def look(self, step: int, model: Network) -> HistoryLine | Drawn | None:
        """Called in evaluation mode and without gradients; what it returns goes into history and logs."""


class HeldOut:
    """MPJPE, PA-MPJPE and PVE of every iteration on persons held out from training; M0, the mean body, is the baseline.

    Args:
        batches: their plain views, on the CPU.
        every: steps between measurements.
        store: the name of the store that they are from.
    """

    def __init__(self, batches: Sequence[Batch], every: int, store: str = "") -> None:
        self.batches, self.every, self.store = batches, every, store

    def begin(self, step: int, model: Network) -> None:
        """See :class:`Watcher`: nothing is kept."""

    def look(self, step: int, model: Network) -> HistoryLine | None:
        """See :class:`Watcher`."""
        found = []
        for batch in self.batches:
            moved = batch.to(_device(model))
            found.append(held_out_distances(_forward(model, moved), moved, model.body))
        persons = sum(len(part["M0"]["mpjpe"]) for part in found if part)
        return HistoryLine(step=step, kind="held_out", store=self.store, errors=means(found), persons=persons)


class Snapshots:
    """Writes what the network makes of one batch; see :mod:`pymaf_data.runs.snapshots`.

    Args:
        batch: plain views with fits, on the CPU.
        held_out: whether they are never trained on.
        every: steps between snapshots.
        run: the run's folder.
        atlas: of the maps that the network's auxiliary head predicts; without one that head is not run.
    """

    def __init__(self, batch: Batch, held_out: bool, every: int, run: Path, atlas: Atlas | None = None) -> None:
        self.batch, self.held_out, self.every, self._atlas = batch, held_out, every, atlas
        self._folder = SnapshotFolder(run)

    def begin(self, step: int, model: Network) -> None:
        """See :class:`Watcher`: earlier snapshots of the same persons stay."""
        batch = self.batch
        persons = SnapshotPersons(
            view=batch.image.permute(0, 2, 3, 1).contiguous().numpy(),
            rotation=batch.pose.numpy(),
            betas=batch.betas.numpy(),
            camera=batch.camera.numpy(),
            row=batch.row.numpy(),
            held_out=np.array(self.held_out),
            body=np.array(model.body.name),
            body_digest=np.array(model.body.digest),
        )
        self._folder.begin(persons, step)
        self._sheet = PersonSheet(batch, persons, self._folder, self._atlas)

    def look(self, step: int, model: Network) -> Drawn | None:
        """See :class:`Watcher`: the snapshot, drawn."""
        moved = self.batch.to(_device(model))
        output = _forward(model, moved, auxiliary=self._atlas is not None)
        errors = [found["mpjpe"] for found in iteration_distances(output, moved, model.body).values()]
        snapshot = Snapshot(
            rotation=_stacked([one.rotation for one in output.predictions]),
            betas=_stacked([one.parameters.betas for one in output.predictions]),
            camera=_stacked([one.parameters.camera for one in output.predictions]),
            mpjpe=_stacked(errors),
        )
        self._folder.write(step, snapshot)
        return self._sheet.drawn(step, output.dense)


def with_fit(loader: Loader, rows: Rows) -> Rows:
    """Those of some rows that have a fit."""
    return rows[loader.labels.has_fit[rows]]


def measurable(loader: Loader, rows: Rows) -> Rows:
    """Those of a store's rows whose body can be told right or wrong: who has a fit; where nobody has, whose joints were
    measured in 3D."""
    fitted = with_fit(loader, rows)
    return fitted if len(fitted) else rows[has_origin(torch.from_numpy(loader.labels.joints3d[rows])).numpy()]


def plain_batches(loader: Loader, rows: Rows, persons: int) -> list[Batch]:
    """Views of up to ``persons`` of some rows, evenly spread."""
    picks = np.unique(np.linspace(0, len(rows) - 1, min(persons, len(rows))).round().astype(np.int64))
    chosen = rows[picks] if len(rows) else rows
    return [loader.batch(chosen[first : first + _BATCH]) for first in range(0, len(chosen), _BATCH)]


def _forward(model: Network, batch: Batch, auxiliary: bool = False) -> Output:
    return model(normalise(batch.image), auxiliary=auxiliary)


def _stacked(values: Sequence[Tensor]) -> np.ndarray:
    """(K, …) of each iteration → (K, T, …) float32."""
    return torch.stack(list(values), dim=1).float().cpu().numpy()


def _device(model: Network) -> torch.device:
    return next(model.parameters()).device
