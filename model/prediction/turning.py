"""How fast a person can turn, and so which root rotations are to be believed.

A network that takes a front for a back, or a back for a front, turns the root by about 180° from one frame to the next.
A pirouette of 1.5 turns a second is 540°/s; a throw or a swing turns the pelvis faster, but for some hundredths of a
second only, which the allowance for a network's errors covers. Skaters spin up to five turns a second, and are not
believed at usual rates.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_data.geometry.affines import Floats

#: Degrees per second.
FASTEST = 600.0
#: Degrees that two predictions of one root may be apart because a network errs.
ERROR = 20.0


class Root:
    """The root of one person that is to be believed, frame after frame.

    A rotation is believed where the person could have turned there since one was believed last; who is elsewhere all of
    a sudden is believed when that has lasted long enough, and turns there no faster than a person can.

    Args:
        rotation: (3, 3), of the first frame.
        time: of it, s.
    """

    def __init__(self, rotation: Floats, time: float) -> None:
        self._believed, self._since = rotation, time
        self._shown, self._time = rotation, time

    def __call__(self, rotation: Floats, time: float) -> Floats:
        """What is credible (3, 3) at a time, s, later than the one before."""
        if _apart(self._believed, rotation)[1] <= reach(time - self._since):
            self._believed, self._since = rotation, time
        elapsed, (turn, angle) = time - self._time, _apart(self._shown, self._believed)
        if angle <= reach(elapsed):
            self._shown = self._believed
        else:
            self._shown = self._shown @ Rotation.from_rotvec(turn * FASTEST * elapsed / angle).as_matrix()
        self._time = time
        return self._shown


def reach(elapsed: float) -> float:
    """By how many degrees two predictions may be apart after a time, s."""
    return FASTEST * elapsed + ERROR


def _apart(one: Floats, other: Floats) -> tuple[Floats, float]:
    """The turn from one rotation (3, 3) to another, an axis-angle (3), and how far that is, degrees."""
    turn = Rotation.from_matrix(one.T @ other).as_rotvec()
    return turn, float(np.degrees(np.linalg.norm(turn)))
