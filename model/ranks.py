"""The processes of one run: each learns from its part of the persons of every step, the first one writes.

    torchrun --nproc-per-node 2 -m pymaf_data train …

torchrun's environment says which process this is. They speak through gloo on CPUs and nccl on GPUs, of which each has
its own. Whoever calls a method here waits for all the others to call it too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from pymaf_data.errors import CheckpointError, UsageError

from .precision import choose_device

# The others wait while the first one measures and saves.
_PATIENCE = timedelta(hours=2)
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Ranks:
    """Which process of how many this is; a process alone has nobody to wait for."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def require(self, count: int, folder: Path) -> None:
        """Refuse to go on with a run of another number of processes: its steps would be of other persons.

        Raises:
            CheckpointError: it is of another one.
        """
        if count != self.count:
            raise CheckpointError(
                f"the run in {folder} is trained by {count} processes, now by {self.count}",
                expected="as many as it was begun with",
                action=f"start it with torchrun --nproc-per-node {count}, or begin it anew with --overwrite.",
            )

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype by their sums over the processes."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])  # one message instead of hundreds
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(part.view(tensor.shape))

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype by their means over the processes."""
        self.add_up(tensors)
        if self.count > 1:
            for tensor in tensors:
                tensor.div_(self.count)

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return flag
        found = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(found)
        return bool(found > 0)

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        for tensor in tensors if self.count > 1 else ():
            whole = tensor.detach().contiguous()
            distributed.broadcast(whole, src=0)
            tensor.detach().copy_(whole)

    def of_first(self, value: Any) -> Any:
        """The first process's value of a thing that pickles."""
        return self.of_all(value)[0]

    def of_all(self, value: Any) -> list[Any]:
        """Everybody's value, in their order."""
        found = [value] * self.count
        if self.count > 1:
            distributed.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until all are here."""
        self.any(False)


@contextmanager
def processes(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun has started, each on its own device; one that was started alone is alone.

    Args:
        device: as :func:`choose_device` takes it.

    Raises:
        UsageError: one GPU is named for several processes, or there is none for this one.
    """
    chosen = choose_device(device)
    if not all(os.environ.get(name) for name in _ENVIRONMENT) or int(os.environ["WORLD_SIZE"]) == 1:
        yield Ranks(chosen)
        return
    if chosen.type == "cuda":
        if chosen.index is not None:
            raise UsageError(
                f"device {device} for {os.environ['WORLD_SIZE']} processes",
                expected="a GPU for each",
                action="leave --device out; CUDA_VISIBLE_DEVICES says which GPUs there are.",
            )
        chosen = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(chosen, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
