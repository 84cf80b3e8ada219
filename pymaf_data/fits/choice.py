"""Which fit a person gets where several are at hand: a pure function of all sources, a rule and a human's verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.corrections import ALL, DROP, NO_VERDICTS, PREFER, Verdicts
from pymaf_data.fits.rule import Rule
from pymaf_data.storage import ArraySpec

NONE = -1
_INNER_CHUNK = 64

REASONS = (
    "",
    "no valid fit",
    "reprojection beyond the gate",
    "silhouette off the mask",
    "shape beyond the gate",
    "joints beyond their limits",
    "pose beyond the gate",
    "dropped by a correction",
    "another preferred by a correction",
    "mirror image nearer",
    "scale beyond the gate",
)
"""What kept a row's first choice from it; the attribute ``reasons`` of a choice that has gates or verdicts."""

REASONS_OF_UNALIGNED = REASONS[:9]
"""Those of a choice without a gate on mirror images or scale, as they were before there were such."""

NO_FIT, _DROPPED, _OVERRULED = 1, 7, 8
"""Where no source has a valid fit, the sources say why."""
_REJECTS = {
    "reprojection": 2,
    "mask_iou": 3,
    "betas": 4,
    "beyond_limits": 5,
    "pose_prior": 6,
    "mirrored": 9,
    "scale": 10,
}


class Choice(NamedTuple):
    """What N persons got.

    Attributes:
        source: (N,) int16 index of the source, −1: none.
        reason: (N,) uint8 index into :data:`REASONS`: what kept the source from the person that would have been its
            without gates and verdicts; 0 where nothing did.
        rejected: (K, N) uint8 index into :data:`REASONS` of each source's valid fits that the gates or a verdict take
            out, 0 of others.
        unfollowed: rows for which a verdict prefers a source that has no valid fit of them.
    """

    source: NDArray[np.int16]
    reason: NDArray[np.uint8]
    rejected: NDArray[np.uint8]
    unfollowed: NDArray[np.int64]


def choice_specs(shard: int, judged: bool = False) -> tuple[ArraySpec, ...]:
    """The arrays of a generation of ``choice`` in a store of that shard size; ``judged``: by gates or verdicts."""
    arrays = [("source", "i2"), ("reason", "u1")] if judged else [("source", "i2")]
    return tuple(ArraySpec(name, (), dtype, math.gcd(_INNER_CHUNK, shard)) for name, dtype in arrays)


def decide(
    rule: Rule, sources: Sequence[str], measures: Mapping[str, NDArray[Any]], verdicts: Verdicts = NO_VERDICTS
) -> Choice:
    """Choose a source per person.

    Args:
        rule: the rule; its ``prefer`` names some of the sources.
        sources: names of K sources, one at least.
        measures: (K, N) ``valid`` and ``reprojection``, and what the rule has gates for; NaN and infinity: not known.
        verdicts: of the N persons, by row.
    """
    valid, reprojection = measures["valid"].astype(bool), measures["reprojection"]
    prefer = [sources.index(name) for name in rule.prefer]
    first = choose(valid, reprojection, prefer)
    rejected = _rejected(rule, valid, measures)
    wanted = np.full(valid.shape[1], NONE)
    for row, number, verdict in verdicts.entries:
        if verdict == PREFER:
            wanted[row] = number
        else:
            which = slice(None) if number == ALL else number
            rejected[which, row] = _DROPPED * (valid[which, row] & (verdict == DROP))
    source = choose(valid & (rejected == 0), reprojection, prefer)
    rows = np.flatnonzero(wanted != NONE)
    followed = valid[wanted[rows], rows]
    source[rows[followed]] = wanted[rows[followed]]
    against = rejected[first, np.arange(len(first))]
    kept_out = np.where(against == 0, _OVERRULED, against)
    reason = np.where(first == NONE, NO_FIT, np.where(source == first, 0, kept_out))
    return Choice(source, reason.astype(np.uint8), rejected, rows[~followed])


def _rejected(rule: Rule, valid: NDArray[np.bool_], measures: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """(K, N) the first gate that a valid fit does not pass, as an index into :data:`REASONS`; 0: it passes all."""
    rejected = np.zeros(valid.shape, np.uint8)
    for name, limit in rule.gates.items():
        value = measures[name]
        beyond = value < limit if name == "mask_iou" else value > limit
        rejected[valid & beyond & np.isfinite(value) & (rejected == 0)] = _REJECTS[name]
    return rejected


def choose(
    valid: NDArray[np.bool_], reprojection: NDArray[np.floating], prefer: Sequence[int] = ()
) -> NDArray[np.int16]:
    """Choose a source per person, by preference alone.

    Args:
        valid: (K, N) whether each of K sources has a fit.
        reprojection: (K, N) mean view pixels.
        prefer: sources that win wherever they are valid, the first first.

    Returns:
        (N,) int16 index of the source, −1 where none is valid; the first of equals.
    """
    if not len(valid):
        return np.full(valid.shape[1], NONE, np.int16)
    # Infinite is a fit that nothing was labelled for: still better than none.
    price = np.where(valid, np.minimum(np.nan_to_num(reprojection, nan=np.inf), 1e30), np.inf)
    for place, source in enumerate(prefer):
        price[source] = np.where(valid[source], place - len(prefer), np.inf)
    return np.where(valid.any(0), price.argmin(0), NONE).astype(np.int16)
