"""Results: intervals and paired differences by hand, tables of a hundred columns, LaTeX, and cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pymaf_data.cli.app import app
from pymaf_data.errors import CheckpointError, EvaluationError
from pymaf_data.model.evaluation.bootstrap import drawn_bounds, draws_of, mean_bounds
from pymaf_data.model.evaluation.card import card as card_of
from pymaf_data.model.evaluation.compare import compare
from pymaf_data.model.evaluation.table import WIDTH, compared_lines, latex_of, lines_of
from pymaf_data.paths import VARIABLE
from pymaf_data.runs import checkpoints, evaluations
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.evaluations import Evaluation, Measured
from pymaf_data.runs.folder import BEST

NAN = float("nan")


def test_the_interval_of_two_persons_is_known_by_hand() -> None:
    """Of 0 and 10, a quarter of the draws has the mean 0, half of them 5, a quarter 10."""
    assert mean_bounds({"error": np.array([0.0, 10.0])}, 1000) == {"error": (0.0, 10.0)}
    picks = np.array(list(draws_of(2, 1000)))
    assert np.abs(np.bincount(picks.sum(1)) / 1000 - [0.25, 0.5, 0.25]).max() < 0.05
    assert mean_bounds({"error": np.array([7.0] * 9 + [NAN])}, 50) == {"error": (7.0, 7.0)}
    assert mean_bounds({"error": np.array([NAN, NAN])}, 50) == {}
    assert mean_bounds({"error": np.array([1.0, 2.0])}, 0) == {}


def test_the_product_is_the_mean_of_each_draw() -> None:
    random = np.random.default_rng(3)
    values = {"a": random.normal(size=400), "b": random.gamma(2, size=400)}
    values["a"][::7] = NAN
    means = np.array([[np.nanmean(values[name][picks]) for name in values] for picks in draws_of(400, 60)])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    found = mean_bounds(values, 60)
    np.testing.assert_allclose([found["a"], found["b"]], np.stack([low, high], 1), rtol=1e-12)
    asked = drawn_bounds(
        lambda picks: {name: float(np.nanmean(array[picks])) for name, array in values.items()}, 400, 60
    )
    np.testing.assert_allclose([asked["a"], asked["b"]], [found["a"], found["b"]], rtol=1e-12)


@pytest.mark.parametrize(("persons", "draws", "drawn"), [(10, 1000, 200), (100, 1000, 100), (10, 30, 30)])
def test_other_figures_of_many_persons_are_drawn_less_often(
    monkeypatch: pytest.MonkeyPatch, persons: int, draws: int, drawn: int
) -> None:
    monkeypatch.setattr("pymaf_data.model.evaluation.bootstrap._MOST_DRAWN", 2000)
    calls: list[int] = []

    def figures(picks: np.ndarray) -> dict[str, float]:
        calls.append(len(picks))
        return {"x": 1.0}

    assert drawn_bounds(figures, persons, draws) == {"x": (1.0, 1.0)}
    assert calls == [persons] * drawn


def result(rows: list[int], name: str = "me", store: dict[str, Any] | None = None, **metrics: list[float]) -> Measured:
    """A result whose metrics are means, but for ``most``, which is the largest value."""
    values = {metric: np.array(found, np.float64) for metric, found in metrics.items()}
    kept = {metric: found for metric, found in values.items() if metric != "most"}
    figures = {metric: {"value": float(np.nanmean(found)), "persons": len(rows)} for metric, found in kept.items()}
    if "most" in values:
        figures["most"] = {"value": float(values["most"].max()), "persons": len(rows)}
    evaluation = Evaluation.model_validate(
        {
            "benchmark": "mine", "title": "Mine", "protocol": [], "published": [], "persons": len(rows),
            "metrics": {metric: {"better": "higher" if metric == "PCK" else "lower"} for metric in metrics},
            "subject": {"kind": "fits", "name": name}, "settings": {"options": {}},
            "store": {"dataset": "d", "split": "s", "generations": {"ingest": "1", "choice": name}} | (store or {}),
            "iterations": {"fit": figures},
        }
    )  # fmt: skip
    persons = {"row": np.array(rows), "image": np.array(["i"] * len(rows)), "annotation_id": np.array(rows)}
    return Measured(evaluation, persons | {f"fit/{metric}": found for metric, found in values.items()})


def test_differences_are_of_the_persons_whom_both_know() -> None:
    """Rows 1, 4 and 5 are known of both: errors −1, −2 and +1; PCK is known of both for row 4 alone."""
    ours = result([0, 1, 2, 4, 5], error=[1, 2, NAN, 4, 9], PCK=[50, 60, NAN, 70, NAN])
    other = result([1, 2, 4, 5, 9], "him", error=[3, 1, 6, 8, 7], PCK=[NAN, 1, 65, 80, 1])
    found = compare(ours, other, None)
    assert (found.persons, found.subject, found.other) == (3, "me", "him")
    error, pck = found.differences["error"], found.differences["PCK"]
    assert error.value == pytest.approx(-2 / 3) and error.persons == 3 and error.better == pytest.approx(2 / 3)
    assert (error.low, error.high) == (-2.0, 1.0), "of three persons, one of 27 draws takes the best alone"
    assert (pck.value, pck.persons, pck.better, pck.low) == (5.0, 1, 1.0, None)
    assert compare(other, ours, None).differences["error"].value == pytest.approx(2 / 3)
    told = compared_lines(found)
    assert "me − him" in "\n".join(told) and "67 %" in told[-1] and "-0.7" in "\n".join(told)


def test_what_is_no_mean_is_asked_of_the_benchmark_draw_by_draw() -> None:
    ours, other = result([0, 1, 2], most=[1, 5, 2]), result([1, 2, 3], "him", most=[3, 4, 9])
    assert "the store is not here" in compare(ours, other, None).lacking["most"]
    found = compare(ours, other, lambda rows, values: {"most": float(values["most"].max())})
    difference = found.differences["most"]
    assert (difference.value, difference.low, difference.high) == (1.0, -2.0, 2.0), "5 − 4, 2 − 4 or 5 − 3"
    assert (difference.better, found.lacking) == (None, {})


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (result([1], store={"generations": {"ingest": "2"}}, error=[1]), "ingest of the store"),
        (result([1], store={"split": "t"}, error=[1]), "split"),
        (result([1], PCK=[1]), "metrics"),
        (result([7], error=[1]), "no person in common"),
    ],
)
def test_what_says_nothing_of_each_other_is_not_compared(other: Measured, found: str) -> None:
    with pytest.raises(EvaluationError, match=found):
        compare(result([1, 2], error=[1, 2]), other, None)


@pytest.fixture
def wide() -> Evaluation:
    """Six metrics with intervals, names too long for any column, markup in them."""
    names = ["MPJPE", "PA-MPJPE", "PCK", "AUC", "MPJAE", "PA-MPJAE"]
    figure = {"value": 1234.5, "low": 1200.0, "high": 1300.0, "persons": 9}
    return Evaluation.model_validate(
        {
            "benchmark": "b", "title": "wide", "protocol": [], "store": {}, "settings": {}, "persons": 9,
            "metrics": {name: {"unit": "mm", "better": "higher" if name == "AUC" else "lower"} for name in names},
            "published": [{"method": r"50 % & \input{x}_{~}" + "y" * 90, "source": "s", "figures": {"PCK": 1.25}}],
            "subject": {"kind": "checkpoint", "name": "a_run" * 9},
            "iterations": {name: dict.fromkeys(names, figure) for name in ("M0", "M1")},
            "groups": {"a group": dict.fromkeys(names, figure)}, "lacking": {"AUC": "no joints"},
        }
    )  # fmt: skip


def test_a_table_has_a_hundred_columns_and_every_figure(wide: Evaluation) -> None:
    lines = lines_of(wide)
    table = [line for line in lines if "is not measured" not in line]
    assert max(map(len, table)) <= WIDTH
    text = "\n".join(table)
    assert [text.count(name + " (mm)") for name in wide.metrics] == [2, 1, 1, 1, 2, 1], "each once; PA- names hold two"
    assert text.count("1234.5") == 3 * 6 and text.count("1200.0–1300.0") == 2 * 6
    assert "AUC is not measured: no joints" in lines[-1]


def test_latex_is_rows_of_booktabs_without_commands_of_others(wide: Evaluation) -> None:
    lines = latex_of(wide)
    assert lines[1] == r"\begin{tabular}{lrrrrrr}" and r"AUC $\uparrow$" in lines[3]
    (published,) = [line for line in lines if line.startswith("50")]
    assert published.startswith(r"50 \% \& \textbackslash{}input\{x\}\_\{\textasciitilde{}\}y")
    assert published.endswith(r"& -- & -- & 1.2 & -- & -- & -- \\")
    assert [lines.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 2, 1]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def saved(folder: Path, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "model": {"weight": torch.zeros(2)}, "optimizer": {}, "rng": {}, "step": 30, "precision": "fp32",
        "options": {"stores": ["/secret/d-train.zarr"], "frame": "view", "model": {"network": "hmr"}},
        "body": {"name": "free", "digest": "d" * 64, "fingerprint": "f"},
        "stores": [{"dataset": "d", "split": "train", "persons": 5, "generations": {"ingest": "9" * 64}}],
        "licences": {"photographs": "CC0"}, "versions": {"torch": "2"},
        "figures": {"step": 20, "persons": 7, "errors": {"M0": {"mpjpe": 250.04}}},
    }  # fmt: skip
    return checkpoints.save(Checkpoint(**(content | changes)), folder)


def card(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["card", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_card_says_what_a_checkpoint_is_and_how_it_did(root: Path) -> None:
    path = saved(root / "runs" / "mine")
    found = json.loads(card("mine", "--json"))
    mine = result([1, 2], "mine", error=[1, 2]).evaluation.model_dump(mode="json")
    folder = root / "evaluations" / "mine"
    for name, sha256 in (("a", found["sha256"]), ("b", "0" * 64)):
        subject = {"kind": "checkpoint", "name": "mine", "sha256": sha256, "licences": {"photographs": "CC0"}}
        mine |= {"subject": subject, "title": f"title {name}"}
        evaluations.write(Measured(Evaluation.model_validate(mine), {}), folder, name)
    (folder / "c.json").write_text("{")
    text = card(str(path))
    for said in ("hmr checkpoint of step 30", "view", "free dddd", "d train, 5 persons: ingest 99999999", "CC0",
                 "model.network: hmr", "torch: 2", "M0 mpjpe 250.0 mm (step 20, 7 held-out persons)", "title a",
                 "c.json: ", "not JSON", "2 parameters, 0.0 MB"):  # fmt: skip
        assert said in text, said
    assert "title b" not in text, "another file of the same name"
    assert "/secret" not in text + json.dumps(found)
    of_result = json.loads(card(str(folder / "a.json"), "--json"))
    assert (of_result["sha256"], of_result["licences"]) == (found["sha256"], {"photographs": "CC0"})
    assert [one["title"] for one in of_result["evaluations"]] == ["title a"]
    with pytest.raises(EvaluationError, match="not JSON"):
        card_of(str(folder / "c.json"))
    with pytest.raises(CheckpointError, match="looked for"):
        card_of("nobody")


def test_a_card_lists_two_stores_of_one_name_and_how_large_the_file_is(root: Path) -> None:
    store = {"dataset": "d", "split": "train", "persons": 5}
    path = saved(
        root / "runs" / "two",
        model={"weight": torch.zeros(50_000)},
        stores=[store | {"generations": {"ingest": digit * 64}} for digit in "12"],
    )
    text = card("two")
    assert "d train, 5 persons: ingest 11111111" in text and "d train, 5 persons: ingest 22222222" in text
    assert f"50,000 parameters, 0.2 MB once loaded, a file of {path.stat().st_size / 1e6:.1f}\n" in text


def test_a_group_says_how_many_persons_it_is_of() -> None:
    figures = {"error": {"value": 50.0, "persons": 1200}, "PCK": {"value": None, "persons": 0}}
    whole = result([1, 2], error=[1, 2], PCK=[3, 4]).evaluation.model_dump(mode="json")
    lines = lines_of(Evaluation.model_validate(whole | {"groups": {"lying": figures}}))
    assert any(line.split()[:2] == ["lying", "(1,200)"] for line in lines)


def test_a_checkpoint_from_before_there_were_figures_is_read(root: Path) -> None:
    path = saved(root / "runs" / "old")
    content = checkpoints.load_tensors(path)
    del content["figures"]
    torch.save(content | {"format_version": "1.1"}, path)
    assert checkpoints.read(path).figures == {}
    assert "training" not in card("old")


def test_a_card_tells_of_the_average_and_of_the_best_and_finds_the_best_by_its_run(root: Path) -> None:
    best = {"step": 10, "measure": "pa_mpjpe", "value": 61.25}
    path = saved(root / "runs" / "mine", average={"weight": torch.ones(2)}, best=best)
    checkpoints.save(checkpoints.read(path), path.parent, BEST)
    for given in ("mine", "mine/best.pt", str(path.parent / BEST)):
        text = card(given)
        assert "average over the steps" in text and "pa_mpjpe 61.2 mm (step 10, kept as best.pt)" in text
        assert json.loads(card(given, "--json"))["name"] == ("mine" if given == "mine" else "mine-best")
