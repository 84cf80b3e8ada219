"""Results on disk: read as written, refused in a sentence where they are not, the old ones whole until new ones are."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pymaf_data.errors import EvaluationError
from pymaf_data.runs import evaluations
from pymaf_data.runs.drawn import Drawn, SomeBodies
from pymaf_data.runs.evaluations import Evaluation, Measured


def made(value: float = 50.0, persons: int = 3, **changes: Any) -> Measured:
    """A result of three persons, two iterations, a group and bodies to be drawn."""
    figure = {"value": value, "low": value - 1, "high": value + 1, "persons": persons}
    content = {
        "benchmark": "mine", "title": "Mine", "protocol": ["as I say"], "persons": persons,
        "metrics": {"error": {"unit": "mm"}, "AP": {"better": "higher", "digits": 2}},
        "published": [{"method": "=HIM()", "source": "a paper", "figures": {"error": 40.5}}],
        "subject": {"kind": "checkpoint", "name": "me"}, "store": {"dataset": "d", "split": "s"}, "settings": {},
        "iterations": {"M0": {"error": figure}, "M1": {"error": figure, "AP": {"value": None, "persons": 0}}},
        "groups": {"tall": {"error": {"value": value, "persons": 1}}},
    }  # fmt: skip
    values: dict[str, np.ndarray] = {
        "row": np.arange(persons), "image": np.array(["a.jpg"] * persons), "annotation_id": np.arange(persons),
        "M0/error": np.full(persons, value), "M1/error": np.full(persons, value), "in/tall": np.arange(persons) == 0,
    }  # fmt: skip
    drawn = Drawn(np.array([2, 0]), SomeBodies.none(2), SomeBodies.none(2))
    return Measured(Evaluation.model_validate(content | changes), values | drawn.members())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return evaluations.write(made(), tmp_path / "me", "mine")


def test_what_was_written_is_read(written: Path) -> None:
    found = evaluations.read(written)
    assert found.evaluation.model_copy(update={"values": ""}) == made().evaluation
    assert found.values.keys() == made().values.keys()
    np.testing.assert_array_equal(found.of("M1")["error"], [50.0] * 3)
    drawn = Drawn.of(found.values, 3)
    assert drawn is not None and drawn.place.tolist() == [2, 0]
    evaluations.write(made(60.0), written.parent, "mine")
    evaluations.write(made(70.0), written.parent, "mine+persons=3")
    names = sorted(path.suffix for path in written.parent.iterdir() if path.is_file())
    assert names == [".csv"] * 2 + [".json"] * 2 + [".npz"] * 2, "no values of results that are no more"
    assert evaluations.read(written).evaluation.iterations["M1"]["error"].value == 60.0


def test_the_csv_has_a_row_for_each_iteration_group_and_method(written: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(written.with_suffix(".csv").read_text())))
    assert [(row["kind"], row["name"], row["iteration"]) for row in rows] == [
        ("measured", "me", "M0"), ("measured", "me", "M1"), ("group", "tall", "M1"), ("published", "'=HIM()", ""),
    ]  # fmt: skip
    assert [(row["error"], row["error low"], row["AP"]) for row in rows] == [
        ("50.0", "49.0", ""), ("50.0", "49.0", ""), ("50.0", "", ""), ("40.5", "", ""),
    ]  # fmt: skip


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


def _values(path: Path) -> Path:
    return next(path.parent.glob("*.npz"))


def _another(path: Path) -> None:
    other = evaluations.write(made(persons=4), path.parent / "other", "mine")
    shutil.copy(_values(other), _values(path))


def _flipped(path: Path) -> None:
    data = bytearray(_values(path).read_bytes())
    data[len(data) // 2] ^= 1
    _values(path).write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "not JSON"),
        (lambda path: path.write_text("[" * 100_000), "mine.json"),
        (lambda path: path.write_text("[]"), "no evaluation"),
        (lambda path: path.write_text(path.read_text().replace('"benchmark"', '"title": "", "benchmark"')), "twice"),
        (edited(lambda one: one["subject"].update(name=float("nan"))), "not JSON"),
        (edited(lambda one: one["subject"].pop("name")), "no name"),
        (edited(lambda one: one["metrics"]["AP"].update(digits=10**9)), "digits"),
        (edited(lambda one: one.update(format="pymaf-data evaluation 9")), "format"),
        (edited(lambda one: one.update(iterations={})), "iterations"),
        (edited(lambda one: one.update(values="../mine.npz")), "values"),
        (edited(lambda one: one.update(values="")), "names no file"),
        (edited(lambda one: one.update(persons=2)), "of 2 persons"),
        (lambda path: _values(path).unlink(), "No such file"),
        (_another, "of 3 persons"),
        (_flipped, "damaged"),
        (lambda path: _values(path).write_bytes(b""), "damaged"),
    ],
)
def test_what_is_damaged_or_somebody_elses_is_refused(
    written: Path, damage: Callable[[Path], None], found: str
) -> None:
    damage(written)
    with pytest.raises(EvaluationError, match=found):
        evaluations.read(written)


def test_figures_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValidationError):
        made(published=[{"method": "m", "source": "s", "figures": {"error": float("inf")}}])


@pytest.mark.parametrize(
    "change",
    [
        {"place": np.array([0, 3])},
        {"place": np.zeros(49, np.int64)},
        {"predicted/rotation": np.full((2, 24, 3, 3), np.nan, np.float32)},
        {"true/camera": np.zeros((2, 3, 3))},
    ],
)
def test_bodies_that_are_not_whole_are_refused(change: dict[str, np.ndarray]) -> None:
    values = made().values | {f"drawn/{name}": array for name, array in change.items()}
    with pytest.raises(EvaluationError, match="not whole"):
        Drawn.of(values, 3)


def test_killed_at_any_moment_there_is_the_old_result_or_the_new_one(
    kill: ModuleType, written: Path, tmp_path: Path
) -> None:
    found: list[float | None] = []
    for step in range(100):
        folder = shutil.copytree(written.parent, tmp_path / str(step))
        if not kill.killed_at(step, lambda folder=folder: evaluations.write(made(60.0), folder, "mine")):
            break
        one = evaluations.read(folder / "mine.json")
        value = one.evaluation.iterations["M1"]["error"].value
        assert one.values["M1/error"].tolist() == [value] * 3, "figures and values of one measurement"
        found.append(value)
        shutil.rmtree(folder)
    assert found == sorted(found, key=lambda value: value == 60.0) and {*found} == {50.0, 60.0}


def test_who_clears_old_values_away_leaves_those_whose_json_is_still_to_come(tmp_path: Path) -> None:
    """Writers of one name, each with other values, as with and without --iterations: the last one's are there."""
    values = [float(value) for value in range(40, 72)]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda value: evaluations.write(made(value), tmp_path, "mine"), values))
    assert evaluations.read(paths[0]).evaluation.iterations["M1"]["error"].value in values
    assert len(list(tmp_path.glob("*.npz"))) == 1
