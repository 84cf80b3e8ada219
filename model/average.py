"""The average of a network over its steps, which is steadier than the network of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .networks.network import Network
from .state_dicts import fitted


class Average:
    """An exponential moving average of weights and of BatchNorm's statistics.

    Args:
        model: whose, in place: its tensors are read after every step.
        decay: what remains of the average at a step; less at first, (1 + n) / (10 + n) after n steps, so that the first
            weights are forgotten.

    Attributes:
        state: the averages under the names of the network's state dict.
    """

    def __init__(self, model: Network, decay: float) -> None:
        self._own, self._decay = dict(model.state_dict()), decay
        self.state: dict[str, Tensor] = {}
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """Begin with what the network is."""
        self.state = {name: value.clone() for name, value in self._own.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the network of a step, counted from 1, into the average. Counters are taken as they are."""
        rate = min(self._decay, (1 + step) / (10 + step))
        mixed = [name for name, value in self._own.items() if value.is_floating_point()]
        averages, own = ([state[name] for name in mixed] for state in (self.state, self._own))
        get_ema_multi_avg_fn(rate)(averages, own, 1)
        for name in self._own.keys() - set(mixed):
            self.state[name].copy_(self._own[name])

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside, the network is its average."""
        before = {name: value.clone() for name, value in self._own.items()}
        self._set(self.state)
        try:
            yield
        finally:
            self._set(before)

    def load(self, state: Mapping[str, Tensor], origin: str) -> None:
        """Go on from an average.

        Raises:
            CheckpointError: it is not that of this network.
        """
        whole = fitted(state, self._own, origin, "the average of this network", "take an earlier checkpoint.")
        for name, value in self.state.items():
            value.copy_(whole[name])

    @torch.no_grad()
    def _set(self, state: Mapping[str, Tensor]) -> None:
        for name, value in self._own.items():
            value.copy_(state[name])
