"""Thinning of sequences: of frames that differ little from one another, some are kept.

every:5         frames 0, 5, 10, … of their sequence
motion:100mm    a frame in which a joint has moved by 100 mm since the last frame kept
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import UsageError

_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}


@dataclass(frozen=True)
class Thin:
    """Which frames of one subject, seen by one camera, are kept.

    Attributes:
        every: frames from one kept to the next; 0: as they move.
        metres: by which a joint must have moved.
    """

    every: int = 0
    metres: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of ``every:5`` or ``motion:100mm``.

        Raises:
            UsageError: it is neither.
        """
        every = re.fullmatch(r"every:([1-9]\d{0,8})", text)
        motion = re.fullmatch(r"motion:(\d+(?:\.\d+)?)(mm|cm|m)", text)
        if every:
            return cls(every=int(every[1]))
        if motion and float(motion[1]) > 0:
            return cls(metres=float(motion[1]) * _METRES[motion[2]])
        raise UsageError(
            f"--thin {text!r}",
            expected="every:N, every Nth frame; or motion:100mm, frames in which a joint moved by so much (mm, cm, m)",
            action="name one of both, or leave it out: frames are then taken as the published preprocessing does.",
        )

    def keep(self, frames: NDArray[np.int64], joints: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which frames to keep, (N,).

        Args:
            frames: (N,) numbers in their sequence, ascending.
            joints: (N, J, 3) metres, in a frame that stands still; NaN where a joint is not known. A frame without
                any joint that the last one kept has too is kept.
        """
        if self.every:
            return np.asarray(frames % self.every == 0)
        kept = np.zeros(len(frames), np.bool_)
        last = 0
        while last < len(frames):
            kept[last] = True
            last = self._next(joints, last)
        return kept

    def _next(self, joints: NDArray[np.float64], last: int) -> int:
        """The first frame after one in which a joint has moved far enough; looked for in ever longer stretches."""
        start, length = last + 1, 64
        while start < len(joints):
            moved = np.linalg.norm(joints[start : start + length] - joints[last], axis=-1)
            far = (moved >= self.metres).any(-1) | np.isnan(moved).all(-1)
            if far.any():
                return start + int(far.argmax())
            start, length = start + length, 2 * length
        return len(joints)
