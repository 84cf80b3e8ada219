"""Runs as they are started and ended outside: kill -9, torchrun, a process that is lost, Ctrl-C. Of a small network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pymaf_data.errors import TrainingError
from pymaf_data.model.pace import RATES
from pymaf_data.paths import VARIABLE
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.history import read_history

pytestmark = pytest.mark.long
PATIENCE = 600.0
TRAIN = ["-m", "pymaf_data", "train", "--device", "cpu", "--precision", "fp32", "--workers", "1", "--targets"]
TRAIN += ["rendered", "--set", "model.view_size=64", "--set", "log_every=1", "--set", "snapshots.persons=0"]
TRAIN += ["--set", "model.backbone=resnet18", "--set", "model.pyramid_channels=16", "--set", "model.regressor_width=64"]
# What two processes need to equal one, but for rounding.
EXACT = ("--set", "model.dropout=0", "--set", "optimizer.fixed_statistics=true")


class Shell:
    """Starts the command on a store of eight persons."""

    def __init__(self, root: Path) -> None:
        self.root, self.started = root, list[subprocess.Popen[str]]()
        self.environment = os.environ | {VARIABLE: str(root), "OMP_NUM_THREADS": "1"}

    def start(self, name: str, steps: int, *options: str, processes: int = 0) -> subprocess.Popen[str]:
        several = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        several = [*several, "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"] if processes else []
        command = [sys.executable, *several, *TRAIN, "--name", name, "--steps", str(steps), *options]
        known: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.started.append(subprocess.Popen(command, env=self.environment, cwd=self.root, **known))
        return self.started[-1]

    def run(self, name: str, steps: int, *options: str, processes: int = 0) -> str:
        """To its end; what it said."""
        process = self.start(name, steps, *options, processes=processes)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return said

    def until(self, name: str, step: int, process: subprocess.Popen[str]) -> None:
        """Wait until a run has told of a step."""
        end = time.monotonic() + PATIENCE
        while step not in self.steps(name):
            assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
            time.sleep(0.01)

    def steps(self, name: str) -> list[int]:
        try:
            return [line.step for line in read_history(self.root / "runs" / name)]
        except TrainingError:
            return []

    def told(self, name: str) -> list[dict[str, float]]:
        lines = read_history(self.root / "runs" / name)
        return [{key: value for key, value in line.scalars.items() if key not in RATES} for line in lines]

    def saved(self, name: str) -> Checkpoint:
        return checkpoints.read(self.root / "runs" / name / CHECKPOINT)

    def processes(self) -> dict[str, int]:
        """Rank → id of the processes of this shell's runs that train now."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                told = dict(part.partition("=")[::2] for part in (place / "environ").read_text().split("\0"))
            except OSError:
                continue
            if told.get(VARIABLE) == str(self.root) and "RANK" in told:
                found[told["RANK"]] = int(place.name)
        return found


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
    from pymaf_data.stages.ingest import IngestOptions, ingest
    from pymaf_data.world.sample import SampleOptions, write_sample

    root = tmp_path_factory.mktemp("shell")
    raw, store = root / "raw" / "sample", root / "stores" / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=8, size=(320, 240)))
    ingest(IngestOptions(dataset="sample", root=raw, out=store))
    attach_fits(AttachOptions(store=store, fits=(f"truth:{raw / 'truth' / 'train.npz'}",)))
    shell = Shell(root)
    yield shell
    for process in shell.started:
        process.kill()


def test_forty_steps_are_twenty_a_kill_and_twenty(shell: Shell) -> None:
    """Dropout, augmentation and BatchNorm as ever; what was told after the checkpoint is told again."""
    options = ("--batch-size", "2", "--set", "checkpoint_every=20")
    shell.run("whole", 40, *options)
    process = shell.start("cut", 40, *options)
    shell.until("cut", 23, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and shell.saved("cut").step == 20
    assert "20 that were there already" in shell.run("cut", 40, *options)
    assert shell.steps("cut") == list(range(1, 41))
    assert shell.told("cut") == shell.told("whole")
    whole, cut = shell.saved("whole").model, shell.saved("cut").model
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_two_processes_of_torchrun_are_one_with_the_doubled_batch(shell: Shell) -> None:
    """From one state: BatchNorm's statistics, once measured, are those of the batches that they were measured on."""
    shell.run("one", 1, *EXACT, "--batch-size", "4")
    begun = shell.saved("one")
    options = begun.options | {"name": "two", "batch_size": 2}
    shared = replace(begun, options=options, rng=begun.rng | {"others": [begun.rng]})
    checkpoints.save(shared, shell.root / "runs" / "two")
    shell.run("one", 4, *EXACT, "--batch-size", "4")
    said = shell.run("two", 4, *EXACT, "--batch-size", "2", processes=2)
    assert said.count("checkpoint: ") == 1, "one of them tells"
    assert shell.steps("two") == [2, 3, 4]
    for alone, together in zip(shell.told("one")[1:], shell.told("two"), strict=True):
        assert together == pytest.approx(alone, rel=1e-4)
    assert shell.told("two")[0] == pytest.approx(shell.told("one")[1], rel=2e-6), "the same weights"
    with pytest.raises(AssertionError, match="trained by 2 processes, now by 1"):
        shell.run("two", 5, *EXACT, "--batch-size", "2")


def ended(process: subprocess.Popen[str], shell: Shell) -> str:
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert shell.processes() == {}, "nobody is left behind"
    return said


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_run_that_loses_a_process_goes_on_from_its_last_checkpoint(shell: Shell, rank: str) -> None:
    name, options = f"lost-{rank}", ("--batch-size", "2", "--set", "checkpoint_every=2")
    process = shell.start(name, 500, *options, processes=2)
    shell.until(name, 3, process)
    os.kill(shell.processes()[rank], signal.SIGKILL)
    assert "RuntimeError" not in ended(process, shell), "the other one tells of it, where torchrun leaves it the time"
    step = shell.saved(name).step
    assert 2 <= step < 500
    shell.run(name, step + 2, *options, processes=2)
    assert shell.steps(name) == list(range(1, step + 3))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_stops_torchrun_saves_the_run(shell: Shell, number: signal.Signals) -> None:
    name, options = f"stopped-{number.name}", ("--batch-size", "2")
    process = shell.start(name, 500, *options, processes=2)
    shell.until(name, 3, process)
    process.send_signal(number)
    said = ended(process, shell)
    assert "stopping after this step" in said
    step = shell.saved(name).step
    assert step == shell.steps(name)[-1] >= 3
    shell.run(name, step + 1, *options, processes=2)
    assert shell.steps(name) == list(range(1, step + 2))
