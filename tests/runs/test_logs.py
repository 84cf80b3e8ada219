"""A disk that fills under TensorBoard's thread is named in the loop, without that thread's stack."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.errors import DiskFull, TrainingError
from pymaf_data.runs.logs import Logs

record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer")


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _fill(logs: Logs) -> None:
    for step in range(1000):  # the thread is behind by no more than its queue
        logs.add_scalar("loss", 1.0, step)


def test_a_full_disk_stops_the_loop_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = threading.excepthook
    with pytest.raises(DiskFull, match="same command"), Logs(tmp_path / "logs", 1) as logs:
        logs.add_scalar("loss", 1.0, 1)
        monkeypatch.setattr(record_writer.RecordWriter, "write", _full)
        _fill(logs)
    assert threading.excepthook is hook
    assert "Traceback" not in capfd.readouterr().err


def test_a_disk_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_writer.RecordWriter, "write", _full)
    hook = threading.excepthook
    with pytest.raises(DiskFull), Logs(tmp_path / "logs", 1) as logs:
        _fill(logs)
    assert threading.excepthook is hook


def test_a_disk_that_is_full_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskFull), Logs(tmp_path / "logs", 1) as logs:
        logs.add_scalar("loss", 1.0, 1)
        monkeypatch.setattr(record_writer.RecordWriter, "flush", _full)


def test_what_ended_the_run_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="not finite"), Logs(tmp_path / "logs", 1):
        monkeypatch.setattr(record_writer.RecordWriter, "flush", _full)
        raise TrainingError("the loss is not finite")


def test_another_threads_failure_is_still_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    with Logs(tmp_path / "logs", 1):
        thread = threading.Thread(target=_full)
        thread.start()
        thread.join()
    assert len(shown) == 1


def test_what_is_logged_is_read_by_tensorboard(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Logs(tmp_path / "logs", 1) as logs:
        logs.add_scalar("train/loss", 2.5, 3)
        logs.add_image("persons", np.tile(np.uint8([200, 100, 30]), (16, 24, 1)), 3)
    known = accumulator.EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [(event.step, event.value) for event in known.Scalars("train/loss")] == [(3, 2.5)]
    (shown,) = known.Images("persons")
    image = cv2.imdecode(np.frombuffer(shown.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert (shown.step, shown.width, shown.height, image.shape) == (3, 24, 16, (16, 24, 3))
    assert np.abs(image - [200.0, 100.0, 30.0]).max() < 4
