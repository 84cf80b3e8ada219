"""What ends a run from within: numbers that are not finite, memory that is not there, a process that is no longer
there. Each says what to do.

A step whose loss or gradient is not finite is kept, ``failed-step-N.pt`` in the run's folder: tensors and plain values,
which ``torch.load(path, weights_only=True)`` opens as well.

    format               what it is
    step, precision      which step, and the number format of the image plane
    batches              its micro-batches as the network saw them, field by field
    model                the weights that it met
    rng                  torch's generators before it, for dropout

:mod:`.replay` goes through it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from pymaf_data.errors import CheckpointError, StoreError, TrainingError
from pymaf_data.loader.batch import Batch
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT

from .learning import NotFinite
from .options import TrainOptions
from .ranks import Ranks

FORMAT = "pymaf-data failed step"
# What allocators say who have no error of their own.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True)
class FailedStep:
    """The content of such a file; see the module's docstring."""

    step: int
    precision: str
    batches: list[dict[str, Tensor]]
    model: dict[str, Tensor]
    rng: dict[str, Any]

    def write(self, folder: Path, which: str = "") -> Path:
        """Keep it in a run's folder, of several processes by the name of the one.

        Raises:
            DiskFull, NotWritable: it cannot be kept.
        """
        content = {"format": FORMAT} | {item.name: getattr(self, item.name) for item in fields(self)}
        return checkpoints.write_tensors(content, folder, f"failed-step-{self.step}{which}.pt")

    @classmethod
    def read(cls, path: Path) -> FailedStep:
        """Read it onto the CPU.

        Raises:
            CheckpointError: it is missing, damaged or something else.
        """
        content = checkpoints.load_tensors(path)
        kinds = {"step": int, "precision": str, "batches": list, "model": dict, "rng": dict}
        whole = content.get("format") == FORMAT and all(isinstance(content.get(key), kinds[key]) for key in kinds)
        wanted = {item.name for item in fields(Batch)}
        if not whole or not all(isinstance(one, dict) and set(one) == wanted for one in content["batches"]):
            raise CheckpointError(
                f"{path} holds no failed step of this version of pymaf-data",
                expected="failed-step-N.pt, as a run that stopped leaves it in its folder",
                action="name such a file.",
            )
        return cls(**{key: content[key] for key in kinds})


def not_finite(failed: NotFinite, step: FailedStep, folder: Path, ranks: Ranks) -> TrainingError:
    """Keep a step, of several processes where it failed, and say how it is looked into."""
    look = _look_into(step, folder, f"-rank-{ranks.rank}" * (ranks.count > 1)) if failed.here else "see another process"
    ranks.wait()  # the first process to end takes the others with it
    which = f" ({', '.join(failed.terms) or 'their sum'})" if failed.what == "loss" else ""
    return TrainingError(
        f"the {failed.what} of step {step.step} is not finite{which}",
        expected="a finite loss and gradient",
        action=f"{look}; lower optimizer.learning_rate or set optimizer.clip_gradient{_elsewhere(folder)}; "
        + kept(folder),
    )


def _elsewhere(folder: Path) -> str:
    """A run that has a checkpoint keeps its options."""
    goes_on = f", in another run that starts from this one: --name NEW --from {folder.name}"
    return goes_on if (folder / CHECKPOINT).exists() else ""


def _look_into(step: FailedStep, folder: Path, which: str) -> str:
    try:
        return f"see where it begins with `pymaf-data train --replay {step.write(folder, which)}`"
    except StoreError as error:
        return f"its batch could not be kept ({error.found})"


@contextmanager
def out_of_memory(options: TrainOptions, folder: Path) -> Iterator[None]:
    """Say what to lower where memory runs out inside.

    Raises:
        TrainingError: it did.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        where = "the GPU" if isinstance(error, torch.cuda.OutOfMemoryError) else "this machine"
        if not (isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or _says_so(error)):
            raise
        found = str(error).strip().partition("\n")[0][:200]
        raise TrainingError(
            f"the memory of {where} does not suffice" + (f": {found}" if found else ""),
            expected="room for a step of the run's batches",
            action=_what_to_lower(options, where) + kept(folder),
        ) from None


@contextmanager
def lost_process(ranks: Ranks, folder: Path) -> Iterator[None]:
    """Say that another process of the run has ended, where that ends this one inside: it cannot go on alone.

    Raises:
        TrainingError: it has.
    """
    try:
        yield
    except RuntimeError as error:
        # gloo has no error of its own
        if ranks.count == 1 or not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise
        raise TrainingError(
            f"another process of this run has ended: {str(error).strip().partition(chr(10))[0][:200]}",
            expected=f"{ranks.count} processes until the last step",
            action=f"see what that one said, and start the same command again; {kept(folder)}",
        ) from None


def _says_so(error: BaseException) -> bool:
    return any(text in str(error) for text in _NO_MEMORY)


def _what_to_lower(options: TrainOptions, where: str) -> str:
    """Advice, first what changes least of what is learned."""
    size, times, view = options.batch_size, options.accumulate, options.model.view_size
    said = []
    if size > 1:
        half = (size + 1) // 2
        said.append(f"--batch-size {half} --accumulate {2 * times} (now {size} and {times}) learns the same of parts")
    if view > 64:
        said.append(f"a smaller model.view_size (now {view}) sees less")
    if options.workers and where != "the GPU":
        said.append(f"fewer --workers (now {options.workers}) hold fewer batches")
    told = "; ".join(said) or "give it more memory"
    return f"{told}. All but --workers make another run: give it another --name, or --overwrite. "


def kept(folder: Path) -> str:
    """What there is to go on from."""
    path = folder / CHECKPOINT
    return f"{path} still holds the last good state." if path.exists() else "nothing was saved yet."


def as_kept(batches: Sequence[Batch]) -> list[dict[str, Tensor]]:
    """Batches as they are kept: on the CPU, each tensor with no more than its own memory."""
    return [{item.name: getattr(one, item.name).cpu().contiguous().clone() for item in fields(one)} for one in batches]
