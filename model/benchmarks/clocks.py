"""Clocks around the parts of a network: what an iteration of its loop spends on maps, mesh-aligned features, meshes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

from ..networks.network import Network

Clock = Callable[[], float]
#: Parts of an iteration by the modules that make them; meshes are what ``decode`` makes.
PARTS = {"feature maps": ("deconv_layers", "lateral_layers"), "mesh-aligned": ("maf_extractor",)}


class Spent:
    """Seconds that each run of a network spends in its parts."""

    def __init__(self) -> None:
        self.runs: list[dict[str, float]] = []
        self.meshes = 0

    def begin(self) -> None:
        """A run begins."""
        self.runs.append(defaultdict(float))
        self.meshes = 0

    def add(self, part: str, seconds: float) -> None:
        """A part took so long."""
        self.runs[-1][part] += seconds
        self.meshes += part == "mesh"

    def per_iteration(self) -> dict[str, np.ndarray]:
        """Milliseconds of an iteration; the mean body, with which the loop begins, is posed besides."""
        loop = self.meshes - 1
        count = {"mesh": self.meshes}
        return {
            part: 1000.0 * np.array([run[part] for run in self.runs]) / count.get(part, loop) for part in self.runs[-1]
        }


def parts_of(model: Network) -> dict[str, list[nn.Module]]:
    """The modules of each part that the network has."""
    found = {part: [*chain(*(getattr(model, name, None) or () for name in names))] for part, names in PARTS.items()}
    return {part: modules for part, modules in found.items() if modules}


@contextmanager
def timed(model: Network, parts: dict[str, list[nn.Module]], clock: Clock) -> Iterator[Spent]:
    """Clocks around a network's parts, its meshes and its loop, whose time with that of its maps is an iteration's."""
    spent, begun = Spent(), dict[int, float]()

    def clocked(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = clock()
            result = work(*arguments)
            spent.add(part, clock() - start)
            return result

        return run

    def before(module: nn.Module, _: Any) -> None:
        begun[id(module)] = clock()

    def after(part: str) -> Callable[..., None]:
        def end(module: nn.Module, *_: Any) -> None:
            seconds = clock() - begun.pop(id(module))
            spent.add(part, seconds)
            if part == "feature maps":
                spent.add("iteration", seconds)

        return end

    hooks = [
        hook
        for part, modules in parts.items()
        for module in modules
        for hook in (module.register_forward_pre_hook(before), module.register_forward_hook(after(part)))
    ]
    # On the instance, before the class's own.
    changed: Any = model
    changed.decode, changed.refine = clocked("mesh", model.decode), clocked("iteration", model.refine)
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()
        del changed.decode, changed.refine


def clock_of(device: torch.device) -> Clock:
    """Seconds, once the device has done all that it was told."""
    if device.type != "cuda":
        return time.perf_counter

    def clock() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return clock
