"""Choose among the fits of a store, shard by shard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import UsageError
from pymaf_data.fits.choice import NONE, Rule, choice_specs, choose
from pymaf_data.stages.executors import Threads
from pymaf_data.stages.shards import Made, run_shards
from pymaf_data.storage import StageInfo, StageWriter, Store

STAGE = "choice"
_FITS = "fits/"


class ChoiceReport(StrictModel):
    """How many persons got their fit from where."""

    rule: str
    forced: tuple[str, ...]
    """Sources among them that the proof refused."""
    persons: dict[str, int]
    none: int
    generation: str


def proved_sources(store: Store) -> dict[str, StageInfo]:
    """Complete, proved, current sources of a store by name, sorted."""
    names = sorted({info.stage.removeprefix(_FITS) for info in store.stages() if info.stage.startswith(_FITS)})
    infos = {
        name: info
        for name in names
        for info in store.stages()
        if info.stage == _FITS + name and info.current and info.complete
    }
    return {name: info for name, info in infos.items() if info.attributes.get("proved")}


def attach_choice(store: Store, prefer: str | None, break_lock: bool = False) -> ChoiceReport | None:
    """Write the choice among every proved source; ``None`` where there is none.

    Raises:
        UsageError: the preferred source is not there.
    """
    sources = proved_sources(store)
    if prefer is not None and prefer not in sources:
        raise UsageError(
            f"there is no source {prefer} to prefer in {store.path}",
            expected=f"one of {', '.join(sources) or 'none, as no source is proved'}",
            action="attach it with --fits, or leave --prefer out.",
        )
    if not sources:
        return None
    rule = Rule(prefer=prefer)
    generations = {name: info.generation for name, info in sources.items()}
    attributes = rule.attributes(generations)
    forced = [name for name, info in sources.items() if info.attributes.get("forced")]
    attributes |= {"forced": forced} if forced else {}
    run_shards(store, ChoiceJob(store, tuple(sources), rule, attributes), Threads(1), break_lock=break_lock)
    chosen = _chosen(store, list(sources), prefer, slice(0, len(store)))
    return ChoiceReport(
        rule=str(attributes["rule"]),
        forced=tuple(forced),
        persons={name: int((chosen == i).sum()) for i, name in enumerate(sources)},
        none=int((chosen == NONE).sum()),
        generation=rule.generation(generations),
    )


@dataclass(frozen=True)
class ChoiceJob:
    """The choice as :func:`run_shards` takes it."""

    store: Store
    sources: tuple[str, ...]
    rule: Rule
    attributes: dict[str, Any]
    stage: str = STAGE
    remark: str = ""
    files: tuple[Path, ...] = ()

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`."""
        generation = self.rule.generation(self.attributes["generations"])
        return store.stage(STAGE, generation, choice_specs(store.shard), self.attributes)

    def task(self, shard: int, rows: slice) -> Made:
        """See :class:`ShardJob`."""
        chosen = _chosen(self.store, list(self.sources), self.rule.prefer, rows)
        return Made({"source": chosen}, digest_json(self.attributes))


def _chosen(store: Store, names: list[str], prefer: str | None, rows: slice) -> np.ndarray:
    valid = np.stack([store.array(f"{_FITS}{name}/valid")[rows] for name in names])
    reprojection = np.stack([store.array(f"{_FITS}{name}/reprojection")[rows] for name in names])
    return choose(valid, reprojection, names.index(prefer) if prefer else None)
