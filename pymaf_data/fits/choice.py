"""Which fit a person gets where several are at hand: a pure function of all sources and a rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.storage import ArraySpec

NONE = -1
_INNER_CHUNK = 64
_METHOD = 1


def choice_specs(shard: int) -> tuple[ArraySpec, ...]:
    """The array of a generation of ``choice`` in a store of that shard size."""
    return (ArraySpec("source", (), "i2", math.gcd(_INNER_CHUNK, shard)),)


class Rule(StrictModel):
    """The lowest reprojection among valid fits; with ``prefer``, that source wherever it is valid."""

    prefer: str | None = None

    def generation(self, sources: Mapping[str, str]) -> str:
        """Digest of the rule and of every source, name → generation."""
        return digest_json({"method": _METHOD, "rule": self.model_dump(mode="json"), "sources": dict(sources)})

    def attributes(self, sources: Mapping[str, str]) -> dict[str, Any]:
        """What a choice says about itself."""
        rule = "lowest reprojection among valid fits"
        if self.prefer:
            rule = f"{self.prefer} where valid, else {rule}"
        return {"sources": sorted(sources), "generations": dict(sources), "rule": rule}


def choose(valid: np.ndarray, reprojection: np.ndarray, prefer: int | None = None) -> np.ndarray:
    """Choose a source per person.

    Args:
        valid: (K, N) whether each of K sources has a fit.
        reprojection: (K, N) mean view pixels.
        prefer: a source that wins wherever it is valid.

    Returns:
        (N,) int16 index of the source, −1 where none is valid; the first of equals.
    """
    if not len(valid):
        return np.full(valid.shape[1], NONE, np.int16)
    # Infinite is a fit that nothing was labelled for: still better than none.
    price = np.where(valid, np.minimum(np.nan_to_num(reprojection, nan=np.inf), 1e30), np.inf)
    if prefer is not None:
        price[prefer] = np.where(valid[prefer], -1.0, np.inf)
    return np.where(valid.any(0), price.argmin(0), NONE).astype(np.int16)
