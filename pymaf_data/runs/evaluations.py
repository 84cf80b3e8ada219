"""What a measurement leaves on disk, and whoever reads it again finds.

    evaluations/<subject>/<benchmark>.json            figures with their intervals, and everything that they are true of
    evaluations/<subject>/<benchmark>.<digest>.npz    values of each person, for comparing two; the JSON names it
    evaluations/<subject>/<benchmark>.csv             the figures once more, a row for each iteration, group and method

The JSON is written last and whole: whoever is stopped before leaves the former result as it was.

Values are named ``<iteration>/<name>``; beside them stand the persons (row of the store, image, annotation id), who
belongs to which group (``in/<group>``), and bodies to be drawn (``drawn/…``, :mod:`pymaf_data.runs.drawn`). The npz
carries a digest; see :mod:`pymaf_data.storage.archives`.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from pymaf_data.config import StrictModel
from pymaf_data.errors import EvaluationError, RawDataCorrupt
from pymaf_data.storage.archives import seal, seal_holds
from pymaf_data.storage.files import UNFINISHED, LocalFiles, make_folder, writing_to
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.json_text import parse_json
from pymaf_data.untrusted.npz import read_npz

PERSONS = ("row", "image", "annotation_id")
GROUP, DRAWN = "in/", "drawn/"
_LARGEST = 1 << 26
_FIGURES = ("values", "persons", "iterations", "groups", "lacking", "notes", "versions")


class Metric(StrictModel):
    """One figure of a benchmark."""

    unit: str = ""
    """What it is told in: mm, %, degrees; nothing for a share."""
    better: Literal["lower", "higher"] = "lower"
    digits: int = Field(default=1, ge=0, le=6)
    """Behind the point, as it is published."""
    title: str = ""
    """What it measures, in a line."""


class Published(StrictModel):
    """A row of somebody's table, in the benchmark's units."""

    method: str
    source: str
    """The paper or table."""
    figures: dict[str, FiniteFloat]
    note: str = ""
    """Where it was measured otherwise."""


class Figure(StrictModel):
    """One figure; None where nobody could be measured."""

    value: float | None = Field(allow_inf_nan=False)
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    """Bounds of the 95 % interval, by drawing persons anew; None where that was not asked for or has no meaning."""
    persons: int
    """Whose values it is of."""


class Evaluation(StrictModel):
    """A subject on a benchmark. The plain values are JSON's own."""

    format: Literal["pymaf-data evaluation 1"] = "pymaf-data evaluation 1"
    benchmark: str
    title: str
    protocol: tuple[str, ...]
    metrics: dict[str, Metric]
    published: tuple[Published, ...]
    subject: dict[str, Any]
    """kind, name, and what is known of it: file, body, frame, recipe, licences."""
    store: dict[str, Any]
    """What it was measured on; empty where there was none."""
    settings: dict[str, Any]
    """crop, options of the benchmark, precision, how many persons were asked for."""
    values: str = Field(default="", pattern=r"^([^/\\]+\.npz)?$")
    """The file of the persons' values, beside this one."""
    persons: int
    iterations: dict[str, dict[str, Figure]] = Field(min_length=1)
    """M0 … M3, or fit → metric → figure."""
    groups: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """Of the last iteration: group → metric → figure."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Metric → why it was not measured."""
    notes: tuple[str, ...] = ()
    """What else is to be known of the figures."""
    versions: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_whose_it_is(self) -> Self:
        if not all(isinstance(self.subject.get(key), str) for key in ("kind", "name")):
            raise ValueError("subject has no kind or no name")
        return self

    @property
    def last(self) -> str:
        """The name of the last iteration."""
        return list(self.iterations)[-1]

    @property
    def name(self) -> str:
        """Whose it is."""
        return str(self.subject["name"])

    def conditions(self) -> dict[str, Any]:
        """Everything that its figures are true of; equal conditions give equal figures."""
        return self.model_dump(mode="json", exclude=set(_FIGURES)) | {"by": self.versions.get("pymaf-data")}


@dataclass(frozen=True)
class Measured:
    """An evaluation and the values of its persons.

    Attributes:
        evaluation: the figures.
        values: ``<iteration>/<name>`` → (K, …), :data:`PERSONS` → (K,), ``in/<group>`` → (K,) and ``drawn/…``.
    """

    evaluation: Evaluation
    values: dict[str, NDArray[Any]]

    def of(self, iteration: str) -> dict[str, NDArray[Any]]:
        """Values of one iteration by name."""
        start = f"{iteration}/"
        return {name.removeprefix(start): array for name, array in self.values.items() if name.startswith(start)}


