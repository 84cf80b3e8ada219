"""``pymaf-data gc``: what it says is what it removes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pymaf_data.cli.app import app
from pymaf_data.digest import digest_json
from pymaf_data.storage import ArraySpec, Plan, Provenance, create_store, open_store

BOX = (ArraySpec("box", (3,), "f8", 2),)
OLD, NEW = digest_json("old"), digest_json("new")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four persons whose fits were made twice."""
    plan = Plan(dataset="made", split="train", rows=tuple((f"{i}.jpg", i) for i in range(4)), shard=4)
    create_store(tmp_path / "made.zarr", plan, BOX, Provenance())
    for stage, digest in (("ingest", plan.digest), ("fits/truth", OLD), ("fits/truth", NEW)):
        opened = open_store(tmp_path / "made.zarr")
        with opened.lock(stage):
            writer = opened.stage(stage, digest, BOX)
            writer.write_shard(0, {"box": np.zeros((4, 3))}, digest_json(0))
            writer.finish()
    return tmp_path / "made.zarr"


def generations(store: Path) -> set[str]:
    return {info.generation for info in open_store(store).stages() if info.stage == "fits/truth"}


def test_a_dry_run_says_what_would_go_and_touches_nothing(store: Path) -> None:
    run = CliRunner().invoke(app, ["gc", str(store), "--dry-run"])
    assert run.exit_code == 0, run.output
    assert f"would remove  fits/truth {OLD[:16]}" in run.output
    assert generations(store) == {OLD, NEW}


def test_the_old_generation_goes_and_a_second_run_finds_nothing(store: Path) -> None:
    run = CliRunner().invoke(app, ["gc", str(store), "--json"])
    assert json.loads(run.stdout) == {str(store): [{"stage": "fits/truth", "generation": OLD}]}
    assert generations(store) == {NEW}
    assert "no old generations" in CliRunner().invoke(app, ["gc", str(store)]).output
