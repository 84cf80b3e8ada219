"""The page of a run: what the trainer wrote, nothing of the machine, damage named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.errors import TrainingError
from pymaf_data.report.html import render
from pymaf_data.report.make import ReportOptions, report
from pymaf_data.report.run_images import MOST_STEPS, Drawer, shown_steps
from pymaf_data.report.run_page import by_store, run_page
from pymaf_data.runs.folder import HISTORY, is_run
from pymaf_data.runs.history import HistoryLine, read_history
from pymaf_data.runs.snapshots import SnapshotFolder


def test_curves_are_those_that_were_written(run_folder: Path) -> None:
    meta = run_page(run_folder).meta
    held, wild = meta["held_out"]
    assert wild["errors"]["pve"]["M1"] == [279.0] * 5
    assert (held["store"], held["steps"]) == ("held", [0, 10, 20, 30, 40])
    assert held["errors"]["mpjpe"]["M3"] == [300.0, 270.0, 240.0, 210.0, 180.0]
    assert held["errors"]["mpjpe"]["M0"] == [300.0] * 5
    assert set(held["errors"]) == {"mpjpe", "pa_mpjpe"}
    assert meta["train"]["scalars"]["pose"] == [3.0] * 5
    assert meta["persons"]["steps"] == [0, 20, 40]
    assert meta["persons"]["mpjpe"][0] == [300.0, 280.0, 260.0]


def test_lines_of_a_version_that_told_no_stores_apart_are_those_of_the_only_one() -> None:
    text = '{"step": 1, "kind": "held_out", "errors": {}, "persons": 3}'
    older = HistoryLine.model_validate_json(text)
    a, b = (older.model_copy(update={"step": 2, "store": name}) for name in "ab")
    known = [
        ([older], [("", [1])]),
        ([older, a], [("a", [1, 2])]),
        ([older, a, b], [("", [1]), ("a", [2]), ("b", [2])]),
    ]
    for lines, wanted in known:
        assert [(one["store"], one["steps"]) for one in by_store(lines)] == wanted


def test_the_page_tells_nothing_of_the_machine(run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "x" / run_folder.name)
    first, second = (b"".join(render(run_page(folder))) for folder in (run_folder, copy))
    assert first == second
    for secret in (b"/secret", str(tmp_path).encode(), str(run_folder.parent).encode()):
        assert secret not in first
    assert b"held.zarr" in first, "which store it was is no secret"
    assert b"CC0 </script>" not in first


def test_predictions_are_drawn_beside_the_target(run_folder: Path) -> None:
    drawer = Drawer.of(SnapshotFolder(run_folder))
    assert drawer is not None
    panels = drawer.draw(1, [0, 40])
    names = {"view", "truth", "truth-side", "0", "0-side", "40", "40-side", "m0", "m1", "m2", "m3"}
    assert set(panels) == names
    # The factory's network predicts the target itself, so the same image must come of both.
    np.testing.assert_array_equal(panels["40"], panels["truth"])
    assert not np.array_equal(panels["view"], panels["truth"])


def test_of_many_snapshots_some_are_shown_first_and_last_among_them() -> None:
    steps = list(range(0, 10_001, 100))
    shown = shown_steps(steps)
    assert (len(shown), shown[0], shown[-1]) == (MOST_STEPS, 0, 10_000)
    assert shown_steps([0, 7]) == [0, 7]


def test_a_run_without_a_history_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text("{}")
    assert is_run(tmp_path)
    with pytest.raises(TrainingError, match=HISTORY):
        run_page(tmp_path)


def test_a_line_cut_short_is_left_out_and_nonsense_is_named(run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    whole = (copy / HISTORY).read_text()
    (copy / HISTORY).write_text(whole + '{"step": 50, "ki')
    assert len(read_history(copy)) == len(whole.splitlines())
    (copy / HISTORY).write_text(whole + '{"step": "soon"}\n')
    with pytest.raises(TrainingError, match="not a measurement"):
        read_history(copy)


def test_damaged_snapshots_are_named_and_left_out(
    run_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    steps = SnapshotFolder(copy).steps()
    damaged = copy / "snapshots" / f"step-{steps[-1]:08d}.npz"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    drawer = Drawer.of(SnapshotFolder(copy))
    assert drawer is not None
    assert drawer.steps == steps[:-1]
    assert damaged.name in caplog.text
    assert run_page(copy).meta["persons"]["steps"] == steps[:-1]
    for step in steps:
        (copy / "snapshots" / f"step-{step:08d}.npz").write_bytes(b"PK no archive")
    assert run_page(copy).meta["persons"] is None
    (copy / "snapshots" / "persons.npz").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"persons\.npz"):
        run_page(copy)


def test_a_bit_that_changed_in_a_snapshot_is_noticed(run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    folder = SnapshotFolder(copy)
    step = folder.steps()[0]
    path = folder.path / f"step-{step:08d}.npz"
    data, expected = path.read_bytes(), folder.read(step)
    with np.load(path) as file:  # NumPy's own reader opens a sealed file
        np.testing.assert_array_equal(file["mpjpe"], expected.mpjpe)
    for place in range(0, 8 * len(data), 8 * len(data) // 97):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(TrainingError, match="damaged"):
            folder.read(step)
    with path.open("wb") as handle:  # as versions before the digest wrote it
        np.savez(handle, **vars(expected))
    np.testing.assert_array_equal(folder.read(step).rotation, expected.rotation)


def test_a_run_goes_where_reports_go(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: BodyModel
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    made = report(ReportOptions(path=run_folder))
    assert made.kind == "run"
    assert made.path == tmp_path / "reports" / "run-mine.html"
    assert not report(ReportOptions(path=run_folder)).written
    assert json.loads(made.model_dump_json())["written"]
