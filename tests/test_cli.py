"""The command line's promises: exit codes, one readable message, no stack, results on standard output alone."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pymaf_data.cli import app as application
from pymaf_data.errors import DiskFull, PymafDataError, UsageError


def call(*arguments: str, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pymaf_data.cli import main; main()", *arguments]
    variables = {**os.environ, "PYMAF_DATA_ROOT": str(root), "NO_COLOR": "1", "COLUMNS": "200", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


def test_without_raw_data_ingest_says_where_it_looked_and_what_stands_in(tmp_path: Path) -> None:
    result = call("ingest", "coco", root=tmp_path)
    assert result.returncode == 1
    assert str(tmp_path / "raw" / "coco") in result.stderr.replace("\n", "")
    assert "pymaf-data sample" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not any(tmp_path.iterdir()), "a command that did nothing leaves nothing"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ingest", "nonesuch"), 2),
        (("ingest", "coco", "--nonesuch"), 2),
        (("run", "nonesuch"), 2),
        (("inspect", "nowhere.zarr"), 1),
        (("verify", "nowhere.zarr"), 1),
        (("report",), 1),
    ],
)
def test_what_cannot_be_done_has_an_exit_code_and_a_message(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    result = call(*arguments, root=tmp_path)
    assert result.returncode == code, result.stderr
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("render-iuv", "--direct"), ("train",), ("report", "nowhere.zarr")])
def test_commands_that_import_much_say_it_the_same_way(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    with pytest.raises(SystemExit) as leaving:
        application.run(list(arguments))
    said = capsys.readouterr().err
    assert (leaving.value.code, "Traceback" in said) == (1, False) and said.strip()


def test_doctor_tells_what_is_lacking_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    with pytest.raises(SystemExit) as leaving:
        application.run(["doctor", "--json"])
    assert not leaving.value.code
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    smpl = checks["smpl/SMPL_NEUTRAL.pkl"]
    assert not smpl["present"]
    assert str(tmp_path / "assets" / "smpl") in smpl["advice"]
    assert checks["torch"]["present"]


def failing(error: BaseException) -> object:
    def command(*_: object, **__: object) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PymafDataError("found [this]", expected="that", action="do so."), 1),
        (DiskFull("full"), 1),
        (UsageError("odd"), 2),
        (PermissionError(13, "Permission denied", "/some/file"), 1),
    ],
)
def test_the_boundary_turns_errors_into_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    monkeypatch.setattr(application, "app", failing(error))
    with pytest.raises(SystemExit) as leaving:
        application.run([])
    assert leaving.value.code == code
    if isinstance(error, OSError):
        assert "/some/file: Permission denied" in capsys.readouterr().err
    if isinstance(error, PymafDataError):
        # Square brackets are markup to the console and must survive it.
        assert error.found in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "raw"), OSError(errno.ENFILE, "raw", "/some/file")])
def test_too_many_open_files_name_the_limit(monkeypatch: pytest.MonkeyPatch, capsys, error: OSError) -> None:
    monkeypatch.setattr(application, "app", failing(error))
    with pytest.raises(SystemExit) as leaving:
        application.run([])
    assert leaving.value.code == 1
    said = capsys.readouterr().err
    assert "ulimit -n" in said
    assert (error.filename or "") in said


def test_ctrl_c_is_told_and_has_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pymaf_data.cli.steps.run_step", failing(KeyboardInterrupt()))
    with pytest.raises(SystemExit) as leaving:
        application.run(["sample", str(tmp_path / "s"), "--direct"])
    assert leaving.value.code == 130


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "app", failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        application.run([])


def test_errors_cross_process_borders_whole() -> None:
    import pickle

    error = UsageError("found", expected="expected", action="action")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.action) == (UsageError, str(error), "action")
