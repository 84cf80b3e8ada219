"""The training loop, given a network and batches.

    for the batches in the place that the step says:
        learn from them (learning)
        now and then: log, look (watchers), checkpoint
    Ctrl-C ends the loop after a whole step, with a checkpoint.

The place in the data is a function of the step (the batches before it, div and mod an epoch's), and dropout draws
from torch's generator, which the checkpoint holds: training N steps, or k and later N − k, gives the same bits
on a CPU. On a GPU torch's own kernels (sampling backward) do not promise that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pymaf_data.errors import CheckpointError, TrainingError
from pymaf_data.loader.batch import Batch
from pymaf_data.progress import Progress
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import BEST, CHECKPOINT
from pymaf_data.runs.history import HistoryLine

from .average import Average
from .checkpoint import check_body, load_state
from .compiled import compile_image_plane, compiler
from .course import Course, TrainReport, figures_of
from .failure import FailedStep, as_kept, kept, lost_process, not_finite, out_of_memory
from .generators import generators, set_generators
from .images import normalise
from .interrupt import StopRequest
from .learning import Learner, NotFinite, Step
from .measures import iteration_errors
from .networks.network import Network
from .optimisation import learning_rate, measure_statistics, require_moments, statistics
from .options import TrainOptions
from .pace import Feed, Pace
from .precision import autocast_dtype, channels_last
from .ranks import Ranks
from .watchers import Watcher


class Trainer:
    """One run in one folder.

    Args:
        model: the network, on its device.
        feed: the batches.
        options: what to do; ``device``, ``precision`` and ``stores`` are the caller's to resolve.
        folder: where checkpoint and logs go.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        provenance: ``stores``, ``licences``, ``versions`` and ``start`` for the checkpoint.
        watchers: what looks at the network while it trains.
        prepare: what a batch passes through on the training device.
        ranks: which process of the run this is. Each has a trainer, whose feed gives its part of every batch; the first
            one writes, and alone has watchers.

    Raises:
        TrainingError: an epoch has no batch.
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
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        if not len(feed):
            raise TrainingError(
                f"there are fewer than {options.batch_size} persons for each of {self.ranks.count} processes",
                expected="at least one batch for each",
                action="lower --batch-size, or start fewer processes.",
            )
        self.model = channels_last(model)
        self.model.autocast = autocast_dtype(precision)
        if options.compile:
            compile_image_plane(self.model, options.batch_size)
        self.feed, self.options, self.folder, self.precision = feed, options, folder, precision
        self.learner = Learner(self.model, options, self.ranks)
        self.optimizer = self.learner.optimizer
        self.total = options.steps or max(1, options.epochs * len(feed) // options.accumulate)
        self.step, self._pace = 0, Pace()
        self._prepare_batch = prepare or (lambda batch: batch)
        self._provenance, self._watchers = provenance or {}, tuple(watchers)
        decay = options.optimizer.average
        self.average = Average(self.model, decay) if decay else None
        self._figures: dict[str, Any] = {}
        self._best: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def run(self, progress: Progress | None = None) -> TrainReport:
        """Train from the present step to the last.

        Raises:
            TrainingError: a loss or gradient is not finite, or memory does not suffice.
            DiskFull: no room for checkpoint, history or logs; the last checkpoint stays.
            KeyboardInterrupt: Ctrl-C or SIGTERM, after a checkpoint was written.
        """
        start = self.step
        course = Course(self.folder, start, self.total, writes=self.ranks.first)
        if start < self.total:
            with (
                course,
                out_of_memory(self.options, self.folder),
                lost_process(self.ranks, self.folder),
                compiler(self.options.compile, self.folder),
            ):
                self.ranks.share(list(self.model.state_dict().values()))
                self._prepare()
                self._begin_watch(course)
                self._pace = Pace()
                with StopRequest() as stop:  # before, there is nothing to save
                    for batches in self._batches():
                        self._advance([self._prepare_batch(batch.to(self.device)) for batch in batches], course)
                        self._watch(course)
                        course.remark(progress, self.step)
                        stop.requested = self.ranks.any(stop.requested)
                        if stop.requested or self._due(self.options.checkpoint_every):
                            with stop.uninterrupted():
                                self.save()
                        stop.obey()
        return TrainReport(
            folder=self.folder,
            checkpoint=self.folder / CHECKPOINT,
            step=self.step,
            resumed_from=start,
            seconds=course.seconds(),
            losses=course.losses,
            errors=course.errors,
            held_out=course.measured,
        )

    def save(self) -> Path:
        """Write the checkpoint of the present step."""
        if not all(bool(torch.isfinite(value).all()) for value in self.model.state_dict().values()):
            raise TrainingError(
                f"weights of step {self.step} are not finite",
                expected="finite weights to save",
                action="lower optimizer.learning_rate or set optimizer.clip_gradient; " + kept(self.folder),
            )
        states = self.ranks.of_all(generators(self.device))
        if self.ranks.first:
            others = {"others": states[1:]} if states[1:] else {}
            checkpoints.save(self._content(states[0] | others), self.folder)
        self.ranks.wait()  # a process that ends while the first one writes may take it along
        return self.folder / CHECKPOINT

    def _content(self, rng: dict[str, Any]) -> Checkpoint:
        body = self.model.body
        return Checkpoint(
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scaler=self.learner.scaler.state_dict(),
            rng=rng,
            step=self.step,
            options=self.options.model_dump(mode="json"),
            precision=self.precision,
            body={"name": body.name, "digest": body.digest, "fingerprint": body.fingerprint},
            figures=self._figures,
            average=self.average.state if self.average else {},
            best=self._best,
            **self._provenance,
        )

    def restore(self, saved: Checkpoint) -> None:
        """Go on from a checkpoint of this run.

        Raises:
            CheckpointError: it belongs to another network or body, to as many processes as there are not, or to a
                version with another optimizer.
        """
        others = saved.rng.get("others", [])
        self.ranks.require(1 + len(others) if isinstance(others, list) else 0, self.folder)
        check_body(saved, self.model.body)
        load_state(self.model, saved.model, str(self.folder))
        try:
            self.optimizer.load_state_dict(saved.optimizer)
            require_moments(self.optimizer)
            if saved.scaler and self.learner.scaler.is_enabled():
                self.learner.scaler.load_state_dict(saved.scaler)
            rng = [saved.rng, *saved.rng.get("others", [])][self.ranks.rank]
            set_generators(rng, self.device)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
            groups = saved.optimizer.get("param_groups")
            counted = f"{len(groups)} groups of parameters" if isinstance(groups, list) else "no groups of parameters"
            raise CheckpointError(
                f"optimizer and random state in {self.folder} do not fit ({type(error).__name__}; {counted})",
                expected=f"{len(self.optimizer.param_groups)} groups, as this version of pymaf-data makes them",
                action="begin the run anew with --overwrite, or go on with the version that began it.",
            ) from None
        if self.average:
            self.average.load(saved.average, str(self.folder))
        self.step, self._figures, self._best = saved.step, saved.figures, saved.best
        held_out = self.options.validation
        if self._best and "store" not in self._best and len(held_out.stores) == 1:
            self._best = self._best | {"store": held_out.deciding}  # a version before had one name for all of them

    def _batches(self) -> Iterator[list[Batch]]:
        """The micro-batches of each step, from the present one on, without end of epochs, to the last step."""
        size, held = self.options.accumulate, list[Batch]()
        number, skip = divmod(self.step * size, len(self.feed))
        while True:
            for batch in self._pace.epoch(self.feed, number, skip):
                held.append(batch)
                if len(held) == size:
                    yield held
                    held = []
                    if self.step >= self.total:
                        return
            number, skip = number + 1, 0

    def _prepare(self) -> None:
        learned = bool(self._provenance.get("start"))  # with the weights that the run starts from
        if self.step == 0 and self.options.optimizer.fixed_statistics and not learned:
            state = torch.get_rng_state()  # measuring must not shift the dropout of training
            batches = self.feed.epoch(0)
            measure_statistics(self.model, (normalise(batch.image.to(self.device)) for batch in batches))
            self.ranks.average(statistics(self.model))
            torch.set_rng_state(state)
        if self.step == 0 and self.average:
            self.average.begin()

    def _advance(self, batches: list[Batch], course: Course) -> None:
        """One optimizer step."""
        rate, rng = learning_rate(self.step, self.total, self.options.optimizer), generators(self.device)
        try:
            done = self.learner.learn(batches, rate)
        except NotFinite as failed:
            step = FailedStep(self.step + 1, self.precision, as_kept(batches), self.model.state_dict(), rng)
            raise not_finite(failed, step, self.folder, self.ranks) from None
        self.step += 1
        if self.average:
            self.average.update(self.step)
        if self._due(self.options.log_every) or self.step == 1:
            self._log(done, batches[-1], rate, course)

    def _begin_watch(self, course: Course) -> None:
        """Tell the watchers where the run stands; a new run is looked at before it learns anything."""
        for watcher in self._watchers:
            watcher.begin(self.step, self.model)
        if self.step == 0:
            self._watch(course)

    @torch.no_grad()
    def _watch(self, course: Course) -> None:
        due = [watcher for watcher in self._watchers if self._due(watcher.every)]
        if not due:
            return
        self.model.eval()
        with self.average.shown() if self.average else nullcontext():
            seen = [watcher.look(self.step, self.model) for watcher in due]
            lines = [each for each in seen if isinstance(each, HistoryLine)]
            for each in seen:
                course.seen(each, self.step)
            wanted = self.options.validation.deciding
            deciding = next((line for line in lines if line.store == wanted), None)
            if deciding is not None:
                self._figures = figures_of(deciding, [line for line in lines if line is not deciding])
                self._keep_best(deciding)

    def _keep_best(self, line: HistoryLine) -> None:
        """Keep the network as it was measured, if it is the best so far; there is nothing in it to go on from."""
        measure = self.options.validation.best
        value = line.errors[max(line.errors)].get(measure, math.nan) if line.errors else math.nan
        by = {"measure": measure} | ({"store": line.store} if line.store else {})
        before = self._best["value"] if self._best.items() >= by.items() else math.inf
        if self.step and value < before:
            self._best = by | {"step": self.step, "value": value}
            measured = replace(self._content({}), model=self.model.state_dict(), average={}, optimizer={}, scaler={})
            checkpoints.save(measured, self.folder, BEST)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.total

    def _log(self, done: Step, batch: Batch, rate: float, course: Course) -> None:
        loss = torch.stack(list(done.terms.values())).sum()
        scalars = {"loss": loss, "gradient_norm": done.gradient_norm} | done.terms
        values = {name: float(value) for name, value in scalars.items()} | {"learning_rate": rate}
        values |= self._pace.told(self.ranks.count)
        errors = iteration_errors(done.output, batch, self.model.body)
        course.learned(self.step, values, errors, int(batch.has_fit.sum()))
