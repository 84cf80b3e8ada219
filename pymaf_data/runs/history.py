"""The course of a training run: a line per logged step and per held-out measurement.

A run that goes on from step s first forgets what it wrote after s: nothing is told twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.errors import TrainingError
from pymaf_data.runs.folder import HISTORY
from pymaf_data.storage.files import UNFINISHED, LocalFiles, make_folder, writing_to

Errors = dict[str, dict[str, float]]
"""M0 (the mean body) … M3 → ``mpjpe``, ``pa_mpjpe`` and, of held-out persons with fits, ``pve`` in millimetres."""


class HistoryLine(StrictModel):
    """What was measured at one step."""

    step: int
    kind: Literal["train", "held_out"]
    store: str = ""
    """Which held-out store it is of, by its file's name; empty where a version before measured all of them together."""
    scalars: dict[str, float] = Field(default_factory=dict)
    """Of ``train``: ``loss``, its weighted terms, ``gradient_norm``, ``learning_rate``; of the time since the line
    before ``images_per_second`` and ``waiting``, the share in which batches were waited for."""
    errors: Errors = Field(default_factory=dict)
    persons: int
    """How many persons the errors are means over."""


class History:
    """Writes the history of a run that stands at some step.

    Args:
        folder: of the run.
        step: where the run stands; lines of later steps are dropped, as is a line that was cut short. A run that
            stands at its start has no past.

    Raises:
        TrainingError: the history is not what a trainer writes.
        NotWritable, DiskFull: see :class:`LocalFiles`.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / HISTORY
        make_folder(folder)
        known = _parsed(self._path) if step else []
        kept = [text.encode() + b"\n" for text, line in known if line.step <= step]
        LocalFiles(folder).write({HISTORY: kept}, UNFINISHED)

    def append(self, line: HistoryLine) -> None:
        """Add a line.

        Raises:
            DiskFull, NotWritable: it cannot be written.
        """
        with writing_to(self._path), self._path.open("a", encoding="ascii") as handle:
            handle.write(json.dumps(_finite(line.model_dump(mode="json")), sort_keys=True) + "\n")


def read_history(folder: Path) -> list[HistoryLine]:
    """Every line of a run's history, in order.

    Raises:
        TrainingError: there is none, or it is not what a trainer writes.
    """
    path = folder / HISTORY
    if not path.is_file():
        raise TrainingError(
            f"{folder} has no {HISTORY}",
            expected="a run of this version of pymaf-data",
            action="go on with the run for some steps, which writes one from then on.",
        )
    return [line for _, line in _parsed(path)]


def _parsed(path: Path) -> list[tuple[str, HistoryLine]]:
    try:
        return [(line, HistoryLine.model_validate_json(line)) for line in _lines(path)]
    except ValueError as error:
        raise TrainingError(
            f"{path} holds a line that is not a measurement: {str(error).splitlines()[0]}",
            expected="lines as the trainer writes them",
            action="remove the line, or train again with --overwrite.",
        ) from None


def _lines(path: Path) -> Iterator[str]:
    """Whole lines; a kill may have cut the last one short."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        if line.endswith("\n") and line.strip():
            yield line.strip()


def _finite(value: Any) -> Any:
    """Without numbers that JSON does not know: what was not finite is not there."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items() if not _is_odd(item)}
    return value


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
