"""3DPW as SPIN and PyMAF measure it: gendered truth through Human3.6M's regressor, vertices without any shift."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.metrics import pve

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .joints import J14_OF_H36M, joint_errors
from .truth import TrueBodies


class ThreeDpwOptions(StrictModel):
    """What the benchmark can be told."""

    truth: Literal["gendered", "neutral"] = Field(
        "gendered", description="the bodies of the truth: each person's own, or as HybrIK, METRO and VIBE the neutral"
    )


class ThreeDpw(Benchmark):
    """See the module."""

    options_model = ThreeDpwOptions

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        neutral = "smpl-neutral" if self.options.truth == "neutral" else None
        self.truth = truth = TrueBodies(self.store, self.manifest.truth, setting.assets, neutral)
        if not truth:
            self.lacking = dict.fromkeys(self.manifest.metrics, truth.lacking)
        self.rows = self.rows[truth.known(self.rows)]

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        assert self.truth is not None
        true = self.truth.vertices(rows).to(bodies.vertices)
        errors = joint_errors(bodies, bodies.body.h36m(true), J14_OF_H36M)
        return {"PVE": millimetres(pve(bodies.posed, true)), **errors}
