"""A person judges fits in the page of sources: lists filter, verdicts stay, are saved as corrections and read again."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.report.make import ReportOptions, report
from pymaf_data.storage import Store

CARDS = "[...document.querySelectorAll('.judgement')]"
COUNT = "document.querySelector('[aria-label=Verdicts] b').textContent"
STATUS = "document.querySelector('[aria-label=Verdicts] [role=status]').textContent"


@pytest.fixture(scope="module")
def judged(
    stores: ModuleType, more_sources: ModuleType, body: BodyModel, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    """70 persons with the fits of two sources; of every third the other has none."""
    folder = tmp_path_factory.mktemp("judged")
    store = stores.invented_store(folder / "judged-train.zarr", body, 70)
    arrays = {name: store.array(f"fits/invented/{name}")[:] for name in store.current("fits/invented").record.specs}
    valid = arrays["valid"] & (np.arange(70) % 3 > 0)
    change = {"reprojection": 2 * arrays["reprojection"], "valid": valid, "reason": np.where(valid, 0, 2)}
    store = more_sources.add_source(store, "other", arrays | change, body_digest=body.digest)
    chosen = np.where(arrays["valid"] & (np.arange(70) % 7 > 0), np.arange(70) % 2, -1)
    return more_sources.choose_from(store, ["invented", "other"], chosen)


@pytest.fixture(scope="module")
def page(judged: Store) -> Path:
    return report(ReportOptions(path=judged.path, out=judged.path.parent / "page.html", persons=8)).path


def button(label: str, card: int = 0, group: int = 0) -> str:
    groups = f"{CARDS}[{card}].querySelectorAll('.verdict')[{group}]"
    return f"[...{groups}.querySelectorAll('button')].find(b => b.textContent === '{label}')"


def choose(tab: Any, name: str, value: str) -> None:
    tab.evaluate(
        f"(() => {{ const s = document.querySelector('#worst-{name}'); s.value = '{value}';"
        " s.dispatchEvent(new Event('change')); })()"
    )


def rows(tab: Any) -> list[int]:
    """Rows of the cards, all of them made."""
    found = -1
    while found != (found := tab.evaluate(f"{CARDS}.length")):
        tab.evaluate("document.querySelector('.judgements + .sight').scrollIntoView({behavior: 'instant'})")
        tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    return [int(text) for text in tab.evaluate(f"{CARDS}.map(c => c.querySelector('h3').id.split('-')[1])")]


def test_the_worst_are_listed_as_the_filters_say(tab: Any, judged: Store, page: Path) -> None:
    tab.complaints.clear()
    tab.requests.clear()
    tab.open(page)
    valid = judged.array("fits/other/valid")[:]
    error = np.where(valid, judged.array("fits/other/reprojection")[:], np.nan)
    chosen = judged.array("choice/source")[:]
    choose(tab, "source", "1")
    assert rows(tab) == [row for row in np.argsort(-error, kind="stable").tolist() if valid[row]][:50]
    for state, code in (("other", 0), ("none", -1), ("chosen", 1)):
        choose(tab, "state", state)
        wanted = [row for row in np.argsort(-error, kind="stable").tolist() if valid[row] and chosen[row] == code]
        assert rows(tab) == wanted, state
    assert (
        tab.evaluate("document.querySelector('#worst-fits .listed').textContent") == f"the worst {len(wanted)} persons"
    )
    choose(tab, "judged", "with")
    assert "No fit matches" in tab.evaluate("document.querySelector('.judgements').textContent")
    choose(tab, "judged", "")
    choose(tab, "state", "")
    choose(tab, "measure", "apart_mm")
    assert tab.evaluate(f"{CARDS}.length") > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    tab.evaluate("document.querySelector('.ridges svg').focus()")
    tab.press("ArrowRight")
    assert "invented" in tab.evaluate("document.querySelector('#live').textContent")
    images = "[...document.querySelectorAll('.judgement img')]"
    assert tab.evaluate(f"{images}.length") > 0
    tab.until(f"{images}.every(i => i.complete && i.naturalWidth === 192 && i.alt)")
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("data:", page.as_uri()))] == []


def test_verdicts_are_kept_saved_and_read_again(tab: Any, page: Path, tmp_path: Path) -> None:
    tab.complaints.clear()
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.open(page)
    both = tab.evaluate(f"{CARDS}.findIndex(c => c.querySelectorAll('.verdict').length === 2)")
    other = tab.evaluate(f"{CARDS}.findIndex((c, k) => k !== {both} && c.querySelectorAll('.verdict').length === 2)")
    for label, group in (("Prefer", 0), ("Prefer", 1), ("Keep", 0)):
        tab.evaluate(f"{button(label, both, group)}.focus()")
        tab.press("Enter")
        preferred = [tab.evaluate(f"{button('Prefer', both, k)}.getAttribute('aria-pressed')") for k in (0, 1)]
        assert preferred.count("true") == 1, "of a person's fits one alone"
    assert tab.evaluate(f"{button('Prefer', both, 1)}.getAttribute('aria-pressed')") == "true"
    assert tab.evaluate(f"{button('Keep', both, 0)}.getAttribute('aria-pressed')") == "true"
    tab.evaluate(f"{CARDS}[{other}].querySelector('header button').click()")
    note = f"{CARDS}[{both}].querySelectorAll('.verdict')[1].querySelector('input')"
    tab.evaluate(f"{note}.value = 'the <b>right</b> one'; {note}.dispatchEvent(new Event('change'))")
    assert tab.evaluate(COUNT) == "3 verdicts"
    tab.open(page)
    assert tab.evaluate(COUNT) == "3 verdicts", "the browser keeps them"
    choose(tab, "judged", "with")
    assert tab.evaluate(f"{CARDS}.length") == 2
    tab.evaluate("[...document.querySelectorAll('button')].find(b => b.textContent === 'Save corrections').click()")
    path = tmp_path / "invented-train-corrections.json"
    for _ in range(200):
        if path.is_file():
            break
        tab.evaluate("new Promise(done => setTimeout(done, 20))")
    saved = json.loads(path.read_text(encoding="utf-8"))
    names = tab.evaluate(f"{CARDS}.map(c => c.querySelector('h3').textContent)")
    assert saved["corrections"] == 1
    kinds = [(entry["verdict"], entry["source"], entry["note"]) for entry in saved["verdicts"]]
    assert sorted(kinds, key=str) == [
        ("drop", None, ""), ("keep", "invented", ""), ("prefer", "other", "the <b>right</b> one")
    ]  # fmt: skip
    assert {entry["image"] for entry in saved["verdicts"]} == set(names)
    assert all(isinstance(entry["annotation"], int) for entry in saved["verdicts"])
    clear = "document.querySelector('[aria-label=Verdicts]').querySelectorAll('button')[2]"
    tab.evaluate(f"{clear}.click()")
    assert tab.evaluate(COUNT) == "3 verdicts", "asks once more"
    tab.evaluate(f"{clear}.click()")
    assert tab.evaluate(COUNT) == "0 verdicts"

    foreign = {"image": "elsewhere.jpg", "annotation": 5, "verdict": "drop", "source": "gone", "note": ""}
    path.write_text(json.dumps({"corrections": 1, "verdicts": [*saved["verdicts"], foreign]}))
    give(tab, path)
    tab.until(f"{COUNT} === '4 verdicts'")
    assert "4 verdicts" in tab.evaluate(STATUS)
    path.rename(tmp_path / "first.json")
    tab.evaluate("[...document.querySelectorAll('button')].find(b => b.textContent === 'Save corrections').click()")
    for _ in range(200):
        if path.is_file():
            break
        tab.evaluate("new Promise(done => setTimeout(done, 20))")
    again = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    assert sorted(map(str, again)) == sorted(map(str, [*saved["verdicts"], foreign])), "nobody's verdict is lost"
    contrary = [foreign | {"verdict": "prefer", "source": source} for source in ("one", "two")]
    nameless = [{"image": "a", "annotation": "b"}]
    for wrong in (0, {}, *({"corrections": 1, "verdicts": verdicts} for verdicts in (contrary, nameless))):
        path.write_text(json.dumps(wrong) if wrong else "nonsense")
        give(tab, path)
        tab.until(f"{STATUS}.includes('was not read')")
        assert tab.evaluate(COUNT) == "4 verdicts"
        tab.evaluate("document.querySelector('[aria-label=Verdicts] [role=status]').textContent = ''")
    assert tab.complaints == []


def give(tab: Any, path: Path) -> None:
    """A file for the page's hidden input, as its button would ask for one."""
    root = tab.call("DOM.getDocument")["root"]["nodeId"]
    node = tab.call("DOM.querySelector", nodeId=root, selector="#corrections")["nodeId"]
    tab.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])
