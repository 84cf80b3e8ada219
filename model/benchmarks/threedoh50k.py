"""3DOH50K as PyMAF measures it: vertices of the neutral body without any shift, and 14 joints.

The release has no pelvis and another joint on the head: there the middle of the hips is the root, and the top of the
head stands for Human3.6M's head. Files of PyMAF's have both, and are measured as its code does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pymaf_data.geometry.joints import H36M17, J24
from pymaf_data.metrics import pve

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .joints import HIPS_OF_H36M, J14_OF_H36M, PELVIS_OF_H36M, joint_errors, measured_joints, of_h36m
from .truth import NEUTRAL, TrueBodies

_HEAD = H36M17.index("head_h36m")


class ThreeDoh50k(Benchmark):
    """See the module."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.truth = truth = TrueBodies(self.store, self.manifest.truth, setting.assets, body=NEUTRAL, raw=setting.raw)
        if not truth:
            self.lacking = {"PVE": truth.lacking}
        else:
            self.notes += [f"PVE: {note}" for note in truth.left_out(self.rows)]
        jointed = torch.isfinite(self._joints(self.rows)[:, list(J14_OF_H36M)]).all(2).all(1).numpy()
        self.rows = self.rows[jointed | truth.known(self.rows)]

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        true = self._joints(rows)
        values: Values = {}
        centred = torch.isfinite(true[:, PELVIS_OF_H36M]).all(1).numpy()
        of_pelvis, of_hips = (joint_errors(bodies, true, root=root) for root in (PELVIS_OF_H36M, HIPS_OF_H36M))
        for name in of_pelvis:
            values[name] = np.where(centred, of_pelvis[name], of_hips[name])
        if self.truth:
            values["PVE"] = millimetres(
                pve(bodies.posed, self.truth.vertices(rows, bodies.vertices.device).to(bodies.vertices))
            )
        return values

    def _joints(self, rows: Rows) -> Tensor:
        """(K, 17, 3) metres; NaN where there is none."""
        measured = measured_joints(self.store, rows)
        found, top = of_h36m(measured), measured[:, J24.index("head_top_lsp")]
        found[:, _HEAD] = torch.where(found[:, _HEAD].isfinite(), found[:, _HEAD], top)
        return found
