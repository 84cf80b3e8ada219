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
        self._actions: tuple[NDArray[np.int64], list[str]] | None = None

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        values = joint_errors(bodies, of_h36m(measured_joints(self.store, rows)))
        if self.truth:
            values["PVE"] = millimetres(
                pve(bodies.posed, self.truth.vertices(rows, bodies.vertices.device).to(bodies.vertices))
            )
        return values

    def figures(self, rows: Rows, values: Values) -> dict[str, float]:
        """See :class:`Benchmark`."""
        found, (codes, _) = super().figures(rows, values), self._action_of(rows)
        for name in self.manifest.metrics:
            plain = name.removesuffix(_OVER_ACTIONS)
            if name != plain and plain in values:
                found[name] = mean(_means(values[plain], codes))
        return found

    def groups(self, rows: Rows) -> dict[str, NDArray[np.bool_]]:
        """By action."""
        codes, names = self._action_of(rows)
        return {names[code]: codes == code for code in np.unique(codes).tolist()}

    def _action_of(self, rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
        """(K,) index of each person's action, and the actions' names."""
        if self._actions is None:
            names, codes = np.unique([_action(name) for name, _ in self.store.rows], return_inverse=True)
            self._actions = codes, names.tolist()
        codes, names = self._actions
        return codes[rows], names


def _action(name: str) -> str:
    match = _IMAGE.fullmatch(name)
    return _ALSO.get(match[1], match[1]) if match else "of no action"


def _means(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the values of each code that are finite; of codes that have any."""
    known = np.isfinite(values)
    counts, sums = np.bincount(codes[known]), np.bincount(codes[known], values[known])
    return sums[counts > 0] / counts[counts > 0]
