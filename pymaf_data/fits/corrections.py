"""What a human says of fits, person by person: a JSON file that a report writes, or a hand.

    {"corrections": 1, "verdicts": [{"image": "train2014/a.jpg", "annotation": 17, "verdict": "drop", "source": "eft"}]}

``drop``: this source's fit of that person, or all of them, is not taken. ``keep``: no gate rejects it. ``prefer``: this
source wins, whatever the rule says. What is said of one source goes before what is said of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, RawDataCorrupt
from pymaf_data.untrusted.json_text import read_json

KEEP, DROP, PREFER = "keep", "drop", "prefer"
ALL = -1
_MOST = 1_000_000


class Verdict(StrictModel):
    """Of a person's fit: by one source, or by all where none is named."""

    image: str = Field(max_length=4096)
    annotation: int
    verdict: Literal["keep", "drop", "prefer"]
    source: str | None = Field(default=None, max_length=64)
    note: str = Field(default="", max_length=10_000)

    @model_validator(mode="after")
    def _names_whom_it_prefers(self) -> Self:
        if self.verdict == PREFER and self.source is None:
            raise ValueError("prefer needs the name of a source")
        return self

    @property
    def person(self) -> tuple[str, int]:
        """As rows of a store are keyed."""
        return self.image, self.annotation

    def __str__(self) -> str:
        return f"{self.image} #{self.annotation}: {self.verdict} {self.source or 'all'}"


class Corrections(StrictModel):
    """A file of verdicts."""

    corrections: Literal[1]
    verdicts: tuple[Verdict, ...] = Field(max_length=_MOST)


@dataclass(frozen=True)
class Verdicts:
    """Those of a file that concern a store.

    Attributes:
        entries: (row, source or :data:`ALL`, verdict), sorted: what is said of all sources before what is said of one.
        strangers: verdicts on persons that the store does not have.
        sourceless: verdicts on sources that it does not have.
    """

    entries: tuple[tuple[int, int, str], ...] = ()
    strangers: tuple[str, ...] = ()
    sourceless: tuple[str, ...] = ()

    def of(self, rows: slice) -> Verdicts:
        """Those on the persons of some rows, counted from the first of them."""
        mine = ((row - rows.start, k, said) for row, k, said in self.entries if rows.start <= row < rows.stop)
        return replace(self, entries=tuple(mine))


NO_VERDICTS = Verdicts()


def read_corrections(path: Path) -> Corrections:
    """Read a file of verdicts.

    Raises:
        ConfigError: it is none, or two of its verdicts contradict each other.
    """
    try:
        found = Corrections.parse(read_json(path), str(path))
    except RawDataCorrupt as error:
        raise ConfigError(error.found, expected='{"corrections": 1, "verdicts": […]}') from None
    said: dict[tuple[str, int], dict[str | None, str]] = defaultdict(dict)
    for verdict in found.verdicts:
        before = said[verdict.person]
        preferred = [name for name, word in before.items() if word == PREFER and name != verdict.source]
        if before.setdefault(verdict.source, verdict.verdict) != verdict.verdict or (
            verdict.verdict == PREFER and preferred
        ):
            raise ConfigError(
                f"{path} contradicts itself: {verdict}, where it said otherwise before",
                expected="one verdict on each person and source, and one source to prefer",
                action="take one of them out.",
            )
    return found


def verdicts_on(
    found: Corrections, rows: Sequence[tuple[str, int]], generations: dict[str, str]
) -> tuple[Verdicts, str]:
    """The verdicts that concern a store, and their digest; "" where there are none.

    Args:
        found: of a file.
        rows: (image name, annotation id) of every row.
        generations: of the store's sources by name, in the order of their indices.
    """
    wanted = {verdict.person for verdict in found.verdicts}
    row_of = {tuple(key): row for row, key in enumerate(rows) if tuple(key) in wanted}
    strangers = [str(verdict) for verdict in found.verdicts if verdict.person not in row_of]
    known = [verdict for verdict in found.verdicts if verdict.person in row_of]
    sourceless = [str(verdict) for verdict in known if verdict.source not in (None, *generations)]
    index: dict[str | None, int] = {None: ALL}
    index.update((name, number) for number, name in enumerate(generations))
    mine = [verdict for verdict in known if verdict.source in index]
    entries = tuple(sorted({(row_of[v.person], index[v.source], v.verdict) for v in mine}))
    digest = digest_json(sorted({(*v.person, v.source or "", v.verdict) for v in mine})) if mine else ""
    return Verdicts(entries, tuple(strangers), tuple(sourceless)), digest
