"""The course of a run as it is told: history, TensorBoard, progress, and the report at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymaf_data.config import StrictModel
from pymaf_data.progress import Progress
from pymaf_data.runs.folder import LOGS
from pymaf_data.runs.history import Errors, History, HistoryLine
from pymaf_data.runs.logs import Logs

from .drawing import Drawn
from .pace import RATES

_NO_LOSS = ("gradient_norm", "learning_rate", *RATES)
TITLES = {"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "pve": "PVE"}


class TrainReport(StrictModel):
    """What a run did."""

    folder: Path
    checkpoint: Path
    step: int
    """Steps done in all."""
    resumed_from: int
    """Steps that were there already."""
    seconds: float
    losses: dict[str, float]
    """Weighted terms on the last batch logged; empty when nothing was to do."""
    errors: dict[str, dict[str, float]]
    """M0 … M3 → MPJPE and PA-MPJPE in millimetres on that batch."""
    held_out: dict[str, Errors]
    """Of each held-out store at the last measurement of this call, besides PVE where there are fits."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        done = self.step - self.resumed_from
        if not done:
            return [f"{self.checkpoint}: {self.step:,} steps are done already, nothing to do"]
        before = f" after {self.resumed_from:,} that were there already" if self.resumed_from else ""
        lines = [f"{done:,} steps in {self.seconds:,.0f} s{before}"]
        lines += [
            f"  {iteration}  MPJPE {errors['mpjpe']:6.1f} mm   PA-MPJPE {errors['pa_mpjpe']:6.1f} mm"
            for iteration, errors in self.errors.items()
        ]
        if self.errors:
            lines.append("  (on the last training batch, in training mode; M0 is the mean body)")
        for store, found in self.held_out.items():
            last = max(found, default="")
            told = "   ".join(f"{TITLES[name]} {value:6.1f} mm" for name, value in found.get(last, {}).items())
            lines.append(f"  {last}  {told}   held out: {store}")
        return [*lines, f"checkpoint: {self.checkpoint}"]


class Course:
    """What one call of a run tells, as a context manager.

    Args:
        folder: of the run.
        start: the step where it stands.
        total: the step where it ends.
        writes: whether to write anything; of several processes the first one does.

    Attributes:
        losses, errors: of the last step that was logged; empty before.
        measured: errors of each held-out store when it was measured last; empty before.

    Raises:
        DiskFull, NotWritable: the files cannot be written.
    """

    def __init__(self, folder: Path, start: int, total: int, writes: bool = True) -> None:
        self._folder, self._start, self._total, self._writes = folder, start, total, writes
        self._begun = time.monotonic()
        self._open = ExitStack()
        self.losses: dict[str, float] = {}
        self.errors: Errors = {}
        self.measured: dict[str, Errors] = {}
        self._pace = ""

    def __enter__(self) -> Self:
        if self._writes:
            self._history = History(self._folder, self._start)
            self._logs = self._open.enter_context(Logs(self._folder / LOGS, purge_step=self._start + 1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def learned(self, step: int, values: dict[str, float], errors: Errors, persons: int) -> None:
        """Tell of a training step."""
        self.losses = {name: value for name, value in values.items() if name not in _NO_LOSS}
        self.errors = errors
        images, waiting = (values[name] for name in RATES)
        self._pace = f", {images:.3g} images/s, {waiting:.0%} waiting for data"
        if not self._writes:
            return
        self._history.append(HistoryLine(step=step, kind="train", scalars=values, errors=errors, persons=persons))
        for name, value in values.items():
            self._logs.add_scalar(f"train/{name}", value, step)
        self._log_errors(errors, "", "", step)

    def seen(self, seen: HistoryLine | Drawn | None, step: int) -> None:
        """Tell of what a watcher saw: a measurement, or an image."""
        if isinstance(seen, HistoryLine):
            self._held_out(seen)
        elif seen is not None:
            self._logs.add_image(seen.name, seen.image, step)

    def _held_out(self, line: HistoryLine) -> None:
        self._history.append(line)
        self.measured[line.store] = line.errors
        self._log_errors(line.errors, "held_out_", f"{line.store}/", line.step)

    def remark(self, progress: Progress | None, step: int) -> None:
        """Show where the run is."""
        if progress is None:
            return
        last = max(self.errors) if self.errors else ""
        error = f", {last} {self.errors[last]['mpjpe']:.0f} mm" if last else ""
        known = [f"{store} {errors[max(errors)]['mpjpe']:.0f}" for store, errors in self.measured.items() if errors]
        error += f", held out {', '.join(known)} mm" if known else ""
        progress(step, self._total, f"loss {self.losses.get('loss', math.nan):.2f}{error}{self._pace}")

    def seconds(self) -> float:
        """Since this call began."""
        return time.monotonic() - self._begun

    def _log_errors(self, errors: Errors, kind: str, store: str, step: int) -> None:
        for iteration, measures in errors.items():
            for name, value in measures.items():
                self._logs.add_scalar(f"{kind}{name}_mm/{store}{iteration}", value, step)


def figures_of(line: HistoryLine, others: Sequence[HistoryLine]) -> dict[str, Any]:
    """What a checkpoint says of a measurement: that of the store that decides about the best, and of the others."""
    found: dict[str, Any] = {"step": line.step, "persons": line.persons, "errors": line.errors}
    if line.store:
        found["store"] = line.store
    if others:
        found["others"] = {each.store: {"persons": each.persons, "errors": each.errors} for each in others}
    return found
