"""The report of sources as JSON: where each comes from, its counts and distributions, and how far they are apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.choice import NONE
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.report.sources.agreement import Agreement
from pymaf_data.report.sources.columns import Source, Sources
from pymaf_data.report.sources.measures import SOURCE_MEASURES, SourceMeasure

QUANTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95}
_BINS, _BEYOND = 24, 0.005
_NOT_ATTACHED = "not attached yet"


def described_sources(sources: Sources, agreements: list[Agreement]) -> dict[str, Any]:
    """Everything but persons."""
    names = [source.name for source in sources.of]
    return {
        "persons": len(sources.chosen),
        "nothing_chosen": int((sources.chosen == NONE).sum()),
        "rule": sources.reader.choice.attributes.get("rule", "") if sources.reader else "",
        "kept_out": _kept_out(sources),
        "sources": [_source(sources, place) for place in range(len(names))],
        "measures": [_measure(sources, measure) for measure in SOURCE_MEASURES if _known(sources, measure.key)],
        "agreement": [_agreement(one, names) for one in agreements],
    }


def summary(values: NDArray[np.floating]) -> dict[str, float | int | None]:
    """Of the values that are known: how many, median, 5 % and 95 %, least and greatest; null where there are none."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return {"known": 0, **dict.fromkeys(("least", *QUANTILES, "greatest"))}
    found = {name: _rounded(known[round(share * (len(known) - 1))]) for name, share in QUANTILES.items()}
    return {"known": len(known), "least": _rounded(known[0]), **found, "greatest": _rounded(known[-1])}


def _source(sources: Sources, place: int) -> dict[str, Any]:
    source = sources.of[place]
    about = source.info.attributes
    stated = about.get("source") or {}
    return {
        "name": source.name,
        "generation": source.info.generation,
        "format": stated.get("format", ""),
        "body": about.get("body", ""),
        "proved": bool(about.get("proved", source.index != NONE)),
        "forced": about.get("forced", ""),
        "converted_from": about.get("converted_from", ""),
        "native_kind": about.get("native_kind", ""),
        "frames": {name: int((source.valid & (source.frame == code)).sum()) for code, name in enumerate(FRAMES)},
        "licences": about.get("licences", {}),
        "valid": int(source.valid.sum()),
        "chosen": int((sources.chosen == place).sum()),
        "without": _without(source),
    }


def _without(source: Source) -> dict[str, int]:
    """Persons without a fit by reason, most first."""
    named = [str(name) for name in source.info.attributes["reasons"]]
    codes, counts = np.unique(source.reason[source.there & ~source.valid], return_counts=True)
    found = {named[code] or "no fit": int(count) for code, count in zip(codes.tolist(), counts, strict=True)}
    if not source.there.all():
        found[_NOT_ATTACHED] = int((~source.there).sum())
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _kept_out(sources: Sources) -> dict[str, int]:
    """Persons by what kept their first choice from them, most first: gates and verdicts."""
    if sources.reader is None or sources.kept_out is None:
        return {}
    named = sources.reader.choice.attributes["reasons"]
    codes, counts = np.unique(sources.kept_out[sources.kept_out > 0], return_counts=True)
    return {str(named[codes[k]]): int(counts[k]) for k in np.argsort(-counts, kind="stable")}


def _known(sources: Sources, key: str) -> bool:
    return any(np.isfinite(source.values.get(key, np.nan)).any() for source in sources.of)


def _measure(sources: Sources, measure: SourceMeasure) -> dict[str, Any]:
    """A measure, and of each source its summary and the counts of bins that all share."""
    found = [source.values.get(measure.key, np.empty(0, np.float32)) for source in sources.of]
    known = [values[np.isfinite(values)] for values in found]
    first, step, count = bins(np.concatenate(known))
    places = [np.clip(np.floor((values - first) / step + 1e-9), 0, count - 1).astype(np.int64) for values in known]
    return {
        **{name: getattr(measure, name) for name in ("key", "title", "unit", "note", "worst")},
        "bins": {"first": first, "step": step, "counts": [np.bincount(p, minlength=count).tolist() for p in places]},
        "of": [summary(values) for values in known],
    }


def bins(values: NDArray[np.floating]) -> tuple[float, float, int]:
    """First edge, width and number of about 24 bins for all but the outermost 0.5 %, which the end bins take in."""
    low, high = np.quantile(values.astype(np.float64), [_BEYOND, 1 - _BEYOND], method="nearest").tolist()
    rough = (high - low) / _BINS or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.floor(low / step) * step
    return first, step, max(1, math.ceil((high - first) / step + 1e-6))


def _agreement(one: Agreement, names: list[str]) -> dict[str, Any]:
    joints = np.nanmedian(one.angle, axis=0) if np.isfinite(one.angle).any() else np.full(23, np.nan)
    return {
        "first": names[one.first],
        "second": names[one.second],
        "both": one.both,
        "compared": len(one.rows),
        "angle": summary(one.angle.mean(1)),
        "root": summary(one.root),
        "distance": summary(one.distance),
        "joints": {name: _rounded(value) for name, value in zip(SMPL24.joints[1:], joints, strict=True)},
    }


def _rounded(value: float) -> float | None:
    """Six digits, which is what float32 columns have; null for what is not known."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
