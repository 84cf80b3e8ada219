"""The part of a store's page that is about its sources of fits, and the files beside the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.report.sources.agreement import MOST, Agreement, add_to, compare
from pymaf_data.report.sources.columns import Sources
from pymaf_data.report.sources.described import described_sources
from pymaf_data.report.sources.measures import RANKED, SOURCE_MEASURES
from pymaf_data.report.sources.tables import csv_lines, json_text, worst_named
from pymaf_data.report.sources.views import Panels, draw_persons
from pymaf_data.report.sources.worst import COUNT, order_of_images, worst_rows
from pymaf_data.report.thumbnails import Bodies
from pymaf_data.storage import Store

CSV, JSON = ".sources.csv", ".sources.json"


@dataclass(frozen=True)
class SourcesPart:
    """What is known of a store's sources.

    Attributes:
        bodies: place of a source → its body, ``None`` where that very body is not here.
    """

    store: Store
    sources: Sources
    bodies: Mapping[int, BodyModel | None]
    agreements: list[Agreement]
    described: dict[str, Any]

    @classmethod
    def of(cls, store: Store, bodies: Bodies) -> SourcesPart | None:
        """Read and compare the sources; ``None`` where the store has none.

        Raises:
            StoreError: it cannot be read.
        """
        sources = Sources.read(store)
        if not sources.of:
            return None
        own = {place: _body(sources, place, bodies) for place in sources.compared}
        agreements = compare(store, sources, own)
        add_to(sources, agreements)
        return cls(store, sources, own, agreements, described_sources(sources, agreements))

    def meta(self) -> dict[str, Any]:
        """JSON for the scripts: all but persons, and who stands in which column of :meth:`block`."""
        rows = self._worst
        names = [self.store.rows[row] for row in rows.tolist()]
        worst = {
            "count": COUNT,
            "ranked": [key for key in RANKED if key in self._keys],
            "keys": self._keys,
            "rows": rows.tolist(),
            "names": [name for name, _ in names],
            "annotations": [annotation for _, annotation in names],
            "chosen": self.sources.chosen[rows].tolist(),
            "kept_out": self.sources.kept_out[rows].tolist() if self.sources.kept_out is not None else None,
            "kept_out_by": list(self.sources.reader.choice.attributes.get("reasons", []))
            if self.sources.reader
            else [],
            "reasons": [list(source.info.attributes["reasons"]) for source in self.sources.of],
        }
        return {**self.described, "most_compared": MOST, "store": self._identity(), "worst": worst}

    def block(self) -> bytes:
        """Of the rows of :meth:`meta`: of each source every measure, float32, then why it has no fit, a byte."""
        rows, parts = self._worst, []
        unknown = np.full(len(rows), np.nan, "<f4")
        for source in self.sources.of:
            having = source.values
            parts += [having[key][rows].astype("<f4") if key in having else unknown for key in self._keys]
        missing = [np.where(one.there[rows], one.reason[rows], 255).astype(np.uint8) for one in self.sources.of]
        return b"".join(part.tobytes() for part in [*parts, *missing])

    def images(self, count: int | None) -> Iterator[tuple[str, Panels]]:
        """(element name, images) of the worst persons in order of importance, at most ``count``."""
        rows = order_of_images(self.sources)[:count]
        yield from ((f"w{row}", panels) for row, panels in draw_persons(self.store, self.sources, rows, self.bodies))

    def files(self) -> dict[str, Iterable[bytes]]:
        """What stands beside the page, by what takes the place of its ``.html``."""
        worst = worst_named(self.store, self.sources, COUNT)
        text = json_text({"report": "sources", "store": self._identity(), **self.described, "worst": worst})
        return {CSV: csv_lines(self.store, self.sources), JSON: [text]}

    @cached_property
    def _worst(self) -> NDArray[np.int64]:
        return worst_rows(self.sources)

    @property
    def _keys(self) -> list[str]:
        return [m.key for m in SOURCE_MEASURES if any(m.key in source.values for source in self.sources.of)]

    def _identity(self) -> dict[str, str]:
        head = self.store.head
        persons = self.store.current("ingest").generation
        return {"dataset": head["dataset"], "split": head["split"], "persons": persons}


def _body(sources: Sources, place: int, bodies: Bodies) -> BodyModel | None:
    source = sources.of[place]
    body = bodies.loaded.get(bodies.of_source[source.index])
    return body if body is not None and body.digest == source.info.attributes["body_digest"] else None
