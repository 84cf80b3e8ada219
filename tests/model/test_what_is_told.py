"""What a run is told reaches what it is told to: the loop on a network of a dozen numbers, the options one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from pymaf_data.errors import TrainingError
from pymaf_data.loader import Batch
from pymaf_data.model import LossOptions, OptimizerOptions, TrainOptions, pace
from pymaf_data.model.trainer import Trainer
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.history import read_history
from tests.factories.tiny import B, Feed, Tiny, batch_of, of_imagenet, trained


def scalars(folder: Path, name: str) -> list[float]:
    return [line.scalars[name] for line in read_history(folder) if line.kind == "train"]


def test_the_length_of_a_run_is_its_steps_else_its_epochs(tmp_path: Path) -> None:
    assert Trainer(Tiny(), Feed(5), TrainOptions(), tmp_path).total == 60 * 5
    assert Trainer(Tiny(), Feed(5), TrainOptions(epochs=2), tmp_path).total == 10
    assert Trainer(Tiny(), Feed(5), TrainOptions(epochs=2, steps=3), tmp_path).total == 3


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_precision_is_the_networks(precision: str, dtype: torch.dtype | None, tmp_path: Path) -> None:
    assert Trainer(Tiny(), Feed(), TrainOptions(), tmp_path, precision=precision).model.autocast is dtype


def test_the_rate_of_every_step_is_the_schedules(tmp_path: Path) -> None:
    trained(tmp_path / "default")
    assert scalars(tmp_path / "default", "learning_rate") == [5e-5] * 4
    trained(tmp_path / "own", optimizer=OptimizerOptions(learning_rate=0.1, schedule="cosine", warmup_steps=2))
    half = [0.01 + 0.99 * (1 + np.cos(np.pi * step / 4)) / 2 for step in range(4)]
    assert scalars(tmp_path / "own", "learning_rate") == pytest.approx([0.05 * half[0], *(0.1 * x for x in half[1:])])


def test_the_rate_is_what_moves_the_network(tmp_path: Path) -> None:
    """Adam's first step is the rate, whatever the gradient."""
    for rate in (5e-5, 1e-2):
        model = trained(tmp_path / f"{rate}", steps=1, optimizer=OptimizerOptions(learning_rate=rate)).model
        np.testing.assert_allclose(model.moved.detach(), 0.5 + rate, rtol=0, atol=1e-7)


def test_a_gradient_is_clipped_where_asked_and_its_norm_told_as_it_was(tmp_path: Path) -> None:
    free = trained(tmp_path / "free", steps=1)
    clipped = trained(tmp_path / "clipped", steps=1, optimizer=OptimizerOptions(clip_gradient=0.01))
    norms = [
        float(torch.cat([p.grad.flatten() for p in run.model.parameters() if p.grad is not None]).norm())
        for run in (free, clipped)
    ]
    assert norms[1] == pytest.approx(0.01, rel=1e-3)
    assert scalars(tmp_path / "clipped", "gradient_norm") == pytest.approx([norms[0]], rel=1e-4)


def test_the_loss_is_the_sum_of_the_terms_by_the_weights_of_the_run(tmp_path: Path) -> None:
    trained(tmp_path / "default", steps=1)
    trained(tmp_path / "own", steps=1, loss=LossOptions(keypoints2d=150, camera=7))
    before, after = (read_history(tmp_path / name)[0].scalars for name in ("default", "own"))
    # Every joint errs by ½ in x and in y, and only the 24 annotated of 49 have a say.
    assert before["keypoints2d"] == pytest.approx(300 * 0.25 * 24 / 49)
    assert after["keypoints2d"] == pytest.approx(before["keypoints2d"] / 2)
    assert before["camera"] == pytest.approx(np.exp(-16.0), rel=1e-5)
    assert after["camera"] == pytest.approx(7 * before["camera"])
    for found in (before, after):
        apart = {"loss", "gradient_norm", "learning_rate", "images_per_second", "waiting"}
        assert found["loss"] == pytest.approx(sum(value for name, value in found.items() if name not in apart))


