"""The training loop, given a network and batches.

    for batch in the place that the step says:
        loss = sum of the terms of every iteration;  refuse a loss that is not finite
        backward, clip, Adam
        now and then: log, look (watchers), checkpoint
    Ctrl-C ends the loop after a whole step, with a checkpoint.

The place in the data is a function of the step (epoch = step div batches, batch = step mod batches), and dropout
draws from torch's generator, which the checkpoint holds: training N steps, or k and later N − k, gives the same bits
on a CPU. On a GPU torch's own kernels (sampling backward) do not promise that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pymaf_data.config import StrictModel
from pymaf_data.errors import CheckpointError, TrainingError
from pymaf_data.loader.batch import Batch
from pymaf_data.progress import Progress
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import CHECKPOINT, LOGS
from pymaf_data.runs.history import Errors, History, HistoryLine
from pymaf_data.runs.logs import Logs

from .checkpoint import check_body, load_state
from .images import normalise
from .interrupt import StopRequest
from .losses import loss_terms
from .measures import iteration_errors
from .networks.network import Network, Output
from .optimisation import freeze_statistics, learning_rate, make_optimizer, measure_statistics, set_rate
from .options import TrainOptions
from .precision import autocast_dtype, channels_last
from .watchers import Watcher

_NO_LOSS = ("gradient_norm", "learning_rate")


class Feed(Protocol):
    """Where batches come from; :class:`pymaf_data.loader.Loader` is one."""

    def __len__(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, a function of its number alone, without the first ``skip``."""


