"""A network for inference alone: BatchNorm folded into the convolutions before it, weights cast and laid out once.

A convolution whose output is scaled and shifted per channel is a convolution: the same bodies but for rounding, at most
0.05 mm of a vertex in float32 (tested). What is made so learns nothing more: its state dict is no checkpoint's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pymaf_data.errors import UsageError

from .networks.network import Network
from .networks.pyramid import Deconvolution
from .networks.resnet import BasicBlock, Bottleneck
from .precision import channels_last

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def for_inference(model: Network, dtype: torch.dtype | None = None) -> Network:
    """A copy in evaluation mode whose BatchNorms are folded; the model stays as it is.

    Args:
        model: a trained network.
        dtype: of the image-plane part's weights, such as ``torch.bfloat16``: cast once, where autocast casts them at
            each call. None keeps them.

    Where its weights are laid out for a CPU, an image that is not finite is refused (:class:`UsageError`).

    Raises:
        UsageError: the model was made by this function, and its weights are laid out.
    """
    if any(isinstance(module, _LaidOut | _LaidOutTransposed) for module in model.modules()):
        raise UsageError(
            "this network is one for inference already, its weights laid out",
            expected="the network as it was trained or loaded",
            action="use it as it is, or give the one it was made of.",
        )
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
    """A convolution whose weights lie as the CPU's kernel wants them, laid out once, not at each call.

    Its kernel also adds what the outcome is added to, and applies the ReLU behind: neither reads the map once more.
    """

    def __init__(self, layer: nn.Conv2d, size: Sequence[int]) -> None:
        super().__init__()
        self.shape = (list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups)
        self.dtype, self.bias, self.unary = layer.weight.dtype, layer.bias, "none"
        padding, stride, dilation, groups = self.shape
        self.laid_out = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]  # its stub lacks the size
            layer.weight.detach().to_mkldnn(), padding, stride, dilation, groups, list(size)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → the convolution's."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(self.dtype), self.laid_out, self.bias, *self.shape, self.unary, [], ""
        )
        return found

    def onto(self, kept: Tensor, x: Tensor) -> Tensor:
        """ReLU of the sum of ``kept``, whose memory is taken, and the convolution's."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            kept, x.to(self.dtype), self.laid_out, self.bias, *self.shape, "add", 1.0, "relu", [], ""
        )
        return found


class _LaidOutTransposed(nn.Module):
    """The same of a transposed convolution."""

    def __init__(self, layer: nn.ConvTranspose2d, size: Sequence[int]) -> None:
        super().__init__()
        padding, stride, dilation = (list(value) for value in (layer.padding, layer.stride, layer.dilation))
        self.shape = (padding, list(layer.output_padding), stride, dilation, layer.groups)
        self.dtype, self.bias, self.unary = layer.weight.dtype, layer.bias, "none"
        self.laid_out = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            layer.weight.detach(), *self.shape, list(size)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → the transposed convolution's."""
        found: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x.to(self.dtype), self.laid_out, self.bias, *self.shape, self.unary, [], ""
        )
        return found


class _Block(nn.Module):
    """A residual block whose sum and ReLUs its convolutions compute."""

    def __init__(self, layers: list[_LaidOut], shortcut: nn.Module) -> None:
        super().__init__()
        *first, self.last = layers
        self.first, self.shortcut = nn.Sequential(*first), shortcut
        for layer in first:
            layer.unary = "relu"

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, S, S) → (B, C, S / stride, S / stride); takes the memory of its input where shapes are the same."""
        y = self.first(x)
        return self.last.onto(self.shortcut(x), y)


def _can_lay_out(model: Network) -> bool:
    """Whether the CPU's kernels of convolutions compute in the network's formats."""
    body, mkldnn = model.body.v_template, torch.backends.mkldnn.is_available()
    if body.device.type != "cpu" or body.dtype is not torch.float32 or not mkldnn:
        return False
    if not all(bool(value.sum().isfinite()) for value in model.parameters()):
        return False  # its bodies are NaN, and are to stay so: see _refuse_non_finite
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
        if isinstance(module, _CONVOLUTIONS) and not (isinstance(module, Deconvolution) and module.multiplies)
    ]
    W = model.view_size
    model(torch.zeros(1, 3, W, W))
    for hook in seen:
        hook.remove()
    for module in [*model.modules()]:
        for name, layer in [*module.named_children()]:
            if layer in sizes:
                laid_out = _LaidOut if isinstance(layer, nn.Conv2d) else _LaidOutTransposed
                setattr(module, name, laid_out(layer, sizes[layer]))  # type: ignore[arg-type]  # each its own
    _fuse_blocks(model)
    _fuse_relus(model.feature_extractor)
    model.feature_extractor.conv1.register_forward_pre_hook(_refuse_non_finite)
    pyramid = getattr(model, "deconv_layers", None)
    if pyramid is not None and model.lateral_layers is None:  # else something is added before the ReLU
        _fuse_relus(pyramid)


def _refuse_non_finite(_: nn.Module, given: tuple[Tensor]) -> None:
    """Refuse an image of which nothing would show that it is not finite: the kernels' ReLUs take NaN for zero."""
    (image,) = given
    if not image.sum().isfinite():
        broken = (~image.isfinite()).flatten(1).any(1).nonzero()
        if len(broken):
            raise UsageError(
                f"image {int(broken[0])} of the batch holds NaN or infinite numbers",
                expected="finite, ImageNet-normalised images",
                action="leave this image out, or mend it.",
            )


def _fuse_blocks(model: Network) -> None:
    """Have the sums and ReLUs of residual blocks computed by their convolutions."""
    for module in [*model.modules()]:
        for name, block in [*module.named_children()]:
            if isinstance(block, BasicBlock | Bottleneck):
                layers = [layer for layer in block.children() if isinstance(layer, _LaidOut)]
                if layers:  # what no image passes through is as it was
                    setattr(module, name, _Block(layers, block.downsample))


def _fuse_relus(module: nn.Module) -> None:
    """Have ReLUs right behind a folded BatchNorm computed by the convolution before it."""
    parts = [*module.named_children()]
    for (_, layer), (_, norm), (name, behind) in zip(parts, parts[1:], parts[2:], strict=False):
        behind_a_norm = isinstance(norm, nn.Identity) and isinstance(behind, nn.ReLU)
        if behind_a_norm and isinstance(layer, _LaidOut | _LaidOutTransposed):
            layer.unary = "relu"
            setattr(module, name, nn.Identity())


def _fold(module: nn.Module) -> None:
    """Fold the BatchNorms that stand right behind a convolution among a module's own parts.

    Parts stand in the order in which they are called, in this package's networks as in torchvision's.
    """
    for (name, part), (behind, norm) in pairwise([*module.named_children()]):
        if isinstance(part, _CONVOLUTIONS) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(part, norm, transpose=isinstance(part, nn.ConvTranspose2d))
            setattr(module, name, fused)
            setattr(module, behind, nn.Identity())
