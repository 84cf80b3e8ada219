"""Learning rate, BatchNorm statistics and the optimizer itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .networks.network import Network
from .options import OptimizerOptions

_COSINE_FLOOR = 0.01
_BETA1 = 0.9
_IMAGE_AXES = 4  # of a convolution's weights


def learning_rate(step: int, total: int, options: OptimizerOptions) -> float:
    """The rate of a step counted from 0: linear warm-up, then constant, or a cosine falling to a hundredth."""
    rate = options.learning_rate
    if options.schedule == "cosine":
        rate *= _COSINE_FLOOR + (1 - _COSINE_FLOOR) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))
    return rate * min(1.0, (step + 1) / max(options.warmup_steps, 1))


class _Adam(torch.optim.Adam):
    """Adam whose kernel gets every tensor in the order in which the parameter lies in memory.

    On a CPU the fused kernel pairs numbers by their places in memory. Of a gradient that is not contiguous it makes a
    copy first, which of convolutions in channels-last costs a fifth of its time; of one that lies otherwise than the
    parameter it would pair the wrong ones.
    """

    def _init_group(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor], *moments: list[Tensor]
    ) -> bool:
        found = super()._init_group(group, parameters, gradients, *moments)
        means, squares = moments[:2]
        for place, parameter in enumerate(parameters):
            if parameter.is_contiguous(memory_format=torch.channels_last) and parameter.ndim == _IMAGE_AXES:
                for values in (parameters, gradients, means, squares):
                    values[place] = values[place].permute(0, 2, 3, 1)
            gradients[place] = gradients[place].contiguous()
        return bool(found)


def make_optimizer(model: Network, options: OptimizerOptions) -> torch.optim.Adam:
    """Adam without decay; fused, which on a CPU halves what 45 million parameters cost a step.

    The network says which parameters are of the loop and which of the trunk; :func:`set_rate` gives each its rate.
    """
    found = model.parameter_groups()
    groups = [{"params": found["loop"], "factor": 1.0}, {"params": found["trunk"], "factor": options.trunk_factor}]
    return _Adam(groups, lr=options.learning_rate, betas=(_BETA1, options.beta2), fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the step's rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def require_moments(optimizer: torch.optim.Optimizer) -> None:
    """Lay moments out in memory as their parameters, which :class:`_Adam` counts on; refuse those of other shapes,
    which torch would notice at the next step only.

    Raises:
        ValueError: there are such.
    """
    for parameter, moments in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            if moments[name].shape != parameter.shape:
                raise ValueError("moments of another shape")
            if moments[name].stride() != parameter.stride():
                moments[name] = torch.empty_like(parameter).copy_(moments[name])


def batch_norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    """Every BatchNorm of the model."""
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def statistics(model: nn.Module) -> list[Tensor]:
    """The running statistics of every BatchNorm, in place."""
    kept = [(norm.running_mean, norm.running_var) for norm in batch_norms(model)]
    return [value for pair in kept for value in pair if value is not None]


def freeze_statistics(model: nn.Module) -> None:
    """Let every BatchNorm use its running statistics as they are; call after ``model.train()``."""
    for norm in batch_norms(model):
        norm.eval()


@torch.no_grad()
def measure_statistics(model: nn.Module, images: Iterable[Tensor]) -> None:
    """Set BatchNorm's running statistics to plain averages over batches of normalised images (B, 3, 224, 224).

    Leaves the model in training mode. Without this a network from random weights, used with fixed statistics, would
    start from mean 0 and variance 1, which hold nowhere in it.
    """
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
    model.train()
    for image in images:
        model(image)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
