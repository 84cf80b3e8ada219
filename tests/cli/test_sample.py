"""``pymaf-data sample``: what it refuses, what it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pymaf_data.cli.app import app
from pymaf_data.errors import UsageError


def called(*arguments: object) -> str:
    run = CliRunner().invoke(app, ["sample", *map(str, arguments)])
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    assert run.exit_code == 0, run.output
    return run.stdout


def test_a_sample_is_written_and_told(tmp_path: Path) -> None:
    arguments = [
        tmp_path / "out",
        "--persons",
        1,
        "--size",
        "200X160",
        "--noise",
        0.5,
        "--masks",
        "polygon",
        "--direct",
    ]
    told = called(*arguments)
    assert "train: 1 images" in told
    assert "1 of them with all 12 body keypoints" in told
    for part in ("families:", "box sides:", "partly hidden", f"sample in {tmp_path / 'out'}"):
        assert part in told
    assert "1 images were there already" in called(*arguments)
    report = json.loads(called(*arguments, "--json"))
    assert report["splits"][0]["complete"] == report["splits"][0]["pictures"] == 1
    asked = json.loads((tmp_path / "out/sample.json").read_text())["splits"]["train"]
    assert (asked["noise"], asked["masks"], asked["size"]) == (0.5, "polygon", [200, 160])


@pytest.mark.parametrize("size", ["640", "640x", "x480", "640x480x3", "6.4x4.8", "-640x480", "a x b"])
def test_sizes_that_are_none_are_refused(tmp_path: Path, size: str) -> None:
    with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
        called(tmp_path / "out", f"--size={size}", "--direct")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "value"), [("--masks", "bitmap"), ("--split", "test")])
def test_values_that_are_none_are_refused(tmp_path: Path, option: str, value: str) -> None:
    run = CliRunner().invoke(app, ["sample", str(tmp_path / "out"), option, value, "--direct"])
    assert run.exit_code == 2 and option in run.output and value in run.output
    assert not (tmp_path / "out").exists()