def write(measured: Measured, folder: Path, name: str) -> Path:
    """Write the files whole, or leave those that are there; returns the JSON's path.

    Raises:
        DiskFull, NotWritable: they cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **measured.values)
    archive = buffer.getbuffer()
    comment = seal(archive)
    values = f"{name}.{hashlib.sha256(comment).hexdigest()[:16]}.npz"
    evaluation, files = measured.evaluation.model_copy(update={"values": values}), LocalFiles(folder)
    with _alone_in(folder):
        # The JSON last: it is what says which values are meant.
        files.write({values: [archive, comment]}, UNFINISHED)  # type: ignore[list-item]
        text = evaluation.model_dump_json(indent=1) + "\n"
        files.write({f"{name}.json": [text.encode()]}, UNFINISHED)
        files.write({f"{name}.csv": [csv_of(evaluation).encode()]}, UNFINISHED)
        for former in folder.glob("*.npz"):
            if former.name != values and former.name[: -len(".0123456789abcdef.npz")] == name:
                former.unlink(missing_ok=True)
    return folder / f"{name}.json"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """While nobody else writes there: who clears away old values must not take those whose JSON is still to come."""
    with writing_to(folder):
        make_folder(folder)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> Measured:
    """Read an evaluation by its JSON, and the values of its persons.

    Raises:
        EvaluationError: it is not there, damaged, or something else.
    """
    evaluation = read_figures(path)
    if not evaluation.values:
        raise _unreadable(f"{path} names no file of its persons' values")
    beside = path.with_name(evaluation.values)
    try:
        data = read_whole(beside)
        if not seal_holds(np.frombuffer(data, np.uint8)):
            raise RawDataCorrupt(f"{beside} is damaged: its bytes are not those that were written")
        values = read_npz(data, origin=str(beside))
    except RawDataCorrupt as error:
        raise _unreadable(error.found) from None
    wrong = _misfit(evaluation, values)
    if wrong:
        raise _unreadable(f"{beside} does not belong to {path.name}: {wrong}")
    return Measured(evaluation, values)


def read_figures(path: Path) -> Evaluation:
    """Read the figures alone.

    Raises:
        EvaluationError: as :func:`read`.
    """
    try:
        return Evaluation.model_validate_json(_checked(read_whole(path, _LARGEST)), strict=False)
    except RawDataCorrupt as error:
        raise _unreadable(error.found) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"]) or "the whole"
        raise _unreadable(
            f"{path} is no evaluation: {error.error_count()} faults, the first at {place}: {first['msg'][:120]}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"{path} is not JSON: {str(error)[:120]}") from None


def _checked(text: bytes) -> bytes:
    # Refused are keys that stand twice, of which pydantic would take the last, and numbers that JSON does not have.
    json.dumps(parse_json(text), allow_nan=False)
    return text


def _unreadable(found: str) -> EvaluationError:
    return EvaluationError(
        found, expected="what `pymaf-data evaluate` writes", action="measure again with --overwrite."
    )


def _misfit(evaluation: Evaluation, values: dict[str, NDArray[Any]]) -> str:
    """Why values are not those of an evaluation's persons; empty where they are."""
    lacking = [name for name in PERSONS if name not in values]
    if values and lacking:
        return f"it lacks {', '.join(lacking)}"
    kinds = {"row": "i", "image": "U", "annotation_id": "i"}
    for name, array in values.items():
        if name.startswith(DRAWN):
            continue
        wanted = kinds.get(name, "b" if name.startswith(GROUP) else "f")
        if array.dtype.kind != wanted or array.shape[:1] != (evaluation.persons,):
            return f"{name[:60]} is {array.dtype} {array.shape}, of {evaluation.persons} persons"
    rows = values.get("row", np.empty(0, np.int64))
    return "" if (rows[:1] >= 0).all() and (np.diff(rows) > 0).all() else "its rows are in no order"


def csv_of(evaluation: Evaluation) -> str:
    """A row for each iteration, group and published method: every metric with its bounds, as exact as it is known."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    names = [text for name in evaluation.metrics for text in (name, f"{name} low", f"{name} high")]
    table.writerow(["benchmark", "kind", "name", "iteration", "source", "persons", *names])

    def ours(kind: str, name: str, iteration: str, found: dict[str, Figure]) -> None:
        figures = [found.get(metric) or Figure(value=None, persons=0) for metric in evaluation.metrics]
        cells = [cell for figure in figures for cell in (figure.value, figure.low, figure.high)]
        persons = max((figure.persons for figure in figures), default=0)
        table.writerow([evaluation.benchmark, kind, _text(name), iteration, "", persons, *cells])

    for iteration, found in evaluation.iterations.items():
        ours("measured", evaluation.name, iteration, found)
    for group, found in evaluation.groups.items():
        ours("group", group, evaluation.last, found)
    for row in evaluation.published:
        cells = [cell for metric in evaluation.metrics for cell in (row.figures.get(metric), None, None)]
        table.writerow([evaluation.benchmark, "published", _text(row.method), "", _text(row.source), "", *cells])
    return out.getvalue()


def _text(text: str) -> str:
    # A spreadsheet takes for a formula what begins so.
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
