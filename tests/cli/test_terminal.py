"""What reaches a terminal: no command of the data, in any encoding; paths as the user means them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.cli.app import run
from pymaf_data.errors import UsageError
from pymaf_data.paths import VARIABLE, DataRoot, as_meant
from pymaf_data.plain import CleanFormatter, clean
from pymaf_data.stages.ingest import IngestOptions

PLAIN = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COMMANDS = (
    "",
    "sample",
    "datasets",
    "ingest",
    "attach-fits",
    "render-iuv",
    "train",
    "run",
    "report",
    "inspect",
    "verify",
    "gc",
    "migrate",
)


def called(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(list(map(str, arguments)))
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def process(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, *([code] if code == "-m" else ["-c", code]), *arguments],
        capture_output=True,
        env=variables,
        check=False,
    )


def test_every_help_and_doctor_are_printed_where_the_terminal_is_ascii(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pymaf_data.cli.app import run\n"
        f"for words in {[[name, '--help'] if name else ['--help'] for name in COMMANDS] + [['doctor']]!r}:\n"
        "    try:\n        run(words)\n    except SystemExit as ended:\n        assert not ended.code, words\n"
    )
    done = process(code, **PLAIN, PYMAF_DATA_ROOT=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and b"ingest -> attach-fits" in done.stdout
    assert b"--   smpl/SMPL_NEUTRAL.pkl: absent" in done.stdout


def test_a_message_is_printed_where_the_terminal_is_latin(tmp_path: Path) -> None:
    """An encoding that is not ASCII and lacks the arrow, which typer's own echo does not mend."""
    code = "from pymaf_data.cli.say import any_encoding, echo\nany_encoding()\necho('é → \\u4e2d \\udcff')"
    done = process(code, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout) == (0, "é -> \\u4e2d \\udcff\n".encode("latin-1"))


def test_python_m_is_the_command_line() -> None:
    done = process("-m", "pymaf_data", "--version")
    assert done.returncode == 0 and done.stdout.startswith(b"pymaf-data ")


@pytest.mark.parametrize("code", ["\x1b[2J", "\x07", "\r", "\x9b31m", "\x7f", "\u202e", "\x00", "\u2028"])
def test_control_characters_are_shown_and_not_obeyed(code: str) -> None:
    shown = clean(f"a\t{code}\nb")
    assert code[0] not in shown and shown.startswith("a\t\\") and shown.endswith("\nb")
    record = logging.LogRecord("room", logging.WARNING, "", 0, "name %s", (code,), None)
    assert code[0] not in CleanFormatter("%(message)s").format(record)


EVIL = "train\x1b]0;owned\x07\u202e.jpg"


def test_names_of_the_data_never_command_the_terminal(
    coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    made.images[0]["file_name"] = EVIL
    made.licenses[0]["name"] = f"licence {EVIL}"
    made.save()
    store = tmp_path / f"s{EVIL}.zarr"
    where = ("--root", tmp_path / "raw", "--out", store, "--crop-size", 32, "--direct")
    outputs = [called(capsys, "ingest", "coco", *where)]
    outputs += [called(capsys, command, store) for command in ("inspect", "verify", "gc")]
    outputs += [called(capsys, "ingest", "coco", *where, "--select", "any")]  # refused, by the store's name
    outputs += [called(capsys, "inspect", store, "--json")]
    assert [code for code, _, _ in outputs] == [0, 0, 0, 0, 1, 0]
    for _, out, err in outputs:
        assert not set(EVIL) & set("\x1b\x07\u202e") & set(out + err)
    assert "\\x1b]0;owned\\x07" in outputs[0][1]
    assert EVIL in json.loads(outputs[-1][1])[0]["path"], "JSON says it all the same"


def test_all_images_missing_is_a_failure_with_its_cause(
    coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    where = ("--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32, "--direct", "--json")
    for path in made.folder.iterdir():
        path.write_bytes(b"GIF89a not a photograph")
    code, out, err = called(capsys, "ingest", "coco", *where)
    assert (code, json.loads(out)["holes"]["counts"]) == (1, {"corrupt_picture": 2})
    assert "not one of the 2 persons" in err and "GIF" in err
    for path in made.folder.iterdir():
        path.unlink()
    code, out, err = called(capsys, "ingest", "coco", *where)
    assert (code, out) == (1, "") and str(made.folder) in err.replace("\n", "")


def test_the_home_folder_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/pose")
    assert DataRoot.default().path == tmp_path / "pose"
    monkeypatch.setenv(VARIABLE, "${HOME}/pose")
    assert DataRoot.default().path == tmp_path / "pose"
    assert IngestOptions(root="~/raw", out="~/s.zarr").root == tmp_path / "raw"
    assert DataRoot.default().require_stores([Path("~/s.zarr")]) == [tmp_path / "s.zarr"]
    with pytest.raises(UsageError, match="~"):
        as_meant(Path("~nobody-of-this-name/x"))


def test_dots_have_the_name_of_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inner = tmp_path / "one.zarr" / "fits"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert as_meant(Path("..")) == tmp_path / "one.zarr"
    assert as_meant(Path()) == inner
    assert as_meant(Path("other.zarr")) == Path("other.zarr"), "what has a name keeps it"
