"""Backbone and deconvolutions: one image, three feature maps of rising resolution.

    image 224 → ResNet-50 7×7×2048 → deconvolution → 14×14×256 → 28×28×256 → 56×56×256

Other trunks and widths: :class:`~pymaf_data.model.options.ModelOptions`.

Source: PyMAF section 3.1; the deconvolution head is that of Xiao et al., "Simple Baselines for Human Pose
Estimation" (ECCV 2018). ``feature_extractor`` and the index of every layer in ``deconv_layers`` are the names in
released checkpoints.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from .resnet import ResNet

LEVELS = 3
_MODULES_PER_LEVEL = 3
# A 4×4 kernel at stride 2 reaches each output pixel with 2×2 of its taps.
_TAPS = 4


def deconvolutions(inputs: int, channels: int, levels: int = LEVELS) -> nn.Sequential:
    """Behind ``inputs`` channels ``levels`` times (4×4 transposed convolution of stride 2, BatchNorm, ReLU), flat as
    released.

    He initialisation. The 1e-3 that Simple Baselines starts from is a tenth of it or less: BatchNorm hides the scale of
    the output, but not that every Adam step is then a large part of the weight.
    """
    modules: list[nn.Module] = []
    for _ in range(levels):
        deconvolution = nn.ConvTranspose2d(inputs, channels, 4, stride=2, padding=1, bias=False)
        nn.init.normal_(deconvolution.weight, std=math.sqrt(2.0 / (inputs * _TAPS)))
        modules += [deconvolution, nn.BatchNorm2d(channels, momentum=0.1), nn.ReLU(inplace=True)]
        inputs = channels
    return nn.Sequential(*modules)


def feature_pyramid(backbone: ResNet, deconv_layers: nn.Sequential, image: Tensor) -> list[Tensor]:
    """(B, 3, 224, 224) → maps (B, C, S, S) at S = 14, 28, 56, as many as there are deconvolutions."""
    x = backbone(image)
    maps = []
    for start in range(0, len(deconv_layers), _MODULES_PER_LEVEL):
        x = deconv_layers[start : start + _MODULES_PER_LEVEL](x)
        maps.append(x)
    return maps


def backbone_pyramid(backbone: ResNet, image: Tensor) -> list[Tensor]:
    """(B, 3, 224, 224) → the trunk's maps of the same sizes, S = 14, 28, 56: of its third, second and first stage."""
    return backbone.stages(image, LEVELS)[::-1]
