"""What flows report to: a server of our own behind proxies and full disks, or the user's, who can follow and deploy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.errors import NotWritable, UsageError

# Looked for, not imported: every worker of pytest would import it while it collects.
pytestmark = pytest.mark.skipif(find_spec("prefect") is None, reason="Prefect is not installed (extra: flows)")

Environment = Callable[..., dict[str, str]]
Call = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = [sys.executable, "-c", "from pymaf_data.cli import main; main()"]
UNTOLD = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
PROXIES = dict.fromkeys(
    ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9"
)


@pytest.fixture
def call(environment: Environment) -> Callable[..., subprocess.CompletedProcess[str]]:
    def of(root: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, env=environment(root, **more), check=False
        )

    return of


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with COCO's layout and one person on one image: the least that a stage takes."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "raw" / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "train2014").mkdir()
    from pymaf_data.geometry.joints import COCO17

    person = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [10, 10, 40, 80], "area": 3200}
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 96}],
        "annotations": [person | {"keypoints": [30, 40, 2] * 17, "num_keypoints": 17}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints), "skeleton": []}],
    }
    (folder / "annotations" / "person_keypoints_train2014.json").write_text(json.dumps(content))
    cv2.imwrite(str(folder / "train2014" / "1.jpg"), np.full((96, 64, 3), 128, np.uint8))
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: Path, environment: Environment) -> Iterator[str]:
    """A user's own server on loopback, as `prefect server start` starts it; it is ended by its process id."""
    from pymaf_data.flows.api import Server

    home = shutil.copytree(database, tmp_path_factory.mktemp("prefect") / "home")
    settings = environment(home, PREFECT_HOME=str(home), PREFECT_UI_ENABLED="false", **UNTOLD)
    with Server._bound() as free:
        port = free.getsockname()[1]
    words = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", str(port)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, *words], env=settings, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/api"
    try:
        deadline = time.monotonic() + 600
        while not answers(url):
            assert process.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return bool(ask(url, "/health", None))
    except OSError:
        return False


def ask(url: str, path: str, query: Any) -> Any:
    """Prefect's REST API without its client; a server whose database is busy says 503 and is asked again."""
    data = None if query is None else json.dumps(query).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in range(30):
        try:
            with opener.open(request, timeout=60) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == 29:
                raise
            time.sleep(1)
    return None


def told(lines: list[dict[str, Any]]) -> bool:
    """Whether a run's log says how far its stage came."""
    return any("1 of 1" in line["message"] or "complete" in line["message"] for line in lines)


def final(url: str, run: str) -> dict[str, Any]:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        found = ask(url, f"/flow_runs/{run}", None)
        if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return dict(found)
        time.sleep(1)
    raise AssertionError("the run does not end")


def within(seconds: float, look: Any) -> Any:
    """What ``look`` finds; events and logs arrive in batches."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


@pytest.mark.long
def test_a_proxy_in_the_environment_is_no_way_to_loopback(raw: Path, call: Call) -> None:
    done = call(raw, "ingest", "coco", "--overwrite", **PROXIES, no_proxy="", NO_PROXY="")
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_home_that_cannot_hold_a_database_is_named(raw: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "prefect.db").mkdir()
    done = call(raw, "ingest", "coco", "--overwrite", PREFECT_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert str(tmp_path) in done.stderr
    assert "--direct" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("OperationalError: database or disk is full", "free some space"),
        ("OSError: [Errno 28] No space left on device", "free some space"),
        ("OperationalError: attempt to write a readonly database", "may write"),
        ("OperationalError: database is locked", "local disk"),
    ],
)
def test_every_failure_of_the_database_has_its_advice(reason: str, advice: str) -> None:
    from pymaf_data.flows.api import _remedy

    assert advice in _remedy(reason)
    assert "--direct" in _remedy(reason)


def test_a_disk_that_fills_up_under_the_database_is_named(raw: Path, tmp_path: Path, environment: Environment) -> None:
    """SQLite meets the limit on file sizes as it meets a full disk; the command's own files are small."""
    script = (
        "import resource, sys\n"
        "from pymaf_data.flows import api\n"
        "start = api.subprocess.Popen\n"
        "def limited(*words, **named):\n"
        "    few = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))\n"
        "    return start(*words, preexec_fn=few, **named)\n"
        "api.subprocess.Popen = limited\n"
        "from pymaf_data.cli import main\nmain()"
    )
    words = [sys.executable, "-c", script, "ingest", "coco", "--overwrite"]
    settings = environment(raw, PREFECT_HOME=str(tmp_path))
    done = subprocess.run(words, capture_output=True, text=True, env=settings, check=False)
    assert done.returncode == 1, done.stderr
    assert str(tmp_path) in done.stderr
    assert "--direct" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_prefect_commands_run_directly_and_say_so(raw: Path, environment: Environment) -> None:
    script = (
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'prefect' else find(name, *more)\n"
        "import sys; sys.modules['prefect'] = None\n"
        "from pymaf_data.cli import main\nmain()"
    )
    words = [sys.executable, "-c", script, "ingest", "coco", "--overwrite"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(raw), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Prefect is not installed") == 1
    assert "--direct" in done.stderr


def test_a_server_started_early_is_taken_unless_it_is_of_another_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymaf_data.flows import api

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name in ("PREFECT_LOGGING_LEVEL", "PREFECT_CLI_PROMPT", "no_proxy", "NO_PROXY"):  # what it sets is undone
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "one"))
    api.start_server()
    (early,) = api._started
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "other"))
    other = api._server()
    assert other is not None and other is not early
    assert early._process.poll() is not None, "it has ended"
    other.end()
    api.start_server()
    (again,) = api._started
    assert api._server() is again and api._started == []
    again.end()


