"""Feature maps of ResNet-50 and ResNet-18, under torchvision's parameter names.

Written out because torchvision does not import on a CPU build of torch; the names are the contract: ImageNet
weights saved by torchvision and the backbone of released PyMAF checkpoints load without renaming.

Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), in the arrangement torchvision
calls V1.5 (the stride sits in the first 3×3 convolution).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..state_dicts import TORCHVISION, fitted

WIDTH = 64
FEW = 16
"""Places of a map, up to which a CPU was measured to learn faster by a product of matrices."""


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1 and has no bias: a BatchNorm follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """What a block is added to: its input, projected where shapes differ."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class Convolution3(nn.Conv2d):
    """3×3 convolution. On a CPU, where it learns at few places, as one matrix product of their patches.

    Forth and back, 512 channels at 3² (a view of 96 px) take torch's kernel twice as long; at 7² they no longer do.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, S / stride, S / stride)."""
        step = self.stride[0]
        if x.device.type != "cpu" or not torch.is_grad_enabled() or x.shape[2] * x.shape[3] > FEW * step**2:
            return super().forward(x)
        patches = functional.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).unfold(1, 3, step).unfold(2, 3, step)
        B, H, W = patches.shape[:3]
        rows = patches.permute(0, 1, 2, 4, 5, 3).reshape(B * H * W, -1)
        y = functional.linear(rows, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)
        return y.view(B, H, W, -1).permute(0, 3, 1, 2)


class BasicBlock(nn.Module):
    """Two 3×3, added to the input."""

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Convolution3(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = Convolution3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, width, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """What scales that which is added."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, S, S) → (B, width, S / stride, S / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1 reduce, 3×3, 1×1 expand by four, added to the input."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, outputs, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """What scales that which is added."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, S, S) → (B, 4·width, S / stride, S / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y.add_(self.downsample(x)))  # a new map at 56² costs more than the sum


class Layout(NamedTuple):
    """What one ResNet is made of."""

    block: type[BasicBlock] | type[Bottleneck]
    blocks: tuple[int, ...]
    """Of each stage."""


#: By ``ModelOptions.backbone``, torchvision's names.
LAYOUTS = {"resnet50": Layout(Bottleneck, (3, 4, 6, 3)), "resnet18": Layout(BasicBlock, (2, 2, 2, 2))}


class ResNet(nn.Module):
    """(B, 3, 224, 224) normalised image → (B, C, 7, 7) feature map, C = 2048 of ResNet-50, 512 of 18; no classifier.

    Attributes:
        channels: of the map of each stage.
        title: what its weights are called in messages.
    """

    def __init__(self, name: str = "resnet50") -> None:
        super().__init__()
        block, stages = LAYOUTS[name]
        self.name, self.title = name, TORCHVISION[name]
        self.channels = tuple((WIDTH << stage) * block.expansion for stage in range(len(stages)))
        self.conv1 = convolution(3, WIDTH, 7, 2)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = WIDTH
        for stage, blocks in enumerate(stages):
            width = WIDTH << stage
            layer = [block(inputs, width, 1 if stage == 0 else 2)]
            inputs = self.channels[stage]
            layer += [block(inputs, width) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self._initialise()

    def _initialise(self) -> None:
        # He initialisation over the outputs, as torchvision's: what training starts from without ImageNet weights.
        # Every block starts as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017).
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock | Bottleneck):
                nn.init.zeros_(module.last_norm.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Feature map of the last stage, stride 32."""
        return self.stages(image, len(self.channels))[-1]

    def stages(self, image: Tensor, count: int) -> list[Tensor]:
        """Feature maps of the first stages, (B, :attr:`channels`, S, S) at strides 4, 8, 16, 32."""
        maps = [self.maxpool(self.relu(self.bn1(self.conv1(image))))]
        for stage in range(count):
            maps.append(getattr(self, f"layer{stage + 1}")(maps[-1]))
        return maps[1:]

    def load_imagenet(self, state: Mapping[str, Tensor], origin: str) -> None:
        """Take over torchvision's weights of this network, read from ``origin``; its classifier is left out.

        Raises:
            CheckpointError: a key is missing, unknown, or has another shape, or a weight is not finite.
        """
        wanted = {key: value for key, value in state.items() if not key.startswith("fc.")}
        action = f"save it with torch.save(torchvision.models.{self.name}(weights=...).state_dict(), PATH)."
        with torch.no_grad():
            self.load_state_dict(fitted(wanted, self.state_dict(), origin, self.title, action))
