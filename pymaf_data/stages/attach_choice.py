"""Choose among the fits of a store, shard by shard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import UsageError
from pymaf_data.fits.choice import NONE, REASONS, REASONS_OF_UNALIGNED, Choice, choice_specs, decide
from pymaf_data.fits.corrections import NO_VERDICTS, Verdicts, read_corrections, verdicts_on
from pymaf_data.fits.rule import ChooseOptions, Rule
from pymaf_data.stages.executors import Threads
from pymaf_data.stages.shards import Made, run_shards
from pymaf_data.storage import Array, StageInfo, StageWriter, Store

STAGE = "choice"
_FITS = "fits/"


class CorrectionsReport(StrictModel):
    """What became of a human's verdicts."""

    applied: int
    strangers: tuple[str, ...]
    """Verdicts on persons that the store does not have."""
    sourceless: tuple[str, ...]
    """Verdicts on sources that it does not have."""
    unfollowed: tuple[str, ...]
    """Persons without a valid fit of the source that is preferred for them."""


class ChoiceReport(StrictModel):
    """How many persons got their fit from where, and why the others did not."""

    rule: str
    forced: tuple[str, ...]
    """Sources among them that the proof refused."""
    persons: dict[str, int]
    none: int
    generation: str
    kept_out: dict[str, int]
    """Persons by what kept their first choice from them."""
    rejected: dict[str, dict[str, int]]
    """Source → what took valid fits of it out → how many."""
    unjudged: dict[str, int]
    """Gate → valid fits of which its measure is not known: they pass it."""
    corrections: CorrectionsReport | None = None


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


def attach_choice(store: Store, options: ChooseOptions, break_lock: bool = False) -> ChoiceReport | None:
    """Write the choice among every proved source; ``None`` where there is none.

    Raises:
        UsageError: a preferred source is not there, or one lacks what a gate judges by.
        ConfigError: the file of corrections is none.
    """
    sources, rule = proved_sources(store), options.rule
    for name in rule.prefer:
        if name not in sources:
            raise UsageError(
                f"there is no source {name} to prefer in {store.path}",
                expected=f"one of {', '.join(sources) or 'none, as no source is proved'}",
                action="attach it with --fits, or leave --prefer out.",
            )
    if not sources:
        return None
    _require_judged(store, sources, rule)
    generations = {name: info.generation for name, info in sources.items()}
    verdicts, digest = NO_VERDICTS, ""
    if options.corrections is not None:
        verdicts, digest = verdicts_on(read_corrections(options.corrections), store.rows, generations)
    attributes = rule.attributes(generations)
    forced = [name for name, info in sources.items() if info.attributes.get("forced")]
    attributes |= {"forced": forced} if forced else {}
    job = ChoiceJob(store, tuple(sources), rule, verdicts, digest, attributes)
    run_shards(store, job, Threads(1), break_lock=break_lock)
    return _report(job, options.corrections is not None)


def _require_judged(store: Store, sources: dict[str, StageInfo], rule: Rule) -> None:
    for name, info in sources.items():
        lacking = [gate for gate in rule.gates if gate not in info.record.specs]
        if lacking:
            raise UsageError(
                f"{info.stage} of {store.path} was attached by a version that did not measure {', '.join(lacking)}",
                expected="what the rule judges fits by",
                action=f"attach {name} again with the same --fits beside these options, or leave these gates out.",
            )


@dataclass(frozen=True)
class ChoiceJob:
    """The choice as :func:`run_shards` takes it."""

    store: Store
    sources: tuple[str, ...]
    rule: Rule
    verdicts: Verdicts
    corrections: str
    plain: dict[str, Any]
    stage: str = STAGE
    remark: str = ""
    files: tuple[Path, ...] = ()
    _arrays: dict[str, Array] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether more decides than the preference, so that rows have a reason."""
        return bool(self.rule.gates or self.corrections)

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the generation."""
        reasons = REASONS_OF_UNALIGNED if self.rule.gates.keys().isdisjoint(("mirrored", "scale")) else REASONS
        return self.plain | ({"reasons": list(reasons), "corrections": self.corrections} if self.judged else {})

    @property
    def generation(self) -> str:
        """Its digest."""
        return self.rule.generation(self.plain["generations"], self.corrections)

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`."""
        return store.stage(STAGE, self.generation, choice_specs(store.shard, self.judged), self.attributes)

    def task(self, shard: int, rows: slice) -> Made:
        """See :class:`ShardJob`."""
        chosen = self.choose(rows)
        arrays: dict[str, np.ndarray] = {"source": chosen.source} | ({"reason": chosen.reason} if self.judged else {})
        return Made(arrays, digest_json(self.attributes))

    def choose(self, rows: slice) -> Choice:
        """The choice for some rows."""
        return decide(self.rule, self.sources, self.measures(rows), self.verdicts.of(rows))

    def measures(self, rows: slice) -> dict[str, np.ndarray]:
        """(K, N) of every source what the rule asks for."""
        wanted = dict.fromkeys(("valid", "reprojection", *self.rule.gates))
        return {name: np.stack([self._measure(source, name, rows) for source in self.sources]) for name in wanted}

    def _measure(self, source: str, name: str, rows: slice) -> np.ndarray:
        key = f"{_FITS}{source}/{name}"
        if key not in self._arrays:  # shard by shard: to open an array is to look at all its shards
            self._arrays[key] = self.store.array(key)
        values = self._arrays[key][rows]
        return np.abs(values).max(1) if name == "betas" else values


def _report(job: ChoiceJob, corrected: bool) -> ChoiceReport:
    rows = slice(0, len(job.store))
    chosen, measures, verdicts = job.choose(rows), job.measures(rows), job.verdicts
    unfollowed = [job.store.rows[row] for row in chosen.unfollowed.tolist()]
    corrections = CorrectionsReport(
        applied=len(verdicts.entries) - len(unfollowed),
        strangers=verdicts.strangers,
        sourceless=verdicts.sourceless,
        unfollowed=tuple(f"{name} #{number}" for name, number in unfollowed),
    )
    valid = measures["valid"].astype(bool)
    return ChoiceReport(
        rule=str(job.attributes["rule"]),
        forced=tuple(job.plain.get("forced", ())),
        persons={name: int((chosen.source == i).sum()) for i, name in enumerate(job.sources)},
        none=int((chosen.source == NONE).sum()),
        generation=job.generation,
        kept_out=_counted(chosen.reason),
        rejected={name: counts for i, name in enumerate(job.sources) if (counts := _counted(chosen.rejected[i]))},
        unjudged={
            gate: count for gate in job.rule.gates if (count := int((valid & ~np.isfinite(measures[gate])).sum()))
        },
        corrections=corrections if corrected else None,
    )


def _counted(codes: np.ndarray) -> dict[str, int]:
    return {REASONS[code]: count for code, count in sorted(Counter(codes.tolist()).items()) if code}