def test_a_command_imports_its_own_stage_alone() -> None:
    script = (
        "import sys\n"
        "from pkgutil import resolve_name\n"
        "from pymaf_data.stages.registry import STAGES\n"
        "resolve_name(STAGES['ingest'].run)\n"
        "print(*(name for name in sys.modules if name.startswith('pymaf_data.') or name == 'torch'))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "pymaf_data.stages.ingest" in loaded
    others = ("torch", "pymaf_data.world.sample", "pymaf_data.stages.render_iuv", "pymaf_data.model.training")
    assert not set(others) & set(loaded)


@pytest.mark.long
def test_two_commands_may_make_the_database_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymaf_data.flows.api import Server

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with Server().running() as one, Server().running() as other:
        one.wait()
        other.wait()
        assert answers(one.url) and answers(other.url)
    assert not answers(one.url)


@pytest.mark.long
def test_a_command_reports_to_the_users_api_and_starts_nothing(
    raw: Path, server: str, environment: Environment
) -> None:
    script = (
        "from pymaf_data.flows import api\n"
        "def refused(*_): raise AssertionError('a server was started')\n"
        "api.Server.__init__ = refused\n"
        "from pymaf_data.cli import main\nmain()"
    )
    words = [sys.executable, "-c", script, "ingest", "coco", "--overwrite"]
    settings = environment(raw, PREFECT_API_URL=server, **PROXIES)
    done = subprocess.run(words, capture_output=True, text=True, env=settings, check=False)
    assert done.returncode == 0, done.stderr
    assert "INFO" not in done.stderr and "Beginning" not in done.stderr, "Prefect's log floods the terminal"
    run = ask(server, "/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]
    assert run["state_type"] == "COMPLETED"
    of_run = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    tasks = within(60, lambda: ask(server, "/task_runs/filter", of_run))
    assert [task["state_type"] for task in tasks] == ["COMPLETED"], "the last states were not sent"
    logged = within(30, lambda: ask(server, "/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}}))
    assert any("1 of 1" in line["message"] for line in logged), "progress did not reach the API"


SERVE = """
from prefect import serve
from pymaf_data.flows import ingest_flow, pipeline_flow
if __name__ == "__main__":
    serve(ingest_flow.to_deployment("test"), pipeline_flow.to_deployment("test"))
"""


@pytest.mark.slow
def test_deployments_run(raw: Path, server: str, tmp_path: Path, environment: Environment) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    settings = environment(raw, PREFECT_API_URL=server, PREFECT_HOME=str(tmp_path), PREFECT_RUNNER_POLL_FREQUENCY="1")
    with (tmp_path / "log").open("w") as log:
        runner = subprocess.Popen([sys.executable, str(tmp_path / "serve.py")], env=settings, stdout=log, stderr=log)
    try:
        within(600, lambda: runner.poll() is not None or len(ask(server, "/deployments/filter", {})) == 2)
        assert runner.poll() is None, (tmp_path / "log").read_text()
        ids = {name: ask(server, f"/deployments/name/{name}/test", None)["id"] for name in ("ingest", "pipeline")}
        recipe = {"name": "tiny", "ingest": [{"dataset": "coco"}]}
        wanted = {"ingest": {"options": {"dataset": "coco", "overwrite": True}}, "pipeline": {"recipe": recipe}}
        for name, parameters in wanted.items():  # one after the other: both write the same store
            run = ask(server, f"/deployments/{ids[name]}/create_flow_run", {"parameters": parameters})["id"]
            found = final(server, run)
            assert found["state_type"] == "COMPLETED", (name, found["state"], (tmp_path / "log").read_text())
            query = {"logs": {"flow_run_id": {"any_": [run]}}}
            assert within(60, lambda query=query: told(ask(server, "/logs/filter", query)))  # logs come in batches
        with pytest.raises(urllib.error.HTTPError):  # refused at once, by the schema of the options
            wrong = {"parameters": {"options": {"dataset": 1}}}
            ask(server, f"/deployments/{ids['ingest']}/create_flow_run", wrong)
    finally:
        runner.terminate()
        runner.wait()


def test_a_data_root_that_may_not_be_written_is_told_from_a_home_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere but below a file."""
    from pymaf_data.flows import settings

    (tmp_path / "file").touch()
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "file" / "data"))
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    for _ in range(2):
        with pytest.raises(NotWritable, match=r"the data root .*file/data may not be written"):
            settings.make_home()
        monkeypatch.setenv("PREFECT_HOME", str(settings.home()))  # as every command does
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UsageError, match=r"home .* cannot be made"):
        settings.make_home()


def test_a_slow_start_is_told_and_is_no_warning_until_it_is_late(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymaf_data.flows import api
    from pymaf_data.flows.api import Server

    now, server = iter(range(1, 200)), object.__new__(Server)
    server._begun, server._last = 0.0, "importing"
    monkeypatch.setattr(api, "time", SimpleNamespace(monotonic=lambda: float(next(now))))
    monkeypatch.setattr(Server, "_spent", lambda self: float(next(now)))

    def read(self: Any, seconds: float) -> bool:
        self._last = "ready" if next(now) > 80 else "importing"
        return True

    monkeypatch.setattr(Server, "_read", read)
    with caplog.at_level("INFO"):
        server.wait()
    assert [one.levelname for one in caplog.records] == ["INFO", "WARNING"]
    assert all("still starting" in one.getMessage() and "now: importing" in one.getMessage() for one in caplog.records)
