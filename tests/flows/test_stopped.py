"""What a signal does to a command: it saves, says so, has its exit code, and nothing outlives it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT

Start = Callable[..., "subprocess.Popen[str]"]
Gone = Callable[..., list[str]]
Environment = Callable[..., dict[str, str]]

COMMAND = [sys.executable, "-c", "from pymaf_data.cli import main; main()"]
# A stage that says by a file that it has begun, and takes for ever; the file is the last word of the command.
SLOW = """
import sys, time
from pathlib import Path
import pymaf_data.stages.ingest as stage

begun = Path(sys.argv.pop())

def endless(options, progress=None):
    try:
        begun.touch()
        time.sleep(600)
    finally:
        print("cleaned up", file=sys.stderr, flush=True)

stage.ingest = endless
from pymaf_data.cli import main
from pymaf_data.stages.workers import starting
main()
"""


@pytest.fixture
def gone(processes_of: Callable[[Path], list[str]]) -> Gone:
    """``gone(root)``: what is still alive; what was killed may take a moment."""

    def of(root: Path, seconds: float = 20.0) -> list[str]:
        deadline = time.monotonic() + seconds
        while (alive := processes_of(root)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return alive

    return of


def until(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path, environment: Environment) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(command: list[str], **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path, **more)
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "direct"),
    [
        (signal.SIGTERM, ["--direct"]),
        (signal.SIGINT, ["--direct"]),
        (signal.SIGTERM, []),
        pytest.param(signal.SIGINT, [], marks=pytest.mark.long),
    ],
)
def test_a_stage_is_stopped(
    start: Start, coco_like: Path, tmp_path: Path, number: int, direct: list[str], gone: Gone
) -> None:
    begun = tmp_path / "begun"
    words = ["ingest", "sample", *direct, str(begun)]
    process = start([sys.executable, "-c", SLOW, *words])
    until(begun.exists, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number], err
    assert "cleaned up" in err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert gone(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_while_the_server_starts(
    start: Start, coco_like: Path, tmp_path: Path, number: int, gone: Gone, processes_of: Callable[[Path], list[str]]
) -> None:
    process = start([*COMMAND, "ingest", "sample"])
    until(lambda: any("server.py" in line for line in processes_of(tmp_path)), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert "Traceback" not in err
    assert gone(tmp_path) == []


@pytest.fixture
def coco_like(tmp_path: Path) -> Path:
    """Raw data that ingest does not refuse at once; the server is stopped before anything is read."""
    root = tmp_path / "raw" / "sample"
    (root / "annotations").mkdir(parents=True)
    (root / "train2014").mkdir()
    (root / "annotations" / "person_keypoints_train2014.json").write_text(json.dumps({"images": [], "annotations": []}))
    return root


def test_sigterm_to_a_command_without_steps(tmp_path: Path, environment: Environment) -> None:
    script = (
        "import os, signal, pymaf_data.doctor as doctor\n"
        "def stopped(root): os.kill(os.getpid(), signal.SIGTERM)\n"
        "doctor.diagnose = stopped\n"
        "from pymaf_data.cli import main\nmain()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "doctor"], capture_output=True, text=True, env=environment(tmp_path), check=False
    )
    assert result.returncode == 143, result.stderr
    assert "terminated" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_process_outlives_its_command(
    start: Start, tmp_path: Path, number: int, gone: Gone, processes_of: Callable[[Path], list[str]]
) -> None:
    words = ["sample", str(tmp_path / "raw"), "--persons", "500", "--workers", "2", "--direct"]
    process = start([*COMMAND, *words])
    until(lambda: spawned(tmp_path, processes_of(tmp_path)), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert number == signal.SIGKILL or "Traceback" not in err  # what SIGKILL catches half started says so
    assert gone(tmp_path, 60.0) == []


def spawned(_root: Path, lines: list[str]) -> bool:
    """Whether two worker processes are there, ready or not."""
    return sum("spawn_main" in line for line in lines) >= 2


def written(root: Path, _lines: list[str]) -> bool:
    """Whether a shard is there."""
    return any(root.glob("stores/*/_pymaf/commits/*/*/*.json"))


_PROCESSES, _CLUSTER = ["--processes", "2"], ["--cluster", "local:2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "number", "moment"),
    [
        (_PROCESSES, signal.SIGTERM, written),
        *(
            pytest.param(who, number, moment, marks=pytest.mark.long)
            for who, number, moment in (
                (_PROCESSES, signal.SIGTERM, spawned),
                (_PROCESSES, signal.SIGKILL, written),
                (_CLUSTER, signal.SIGTERM, spawned),
                (_CLUSTER, signal.SIGTERM, written),
                (_CLUSTER, signal.SIGKILL, written),
            )
        ),
    ],
)
def test_no_maker_of_shards_outlives_its_command(
    start: Start,
    coco: ModuleType,
    tmp_path: Path,
    gone: Gone,
    processes_of: Callable[[Path], list[str]],
    who: list[str],
    number: int,
    moment: Callable[[Path, list[str]], bool],
) -> None:
    coco.small_set(tmp_path / "raw" / "coco", pictures=220, persons=10)  # five shards, of seconds each
    process = start([*COMMAND, "ingest", "coco", "--crop-size", "512", "--direct", *who])
    until(lambda: moment(tmp_path, processes_of(tmp_path)), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGKILL: -9}[number], err
    assert ("the same command goes on" in err) == (number == signal.SIGTERM)
    assert number == signal.SIGKILL or "Traceback" not in err
    assert gone(tmp_path, 60.0) == []
    assert not locked(tmp_path) or number == signal.SIGKILL


def test_a_signal_waits_while_processes_start() -> None:
    from pymaf_data.stages.workers import starting

    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with starting():
            signal.raise_signal(signal.SIGTERM)
            assert came == [], "a process would be left half started"
        assert came == [signal.SIGTERM], "put off, not lost"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ctrl_c_of_a_terminal_reaches_no_worker(tmp_path: Path, environment: Environment) -> None:
    script = (
        "import os, signal\n"
        "from pymaf_data.stages.workers import spawned_pool, starting\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, lambda *_: None)\n"
        "    pool = spawned_pool(2)\n"
        "    with starting():\n"
        "        done = [pool.submit(os.getpid) for _ in range(4)]\n"
        "    os.killpg(0, signal.SIGINT)  # while they start\n"
        "    print(len({each.result() for each in done}) > 0)\n"
        "    pool.shutdown()\n"
    )
    (tmp_path / "script.py").write_text(script)
    result = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True, text=True, start_new_session=True, env=environment(tmp_path), check=False,
    )  # fmt: skip
    assert result.stdout == "True\n", result.stderr
    assert "KeyboardInterrupt" not in result.stderr


def locked(root: Path) -> bool:
    """Whether a stage holds a lock of a store; one that was given back is an empty file."""
    return any(lock.stat().st_size for lock in root.glob("stores/*/_pymaf/locks/*.lock"))


def learned(root: Path) -> bool:
    """Whether a training has taken a step."""
    history = root / "runs" / "pymaf" / "history.jsonl"
    return history.is_file() and '"train"' in history.read_text()


@pytest.mark.long
@pytest.mark.parametrize("direct", [["--direct"], []], ids=["direct", "prefect"])
def test_real_stages_are_stopped_and_go_on(
    start: Start, coco: ModuleType, tmp_path: Path, direct: list[str], gone: Gone
) -> None:
    coco.small_set(tmp_path / "raw" / "coco", pictures=100)
    store = str(tmp_path / "stores" / "coco-train.zarr")
    commands = (
        ["ingest", "coco", "--crop-size", "128", *direct],
        ["attach-fits", store, "--fits", "keypoints", *direct],
    )
    for words in commands:
        process = start([*COMMAND, *words])
        until(lambda: locked(tmp_path), process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 143, (words, err)
        assert "the same command goes on" in err
        assert "Traceback" not in err
        assert gone(tmp_path) == []
        again = start([*COMMAND, *words, *([] if direct else ["--direct"])])
        _, err = again.communicate(timeout=600)
        assert again.returncode == 0, (words, err)


@pytest.mark.long
def test_train_saves_at_sigterm_however_often_it_comes(
    start: Start, coco: ModuleType, tmp_path: Path, gone: Gone, environment: Environment
) -> None:
    coco.small_set(tmp_path / "raw" / "coco", pictures=2)
    store = str(tmp_path / "stores" / "coco-train.zarr")
    for words in (["ingest", "coco"], ["attach-fits", store, "--fits", "keypoints"]):
        subprocess.run([*COMMAND, *words, "--direct"], env=environment(tmp_path), check=True, capture_output=True)
    words = ["train", "--steps", "500", "--batch-size", "2", "--allow-partial", "--precision", "fp32"]
    process = start([*COMMAND, *words])
    until(lambda: learned(tmp_path), process)
    for _ in range(40):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 143, err
    assert "the same command goes on" in err
    assert checkpoints.read(tmp_path / "runs" / "pymaf" / CHECKPOINT).step >= 1
    assert gone(tmp_path) == []
