"""Human3.6M as SPIN and PyMAF measure it: the data set's joints, and bodies where MoSh's are attached."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from pymaf_data.metrics import pve

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, mean, millimetres
from .joints import J14_OF_H36M, joint_errors, measured_joints, of_h36m
from .truth import NEUTRAL, TrueBodies

# images/S9_Directions_1.60457274_000001.jpg, also of other folders; subactions count from nothing.
_IMAGE = re.compile(r"(?:.*/)?S\d+_([A-Za-z]+)(?:[_ ]\d)?\.\d{8}_.*")
# As S1 alone calls them, and what they are called elsewhere.
_ALSO = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
_OVER_ACTIONS = " (actions)"


class Human36m(Benchmark):
    """See the module. Figures named ``… (actions)`` are means over actions of their means."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.truth = truth = TrueBodies(self.store, self.manifest.truth, setting.assets, body=NEUTRAL, raw=setting.raw)
        if not truth:
            why = (
                truth.lacking if truth.names else "bodies by MoSh are not attached (`attach-fits --fits h36m-mosh:DIR`)"
            )
            self.lacking = {"PVE": why}
        joints = of_h36m(measured_joints(self.store, self.rows))[:, list(J14_OF_H36M)]
        self.rows = self.rows[np.isfinite(joints.numpy()).all((1, 2))]
        kinds, codes = np.unique([_action(name) for name, _ in self.store.rows], return_inverse=True)
        self._kinds: list[str] = kinds.tolist()
        self._action: NDArray[np.int64] = codes  # of every row; numbers, as figures are asked for a thousand times

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        values = joint_errors(bodies, of_h36m(measured_joints(self.store, rows)))
        if self.truth:
            values["PVE"] = millimetres(pve(bodies.posed, self.truth.vertices(rows).to(bodies.vertices)))
        return values

    def figures(self, rows: Rows, values: Values) -> dict[str, float]:
        """See :class:`Benchmark`."""
        found, action, kinds = super().figures(rows, values), self._action[rows], len(self._kinds)
        for name in self.manifest.metrics:
            plain = name.removesuffix(_OVER_ACTIONS)
            if name != plain and plain in values:
                known = np.isfinite(values[plain])
                counts = np.bincount(action[known], minlength=kinds)
                sums = np.bincount(action[known], values[plain][known], minlength=kinds)
                found[name] = mean(sums[counts > 0] / counts[counts > 0])
        return found

    def groups(self, rows: Rows) -> dict[str, NDArray[np.bool_]]:
        """By action."""
        return {kind: self._action[rows] == code for code, kind in enumerate(self._kinds)}


def _action(name: str) -> str:
    match = _IMAGE.fullmatch(name)
    return _ALSO.get(match[1], match[1]) if match else "of no action"
