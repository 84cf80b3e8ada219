"""Flows: through Prefect and directly the same bytes; only transient trouble is tried again; nothing stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pymaf_data.cli import app

# Looked for, not imported: every worker of pytest would import it while it collects.
pytestmark = pytest.mark.skipif(find_spec("prefect") is None, reason="Prefect is not installed (extra: flows)")

PIPELINE = """
name: tiny
sample: {persons: 3, seed: 5, size: [320, 240]}
ingest: [{dataset: sample}]
fits: {sources: ["truth:{raw}/truth/train.npz"]}
render: {size: 63}
sheet: {persons: 2}
report: {}
"""


@pytest.fixture
def run(environment: Callable[..., dict[str, str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def of(recipe: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from pymaf_data.cli import main; main()", "run", str(recipe), *options]
        return subprocess.run(command, capture_output=True, text=True, env=environment(root), check=False)

    return of


def contents(root: Path) -> dict[str, bytes]:
    """Every file of the stores, locks left out: they name the process that held them."""
    stores = root / "stores"
    files = (path for path in stores.rglob("*") if path.is_file() and "locks" not in path.parts)
    return {str(path.relative_to(stores)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_prefect_and_direct_give_the_same_bytes_and_leave_nothing(
    tmp_path: Path,
    run: Any,
    processes_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def directly(recipe: Path, root: Path) -> str:
        monkeypatch.setenv("PYMAF_DATA_ROOT", str(root))
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            app.run(["run", str(recipe), "--direct"])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(PIPELINE)
    direct = directly(recipe, tmp_path / "direct")
    flow = run(recipe, tmp_path / "flow")
    assert flow.returncode == 0, flow.stderr
    assert contents(tmp_path / "flow") == contents(tmp_path / "direct")
    assert (tmp_path / "flow" / "runs" / "tiny" / "contact_sheet.png").stat().st_size > 10_000
    pages = [(tmp_path / root / "reports" / "sample-train.html").read_bytes() for root in ("direct", "flow")]
    assert pages[0] == pages[1]
    assert processes_of(tmp_path / "flow") == [], "the ephemeral server outlived its command"
    assert flow.stdout.replace("/flow/", "/direct/").splitlines()[-3:] == direct.splitlines()[-3:]
    again = directly(recipe, tmp_path / "direct")
    assert "complete already, nothing to do" in again
    assert "drawn already, nothing to do" in again
    assert "shows the same already, nothing to do" in again


SHOUT = """
from typing import Annotated
from pymaf_data.config import Flag, StrictModel
from pymaf_data.stages.registry import STAGES, Stage

class Options(StrictModel):
    word: Annotated[str, Flag("What to shout.", argument=True)]
    marks: Annotated[int, Flag("How loudly.")] = 1

class Report(StrictModel):
    said: str
    def lines(self): return [self.said]

def shout(options, progress=None):
    from prefect.context import TaskRunContext
    assert TaskRunContext.get() is not None
    progress(1, 1, "")
    return Report(said=options.word.upper() + "!" * options.marks)

places = [f"__main__:{name}" for name in ("Options", "shout", "Report.lines")]
STAGES["shout"] = Stage("shout", "Shout a word.", *places)
"""
CALLED = """
from pymaf_data.cli.app import run
from pymaf_data.flows import shout_flow
from pymaf_data.flows.api import flow_api
with flow_api():  # one server for all
    try: run(["shout", "hey", "--marks", "2"])
    except SystemExit as ended: assert not ended.code
    print(shout_flow(Options(word="ho", marks=3)).said)
    try: shout_flow({"word": "ho", "nonesuch": 1})
    except Exception as error: print(type(error).__name__)
print(shout_flow({"word": "ho"}).said)
"""


@pytest.mark.slow
def test_an_entry_is_a_flow_its_command_goes_through_it_and_it_takes_a_dict_or_a_model(
    tmp_path: Path, environment: Any
) -> None:
    command = [sys.executable, "-c", SHOUT + CALLED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), check=False)
    assert (done.returncode, done.stdout) == (0, "HEY!!\nHO!!!\nParameterTypeError\nHO!\n"), done.stderr


def test_every_stage_has_a_flow() -> None:
    from pymaf_data import flows
    from pymaf_data.stages.registry import STAGES

    for stage in STAGES.values():
        flow = getattr(flows, stage.flow)
        assert (flow.name, flow.description) == (stage.name, stage.summary)
        assert flow is getattr(flows, stage.flow) and list(flow.parameters.properties) == ["options"]
        named = flow.parameters.definitions[stage.model().__name__]["properties"]
        assert set(named) == set(stage.model().model_fields)
    with pytest.raises(AttributeError, match="nonesuch_flow"):
        flows.nonesuch_flow


def test_only_transient_errors_are_tried_again() -> None:
    from pymaf_data.errors import DiskFull, StoreLocked
    from pymaf_data.flows import sample_flow  # puts Prefect's settings in place
    from pymaf_data.flows.stages import is_transient, take_step

    class State:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def result(self, raise_on_failure: bool) -> Exception:
            assert not raise_on_failure
            return self.error

    assert sample_flow.name == "sample"
    assert take_step.retries > 0
    assert is_transient(None, None, State(ConnectionResetError()))
    assert not is_transient(None, None, State(DiskFull("full")))
    assert not is_transient(None, None, State(StoreLocked("held")))
    assert not is_transient(None, None, State(ZeroDivisionError()))


def test_a_server_that_does_not_answer_is_a_message(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(PIPELINE)
    command = [sys.executable, "-c", "from pymaf_data.cli import main; main()", "run", str(recipe)]
    environment = os.environ | {"PYMAF_DATA_ROOT": str(tmp_path), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 2
    assert "--direct" in result.stderr
    assert "Traceback" not in result.stderr
