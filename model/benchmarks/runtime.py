"""What a network costs: a sample, an iteration and its parts, alone and in a batch, with and without auxiliary head."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from pymaf_data.config import StrictModel
from pymaf_data.runs.evaluations import Figure

from ..inference import for_inference
from ..networks.network import Network, Output
from .benchmark import Benchmark, Setting
from .clocks import PARTS, Clock, clock_of, parts_of, timed

_BOUNDS = (2.5, 97.5)


class RuntimeOptions(StrictModel):
    """What the benchmark can be told."""

    batches: tuple[int, ...] = Field((1, 16), min_length=1, description="images at a time, a row of the table each")
    repeats: int = Field(20, ge=1, le=10_000, description="timed runs")
    warmup: int = Field(3, ge=0, le=1_000, description="runs before them")
    folded: bool = Field(False, description="measure the network for inference alone, BatchNorm folded, weights cast")
    training: bool = Field(True, description="whether forward and backward are timed, a quarter as often")


class Runtime(Benchmark):
    """See the module."""

    options_model = RuntimeOptions
    of_networks = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        learns = self.options.training and not self.options.folded
        self.lacking = {} if learns else {"head in training": "training=false, or folded=true"}

    def run(self, model: Network) -> dict[str, dict[str, Figure]]:
        """See :class:`Benchmark`."""
        device, mode = next(model.parameters()).device, model.training
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or device.type
        precision = "fp32" if model.autocast is None else str(model.autocast).removeprefix("torch.")
        self.notes += [f"on {name}, {torch.get_num_threads()} threads, {precision}, {self.options.repeats} runs"]
        head, parts = getattr(model, "dp_head", None) is not None, parts_of(model)
        if not head:
            self.lacking |= dict.fromkeys(["with head", "head in training"], "the network has no auxiliary head")
        self.lacking |= {part: "the network has no such part" for part in PARTS if part not in parts}
        if self.options.folded:
            model = for_inference(model, model.autocast)
            parts = parts_of(model)
        try:
            found = {
                f"batch {B}": self._of_batch(model, parts, head, B, clock_of(device)) for B in self.options.batches
            }
        finally:
            model.train(mode)
        return found

    def _of_batch(
        self, model: Network, parts: dict[str, list[nn.Module]], head: bool, B: int, clock: Clock
    ) -> dict[str, Figure]:
        W, like = model.view_size, next(model.parameters())
        image = torch.rand(B, 3, W, W, generator=torch.Generator().manual_seed(0)).to(like)
        image = image.contiguous(memory_format=torch.channels_last)
        model.eval()
        with torch.inference_mode():
            # The mesh is made when it is asked for.
            taken = {"sample": self._times(lambda: model(image, auxiliary=False).predictions[-1].vertices, clock)}
            if head:
                taken["with head"] = self._times(lambda: model(image, auxiliary=True).predictions[-1].vertices, clock)
            with timed(model, parts, clock) as spent:
                for _ in range(self.options.warmup + self.options.repeats):
                    spent.begin()
                    model(image, auxiliary=False)
        taken |= {part: times[self.options.warmup :] for part, times in spent.per_iteration().items()}
        figures = {part: _figure(times / B) for part, times in taken.items()}
        if head and "head in training" not in self.lacking:
            figures["head in training"] = _figure(self._training(model, image, clock))
        return figures

    def _times(self, work: Callable[[], Any], clock: Clock, times: int = 1) -> np.ndarray:
        """Milliseconds of each of the timed runs."""
        for _ in range(self.options.warmup):
            work()
        taken = []
        for _ in range(max(self.options.repeats // times, 1)):
            begun = clock()
            work()
            taken.append(clock() - begun)
        return 1000.0 * np.array(taken)

    def _training(self, model: Network, image: Tensor, clock: Clock) -> np.ndarray:
        """Percent that a step with the head takes longer, pair by pair."""
        kept = {name: value.clone() for name, value in model.state_dict().items()}  # statistics of BatchNorm move
        asked = [value.requires_grad for value in model.parameters()]
        model.train().requires_grad_(True)
        try:
            plain, more = (self._times(partial(_step, model, image, on), clock, 4) for on in (False, True))
        finally:
            model.load_state_dict(kept)
            model.zero_grad(set_to_none=True)
            for value, wanted in zip(model.parameters(), asked, strict=True):
                value.requires_grad_(wanted)
        return 100.0 * (more / np.median(plain) - 1.0)


def _step(model: Network, image: Tensor, auxiliary: bool) -> None:
    """Forward and backward."""
    _total(model(image, auxiliary=auxiliary)).backward()


def _total(output: Output) -> Tensor:
    """One number that depends on all that a network gives."""
    total = sum(one.vertices.mean() + one.keypoints.mean() for one in output.predictions)
    return torch.as_tensor(total) + sum(field.mean() for field in output.dense or ())


def _figure(values: np.ndarray) -> Figure:
    low, high = np.percentile(values, _BOUNDS).tolist()
    return Figure(value=float(np.median(values)), low=low, high=high, persons=len(values))
