"""3DPW as SPIN and PyMAF measure it: gendered truth through Human3.6M's regressor, vertices without any shift."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.metrics import pve

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .joints import joint_errors
from .truth import NEUTRAL, TrueBodies


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
        neutral = self.options.truth == "neutral"
        self._measured_on(
            TrueBodies(
                self.store,
                self.manifest.truth,
                setting.assets,
                body=NEUTRAL if neutral else None,
                raw=setting.raw,
                refused=() if neutral else (NEUTRAL,),
            )
        )

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        assert self.truth is not None
        true = self.truth.vertices(rows, bodies.vertices.device).to(bodies.vertices)
        errors = joint_errors(bodies, bodies.body.h36m(true))
        return {"PVE": millimetres(pve(bodies.posed, true)), **errors}
