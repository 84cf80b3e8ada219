"""The page of a store: one file, the same bytes every time, and nothing in it that a name put there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from pymaf_data.errors import NotAStore
from pymaf_data.report import store_page
from pymaf_data.report.html import Page, render, shown_by
from pymaf_data.report.make import ReportOptions, report
from pymaf_data.report.measures import MEASURES
from pymaf_data.storage import Store, open_store

SHOWN = 24


class Elements(HTMLParser):
    """Every element of a page, as a browser would find it: (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def named(self, name: str) -> str:
        return next(text for _, attributes, text in self.found if attributes.get("id") == name)


@pytest.fixture(scope="module")
def page(invented: Store) -> str:
    return b"".join(render(store_page.store_page(invented, SHOWN))).decode()


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_a_hostile_name_is_a_name(page: str, elements: Elements, stores: ModuleType) -> None:
    meta = json.loads(elements.named("meta"))
    assert meta["table"]["names"][0] == stores.HOSTILE
    tags = [tag for tag, _, _ in elements.found]
    of_sources = [a for _, a, _ in elements.found if re.fullmatch(r"w\d+", a.get("id") or "")]
    assert len(of_sources) == SHOWN // 4
    assert tags.count("script") == 4 + SHOWN + SHOWN // 4, "data, columns, worst fits, images and the page's own script"
    assert "img" not in tags and "b" not in tags
    assert stores.HOSTILE not in page
    assert meta["store"]["licences"]["pictures"] == "CC0 1.0 <b>no markup</b>"


def test_a_hostile_title_is_a_title() -> None:
    text = b"".join(render(Page("<script>alert(1)</script> {{script}}", "0" * 64, {}))).decode()
    parsed = Elements(text)
    assert [tag for tag, _, _ in parsed.found].count("script") == 2
    assert parsed.named("title").strip() == "<script>alert(1)</script> {{script}}"


def test_the_policy_lets_nothing_run_but_the_pages_own_script(page: str, elements: Elements) -> None:
    policy = next(a["content"] for tag, a, _ in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not re.search(r"(src|href)=\"(?!data:|#)", page), "nothing is fetched"


def test_scripts_never_make_markup_of_text() -> None:
    from importlib.resources import files

    folder = files("pymaf_data.report.page")
    for entry in folder.iterdir():
        if entry.name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|</script", entry.read_text()
            )


def test_columns_are_the_tables(invented: Store, elements: Elements) -> None:
    from pymaf_data.report.gather import gather

    table = gather(invented)
    data = base64.b64decode(elements.named("columns"))
    N, offset = len(table), 0
    for measure in MEASURES:
        for series in range(len(measure.series)):
            found = np.frombuffer(data, "<f4", N, offset)
            np.testing.assert_array_equal(found, table.values[measure.key][series])
            offset += 4 * N
    np.testing.assert_array_equal(np.frombuffer(data, np.uint8, N, offset), table.state)
    assert len(data) == offset + 2 * N


def test_images_are_the_panels_of_the_contact_sheet(invented: Store, elements: Elements) -> None:
    from pymaf_data.report.thumbnails import Bodies, draw_rows

    ids = [attributes["id"] for _, attributes, _ in elements.found if re.fullmatch(r"p\d+", attributes.get("id") or "")]
    assert len(ids) == SHOWN
    place = int(str(ids[0])[1:])
    ((_, row),) = draw_rows(invented, [place], Bodies.of(invented))
    lines = dict(line.split(":") for line in elements.named(f"p{place}").split())
    assert list(lines) == ["keypoints", "fit", "side", "iuv"]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(lines["side"]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    wanted = row.panels["the fit from the side"]
    assert np.abs(shown.astype(int) - wanted).mean() < 2


def test_equal_stores_give_equal_bytes_wherever_they_lie(invented: Store, page: str, tmp_path: Path) -> None:
    path = shutil.copytree(invented.path, tmp_path / "elsewhere" / invented.path.name)
    again = b"".join(render(store_page.store_page(open_store(path), SHOWN))).decode()
    assert again == page
    assert str(tmp_path) not in page
    assert str(invented.path.parent) not in page


def test_images_stop_where_their_room_ends(invented: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_page, "IMAGE_BYTES", 200_000)
    drawn = list(store_page.store_page(invented).images)
    spent = sum(len(data) for _, panels in drawn for data in panels.values())
    assert 0 < spent <= 200_000
    assert len(drawn) < len(invented)
    whole = [name for name, _ in store_page.store_page(invented, 30).images if name.startswith("p")]
    assert len(whole) == 30, "who asks for a number gets it"


def test_a_page_that_shows_the_same_is_left_alone(invented: Store, tmp_path: Path) -> None:
    options = ReportOptions(path=invented.path, out=tmp_path / "deep" / "page.html", persons=2)
    first = report(options)
    assert first.written
    assert first.bytes == first.path.stat().st_size
    before = first.path.stat().st_mtime_ns
    assert not report(options).written
    assert first.path.stat().st_mtime_ns == before
    assert report(options.model_copy(update={"persons": 3})).written
    first.path.write_bytes(first.path.read_bytes()[:100])
    assert report(options).written, "a page that is cut short is written again"
    beside = first.path.with_name("page.sources.csv")
    assert {entry.name for entry in first.path.parent.iterdir()} == {"page.html", beside.name, "page.sources.json"}
    beside.unlink()
    assert report(options).written, "what stands beside the page is written again where it is gone"
    assert beside.is_file()
    assert len(shown_by(first.path.read_bytes())) == 64


def test_without_the_body_fits_are_not_drawn_and_that_is_said(invented: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.report.thumbnails.body_with", lambda name, digest: None)
    page = store_page.store_page(invented, 4)
    assert any("body free" in note for note in page.meta["notes"])
    drawn = [set(panels) for _, panels in page.images]
    assert {"keypoints", "iuv"} in drawn
    assert not any({"fit", "side"} & panels for panels in drawn)


def test_what_is_neither_store_nor_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match="is not there"):
        report(ReportOptions(path=tmp_path / "nowhere"))
    with pytest.raises(NotAStore):
        report(ReportOptions(path=tmp_path))
