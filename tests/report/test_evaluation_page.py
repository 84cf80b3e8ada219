"""An evaluation from its store to its page: measured once, read again, compared, drawn, filtered; names do nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import EvaluationError
from pymaf_data.geometry.affines import resize
from pymaf_data.geometry.cameras import Camera
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import EvaluationReport, evaluate
from pymaf_data.paths import VARIABLE
from pymaf_data.report.evaluation_images import ResultDrawer
from pymaf_data.report.evaluation_page import evaluation_page
from pymaf_data.report.html import render
from pymaf_data.report.make import ReportOptions, report
from pymaf_data.report.panels import PANEL
from pymaf_data.runs import evaluations
from pymaf_data.runs.drawn import Drawn
from pymaf_data.storage import Store, open_store

PERSONS, DRAWN = 40, 4
BAD = "</script><img src=x onerror=\"document.title='hacked'\">"
BENCHMARK = """
name: mine
title: Mine <b>bold</b>
benchmark: pymaf_data.model.benchmarks.threedpw:ThreeDpw
protocol: ["As I say."]
data: [{dataset: invented, split: train}]
truth: [exact]
metrics: {PVE: {unit: mm}, MPJPE: {unit: mm}, PA-MPJPE: {unit: mm}}
published: [{method: %s, source: nowhere, figures: {PVE: 99.5}}]
"""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def root(
    stores: ModuleType,
    more_sources: ModuleType,
    body: BodyModel,
    patch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A data root: a store whose fits miss the truth by more, the higher the row; a second source is nearer by half."""
    root = tmp_path_factory.mktemp("data")
    patch.setenv(VARIABLE, str(root))
    patch.setattr("os.fsync", lambda _: None)
    patch.setattr("pymaf_data.model.evaluation.drawn.MOST", DRAWN)
    store = stores.invented_store(root / "stores" / "invented-train.zarr", body, PERSONS)
    arrays = {name: store.array(f"fits/invented/{name}")[:] for name in store.current("fits/invented").record.specs}
    arrays["frame"] = np.zeros(PERSONS)
    for name, share, source in (("true", 1.0, "exact"), ("near", 0.5, "spin")):
        betas = arrays["betas"] + share * 0.02 * np.arange(PERSONS)[:, None] * (np.arange(10) == 0)
        about = {"body_digest": body.digest, "source": {"format": source}}
        store = more_sources.add_source(store, name, arrays | {"betas": betas}, **about)
    (root / "mine.yaml").write_text(BENCHMARK % json.dumps(BAD))
    return root


def measure(root: Path, subject: str, **options: Any) -> EvaluationReport:
    return evaluate(
        EvaluateOptions(subject=subject, benchmarks=(str(root / "mine.yaml"),), **{"bootstrap": 20} | options)
    )


@pytest.fixture(scope="module")
def measured(root: Path) -> Path:
    """The result of the farther source."""
    return measure(root, "fits:invented").files[0]


def test_what_is_measured_already_is_read(root: Path, measured: Path) -> None:
    assert measured == root / "evaluations" / "fits-invented" / "mine.json"
    before = measured.stat().st_mtime_ns
    again = measure(root, "fits:invented")
    assert again.already == (measured,) and measured.stat().st_mtime_ns == before
    assert "measured already" in again.lines()[-1] and "99.5" in "\n".join(again.lines())
    fewer = measure(root, "fits:invented", persons=5)
    assert fewer.files == (measured.with_name("mine+persons=5.json"),) and not fewer.already
    anew = measure(root, "fits:invented", persons=5, overwrite=True)
    assert not anew.already and anew.results == fewer.results
    assert measure(root, "fits:invented", persons=5, bootstrap=10).already == (), "other intervals"
    assert measure(root, str(fewer.files[0])).results[0].settings["bootstrap"] == 10, "read by its name"


def test_two_are_compared_person_by_person(root: Path, measured: Path) -> None:
    found = measure(root, "fits:near", compare="fits:invented")
    assert found.already == (measured,), "the other is read"
    (one,) = found.comparisons
    far, near = (evaluations.read(path) for path in (measured, root / "evaluations/fits-near/mine.json"))
    errors = near.of("fit")["PVE"] - far.of("fit")["PVE"]
    assert one.differences["PVE"].value == pytest.approx(np.nanmean(errors))
    # The first person has the true shape in both, which is no better.
    assert one.differences["PVE"].better == pytest.approx(1 - 1 / one.persons)
    by_file = measure(root, str(root / "evaluations/fits-near"), compare=str(measured), latex=True)
    assert by_file.comparisons == found.comparisons and r"\toprule" in by_file.lines()
    with pytest.raises(EvaluationError, match="holds the result of fits-invented"):
        measure(root, "fits:near", out=measured.parent)
    (measured.parent / "mine+z.json").write_text(measured.read_text())
    assert measure(root, str(measured.parent)).files == (measured,), "of several that of the settings"
    with pytest.raises(EvaluationError, match=r"no mine\+persons=3"):
        measure(root, str(measured.parent), persons=3)
    (measured.parent / "mine+z.json").unlink()
    alone = evaluate(EvaluateOptions(subject="fits-near", compare=str(measured), bootstrap=20))
    assert alone.comparisons[0].differences["PVE"] == one.differences["PVE"], "no benchmark and no store needed"


