"""SSP-3D: silhouettes in the image, and the shape of bodies in T-pose but for their size."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.config import StrictModel
from pymaf_data.metrics import iou, pve_t_sc

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .silhouettes import StoredMasks, faces_shown
from .truth import TrueBodies

_IOU, _PVE = "mIOU", "PVE-T-SC"


class Ssp3dOptions(StrictModel):
    """What the benchmark can be told."""

    prediction: Literal["gendered", "neutral"] = Field(
        "gendered",
        description="whose T-pose predicted betas are put on: the true body's model, as SSP-3D's code does, or the "
        "prediction's own",
    )


class Ssp3d(Benchmark):
    """See the module."""

    options_model = Ssp3dOptions

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._masks = StoredMasks(self.store)
        self.truth = truth = TrueBodies(self.store, self.manifest.truth, setting.assets)
        measured = truth.known(self.rows)
        if not truth:
            self.lacking[_PVE] = truth.lacking
        elif truth.lacking:
            self.notes.append(f"{_PVE}: {truth.lacking}")
        if not self._masks.has_masks:
            self.lacking[_IOU] = f"{self.store.path.name} has no silhouettes"
        self.rows = self.rows[measured | self._masks.known(self.rows)]

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        found: Values = {}
        if _IOU not in self.lacking:
            found[_IOU] = 100.0 * self._overlaps(rows, bodies)
        if _PVE not in self.lacking:
            found[_PVE] = self._shapes(rows, bodies)
        return found

    def _overlaps(self, rows: Rows, bodies: Bodies) -> NDArray[np.float64]:
        """(K,) of silhouettes; NaN without a true one."""
        found = np.full(len(rows), np.nan)
        for place, (size, mask) in enumerate(zip(self._masks.sizes(rows), self._masks.masks(rows), strict=True)):
            if mask is not None:
                found[place] = iou(mask, faces_shown(bodies, bodies.camera, size, place, place + 1)[0] >= 0)
        return found

    def _shapes(self, rows: Rows, bodies: Bodies) -> NDArray[np.float64]:
        """(K,) mm between bodies in T-pose; NaN without a true body."""
        assert self.truth is not None
        found = np.full(len(rows), np.nan)
        for places, body, fits in self.truth.groups(rows):
            model = body if self.options.prediction == "gendered" else bodies.body
            mine, true = bodies.betas[torch.from_numpy(places)].detach().cpu().double(), torch.from_numpy(fits.betas)
            found[places] = millimetres(pve_t_sc(_t_pose(model, mine), _t_pose(body, true.double())))
        return found


def _t_pose(body: BodyModel, betas: Tensor) -> Tensor:
    """Vertices (K, V, 3) of betas (K, 10), float64."""
    return body.v_template.cpu().double() + torch.einsum("vck,nk->nvc", body.shapedirs.cpu().double(), betas)
