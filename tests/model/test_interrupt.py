"""Ctrl-C and SIGTERM: a whole step is done and saved, and then they are obeyed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pymaf_data.model.interrupt import StopRequest
from pymaf_data.model.trainer import Trainer
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT
from tests.factories.trainers import state_of

pytestmark = pytest.mark.usefixtures("small")


def test_ctrl_c_leaves_a_whole_step(trainer_for: Callable[..., Trainer], tmp_path: Path) -> None:
    trainer, before = trainer_for(tmp_path, 50), signal.getsignal(signal.SIGINT)

    def press(done: int, total: int, text: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainer.run(press)
    saved = checkpoints.read(tmp_path / CHECKPOINT)
    assert saved.step == trainer.step == 1
    assert all(torch.equal(saved.model[name], value) for name, value in state_of(trainer).items())
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_saves_and_is_then_obeyed(trainer_for: Callable[..., Trainer], tmp_path: Path) -> None:
    trainer, obeyed = trainer_for(tmp_path, 50), []

    def terminate(done: int, total: int, text: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not obeyed, "inside a step"

    before = signal.signal(
        signal.SIGTERM, lambda number, _: obeyed.append(checkpoints.read(tmp_path / CHECKPOINT).step)
    )
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.run(terminate)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert obeyed == [1], "the handler of before is called once, after the checkpoint is written"


@pytest.mark.parametrize("numbers", [[signal.SIGINT] * 3, [signal.SIGTERM] * 3, [signal.SIGTERM, signal.SIGINT]])
def test_signals_while_saving_wait(
    trainer_for: Callable[..., Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: list[int]
) -> None:
    trainer, save, ended = trainer_for(tmp_path, 50), checkpoints.save, []
    monkeypatch.setattr("pymaf_data.model.interrupt._ECHO", -1.0)

    def slow(*arguments: Any) -> Path:
        for number in numbers:
            os.kill(os.getpid(), number)
        ended.append(save(*arguments))
        return ended[-1]

    monkeypatch.setattr(checkpoints, "save", slow)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.run(lambda *_: os.kill(os.getpid(), numbers[0]))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(ended) == 1
    assert checkpoints.read(ended[0]).step == 1


def test_a_second_ctrl_c_interrupts_a_long_step_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # a wrapper's echo of the first
        assert stop.requested
        monkeypatch.setattr("pymaf_data.model.interrupt._ECHO", -1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup and background jobs of scripts have it
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGINT)
        assert not stop.requested
    finally:
        signal.signal(signal.SIGINT, before)
