"""One step of learning: however its persons are shared out, to micro-batches or processes, it is the same step."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pymaf_data.errors import CheckpointError, TrainingError
from pymaf_data.loader import Batch
from pymaf_data.model import ModelOptions, OptimizerOptions, PyMAF, TrainOptions
from pymaf_data.model.failure import lost_process
from pymaf_data.model.learning import Learner, Step
from pymaf_data.model.ranks import Ranks, processes
from pymaf_data.model.trainer import Trainer
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.history import read_history

pytestmark = pytest.mark.usefixtures("small")
OPTIONS = TrainOptions(model=ModelOptions(view_size=64, dropout=0.0), optimizer=OptimizerOptions(fixed_statistics=True))


def joined(batches: Sequence[Batch]) -> Batch:
    return Batch(*(torch.cat([getattr(one, field.name) for one in batches]) for field in fields(Batch)))


@pytest.fixture(scope="module")
def people(make_batch: Callable[..., Batch]) -> list[Batch]:
    """Two persons and one, whose labels support terms unevenly: two fits, one map with a fit, two with 3D joints."""
    each = [make_batch(2, 1, 64), make_batch(1, 2, 64)]
    each = [one._each(lambda value: value.double() if value.is_floating_point() else value) for one in each]
    joints = each[0].joints3d.clone()
    joints[1, :, 3] = 0
    has_fit = torch.tensor([False, True])
    return [replace(each[0], joints3d=joints, has_fit=has_fit), replace(each[1], has_iuv=torch.tensor([False]))]


@cache
def body() -> Any:
    from pymaf_data.body import load_body

    return load_body("free", dtype=torch.float64)


def network() -> PyMAF:
    torch.manual_seed(0)
    return PyMAF(body(), OPTIONS.model).double()


def learned(batches: Sequence[Batch], ranks: Ranks | None = None) -> tuple[Step, dict[str, Tensor]]:
    """A step, and the gradients that it was made by."""
    model = network()
    step = Learner(model, OPTIONS, ranks).learn(batches, 1e-4)
    return step, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture(scope="module")
def at_once(small: None, people: list[Batch]) -> tuple[Step, dict[str, Tensor]]:
    return learned([joined(people)])


def same(found: tuple[Step, dict[str, Tensor]], wanted: tuple[Step, dict[str, Tensor]]) -> None:
    assert set(found[0].terms) == set(wanted[0].terms) and set(found[1]) == set(wanted[1])
    for name, value in wanted[0].terms.items():
        assert float(found[0].terms[name]) == pytest.approx(float(value), rel=1e-10)
    for name, gradient in wanted[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-8, atol=1e-8)


def test_micro_batches_are_one_batch(people: list[Batch], at_once: tuple[Step, dict[str, Tensor]]) -> None:
    assert all(float(value) > 0 for value in at_once[0].terms.values())
    same(learned(people), at_once)


@pytest.mark.parametrize(
    ("count", "text", "lost"),
    [(2, "[gloo/transport/tcp/pair.cc:537] Read error\nat", True), (2, "sizes differ", False), (1, "gloo", False)],
)
def test_a_process_that_is_lost_is_said_by_the_others(count: int, text: str, lost: bool, tmp_path: Path) -> None:
    said = r"another process of this run has ended: .*Read error\n.*2 processes.*\n.*nothing was saved yet"
    error = (TrainingError, said) if lost else (RuntimeError, text)
    with pytest.raises(error[0], match=error[1]), lost_process(Ranks(count=count), tmp_path):
        raise RuntimeError(text)


class Feed:
    """One batch for ever."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return 2

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        return iter([self.batch] * (2 - skip))


def trainer(folder: Path, batch: Batch, ranks: Ranks, **changes: Any) -> Trainer:
    options = OPTIONS.model_copy(update={"steps": 5, "checkpoint_every": 100, "log_every": 1} | changes)
    return Trainer(network(), Feed(batch), options, folder, ranks=ranks)


def part(rank: int, port: int, own: Batch, folder: Path) -> None:
    """One of two processes: a step; a run that the second one is told to stop; its next step, which fails there."""
    torch.set_num_threads(1)
    told = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in told.items()}
    with processes("cpu") as ranks:
        step, gradients = learned([own], ranks)
        torch.save((step.terms, gradients), folder / f"{rank}.pt")
        fixed = trainer(folder / "fixed", own, ranks)
        fixed._prepare()
        run = trainer(folder / "run", own, ranks, optimizer=OptimizerOptions())
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            run.run((lambda *_: os.kill(os.getpid(), signal.SIGTERM)) if rank else None)
        except KeyboardInterrupt:
            (folder / f"stopped-{rank}-{run.step}").touch()
        kept = [one.model.feature_extractor.bn1.running_mean for one in (fixed, run)]
        torch.save(kept, folder / f"statistics-{rank}.pt")
        torch.rand(3 + rank)
        again = trainer(folder / "run", own if not rank else replace(own, betas=own.betas * torch.nan), ranks)
        again.restore(checkpoints.read(folder / "run" / CHECKPOINT))
        try:
            again.run()
        except TrainingError as error:
            (folder / f"failed-{rank}").write_text(str(error))


def test_two_processes_are_one(people: list[Batch], at_once: tuple[Step, dict[str, Tensor]], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    each = [fork.Process(target=part, args=(rank, port, people[rank], tmp_path)) for rank in range(2)]
    for one in each:
        one.start()
    for one in each:
        one.join(120)
        assert one.exitcode == 0
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for terms, gradients in found:
        same((at_once[0]._replace(terms=terms), gradients), at_once)
    assert all(torch.equal(value, found[1][1][name]) for name, value in found[0][1].items())
    assert {path.name for path in tmp_path.glob("stopped-*")} == {"stopped-0-1", "stopped-1-1"}, "after the same step"
    measured, moved = zip(*(torch.load(tmp_path / f"statistics-{rank}.pt") for rank in range(2)), strict=True)
    for one, other in (measured, moved):
        assert torch.equal(one, other) and bool(one.any()), "each process has seen other persons"
    run = tmp_path / "run"
    assert [line.step for line in read_history(run)] == [1], "the first process alone writes"
    saved = checkpoints.read(run / CHECKPOINT)
    assert len(saved.rng["others"]) == 1
    failed = [(tmp_path / f"failed-{rank}").read_text() for rank in range(2)]
    assert all("the loss of step 2 is not finite (betas)" in text for text in failed)
    assert "see another process" in failed[0] and "failed-step-2-rank-1.pt" in failed[1]
    assert [path.name for path in run.glob("failed-*")] == ["failed-step-2-rank-1.pt"]
    with pytest.raises(CheckpointError, match="trained by 2 processes, now by 1"):
        trainer(run, people[0], Ranks()).restore(saved)
