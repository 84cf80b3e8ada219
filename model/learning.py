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
from .optimisation import freeze_statistics, make_optimizer, set_rate
from .options import TrainOptions

Terms = dict[str, Tensor]


class NotFinite(Exception):
    """The ``loss`` or the ``gradient``; nothing was learned from it. ``terms`` are those that are not."""

    def __init__(self, what: str, terms: Sequence[str] = ()) -> None:
        super().__init__(what, terms)
        self.what, self.terms = what, tuple(terms)


class Step(NamedTuple):
    """What a step did."""

    terms: Terms
    """Weighted terms over everybody of the step; their sum is the loss."""
    gradient_norm: Tensor
    """Before it was clipped."""
    output: Output
    """Of the last micro-batch."""


class Learner:
    """A network and its optimizer.

    The step of several micro-batches is that of one batch of all their persons: a term is a mean over those that
    support it, wherever they are. BatchNorm alone sees each micro-batch for itself.
    """

    def __init__(self, model: Network, options: TrainOptions) -> None:
        self.model, self.options = model, options
        self.optimizer = make_optimizer(model, options.optimizer)

    def learn(self, batches: Sequence[Batch], rate: float) -> Step:
        """One step.

        Args:
            batches: its micro-batches, on the network's device.
            rate: Adam's.

        Raises:
            NotFinite: a loss or gradient is not; weights and optimizer are as before.
        """
        self.model.train()
        if self.options.optimizer.fixed_statistics:
            freeze_statistics(self.model)
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        for batch, share in zip(batches, self._shares(batches), strict=True):
            output = self.model(normalise(batch.image))
            found = loss_terms(output, batch, self.options.loss)
            if share:
                found = {name: value * share[name].to(value.dtype) for name, value in found.items()}
            torch.stack(list(found.values())).sum().backward()
            terms = {name: value.detach() + terms.get(name, 0) for name, value in found.items()}
        norm = self._norm(terms)
        if self.options.optimizer.clip_gradient:
            clip_grads_with_norm_(self.model.parameters(), self.options.optimizer.clip_gradient, norm)
        self.optimizer.step()
        return Step(terms, norm, output)

    def _shares(self, batches: Sequence[Batch]) -> list[Terms]:
        """Of each micro-batch, which part of the persons that support a term it has; empty where it has them all."""
        if len(batches) == 1:
            return [{}]
        each = [term_supports(batch) for batch in batches]
        own = torch.stack([torch.stack(list(found.values())) for found in each])
        shares = own.double() / own.sum(dim=0).clamp_min(1)
        return [dict(zip(each[0], row, strict=True)) for row in shares]

    def _norm(self, terms: Terms) -> Tensor:
        """The total norm of the gradient.

        Raises:
            NotFinite: it is not, or the loss is not.
        """
        norm = get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None])
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(norm + loss):  # asked once: who asks waits for the device
            if torch.isfinite(loss):
                raise NotFinite("gradient")
            raise NotFinite("loss", [name for name, value in terms.items() if not torch.isfinite(value)])
        return norm
