"""A network for inference alone: BatchNorm folded into the convolutions before it, weights cast and laid out once.

A convolution whose output is scaled and shifted per channel is a convolution: the same bodies but for rounding, at most
0.05 mm of a vertex in float32 (tested). What is made so learns nothing more: its state dict is no checkpoint's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .networks.network import Network
from .precision import channels_last

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
    channels_last(folded)
    if dtype is not None:
        folded.autocast = dtype
        for name, part in folded.named_children():
            if name not in (*folded.loop, "body"):
                part.to(dtype)
    if _can_lay_out(folded):
        _lay_out(folded)
    return folded


class _LaidOut(nn.Module):
    """A convolution whose weights lie as the CPU's kernel wants them, laid out once, not at each call."""

    def __init__(self, layer: nn.Conv2d, size: Sequence[int]) -> None:
        super().__init__()
        self.shape = (list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups)
        self.dtype, self.bias = layer.weight.dtype, layer.bias
        padding, stride, dilation, groups = self.shape
        self.laid_out = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]  # its stub lacks the size
            layer.weight.detach().to_mkldnn(), padding, stride, dilation, groups, list(size)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → the convolution's."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(self.dtype), self.laid_out, self.bias, *self.shape, "none", [], ""
        )
        return found


def _can_lay_out(model: Network) -> bool:
    """Whether the CPU's kernels of convolutions compute in the network's formats."""
    body, mkldnn = model.body.v_template, torch.backends.mkldnn.is_available()
    if body.device.type != "cpu" or body.dtype is not torch.float32 or not mkldnn:
        return False
    weights = next(model.feature_extractor.parameters()).dtype
    half = weights is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return model.autocast in (None, weights) and (half or weights is torch.float32)


@torch.no_grad()
def _lay_out(model: Network) -> None:
    """Lay out the weights of the convolutions that an image passes through, for what they get of one."""
    sizes: dict[nn.Module, torch.Size] = {}
    seen = [
        module.register_forward_pre_hook(lambda layer, given: sizes.update({layer: given[0].shape}))
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    W = model.view_size
    model(torch.zeros(1, 3, W, W))
    for hook in seen:
        hook.remove()
    for module in [*model.modules()]:
        for name, layer in [*module.named_children()]:
            if layer in sizes:
                setattr(module, name, _LaidOut(cast(nn.Conv2d, layer), sizes[layer]))


def _fold(module: nn.Module) -> None:
    """Fold the BatchNorms that stand right behind a convolution among a module's own parts.

    Parts stand in the order in which they are called, in this package's networks as in torchvision's.
    """
    for (name, part), (behind, norm) in pairwise([*module.named_children()]):
        if isinstance(part, _CONVOLUTIONS) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(part, norm, transpose=isinstance(part, nn.ConvTranspose2d))
            setattr(module, name, fused)
            setattr(module, behind, nn.Identity())
