"""``pymaf-data fits``."""

from __future__ import annotations

import json

import typer
from typer.testing import CliRunner

from pymaf_data.cli import fits as cli
from pymaf_data.fits import FitRequest


def test_every_format_says_what_it_needs_and_where_it_is_had() -> None:
    app = typer.Typer()
    app.command()(cli.command)
    listed = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    assert {"keypoints", "truth", "eft"} <= {entry["format"] for entry in listed}
    assert all(entry["licence"] and entry["get"] for entry in listed)
    text = CliRunner().invoke(app, []).stdout
    for entry in listed:
        assert FitRequest.of(entry["request"]).format == entry["format"]
        assert entry["request"] in text and entry["get"] in text
