"""A network whose image-plane part goes through torch's compiler, in one form: that of a whole training batch.

A graph takes minutes to compile, and there would be one for each mode, each size and with and without gradients. What
happens now and then, measuring, snapshots, the last batch of an epoch, runs as it is written; so what is measured is
what a loaded checkpoint computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pymaf_data.errors import TrainingError

from .failure import kept
from .networks.network import Network


def compile_image_plane(model: Network, batch: int) -> None:
    """Have batches of so many persons compiled while the network learns; in place."""
    plain = model.image_plane
    fast = torch.compile(plain, dynamic=False)

    def image_plane(image: Tensor, auxiliary: bool) -> Any:
        learns = model.training and torch.is_grad_enabled() and len(image) == batch
        return (fast if learns else plain)(image, auxiliary)

    model.image_plane = image_plane  # type: ignore[method-assign]


@contextmanager
def compiler(used: bool, folder: Path) -> Iterator[None]:
    """Say what the compiler lacks where it fails inside.

    Raises:
        TrainingError: it did.
    """
    if not used:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    try:
        yield
    except TorchDynamoException as error:
        told = str(getattr(error, "inner_exception", None) or error).strip()
        raise TrainingError(
            f"the network could not be compiled: {told.partition(chr(10))[0][:200]}",
            expected="a C++ compiler that torch can use (g++ or clang++ on the path, or by CXX); on a GPU Triton",
            action=f"install it, or leave --compile out, which changes no more than rounding; {kept(folder)}",
        ) from None
