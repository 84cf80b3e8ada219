"""Bodies of a result that are there to be drawn: those of the worst and of the best persons, and the true ones.

They are members of the result's npz, ``drawn/<name>``, of D persons each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import EvaluationError
from pymaf_data.runs.evaluations import DRAWN

MOST = 48
"""Half of them the worst, half the best."""


@dataclass(frozen=True)
class SomeBodies:
    """D bodies, zeros and an empty ``body`` where there is none.

    Attributes:
        body: (D,) the body model's name.
        digest: (D,) and its digest.
        rotation: (D, 24, 3, 3).
        betas: (D, 10).
        camera: (D, 3, 4) metres → continuous pixels of the original image.
        orthographic: (D,) whether that is a parallel projection.
    """

    body: NDArray[np.str_]
    digest: NDArray[np.str_]
    rotation: NDArray[np.float32]
    betas: NDArray[np.float32]
    camera: NDArray[np.float64]
    orthographic: NDArray[np.bool_]

    @classmethod
    def none(cls, count: int) -> SomeBodies:
        """Of ``count`` persons."""
        return cls(
            np.zeros(count, "U64"), np.zeros(count, "U64"), np.zeros((count, 24, 3, 3), np.float32),
            np.zeros((count, 10), np.float32), np.zeros((count, 3, 4)), np.zeros(count, bool),
        )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """Attributes:
    place: (D,) of each among the persons of the result; the worst first.
    predicted, true: their bodies.
    """

    place: NDArray[np.int64]
    predicted: SomeBodies
    true: SomeBodies

    def members(self) -> dict[str, NDArray[Any]]:
        """As members of an npz."""
        found: dict[str, NDArray[Any]] = {f"{DRAWN}place": self.place}
        for side in ("predicted", "true"):
            bodies = getattr(self, side)
            found |= {f"{DRAWN}{side}/{field.name}": getattr(bodies, field.name) for field in fields(SomeBodies)}
        return found

    @classmethod
    def of(cls, values: Mapping[str, NDArray[Any]], persons: int) -> Drawn | None:
        """Those of a result; None where it has none.

        Raises:
            EvaluationError: they are not what ``evaluate`` writes.
        """
        place = values.get(f"{DRAWN}place")
        if place is None:
            return None
        count = len(place) if place.ndim == 1 else -1
        if place.dtype.kind != "i" or not 0 <= count <= MOST or ((place < 0) | (place >= persons)).any():
            raise _wrong("place")
        sides = {}
        for side in ("predicted", "true"):
            wanted, members = SomeBodies.none(count), {}
            for field in fields(SomeBodies):
                like, name = getattr(wanted, field.name), f"{DRAWN}{side}/{field.name}"
                found = values.get(name)
                if found is None or found.shape != like.shape or found.dtype.kind != like.dtype.kind:
                    raise _wrong(name)
                if like.dtype.kind == "f" and not np.isfinite(found).all():
                    raise _wrong(name)
                members[field.name] = found
            sides[side] = SomeBodies(**members)
        return cls(place, sides["predicted"], sides["true"])


def _wrong(name: str) -> EvaluationError:
    return EvaluationError(
        f"the bodies to be drawn are not whole: {name}",
        expected="what `pymaf-data evaluate` writes",
        action="measure again with --overwrite.",
    )
