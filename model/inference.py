"""A network for inference alone: BatchNorm folded into the convolutions before it, weights cast once.

A convolution whose output is scaled and shifted per channel is a convolution: the same bodies but for rounding, at most
0.05 mm of a vertex in float32 (tested). What is made so learns nothing more: its state dict is no checkpoint's.
"""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .networks.network import Network

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def for_inference(model: Network, dtype: torch.dtype | None = None) -> Network:
    """A copy in evaluation mode whose BatchNorms are folded; the model stays as it is.

    Args:
        model: a trained network.
        dtype: of the image-plane part's weights, such as ``torch.bfloat16``: cast once, where autocast casts them at
            each call. None keeps them.
    """
    shared = {id(model.body): model.body}  # a body is not copied
    folded = copy.deepcopy(model, shared).eval().requires_grad_(False)
    for module in [*folded.modules()]:
        _fold(module)
    if dtype is not None:
        folded.autocast = dtype
        for name, part in folded.named_children():
            if name not in (*folded.loop, "body"):
                part.to(dtype)
    return folded


def _fold(module: nn.Module) -> None:
    """Fold the BatchNorms that stand right behind a convolution among a module's own parts.

    Parts stand in the order in which they are called, in this package's networks as in torchvision's.
    """
    for (name, part), (behind, norm) in pairwise([*module.named_children()]):
        if isinstance(part, _CONVOLUTIONS) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(part, norm, transpose=isinstance(part, nn.ConvTranspose2d))
            setattr(module, name, fused)
            setattr(module, behind, nn.Identity())