class TrainReport(StrictModel):
    """What a run did."""

    folder: Path
    checkpoint: Path
    step: int
    """Steps done in all."""
    resumed_from: int
    """Steps that were there already."""
    seconds: float
    losses: dict[str, float]
    """Weighted terms on the last batch logged; empty when nothing was to do."""
    errors: dict[str, dict[str, float]]
    """M0 … M3 → MPJPE and PA-MPJPE in millimetres on that batch."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        done = self.step - self.resumed_from
        if not done:
            return [f"{self.checkpoint}: {self.step:,} steps are done already, nothing to do"]
        before = f" after {self.resumed_from:,} that were there already" if self.resumed_from else ""
        lines = [f"{done:,} steps in {self.seconds:,.0f} s{before}"]
        lines += [
            f"  {iteration}  MPJPE {errors['mpjpe']:6.1f} mm   PA-MPJPE {errors['pa_mpjpe']:6.1f} mm"
            for iteration, errors in self.errors.items()
        ]
        if self.errors:
            lines.append("  (on the last training batch, in training mode; M0 is the mean body)")
        return [*lines, f"checkpoint: {self.checkpoint}"]


class Trainer:
    """One run in one folder.

    Args:
        model: the network, on its device.
        feed: the batches.
        options: what to do; ``device``, ``precision`` and ``stores`` are the caller's to resolve.
        folder: where checkpoint and logs go.
        precision: ``fp32`` or ``bf16``.
        provenance: ``stores``, ``licences`` and ``versions`` for the checkpoint.
        watchers: what looks at the network while it trains.
        prepare: what a batch passes through on the training device.
    """

    def __init__(
        self,
        model: Network,
        feed: Feed,
        options: TrainOptions,
        folder: Path,
        *,
        precision: str = "fp32",
        provenance: dict[str, Any] | None = None,
        watchers: Sequence[Watcher] = (),
        prepare: Callable[[Batch], Batch] | None = None,
    ) -> None:
        self.model = channels_last(model)
        self.model.autocast = autocast_dtype(precision)
        self.feed, self.options, self.folder, self.precision = feed, options, folder, precision
        self.optimizer = make_optimizer(model, options.optimizer)
        self.total = options.steps if options.steps is not None else options.epochs * len(feed)
        self.step = 0
        self._prepare_batch = prepare or (lambda batch: batch)
        self._provenance, self._watchers = provenance or {}, tuple(watchers)
        self._losses: dict[str, float] = {}
        self._errors: dict[str, dict[str, float]] = {}
        self._figures: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def run(self, progress: Progress | None = None) -> TrainReport:
        """Train from the present step to the last.

        Raises:
            TrainingError: a loss or gradient is not finite.
            DiskFull: no room for checkpoint, history or logs; the last checkpoint stays.
            KeyboardInterrupt: Ctrl-C or SIGTERM, after a checkpoint was written.
        """
        start, begun = self.step, time.monotonic()
        if start < self.total:
            history = History(self.folder, start)
            with Logs(self.folder / LOGS, purge_step=start + 1) as logs:
                self._prepare()
                self._begin_watch(logs, history)
                with StopRequest() as stop:  # before, there is nothing to save
                    for batch in self._batches():
                        self._advance(self._prepare_batch(batch.to(self.device)), logs, history)
                        self._watch(logs, history)
                        self._tell(progress, start, begun)
                        if stop.requested or self._due(self.options.checkpoint_every):
                            with stop.uninterrupted():
                                self.save()
                        stop.obey()
        return TrainReport(
            folder=self.folder,
            checkpoint=self.folder / CHECKPOINT,
            step=self.step,
            resumed_from=start,
            seconds=time.monotonic() - begun,
            losses=self._losses,
            errors=self._errors,
        )

    def save(self) -> Path:
        """Write the checkpoint of the present step."""
        cuda = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        body = self.model.body
        content = Checkpoint(
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            rng={"cpu": torch.get_rng_state(), "cuda": cuda},
            step=self.step,
            options=self.options.model_dump(mode="json"),
            precision=self.precision,
            body={"name": body.name, "digest": body.digest, "fingerprint": body.fingerprint},
            figures=self._figures,
            **self._provenance,
        )
        return checkpoints.save(content, self.folder)

    def restore(self, saved: Checkpoint) -> None:
        """Go on from a checkpoint of this run.

        Raises:
            CheckpointError: it belongs to another network or body, or to a version with another optimizer.
        """
        check_body(saved, self.model.body)
        load_state(self.model, saved.model, str(self.folder))
        try:
            self.optimizer.load_state_dict(saved.optimizer)
            self._require_moments()
            torch.set_rng_state(saved.rng["cpu"])
            if self.device.type == "cuda" and saved.rng["cuda"]:
                torch.cuda.set_rng_state(saved.rng["cuda"][0], self.device)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
            groups = saved.optimizer.get("param_groups")
            counted = f"{len(groups)} groups of parameters" if isinstance(groups, list) else "no groups of parameters"
            raise CheckpointError(
                f"optimizer and random state in {self.folder} do not fit ({type(error).__name__}; {counted})",
                expected=f"{len(self.optimizer.param_groups)} groups, as this version of pymaf-data makes them",
                action="begin the run anew with --overwrite, or go on with the version that began it.",
            ) from None
        self.step, self._figures = saved.step, saved.figures

    def _require_moments(self) -> None:
        """Refuse moments of other shapes than their parameters', which torch would notice at the next step only.

        Raises:
            ValueError: there are such.
        """
        for parameter, moments in self.optimizer.state.items():
            if any(moments[name].shape != parameter.shape for name in ("exp_avg", "exp_avg_sq")):
                raise ValueError("moments of another shape")

    def _batches(self) -> Iterator[Batch]:
        """From the present step on, without end of epochs, to the last step."""
        while self.step < self.total:
            number, skip = divmod(self.step, len(self.feed))
            for batch in self.feed.epoch(number, skip):
                yield batch
                if self.step >= self.total:
                    return

    def _prepare(self) -> None:
        if self.step == 0 and self.options.optimizer.fixed_statistics:
            state = torch.get_rng_state()  # measuring must not shift the dropout of training
            batches = self.feed.epoch(0)
            measure_statistics(self.model, (normalise(batch.image.to(self.device)) for batch in batches))
            torch.set_rng_state(state)

    def _advance(self, batch: Batch, logs: Logs, history: History) -> None:
        """One optimizer step."""
        self.model.train()
        if self.options.optimizer.fixed_statistics:
            freeze_statistics(self.model)
        rate = learning_rate(self.step, self.total, self.options.optimizer)
        set_rate(self.optimizer, rate)
        output = self.model(normalise(batch.image))
        terms = loss_terms(output, batch, self.options.loss)
        loss = torch.stack(list(terms.values())).sum()
        self._require_finite(loss, terms)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = self._clip()
        self.optimizer.step()
        self.step += 1
        if self._due(self.options.log_every) or self.step == 1:
            scalars = {"loss": loss, "gradient_norm": norm} | terms
            values = {name: float(value.detach()) for name, value in scalars.items()} | {"learning_rate": rate}
            self._log(logs, history, values, output, batch)

    def _begin_watch(self, logs: Logs, history: History) -> None:
        """Tell the watchers where the run stands; a new run is looked at before it learns anything."""
        for watcher in self._watchers:
            watcher.begin(self.step, self.model)
        if self.step == 0:
            self._watch(logs, history)

    @torch.no_grad()
    def _watch(self, logs: Logs, history: History) -> None:
        due = [watcher for watcher in self._watchers if self._due(watcher.every)]
        if not due:
            return
        self.model.eval()
        for watcher in due:
            line = watcher.look(self.step, self.model)
            if line is not None:
                history.append(line)
                self._figures = {"step": line.step, "persons": line.persons, "errors": line.errors}
                _log_errors(logs, line.errors, "held_out_", self.step)

    def _clip(self) -> Tensor:
        """Clip the gradient where asked; its norm before that."""
        limit = self.options.optimizer.clip_gradient or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"the gradient of step {self.step + 1} is not finite",
                expected="a finite gradient",
                action="lower optimizer.learning_rate or set optimizer.clip_gradient; " + self._kept(),
            )
        return norm

    def _require_finite(self, loss: Tensor, terms: dict[str, Tensor]) -> None:
        if torch.isfinite(loss):
            return
        guilty = ", ".join(name for name, value in terms.items() if not torch.isfinite(value))
        raise TrainingError(
            f"the loss of step {self.step + 1} is not finite ({guilty or 'their sum'})",
            expected="a finite loss",
            action="lower optimizer.learning_rate or set optimizer.clip_gradient; " + self._kept(),
        )

    def _kept(self) -> str:
        path = self.folder / CHECKPOINT
        return f"{path} still holds the last good state." if path.exists() else "nothing was saved yet."

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.total

    def _log(self, logs: Logs, history: History, values: dict[str, float], output: Output, batch: Batch) -> None:
        self._losses = {name: value for name, value in values.items() if name not in _NO_LOSS}
        self._errors = iteration_errors(output, batch, self.model.body)
        persons = int(batch.has_fit.sum())
        history.append(HistoryLine(step=self.step, kind="train", scalars=values, errors=self._errors, persons=persons))
        for name, value in values.items():
            logs.add_scalar(f"train/{name}", value, self.step)
        _log_errors(logs, self._errors, "", self.step)

    def _tell(self, progress: Progress | None, start: int, begun: float) -> None:
        if progress is None:
            return
        rate = (self.step - start) / max(time.monotonic() - begun, 1e-9)
        last = max(self._errors) if self._errors else ""
        error = f", {last} {self._errors[last]['mpjpe']:.0f} mm" if last else ""
        progress(self.step, self.total, f"loss {self._losses.get('loss', math.nan):.2f}{error}, {rate:.2g} steps/s")


def _log_errors(logs: Logs, errors: Errors, prefix: str, step: int) -> None:
    for iteration, measures in errors.items():
        for name, value in measures.items():
            logs.add_scalar(f"{prefix}{name}_mm/{iteration}", value, step)
