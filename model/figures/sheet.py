"""What a figure is before it is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pymaf_data.report.sheet import SheetRow

IMAGE = "image"


class Sheet(NamedTuple):
    """A figure.

    Attributes:
        columns: their titles.
        entries: rows of panels from top to bottom.
        rows: of the store, whom it shows.
        values: measure → its value of each of these persons; of figures that measure.
    """

    columns: list[str]
    entries: list[SheetRow]
    rows: list[int]
    values: dict[str, list[float]]


def titled(names: Sequence[str]) -> list[str]:
    """Titles of what is set side by side that a column has room for."""
    letters = [f"{letter}: " if len(names) > 1 else "" for letter in "ABCD"[: len(names)]]
    return [
        letter + (name if len(name) <= _ROOM else f"{name[: _ROOM - 2]}..")
        for letter, name in zip(letters, names, strict=True)
    ]


_ROOM = 22  # letters in a column, beside its own
