"""What the network is taught: one pure function per term, and their weighted sum.

Shape letters: B batch, J joints, S = 56 map size. Every term returns a scalar; a batch in which nothing supports a
term gives exactly 0 (still attached to the graph), never NaN.

Values are those of the released code; where the paper (equations 2 and 4) differs, the docstring says so, and
``loss.form: paper`` takes it at its word: no camera term, no coarse parts, squared norms instead of means, U and V of
the foreground alone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.joints import J24
from pymaf_data.render.atlas import COARSE_OF_PART

from .networks.network import Dense, Output, PartLogits, Prediction
from .options import LossOptions

if TYPE_CHECKING:
    from pymaf_data.loader import Batch

OPENPOSE_JOINTS = 25
HIPS = (J24.index("right_hip"), J24.index("left_hip"))
# They stand side by side: a slice takes no list of indices to a GPU.
_BOTH_HIPS = slice(min(HIPS), max(HIPS) + 1)
_CAMERA_STEEPNESS = 10.0


def keypoints2d_loss(predicted: Tensor, target: Tensor, options: LossOptions) -> Tensor:
    """Confidence-weighted squared error of projected keypoints (paper: L_2D).

    Args:
        predicted: (B, 49, 2) normalised view coordinates.
        target: (B, 49, 3) normalised coordinates and confidence. A joint without confidence has no say but counts
            in the mean, as released: a person with few labels pulls less.
    """
    weights = torch.full_like(target[0, :, 2], options.annotated_weight)
    weights[:OPENPOSE_JOINTS] = options.openpose_weight
    confidence = target[..., 2] * weights
    squares = _masked_square(predicted - target[..., :2], confidence)
    return squares.mean() if options.norm == "mean" else _per_person(squares, options.norm).mean()


def keypoints3d_loss(predicted: Tensor, target: Tensor, norm: str = "mean") -> Tensor:
    """Squared error of J24 about the middle of the hips, over persons that have 3D joints (paper: L_3D).

    Args:
        predicted: (B, 24, 3) metres.
        target: (B, 24, 4) metres and flag. Without both hips there is no origin, so the person has no 3D joints.
    """
    present = has_origin(target)
    target = torch.where(present[:, None, None], target, torch.zeros_like(target))
    error = _about_hips(predicted) - _about_hips(target[..., :3])
    return _mean_over(_per_person(_masked_square(error, target[..., 3]), norm), present)


def pose_loss(predicted: Tensor, target: Tensor, valid: Tensor, norm: str = "mean") -> Tensor:
    """Squared error of rotation matrices (B, 24, 3, 3) over valid fits (paper: part of L_para)."""
    return _mean_over(_per_person(_square_of_valid(predicted, target, valid), norm), valid)


def betas_loss(predicted: Tensor, target: Tensor, valid: Tensor, norm: str = "mean") -> Tensor:
    """Squared error of the shape (B, 10) over valid fits (paper: part of L_para)."""
    return _mean_over(_per_person(_square_of_valid(predicted, target, valid), norm), valid)


def camera_loss(camera: Tensor) -> Tensor:
    """Mean of exp(−10 s)² over (B, 3) cameras: a scale below zero would mirror the body. Absent from the paper."""
    return torch.exp(-_CAMERA_STEEPNESS * camera[:, 0]).square().mean()


def part_loss(logits: Tensor, part: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy of parts over the pixels of valid maps (Eq. 4's first term).

    Args:
        logits: (B, C, S, S).
        part: (B, S, S) integer labels below C.
    """
    _check_map(logits, part)
    per_pixel = functional.cross_entropy(logits, part.long(), reduction="none")
    return _mean_over(per_pixel.mean(dim=(1, 2)), valid)


def uv_loss(
    predicted: Tensor, target: Tensor, part: Tensor, valid: Tensor, pixels: str, reduction: str = "sum"
) -> Tensor:
    """Smooth-L1 of U or V, each pixel in its own part's channel, summed and divided by the full batch size.

    As released, that is a sum over pixels: a map of half the side has a quarter of it.

    Args:
        predicted: (B, 25, S, S).
        target: (B, S, S) in [0, 1].
        part: (B, S, S).
        pixels: ``"foreground"`` is Eq. 4; ``"all"`` is what the released mask does: channel 0 counts too, so that
            background pixels pull it to 0.
        reduction: ``"sum"``, or ``"mean"``: the sum divided by the S² pixels of a map, whatever its size.
    """
    _check_map(predicted, part)
    own = predicted.gather(1, part.long()[:, None])[:, 0]
    person = valid[:, None, None]
    inside = person & (part > 0)
    wanted = torch.where(inside, target, torch.zeros_like(target))
    error = functional.smooth_l1_loss(own, wanted, reduction="none")
    measured = inside if pixels == "foreground" else person
    total = torch.where(measured, error, torch.zeros_like(error)).sum() / predicted.shape[0]
    return total / part[0].numel() if reduction == "mean" else total