@pytest.mark.parametrize(("delay", "share"), [(3.0, 0.75), (0.0, 0.0)])
def test_the_pace_and_the_share_of_waiting_for_data_are_told(
    delay: float, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two micro-batches of two persons a step, each waited for and then computed for a second by a clock of its own."""
    clock, told = SimpleNamespace(now=0.0), list[str]()
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def passing(seconds: float, batch: Batch) -> Batch:
        clock.now += seconds
        return batch

    class Slow(Feed):
        def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
            return (passing(delay, batch) for batch in super().epoch(number, skip))

    options = TrainOptions(steps=5, log_every=2, accumulate=2)
    run = Trainer(Tiny(), Slow(3), options, tmp_path, prepare=lambda batch: passing(1.0, batch))  # type: ignore[arg-type]
    clock.now = 99.0  # what passes before the first step is not the run's
    run.run(lambda *said: told.append(said[-1]))
    assert scalars(tmp_path, "waiting") == pytest.approx([share] * 4)
    assert scalars(tmp_path, "images_per_second") == pytest.approx([2 / (1 + delay)] * 4)
    assert f"{2 / (1 + delay):.3g} images/s, {share:.0%} waiting for data" in told[-1]


def test_statistics_are_learned_unless_they_are_fixed(tmp_path: Path) -> None:
    moved = trained(tmp_path / "default", steps=1).model.norm
    pictures = torch.from_numpy(of_imagenet(batch_of().image.numpy())).transpose(0, 1).flatten(1)
    np.testing.assert_allclose(moved.running_mean, 0.1 * pictures.mean(1), atol=1e-5)
    fixed = trained(tmp_path / "fixed", steps=3, optimizer=OptimizerOptions(fixed_statistics=True)).model.norm
    np.testing.assert_allclose(fixed.running_mean, pictures.mean(1), atol=1e-5)
    np.testing.assert_allclose(fixed.running_var, pictures.var(1), rtol=1e-4)
    assert fixed.momentum == 0.1


def test_what_is_logged_and_saved_and_when(tmp_path: Path) -> None:
    """By default every 50 steps a line, every 1000 a checkpoint; a step count divides by them."""

    class Stop(Exception):
        pass

    def stop(step: int, total: int, remark: str) -> None:
        if step == 1001:
            raise Stop

    trainer = Trainer(Tiny(), Feed(), TrainOptions(steps=2000), tmp_path)
    trainer.step = 949
    with pytest.raises(Stop):
        trainer.run(stop)
    assert [line.step for line in read_history(tmp_path)] == [950, 1000]
    assert checkpoints.read(tmp_path / CHECKPOINT).step == 1000


class Counted(Feed):
    """Four batches whose rows say which they are."""

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        each = [replace(batch_of(), row=torch.full((B,), 10 * number + place)) for place in range(self.length)]
        return iter(each[skip:])


def test_a_step_of_micro_batches_goes_through_epochs_and_on_where_it_stopped(tmp_path: Path) -> None:
    """Three of four to an epoch: the second step takes the last one and two of the next epoch."""
    options = TrainOptions(epochs=3, accumulate=3)
    drawn: list[int] = []

    def trainer(steps: int | None) -> Trainer:
        prepare = lambda batch: (drawn.append(int(batch.row[0])), batch)[1]  # noqa: E731
        return Trainer(Tiny(), Counted(), options.model_copy(update={"steps": steps}), tmp_path, prepare=prepare)

    assert trainer(None).total == 4
    trainer(1).run()
    again = trainer(3)
    again.restore(checkpoints.read(tmp_path / CHECKPOINT))
    again.run()
    assert drawn == [0, 1, 2, 3, 10, 11, 12, 13, 20]


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (MemoryError(), "this machine"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "this machine"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "the GPU"),
        (RuntimeError("sizes do not match"), ""),
    ],
)
def test_where_memory_ends_it_is_said_what_to_lower(error: Exception, where: str, tmp_path: Path) -> None:
    def prepare(batch: Batch) -> Batch:
        raise error

    options = TrainOptions(steps=2, batch_size=6, accumulate=2)
    trainer = Trainer(Tiny(), Feed(), options, tmp_path, prepare=prepare)  # type: ignore[arg-type]
    with pytest.raises(TrainingError if where else RuntimeError) as caught:
        trainer.run()
    if where:
        for told in (where, "--batch-size 3 --accumulate 4", "model.view_size (now 224)", "nothing was saved yet"):
            assert told in str(caught.value)
        assert ("--workers (now 2)" in str(caught.value)) == (where != "the GPU")
    else:
        assert caught.value is error


def test_in_fp16_a_step_that_overflows_is_left_out_and_the_scale_is_kept(tmp_path: Path) -> None:
    """What flows back through fp16 overflows at a large scale alone: a hook on a weight stands for that."""
    options = TrainOptions(steps=2, log_every=1, optimizer=OptimizerOptions(learning_rate=0.1))
    model, seen = Tiny(), list[Tensor]()
    model.moved.register_hook(lambda gradient: torch.where(gradient.abs() < 4e6, gradient, torch.inf))
    run = Trainer(model, Feed(), options, tmp_path, precision="fp16")  # type: ignore[arg-type]
    run.run(lambda *_: seen.append(model.moved.detach().clone()))
    assert torch.equal(seen[0], torch.full((2,), 0.5)), "left out"
    torch.testing.assert_close(seen[1], torch.full((2,), 0.6))  # Adam's first step is the rate
    saved = checkpoints.read(tmp_path / CHECKPOINT)
    assert saved.scaler["scale"] == run.learner.scaler.get_scale() < 65536
    again = Trainer(Tiny(), Feed(), options, tmp_path, precision="fp16")  # type: ignore[arg-type]
    again.restore(saved)
    assert again.learner.scaler.get_scale() == saved.scaler["scale"]
    model.moved.register_hook(lambda gradient: gradient * torch.inf)
    options = options.model_copy(update={"steps": 40})
    run = Trainer(model, Feed(), options, tmp_path / "never", precision="fp16")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="gradient of step 17 is not finite"):
        run.run()
