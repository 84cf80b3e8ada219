"""``train --replay FILE``: a step that was not finite gone through again, to find where that begins. Writes nothing.

It is replayed with the weights that it met, then its batches with the last good checkpoint: where those are finite too,
it was the weights that had gone astray, not the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pymaf_data.body import load_body
from pymaf_data.config import StrictModel
from pymaf_data.errors import CheckpointError, TrainingError
from pymaf_data.loader.batch import Batch
from pymaf_data.paths import DataRoot
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import CHECKPOINT, PROVENANCE, read_json
from pymaf_data.runs.folder import OPTIONS as OPTIONS_FILE

from .checkpoint import load_state
from .failure import FailedStep
from .generators import set_generators
from .learning import Learner, NotFinite
from .networks.network import Network, make_network
from .options import TrainOptions
from .precision import autocast_dtype, channels_last, choose_device


class Found(StrictModel):
    """What a pass over a step's batches found that is not finite; empty where all of it is finite."""

    what: str = ""
    """loss or gradient."""
    terms: tuple[str, ...] = ()
    module: str = ""
    """The first module whose output is not."""
    parameters: tuple[str, ...] = ()
    """Those whose gradient is not, where the loss is."""

    def line(self) -> str:
        """For a reader."""
        if not self.what:
            return "loss and gradient are finite"
        if self.what == "gradient":
            shown = ", ".join(self.parameters[:3]) + ", …" * (len(self.parameters) > 3)
            return f"the loss is finite, the gradient is not: {len(self.parameters)} parameters, such as {shown}"
        where = f"first in the output of {self.module}" if self.module else "though every module's output is finite"
        return f"not finite: {', '.join(self.terms) or 'the sum of the terms'}; {where}"


class ReplayReport(StrictModel):
    """What replaying a failed step found."""

    file: Path
    step: int
    labels: tuple[str, ...]
    """Fields of its batches that hold NaN or infinite numbers."""
    as_it_was: Found
    checkpoint: Found | None
    """The same batches with the last good checkpoint's weights; None where nothing was saved."""
    checkpoint_step: int | None

    def lines(self) -> list[str]:
        """The report for a reader."""
        told = [f"step {self.step:,} of {self.file}", f"  with the weights that it met: {self.as_it_was.line()}"]
        if self.checkpoint is not None:
            told.append(f"  with the checkpoint of step {self.checkpoint_step:,}: {self.checkpoint.line()}")
        told.append(f"  fields of the batches that are not finite: {', '.join(self.labels) or 'none'}")
        return told


def replay(path: Path, device: str = "auto") -> ReplayReport:
    """Go through a failed step again.

    Args:
        path: ``failed-step-N.pt``, in its run's folder, whose options and body it is replayed with.
        device: where.

    Raises:
        CheckpointError: the file is no failed step, or not one of the run whose folder it is in.
        TrainingError: it is in no run's folder.
    """
    failed, folder = FailedStep.read(path), path.resolve().parent
    told, known = read_json(folder / OPTIONS_FILE), read_json(folder / PROVENANCE)
    if not told or "body" not in known:
        raise TrainingError(
            f"{folder} is no run's folder",
            expected=f"a run's, with {OPTIONS_FILE} and {PROVENANCE}: they say what network it is of",
            action="put the file back where the run left it.",
        )
    options = TrainOptions.parse(told, str(folder / OPTIONS_FILE))
    model = _network(options, str(known["body"]), failed.precision, device)
    batches = [Batch(**fields).to(next(model.parameters()).device) for fields in failed.batches]
    _meet(model, failed.model, str(path))
    saved = checkpoints.read(folder / CHECKPOINT) if (folder / CHECKPOINT).is_file() else None
    return ReplayReport(
        file=path,
        step=failed.step,
        labels=tuple(dict.fromkeys(name for fields in failed.batches for name in fields if _odd(fields[name]))),
        as_it_was=_passed(model, options, batches, failed.rng),
        checkpoint=_with(saved, model, options, batches, failed.rng) if saved else None,
        checkpoint_step=saved.step if saved else None,
    )


def _network(options: TrainOptions, body: str, precision: str, device: str) -> Network:
    model = make_network(options.model, load_body(body, DataRoot.default().assets), options.frame)
    model.autocast = autocast_dtype(precision)
    return channels_last(model.to(choose_device(device)))


def _meet(model: Network, state: dict[str, Tensor], origin: str) -> None:
    """Take weights that may be NaN themselves: what a step met is what is looked at.

    Raises:
        CheckpointError: they are not of this network.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise CheckpointError(
            f"{origin} is not of the network that {OPTIONS_FILE} beside it says",
            expected="a failed step of this run",
            action="put the file back where its run left it.",
        ) from None


def _with(
    saved: Checkpoint, model: Network, options: TrainOptions, batches: Sequence[Batch], rng: dict[str, Any]
) -> Found:
    load_state(model, saved.model, CHECKPOINT)
    return _passed(model, options, batches, rng)


def _passed(model: Network, options: TrainOptions, batches: Sequence[Batch], rng: dict[str, Any]) -> Found:
    """Loss and gradient of a step, which is not taken."""
    set_generators(rng, next(model.parameters()).device)
    with _first_odd_output(model) as odd:
        try:
            Learner(model, options).gradient(batches)
        except NotFinite as failed:
            named = [name for name, p in model.named_parameters() if p.grad is not None and _odd(p.grad)]
            parameters = tuple(named) if failed.what == "gradient" else ()
            return Found(what=failed.what, terms=failed.terms, module=(odd or [""])[0], parameters=parameters)
    return Found()


@contextmanager
def _first_odd_output(model: nn.Module) -> Iterator[list[str]]:
    """Inside, modules whose output is not finite are listed as they return: the innermost of the first one first."""
    found: list[str] = []

    def watch(name: str) -> Any:
        def look(module: nn.Module, given: Any, output: Any) -> None:
            if any(_odd(value) for value in (output if isinstance(output, list | tuple) else [output])):
                found.append(name or type(module).__name__)

        return look

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _odd(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all())
