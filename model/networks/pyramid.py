"""Backbone and deconvolutions: one image, three feature maps of rising resolution.

    image 224 → ResNet-50 7×7×2048 → deconvolution → 14×14×256 → 28×28×256 → 56×56×256

Other trunks and widths: :class:`~pymaf_data.model.networks.options.ModelOptions`.

Source: PyMAF section 3.1; the deconvolution head is that of Xiao et al., "Simple Baselines for Human Pose
Estimation" (ECCV 2018). ``feature_extractor`` and the index of every layer in ``deconv_layers`` are the names in
released checkpoints.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from .resnet import FEW, ResNet, convolution

LEVELS = 3
_MODULES_PER_LEVEL = 3
# A 4×4 kernel at stride 2 reaches each output pixel with 2×2 of its taps.
_TAPS = 4
_MANY = 1024  # channels, above which a product of matrices was measured to be faster


class Deconvolution(nn.ConvTranspose2d):
    """4×4 transposed convolution of stride 2 from many channels at few places.

    On a CPU, with weights in channels-last, as one matrix product, all 16 taps of each input pixel, and a sum of what
    overlaps: 2048 channels at 7² take torch's kernel two to five times as long, a tenth of a step in bfloat16. Of 512
    it is slower at 7², and faster where they learn at 3² (a view of 96 px).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1, bias=False)

    @property
    def multiplies(self) -> bool:
        """Whether a CPU is to multiply matrices wherever it may, whether it learns or not."""
        return self.in_channels > _MANY

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, 2S, 2S)."""
        B, C, H, W = x.shape
        last = self.weight.is_contiguous(memory_format=torch.channels_last)
        worth_it = self.multiplies or (torch.is_grad_enabled() and H * W <= FEW)
        if x.device.type != "cpu" or not (last and worth_it):  # to turn 8 million weights round costs what is won
            return super().forward(x, output_size)
        pixels, kernel = x.permute(0, 2, 3, 1).reshape(-1, C), self.weight.permute(0, 2, 3, 1).reshape(C, -1)
        # Tap 2a + p of pixel i falls on row 2(i + a) + p, of which the first and the last lie outside.
        taps = (pixels @ kernel).view(B, H, W, 2, 2, 2, 2, self.out_channels).permute(3, 5, 0, 1, 4, 2, 6, 7)
        summed = taps.new_zeros(
            B, H + 1, 2, W + 1, 2, taps.shape[-1], dtype=torch.promote_types(taps.dtype, torch.float)
        )
        for a in range(2):
            for b in range(2):
                summed[:, a : a + H, :, b : b + W] += taps[a, b]
        inside = summed.view(B, 2 * H + 2, 2 * W + 2, self.out_channels)[:, 1:-1, 1:-1].to(taps.dtype)
        if self.bias is not None:  # of a BatchNorm that was folded
            inside = inside + self.bias
        return inside.contiguous().permute(0, 3, 1, 2)


def _deconvolution(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)


def deconvolutions(inputs: int, channels: int, levels: int = LEVELS) -> nn.Sequential:
    """Behind ``inputs`` channels ``levels`` times (4×4 transposed convolution of stride 2, BatchNorm, ReLU), flat as
    released.

    He initialisation. The 1e-3 that Simple Baselines starts from is a tenth of it or less: BatchNorm hides the scale of
    the output, but not that every Adam step is then a large part of the weight.
    """
    modules: list[nn.Module] = []
    for level in range(levels):
        kind = _deconvolution if level else Deconvolution
        deconvolution = kind(inputs, channels)
        nn.init.normal_(deconvolution.weight, std=math.sqrt(2.0 / (inputs * _TAPS)))
        modules += [deconvolution, nn.BatchNorm2d(channels, momentum=0.1), nn.ReLU(inplace=True)]
        inputs = channels
    return nn.Sequential(*modules)


def laterals(backbone: ResNet, channels: int, levels: int = LEVELS) -> nn.ModuleList:
    """From the trunk's maps of S = 14, 28, 56 to what is added to the deconvolutions' before their ReLU.

    Each a 1×1 convolution and a BatchNorm.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection" (CVPR 2017).
    """
    inputs = backbone.channels[LEVELS - 1 :: -1][:levels]
    return nn.ModuleList(
        nn.Sequential(convolution(width, channels, 1), nn.BatchNorm2d(channels, momentum=0.1)) for width in inputs
    )


def feature_pyramid(
    backbone: ResNet, deconv_layers: nn.Sequential, image: Tensor, lateral: nn.ModuleList | None = None
) -> list[Tensor]:
    """(B, 3, 224, 224) → maps (B, C, S, S) at S = 14, 28, 56, as many as there are deconvolutions."""
    *earlier, x = backbone.stages(image, len(backbone.channels))
    maps = []
    for level, start in enumerate(range(0, len(deconv_layers), _MODULES_PER_LEVEL)):
        block = cast(nn.Sequential, deconv_layers[start : start + _MODULES_PER_LEVEL])
        x = block[:-1](x)
        if lateral is not None:
            x = x + lateral[level](earlier[LEVELS - 1 - level])
        x = block[-1](x)
        maps.append(x)
    return maps


def backbone_pyramid(backbone: ResNet, image: Tensor) -> list[Tensor]:
    """(B, 3, 224, 224) → the trunk's maps of the same sizes, S = 14, 28, 56: of its third, second and first stage."""
    return backbone.stages(image, LEVELS)[::-1]
