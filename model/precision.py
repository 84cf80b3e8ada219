"""Where to compute and in which number format, found out rather than assumed."""

from __future__ import annotations

import logging
import time
from typing import TypeVar

import torch
from torch import nn

from pymaf_data.errors import UsageError

logger = logging.getLogger(__name__)

Module = TypeVar("Module", bound=nn.Module)

# bfloat16 must win clearly to be worth its rounding.
_WORTHWHILE = 1.2
_REPEATS = 3


def choose_device(name: str) -> torch.device:
    """``auto``: a GPU when there is one, else the CPU; otherwise the torch device of that name.

    Raises:
        UsageError: no such device, or it is not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0].partition('. ')[0]}",
            expected="auto, cpu, cuda or cuda:N",
            action="choose a device of this machine; `pymaf-data doctor` shows them.",
        ) from None
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """``auto``: ``bf16`` where this device convolves clearly faster in it, measured once (a moment); else ``fp32``."""
    if name != "auto":
        return name
    plain, half = (_convolution_time(device, bf16) for bf16 in (False, True))
    chosen = "bf16" if half * _WORTHWHILE < plain else "fp32"
    logger.info("precision %s: a convolution takes %.2f ms in fp32, %.2f in bf16", chosen, plain * 1e3, half * 1e3)
    return chosen


def autocast_dtype(precision: str) -> torch.dtype | None:
    """What :attr:`Network.autocast` is set to."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def channels_last(module: Module) -> Module:
    """The module with its convolutions laid out as images arrive; in place."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _convolution_time(device: torch.device, bf16: bool) -> float:
    """Best of a few 3×3 convolutions of 256 channels at 28×28, seconds."""
    layer = channels_last(nn.Conv2d(256, 256, 3, padding=1).to(device))
    x = torch.zeros(4, 256, 28, 28, device=device).contiguous(memory_format=torch.channels_last)
    times = []
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        for _ in range(_REPEATS + 1):
            start = time.perf_counter()
            layer(x)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
    return min(times[1:])
