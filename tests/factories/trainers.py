"""What a trainer of a small network is fed with and told, and all that it has learned."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pymaf_data.loader import Batch
from pymaf_data.model import ModelOptions, TrainOptions
from pymaf_data.model.trainer import Trainer

OPTIONS = TrainOptions(batch_size=2, log_every=2, device="cpu", precision="fp32", model=ModelOptions(view_size=64))


class Memory:
    """A feed of given batches; their order turns with the epoch."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        turned = self.batches[number % len(self) :] + self.batches[: number % len(self)]
        return iter(turned[skip:])


def state_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}
