"""How fast a person can turn, and so which root rotations are to be believed.

A network that takes a front for a back, or a back for a front, turns the root by about 180° from one frame to the next.
A pirouette of 1.5 turns a second is 540°/s; the pelvis of baseball pitchers reaches 600–700°/s for some hundredths of a
second (Fleisig et al., J. Biomech. 32, 1999), which the allowance for a network's errors covers. Skaters spin faster,
up to five turns a second, and are not believed at usual rates.
"""

from __future__ import annotations

import math

import numpy as np

from pymaf_data.geometry.affines import Floats

#: Degrees per second.
FASTEST = 600.0
#: Degrees that two predictions of one root may be apart because a network errs.
ERROR = 20.0


def reachable(before: Floats, now: Floats, elapsed: float) -> bool:
    """Whether a person can have turned from one root rotation (3, 3) to another in a time, s."""
    cosine = (np.trace(before.T @ now) - 1) / 2
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine)))) <= FASTEST * elapsed + ERROR