def body_losses(prediction: Prediction, batch: Batch, options: LossOptions) -> dict[str, Tensor]:
    """Weighted terms of one iteration (Eq. 2 and the camera term)."""
    joints24 = prediction.joints[:, OPENPOSE_JOINTS:]
    valid, norm = batch.has_fit, options.norm
    return {
        "keypoints2d": options.keypoints2d * keypoints2d_loss(prediction.keypoints, batch.keypoints, options),
        "keypoints3d": options.keypoints3d * keypoints3d_loss(joints24, batch.joints3d, norm),
        "pose": options.pose * pose_loss(prediction.rotation, batch.pose, valid, norm),
        "betas": options.betas * betas_loss(prediction.parameters.betas, batch.betas, valid, norm),
        "camera": options.camera * camera_loss(prediction.parameters.camera),
    }


def dense_losses(logits: Dense, batch: Batch, options: LossOptions) -> dict[str, Tensor]:
    """Weighted terms of the auxiliary head (Eq. 4 and the coarse parts); of one that knows parts alone, theirs."""
    valid = batch.has_fit & batch.has_iuv
    if isinstance(logits, PartLogits):
        return {"part": options.part * part_loss(logits.part, batch.part, valid)}
    coarse = _coarse_of_part(batch.part.device)[batch.part.long()]
    u, v = (
        uv_loss(field, batch.uv[:, axis], batch.part, valid, options.uv_pixels, options.uv_reduction)
        for axis, field in enumerate((logits.u, logits.v))
    )
    return {
        "part": options.part * part_loss(logits.part, batch.part, valid),
        "coarse": options.coarse * part_loss(logits.coarse, coarse, valid),
        "u": options.uv * u,
        "v": options.uv * v,
    }


def loss_terms(output: Output, batch: Batch, options: LossOptions) -> dict[str, Tensor]:
    """All weighted terms, the body's summed over the iterations that are supervised; their sum is the loss."""
    total: dict[str, Tensor] = {}
    for prediction in output.predictions[output.supervised]:
        for name, value in body_losses(prediction, batch, options).items():
            total[name] = total[name] + value if name in total else value
    if output.dense is not None:
        total |= dense_losses(output.dense, batch, options)
    return total


def term_supports(batch: Batch) -> dict[str, Tensor]:
    """How many persons of a batch each term is a mean over. By their shares of all, terms of several batches add up to
    those of one batch of everybody."""
    maps, everybody = batch.has_fit & batch.has_iuv, torch.ones_like(batch.has_fit)
    supports = {
        "keypoints2d": everybody,
        "keypoints3d": has_origin(batch.joints3d),
        "pose": batch.has_fit,
        "betas": batch.has_fit,
        "camera": everybody,
        "part": maps,
        "coarse": maps,
        "u": everybody,
        "v": everybody,
    }
    return {name: persons.sum() for name, persons in supports.items()}


def has_origin(joints3d: Tensor) -> Tensor:
    """(B,) whether both hips of (B, 24, 4) joints were measured, about whose middle the others stand."""
    return (joints3d[:, _BOTH_HIPS, 3] > 0).all(dim=1)


def _about_hips(joints: Tensor) -> Tensor:
    return joints - joints[:, _BOTH_HIPS].mean(dim=1, keepdim=True)


@cache  # copied to a GPU once, not at each step
def _coarse_of_part(device: torch.device) -> Tensor:
    return torch.as_tensor(COARSE_OF_PART, device=device, dtype=torch.long)


def _masked_square(error: Tensor, weights: Tensor) -> Tensor:
    """weights · error², (B, J, axes); what has no weight may be NaN and still counts as 0."""
    known = (weights > 0)[..., None]
    return weights[..., None] * torch.where(known, error, torch.zeros_like(error)).square()


def _per_person(squares: Tensor, norm: str) -> Tensor:
    """(B, …) → (B,): their mean, or their sum, the squared L2 norm of what they are the squares of."""
    flat = squares.flatten(1)
    return flat.sum(dim=1) if norm == "squared" else flat.mean(dim=1)


def _square_of_valid(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """(B, …) squares; targets that are not valid are replaced before they can spread a NaN."""
    mask = valid.reshape(-1, *[1] * (target.ndim - 1))
    error = torch.where(mask, predicted - target, torch.zeros_like(predicted))
    return error.square()


def _mean_over(per_person: Tensor, valid: Tensor) -> Tensor:
    """Mean of (B,) over valid persons; 0 when there is none."""
    kept = torch.where(valid, per_person, torch.zeros_like(per_person))
    return kept.sum() / valid.sum().clamp_min(1)


def _check_map(predicted: Tensor, part: Tensor) -> None:
    if predicted.ndim != 4 or predicted[:, 0].shape != part.shape:
        raise ShapeError(
            f"predicted maps {tuple(predicted.shape)} for targets {tuple(part.shape)}",
            expected="(B, C, S, S) and (B, S, S)",
            action="warp the targets to the head's 56 px.",
        )
