"""The optimizer's numbers do not depend on how weights, gradients and moments lie in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pymaf_data.model.networks.network import Network
from pymaf_data.model.optimisation import make_optimizer, require_moments
from pymaf_data.model.options import OptimizerOptions

CHANNELS_LAST, PLAIN = torch.channels_last, torch.contiguous_format


class One(Network):
    """A convolution and a vector."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        random = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 4, 3, 3, generator=random))
        self.vector = nn.Parameter(torch.randn(5, generator=random))

    loop = ("vector",)


def after(
    layout: Callable[[Tensor], Tensor], gradients: Callable[[Tensor], Tensor], again: bool = False
) -> list[Tensor]:
    """Weights three steps on; with ``again`` the last is taken by another optimizer, given moments in plain memory."""
    model, random = One(), torch.Generator().manual_seed(1)
    model.weight.data = layout(model.weight.data)
    optimizer = make_optimizer(model, OptimizerOptions(learning_rate=0.1))
    for step in range(3):
        if again and step == 2:
            state = optimizer.state_dict()
            for moments in state["state"].values():
                moments |= {name: value.contiguous() for name, value in moments.items()}
            optimizer = make_optimizer(model, OptimizerOptions(learning_rate=0.1))
            optimizer.load_state_dict(state)
            require_moments(optimizer)
        for value in model.parameters():
            gradient = torch.randn(value.shape, generator=random)
            value.grad = gradients(gradient) if gradient.ndim == 4 else gradient
        optimizer.step()
    return [model.weight.data, model.vector.data]


def to(layout: torch.memory_format) -> Callable[[Tensor], Tensor]:
    return lambda value: value.clone().contiguous(memory_format=layout)


@pytest.mark.parametrize("weights", [PLAIN, CHANNELS_LAST])
@pytest.mark.parametrize("gradients", [PLAIN, CHANNELS_LAST])
@pytest.mark.parametrize("again", [False, True])
def test_layout_is_without_effect(weights: torch.memory_format, gradients: torch.memory_format, again: bool) -> None:
    wanted = after(to(PLAIN), to(PLAIN))
    for found, value in zip(after(to(weights), to(gradients), again), wanted, strict=True):
        torch.testing.assert_close(found, value)


def test_it_is_adam() -> None:
    model, other = One(), One()
    optimizer = make_optimizer(model, OptimizerOptions(learning_rate=0.1))
    plain = torch.optim.Adam(other.parameters(), lr=0.1, fused=False)
    for step in range(3):
        for value, same in zip(model.parameters(), other.parameters(), strict=True):
            value.grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(step))
            same.grad = value.grad.clone()
        optimizer.step()
        plain.step()
    for value, same in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(value, same)
