"""One optimizer step: gradients of some micro-batches, on one process or several, clipped, into Adam.

for each micro-batch:  forward; terms, each by the micro-batch's share of the persons behind it; backward
add up gradients over the processes;  refuse what is not finite;  clip;  Adam
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from pymaf_data.loader.batch import Batch

from .images import normalise
from .losses import loss_terms, term_supports
from .networks.network import Network, Output
from .optimisation import freeze_statistics, make_optimizer, set_rate, statistics
from .options import TrainOptions
from .ranks import Ranks

Terms = dict[str, Tensor]


class NotFinite(Exception):
    """The ``loss`` or the ``gradient``; nothing was learned from it.

    Attributes:
        terms: those that are not.
        here: whether this process may have caused it: not where its own loss is finite and another's is not.
    """

    def __init__(self, what: str, terms: Sequence[str] = (), here: bool = True) -> None:
        super().__init__(what, terms, here)
        self.what, self.terms, self.here = what, tuple(terms), here


class Step(NamedTuple):
    """What a step did."""

    terms: Terms
    """Weighted terms over everybody of the step; their sum is the loss."""
    gradient_norm: Tensor
    """Before it was clipped."""
    output: Output
    """Of the last micro-batch."""


class Learner:
    """A network and its optimizer. Of fp16 the loss is scaled, and a step that overflows is left out.

    The step of several micro-batches and processes is that of one batch of all their persons: a term is a mean over
    those that support it, wherever they are. BatchNorm alone sees each micro-batch for itself; the statistics that it
    keeps are the processes' means.
    """

    def __init__(self, model: Network, options: TrainOptions, ranks: Ranks | None = None) -> None:
        self.model, self.options, self.ranks = model, options, ranks or Ranks()
        self.optimizer = make_optimizer(model, options.optimizer)
        device = next(model.parameters()).device.type
        self.scaler = torch.amp.GradScaler(device, enabled=model.autocast is torch.float16)

    def learn(self, batches: Sequence[Batch], rate: float) -> Step:
        """One step.

        Args:
            batches: its micro-batches, on the network's device; of this process.
            rate: Adam's.

        Raises:
            NotFinite: a loss or gradient is not, in any process; weights and optimizer are as before.
        """
        step = self.gradient(batches)
        clip = self.options.optimizer.clip_gradient
        if clip:
            clip_grads_with_norm_(self.model.parameters(), clip, step.gradient_norm)
        set_rate(self.optimizer, rate)
        self.scaler.step(self.optimizer)  # not one whose gradient overflowed
        self.scaler.update()
        return step

    def gradient(self, batches: Sequence[Batch]) -> Step:
        """The gradient of a step, which is not taken.

        Raises:
            NotFinite: a loss or gradient is not, in any process.
        """
        self.model.train()
        if self.options.optimizer.fixed_statistics:
            freeze_statistics(self.model)
        self.optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        for batch, share in zip(batches, self._shares(batches), strict=True):
            output = self.model(normalise(batch.image))
            found = loss_terms(output, batch, self.options.loss)
            if share:
                found = {name: value * share[name].to(value.dtype) for name, value in found.items()}
            self.scaler.scale(torch.stack(list(found.values())).sum()).backward()
            terms = {name: value.detach() + terms.get(name, 0) for name, value in found.items()}
        return Step(*self._of_all(terms), output)

    def _shares(self, batches: Sequence[Batch]) -> list[Terms]:
        """Of each micro-batch, which part of the persons that support a term it has; empty where it has them all."""
        if len(batches) == self.ranks.count == 1:
            return [{}]
        each = [term_supports(batch) for batch in batches]
        own = torch.stack([torch.stack(list(found.values())) for found in each])
        everybody = own.sum(dim=0)
        self.ranks.add_up([everybody])
        shares = own.double() / everybody.clamp_min(1)
        return [dict(zip(each[0], row, strict=True)) for row in shares]

    def _of_all(self, own: Terms) -> tuple[Terms, Tensor]:
        """Add up terms and gradients of all processes; the terms, and the total norm of the gradient.

        Raises:
            NotFinite: a term is not, or the norm.
        """
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        found = torch.stack(list(own.values()))
        finite_here = found.isfinite().all()
        self.ranks.add_up([*gradients, found])
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimizer)
        if not self.options.optimizer.fixed_statistics:
            self.ranks.average(statistics(self.model))
        norm, terms = get_total_norm(gradients), dict(zip(own, found, strict=True))
        if not torch.isfinite(norm + found.sum()):  # asked once: who asks waits for the device
            if torch.isfinite(found.sum()):
                if self.scaler.is_enabled() and self.scaler.get_scale() > 1:
                    return terms, norm  # an overflow of fp16
                raise NotFinite("gradient")
            guilty = [name for name, value in terms.items() if not torch.isfinite(value)]
            raise NotFinite("loss", guilty, here=self.ranks.count == 1 or not finite_here)
        return terms, norm
