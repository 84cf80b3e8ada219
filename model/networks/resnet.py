"""ResNet-50's feature map, under torchvision's parameter names.

Written out because torchvision does not import on a CPU build of torch; the names are the contract: ImageNet
weights saved by torchvision and the backbone of released PyMAF checkpoints load without renaming.

Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), in the arrangement torchvision
calls V1.5 (the stride sits in the 3×3 convolution).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..state_dicts import fitted

STAGES = (3, 4, 6, 3)
WIDTH = 64
CHANNELS = 2048
_EXPANSION = 4


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1 and has no bias: a BatchNorm follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


class Bottleneck(nn.Module):
    """1×1 reduce, 3×3, 1×1 expand by four, added to the input."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * _EXPANSION
        self.conv1 = convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, S, S) → (B, 4·width, S / stride, S / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y.add_(self.downsample(x)))  # a new map at 56² costs more than the sum


class ResNet50(nn.Module):
    """(B, 3, 224, 224) normalised image → (B, 2048, 7, 7) feature map; no classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = convolution(3, WIDTH, 7, 2)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = WIDTH
        for stage, blocks in enumerate(STAGES):
            width = WIDTH << stage
            layer = [Bottleneck(inputs, width, 1 if stage == 0 else 2)]
            inputs = width * _EXPANSION
            layer += [Bottleneck(inputs, width) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self._initialise()

    def _initialise(self) -> None:
        # He initialisation over the outputs, as torchvision's: what training starts from without ImageNet weights.
        # Every block starts as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017).
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Feature map of the last stage, stride 32."""
        return self.stages(image, len(STAGES))[-1]

    def stages(self, image: Tensor, count: int) -> list[Tensor]:
        """Feature maps of the first stages, (B, 4·64·2ᵏ, S, S) at strides 4, 8, 16, 32."""
        maps = [self.maxpool(self.relu(self.bn1(self.conv1(image))))]
        for stage in range(count):
            maps.append(getattr(self, f"layer{stage + 1}")(maps[-1]))
        return maps[1:]

    def load_imagenet(self, state: Mapping[str, Tensor], origin: str) -> None:
        """Take over torchvision's ``resnet50`` weights, read from ``origin``; its classifier is left out.

        Raises:
            CheckpointError: a key is missing, unknown, or has another shape, or a weight is not finite.
        """
        wanted = {key: value for key, value in state.items() if not key.startswith("fc.")}
        action = "save it with torch.save(torchvision.models.resnet50(weights=...).state_dict(), PATH)."
        with torch.no_grad():
            self.load_state_dict(fitted(wanted, self.state_dict(), origin, "torchvision's ResNet-50", action))
