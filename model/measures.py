"""How far each iteration's body is from its target, M0 … M3, on a batch that was just computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pymaf_data.metrics import mpjpe, pa_mpjpe, pve, root_align

from .losses import HIPS, OPENPOSE_JOINTS, has_origin
from .networks.network import Output

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel
    from pymaf_data.loader import Batch

_MILLIMETRES = 1000.0

Distances = dict[str, dict[str, Tensor]]


@torch.no_grad()
def iteration_distances(output: Output, batch: Batch, body: BodyModel) -> Distances:
    """MPJPE and PA-MPJPE of J24 in millimetres against the fits: {"M0": {"mpjpe": (F,), "pa_mpjpe": (F,)}, …}.

    About the middle of the hips, of the F rows that have a fit; empty without one.
    """
    if not bool(batch.has_fit.any()):
        return {}
    valid = batch.has_fit
    precise = output.predictions[0].joints.dtype
    _, joints = body.keypoints(batch.pose[valid].to(precise), batch.betas[valid].to(precise))
    target = _centred(joints)
    found = {}
    for number, prediction in enumerate(output.predictions):
        predicted = _centred(prediction.joints[valid])
        found[f"M{number}"] = {
            "mpjpe": _MILLIMETRES * mpjpe(predicted, target),
            "pa_mpjpe": _MILLIMETRES * pa_mpjpe(predicted, target),
        }
    return found


@torch.no_grad()
def held_out_distances(output: Output, batch: Batch, body: BodyModel) -> Distances:
    """:func:`iteration_distances` with ``pve``, of the vertices as given; where nobody of the batch has a fit, those of
    the joints that were measured, of persons with both hips, and nothing of the mesh."""
    found = iteration_distances(output, batch, body)
    if not found:
        return _from_measured(output, batch)
    valid, precise = batch.has_fit, output.predictions[0].joints.dtype
    true = body(batch.pose[valid].to(precise), batch.betas[valid].to(precise)).vertices
    for prediction, errors in zip(output.predictions, found.values(), strict=True):
        errors["pve"] = _MILLIMETRES * pve(prediction.vertices[valid], true)
    return found


def _from_measured(output: Output, batch: Batch) -> Distances:
    known = has_origin(batch.joints3d)
    if not bool(known.any()):
        return {}
    joints, flags = batch.joints3d[known, :, :3], batch.joints3d[known, :, 3]
    target = root_align(joints.to(output.predictions[0].joints.dtype), HIPS)
    each = {f"M{number}": _centred(one.joints[known]) for number, one in enumerate(output.predictions)}
    measures = {"mpjpe": mpjpe, "pa_mpjpe": pa_mpjpe}
    return {
        iteration: {name: _MILLIMETRES * of(predicted, target, flags) for name, of in measures.items()}
        for iteration, predicted in each.items()
    }


def in_camera_space(rotation: Tensor, batch: Batch) -> Tensor:
    """Root rotations (B, 3, 3) of predictions or targets of a plain batch, turned back into their image's camera.

    NaN where its intrinsics are not known: then there is nothing to measure in camera space.
    """
    turned = batch.turn.transpose(-1, -2).to(rotation) @ rotation
    return torch.where(batch.has_turn[:, None, None], turned, torch.nan)


def heading_errors(predicted: Tensor, true: Tensor) -> Tensor:
    """(B,) degrees in [0, 180] between where two bodies face, seen from above.

    Both root rotations (B, 3, 3) are in camera space, whose vertical counts; of guesses a quarter lies within 45°.
    """
    facing, wanted = (torch.atan2(root[:, 0, 2], root[:, 2, 2]) for root in (predicted, true))
    turn = torch.remainder(facing - wanted + torch.pi, 2 * torch.pi) - torch.pi
    return torch.rad2deg(turn.abs())


def iteration_errors(output: Output, batch: Batch, body: BodyModel) -> dict[str, dict[str, float]]:
    """Means of :func:`iteration_distances`. On a training batch they are those of the network with its dropout on."""
    return means([iteration_distances(output, batch, body)])


def means(parts: list[Distances]) -> dict[str, dict[str, float]]:
    """Means over the persons of several batches; empty where none has a fit."""
    known = [part for part in parts if part]
    if not known:
        return {}
    return {
        iteration: {name: float(torch.cat([part[iteration][name] for part in known]).mean()) for name in measures}
        for iteration, measures in known[0].items()
    }


def _centred(joints49: Tensor) -> Tensor:
    return root_align(joints49[:, OPENPOSE_JOINTS:], HIPS)