def test_the_worst_and_the_best_are_kept_and_drawn(measured: Path, body: BodyModel) -> None:
    result, store = evaluations.read(measured), _store(measured)
    drawn = Drawn.of(result.values, result.evaluation.persons)
    assert drawn is not None
    errors, rows = result.of("fit")["PVE"], result.values["row"]
    order = np.argsort(-errors, kind="stable")
    assert drawn.place.tolist() == [*order[: DRAWN // 2], *order[-DRAWN // 2 :]]
    np.testing.assert_allclose(
        drawn.predicted.betas, store.array("fits/invented/betas").rows(rows[drawn.place]), rtol=1e-6
    )
    panels = ResultDrawer(store, drawn, rows).draw(0)
    assert set(panels) == {"view", "predicted", "true", "predicted-side", "true-side"}
    row = int(rows[drawn.place[0]])
    joints = body.keypoints(
        torch.from_numpy(drawn.predicted.rotation[:1]), torch.from_numpy(drawn.predicted.betas[:1])
    )[1]
    camera = Camera(torch.from_numpy(store.array("fits/invented/native")[row][None]))
    plane = store.array("crop_affine")[row]
    seen = camera.warped(plane).warped(np.asarray(resize(96, PANEL))).project(joints.double())[0, 0].numpy()
    changed = (panels["predicted"] != panels["view"]).any(-1)
    x, y = seen.astype(int)
    assert changed[y - 3 : y + 4, x - 3 : x + 4].any(), "the body lies where its own camera sees it"
    assert 0.02 < changed.mean() < 0.5
    assert not np.array_equal(panels["predicted-side"], panels["true-side"])


def _store(measured: Path) -> Store:
    return open_store(measured.parents[2] / "stores" / "invented-train.zarr")


def test_a_page_of_another_store_is_a_page_without_persons(measured: Path, invented: Store, tmp_path: Path) -> None:
    path = shutil.copytree(measured.parent, tmp_path / "other") / measured.name
    content = json.loads(path.read_text())
    content["store"]["generations"]["ingest"] = "0" * 64
    path.write_text(json.dumps(content))
    meta = evaluation_page(path).meta
    assert "another store" in meta["notes"][0] and len(meta["table"]["names"]) > 30
    assert [one["group"] for one in meta["table"]["measures"]] == ["Error"] * 3
    assert "--store" in evaluation_page(path, tmp_path / "none.zarr").meta["notes"][0]
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(EvaluationError, match="no evaluation"):
        report(ReportOptions(path=path))


@pytest.fixture(scope="module")
def page(measured: Path) -> Path:
    """The page, of a result that tells groups apart and whose subject has a bad name."""
    result = evaluations.read(measured)
    far = result.values["row"] > 25
    figures = {BAD: {"PVE": {"value": 1.0, "persons": int(far.sum())}}}
    content = result.evaluation.model_dump() | {"groups": figures}
    content["subject"]["note"] = BAD
    bad = evaluations.Measured(evaluations.Evaluation.model_validate(content), result.values | {f"in/{BAD}": far})
    path = evaluations.write(bad, measured.parent, "bad")
    done = report(ReportOptions(path=path))
    assert done.path.name == "evaluation-fits-invented-bad.html" and done.written
    assert not report(ReportOptions(path=path)).written, "the same is not written twice"
    return done.path


def test_a_page_is_the_same_wherever_it_is_written(page: Path, measured: Path) -> None:
    path = measured.with_name("bad.json")
    assert b"".join(render(evaluation_page(path))) == page.read_bytes()
    assert str(measured.parent).encode() not in page.read_bytes()


def test_the_page_shows_filters_and_asks_nobody(tab: Any, page: Path) -> None:
    tab.complaints.clear(), tab.requests.clear()
    tab.open(page)
    count = lambda selector: tab.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")  # noqa: E731
    text = lambda selector: tab.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")  # noqa: E731
    assert tab.evaluate("document.title") == "fits-invented on mine"
    assert count("img[src=x]") == 0 and BAD in text("#figures") and BAD in text("#provenance")
    assert count("#persons .card") == DRAWN and count("#extremes .card") == 2 * DRAWN
    assert count("#extremes .card:first-child .views img") == 2 * 4
    first = "document.querySelector('#persons .card .chip').textContent"
    worst = tab.evaluate(first)
    tab.evaluate("[...document.querySelectorAll('.presets button')].find(b => b.textContent === 'Best').click()")
    assert tab.evaluate(first) != worst
    # A click on a part of a condition filters, and the other conditions tell of those alone.
    groups = "[...document.querySelectorAll('#conditions .block')].find(b => b.textContent.startsWith('Groups'))"
    persons = int(tab.evaluate(f"{groups}.querySelectorAll('td.num')[1].textContent"))
    tab.evaluate(f"{groups}.querySelector('button').click()")
    tab.until(f"document.querySelector('.found').textContent.startsWith('{persons} of ')")
    seen = "[...document.querySelectorAll('#conditions .block')].find(b => b.textContent.startsWith('Keypoints seen'))"
    total = f"[...{seen}.querySelectorAll('td.muted')].reduce((sum, cell) => sum + Number(cell.textContent), 0)"
    assert tab.evaluate(total) == persons
    tab.press("c")
    tab.until("document.querySelector('#matches').hidden")
    tab.click("#extremes .card")
    tab.until("document.querySelector('#person').open")
    assert count("#person .large img") == 5
    tab.press("Escape")
    assert tab.evaluate("document.title") == "fits-invented on mine"
    assert tab.complaints == [] and all(url.startswith(("file:", "data:")) for url in tab.requests)
