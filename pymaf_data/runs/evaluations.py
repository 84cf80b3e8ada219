"""What a measurement leaves on disk, and whoever reads it again finds.

    evaluations/<subject>/<benchmark>.json    figures with their intervals, and everything that they are true of
    evaluations/<subject>/<benchmark>.npz     values of each person, for comparing two of them

Values are named ``<iteration>/<name>``; beside them stand the persons: row of the store, image, annotation id. The npz
carries a digest; see :mod:`pymaf_data.storage.archives`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pymaf_data.config import StrictModel
from pymaf_data.errors import EvaluationError, RawDataCorrupt
from pymaf_data.storage.archives import seal, seal_holds
from pymaf_data.storage.files import UNFINISHED, LocalFiles
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.npz import read_npz

FORMAT = "pymaf-data evaluation 1"
PERSONS = ("row", "image", "annotation_id")


class Figure(StrictModel):
    """One figure; None where nobody could be measured."""

    value: float | None
    low: float | None = None
    high: float | None = None
    """Bounds of the 95 % interval, by drawing persons anew; None where that was not asked for or has no meaning."""
    persons: int
    """Whose values it is of."""


class Evaluation(StrictModel):
    """A subject on a benchmark. The plain values are JSON's own."""

    format: str = FORMAT
    benchmark: str
    title: str
    protocol: tuple[str, ...]
    metrics: dict[str, dict[str, Any]]
    published: tuple[dict[str, Any], ...]
    subject: dict[str, Any]
    """kind, name, and what is known of it: file, body, frame, recipe, licences."""
    store: dict[str, Any]
    """What it was measured on; empty where there was none."""
    settings: dict[str, Any]
    """crop, options of the benchmark, precision, how many persons were asked for."""
    persons: int
    iterations: dict[str, dict[str, Figure]]
    """M0 … M3, or fit → metric → figure."""
    groups: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """Of the last iteration: group → metric → figure."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Metric → why it was not measured."""
    notes: tuple[str, ...] = ()
    """What else is to be known of the figures."""
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def last(self) -> str:
        """The name of the last iteration."""
        return list(self.iterations)[-1]


@dataclass(frozen=True)
class Measured:
    """An evaluation and the values of its persons.

    Attributes:
        evaluation: the figures.
        values: ``<iteration>/<name>`` → (K, …), and :data:`PERSONS` → (K,).
    """

    evaluation: Evaluation
    values: dict[str, NDArray[Any]]


def write(measured: Measured, folder: Path, name: str) -> Path:
    """Write both files whole; returns the JSON's path.

    Raises:
        DiskFull, NotWritable: they cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **measured.values)  # type: ignore[arg-type]
    comment = seal(buffer.getbuffer())
    text = measured.evaluation.model_dump_json(indent=1) + "\n"
    # The values first: where there are figures there are values.
    LocalFiles(folder).write({f"{name}.npz": [buffer.getvalue(), comment]}, UNFINISHED)
    LocalFiles(folder).write({f"{name}.json": [text.encode()]}, UNFINISHED)
    return folder / f"{name}.json"


def read(path: Path) -> Measured:
    """Read an evaluation by its JSON.

    Raises:
        EvaluationError: it is not there, damaged, or something else.
    """
    action = "measure again with `pymaf-data evaluate`."
    try:
        evaluation = Evaluation.model_validate_json(read_whole(path))
        beside = path.with_suffix(".npz")
        data = read_whole(beside)
        if seal_holds(np.frombuffer(data, np.uint8)) is False:
            raise RawDataCorrupt(f"{beside} is damaged: its bytes are not those that were written")
        return Measured(evaluation, read_npz(data, origin=str(beside)))
    except (RawDataCorrupt, OSError) as error:
        found = getattr(error, "found", f"{path}: {error}")
        raise EvaluationError(found, expected="what `evaluate` writes", action=action) from None
    except ValidationError as error:
        raise EvaluationError(
            f"{path} is no evaluation: {error.error_count()} faults, the first at {error.errors()[0]['loc']}",
            expected=FORMAT,
            action=action,
        ) from None
