"""How far each iteration's body is from its target, M0 … M3, on a batch that was just computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pymaf_data.metrics import mpjpe, pa_mpjpe, root_align

from .losses import HIPS, OPENPOSE_JOINTS
from .pymaf import PyMAFOutput

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel
    from pymaf_data.loader import Batch

_MILLIMETRES = 1000.0


@torch.no_grad()
def iteration_errors(output: PyMAFOutput, batch: Batch, body: BodyModel) -> dict[str, dict[str, float]]:
    """MPJPE and PA-MPJPE of J24 in millimetres against the fits: {"M0": {"mpjpe": …, "pa_mpjpe": …}, …}.

    About the middle of the hips, over the rows that have a fit; empty without one. On a training batch the numbers are
    those of the network with its dropout on.
    """
    if not bool(batch.has_fit.any()):
        return {}
    valid = batch.has_fit
    _, joints = body.keypoints(batch.pose[valid], batch.betas[valid])
    target = _centred(joints)
    errors = {}
    for number, prediction in enumerate(output.predictions):
        predicted = _centred(prediction.joints[valid])
        errors[f"M{number}"] = {
            "mpjpe": _MILLIMETRES * float(mpjpe(predicted, target).mean()),
            "pa_mpjpe": _MILLIMETRES * float(pa_mpjpe(predicted, target).mean()),
        }
    return errors


def _centred(joints49: Tensor) -> Tensor:
    return root_align(joints49[:, OPENPOSE_JOINTS:], HIPS)
