"""What a person meets who opens a page: it is there within two seconds, works by mouse and keys, and asks nobody.

The timed check is the promise of the page (10,000 persons in at most 2 s and 25 MB); the best of three loads counts, so
that a machine that is busy with something else does not fail it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.report.make import ReportOptions, report

PERSONS, SECONDS, MEGABYTES = 10_000, 2.0, 25.0
SHOWN = 60

CARDS = "document.querySelectorAll('#persons .card').length"
FOUND = "document.querySelector('.found').textContent"
DIALOG = "document.querySelector('#person').open"
DIALOG_TITLE = "document.querySelector('#person-title').textContent"
FOCUSED = "[...document.querySelectorAll('#persons .card')].indexOf(document.activeElement)"


@pytest.fixture(scope="module")
def page(stores: ModuleType, body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 invented persons; fewer images than by default, which is what takes the time to make."""
    folder = tmp_path_factory.mktemp("large")
    store = stores.invented_store(folder / "invented-train.zarr", body, PERSONS)
    return report(ReportOptions(path=store.path, out=folder / "page.html", persons=SHOWN)).path


@pytest.fixture
def opened(tab: Any, page: Path) -> Iterator[Any]:
    tab.complaints.clear()
    tab.requests.clear()
    tab.open(page)
    yield tab
    assert tab.complaints == [], "the console stays empty"
    outside = [url for url in tab.requests if not url.startswith(("data:", page.as_uri()))]
    assert outside == [], "nobody is asked for anything"


def padded(page: Path, folder: Path) -> Path:
    """The same page with as many images' bytes as a page may hold."""
    text = page.read_bytes()
    blob = text[text.index(b'<script type="text/plain" id="p') :]
    blob = blob[: blob.index(b"</script>") + len(b"</script>")]
    room = int(MEGABYTES * 1e6) - len(text)
    more = b"".join(blob.replace(b'id="p', b'id="q%d-' % number, 1) for number in range(room // (len(blob) + 8)))
    path = folder / "padded.html"
    path.write_bytes(text.replace(b'<script type="text/plain" id="p', more + b'<script type="text/plain" id="p', 1))
    return path


@pytest.mark.long
def test_ten_thousand_persons_open_in_two_seconds(tab: Any, page: Path, tmp_path: Path) -> None:
    largest = padded(page, tmp_path)
    assert 0.95 * MEGABYTES < largest.stat().st_size / 1e6 <= MEGABYTES
    seconds = {}
    for path in (page, largest):
        seconds[path.name] = min(tab.open(path) / 1000 for _ in range(3))
        assert tab.evaluate(CARDS) > 0, "what is there can be used"
    print(f"{page.stat().st_size / 1e6:.1f} MB and {largest.stat().st_size / 1e6:.1f} MB: {seconds}")
    assert max(seconds.values()) <= SECONDS


def test_the_default_page_is_within_its_size(stores: ModuleType, page: Path) -> None:
    from pymaf_data.report import store_page

    columns = page.stat().st_size  # with images, which is more than the columns take
    assert (columns + store_page.IMAGE_BYTES * 4 / 3) / 1e6 <= MEGABYTES


def test_names_do_nothing(opened: Any, stores: ModuleType) -> None:
    assert opened.evaluate("document.title") == "invented train"
    assert opened.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    opened.press("/")
    opened.type("hacked")
    opened.evaluate("document.querySelector('#pictured').checked && document.querySelector('#pictured').click()")
    opened.until(f"{CARDS} === 1")
    assert "hacked" in opened.evaluate("document.querySelector('#persons .card').textContent")
    assert opened.evaluate("document.title") == "invented train"


def test_cards_are_made_when_they_are_looked_for(opened: Any) -> None:
    first = opened.evaluate(CARDS)
    assert 0 < first < SHOWN
    opened.evaluate("document.querySelector('.end[aria-hidden]').scrollIntoView({behavior: 'instant'})")
    opened.until(f"{CARDS} === {SHOWN}")
    opened.evaluate("document.querySelector('#pictured').click()")
    opened.until(f"{FOUND}.startsWith('10,000 of 10,000')")
    assert opened.evaluate(CARDS) < 500, "not ten thousand at once"


def test_numbers_have_the_digits_that_a_gate_is_compared_by(opened: Any) -> None:
    text = (files("pymaf_data.report") / "page" / "core.js").read_text()
    numbers = text[text.index("const whole") : text.index("const TIGHT")]
    some = "[0.4966, 0.5, 4.26, 42.61, 426.1, -0.0042]"
    told = opened.evaluate(f"(() => {{{numbers} return {some}.map(number).join(' ')}})()")
    assert told == "0.497 0.5 4.26 42.6 426 −0.0042"


def test_text_and_ranges_filter(opened: Any) -> None:
    opened.press("/")
    assert opened.evaluate("document.activeElement.id") == "search"
    opened.type("train2014/00000000777")
    opened.until(f"{FOUND}.startsWith('10 of 10,000')")
    opened.press("Escape")
    opened.press("c")
    opened.until(f"{FOUND}.startsWith('10,000 of 10,000')")
    opened.evaluate(
        "(() => { const fields = [...document.querySelectorAll('fieldset')];"
        " const [low, high] = fields.find(f => f.textContent.includes('heading')).querySelectorAll('input');"
        " low.value = 170; high.value = -170; high.dispatchEvent(new Event('change')); })()"
    )
    opened.until(f"!{FOUND}.startsWith('10,000')")
    matching = int(opened.evaluate(FOUND).split()[0].replace(",", ""))
    assert matching == pytest.approx(9600 * 20 / 360, rel=0.25), "a range over ±180° comes round"
    assert opened.evaluate("document.querySelector('#matches').hidden") is False


def test_missing_images_are_a_filter(opened: Any) -> None:
    opened.evaluate("[...document.querySelectorAll('.presets button')].find(b => b.textContent === 'Missing').click()")
    opened.until(f"{FOUND}.startsWith('400 of 10,000')")
    assert opened.evaluate("document.querySelectorAll('#persons .card:not(.lacking)').length") == 0


def test_a_click_on_a_bar_filters_and_another_ends_it(opened: Any) -> None:
    opened.evaluate("document.querySelectorAll('.plot svg')[0].id = 'first'")
    opened.click("#first", 0.4, 0.6)
    opened.until(f"!{FOUND}.startsWith('10,000')")
    assert opened.evaluate("document.querySelectorAll('.active .chip').length") == 1
    assert "Box side" in opened.evaluate("document.querySelector('.active').textContent")
    opened.click("#first", 0.4, 0.6)
    opened.until(f"{FOUND}.startsWith('10,000')")


def test_bars_are_read_and_chosen_by_keys(opened: Any) -> None:
    opened.evaluate("document.querySelectorAll('.plot svg')[4].focus()")
    opened.press("ArrowRight")
    assert "px: " in opened.evaluate("document.querySelector('#live').textContent")
    opened.press("Enter")
    opened.until(f"!{FOUND}.startsWith('10,000')")
    opened.press("Escape")
    opened.until(f"{FOUND}.startsWith('10,000')")


def test_a_plot_says_in_words_what_it_shows(opened: Any) -> None:
    labels = opened.evaluate(
        "[...document.querySelectorAll('#distributions .plot svg')].map(s => s.getAttribute('aria-label'))"
    )
    assert len(labels) == 23
    assert all("median" in label or "camera" in label for label in labels)
    assert any("10,000 values" in label for label in labels)


def test_persons_are_reached_opened_and_left_by_keys(opened: Any) -> None:
    opened.press("g")
    assert opened.evaluate(FOCUSED) == 0
    opened.press("ArrowRight")
    opened.press("ArrowRight")
    assert opened.evaluate(FOCUSED) == 2
    opened.press("ArrowDown")
    below = opened.evaluate(FOCUSED)
    assert below > 4
    opened.press("ArrowUp")
    assert opened.evaluate(FOCUSED) == 2
    opened.press("Enter")
    opened.until(DIALOG)
    first = opened.evaluate(DIALOG_TITLE)
    assert opened.evaluate("document.querySelectorAll('#person img').length") == 4
    opened.until("[...document.querySelectorAll('#person img')].every(i => i.complete && i.naturalWidth === 256)")
    opened.press("ArrowRight")
    assert opened.evaluate(DIALOG_TITLE) != first
    opened.press("Escape")
    opened.until(f"!{DIALOG}")
    assert opened.evaluate(FOCUSED) == 2, "the focus returns to the card"
    opened.press("?")
    opened.until("document.querySelector('#help').open")
    opened.press("Escape")


def test_the_first_tab_offers_to_skip_the_navigation(opened: Any) -> None:
    opened.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    assert opened.evaluate("getComputedStyle(document.activeElement).position") == "fixed"


def brightness(tab: Any) -> float:
    return float(cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE).mean())


@pytest.mark.parametrize("width", [1280, 420])
def test_light_dark_and_narrow(opened: Any, page: Path, width: int) -> None:
    opened.open(page, "light", width)
    light = brightness(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
    opened.open(page, "dark", width)
    assert brightness(opened) < 80 < 180 < light


def test_it_prints(opened: Any) -> None:
    pdf = opened.print()
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000


def test_a_run_opens_and_its_steps_can_be_read(tab: Any, run_folder: Path, tmp_path: Path) -> None:
    path = report(ReportOptions(path=run_folder, out=tmp_path / "run.html")).path
    tab.complaints.clear()
    tab.requests.clear()
    assert tab.open(path) <= SECONDS * 1000
    assert tab.evaluate("document.querySelectorAll('.plot.line').length") >= 6
    assert "270 mm" in tab.evaluate("document.querySelector('.final, .tiles').textContent") or "180 mm" in tab.evaluate(
        "document.querySelector('.tiles').textContent"
    )
    seen = tab.evaluate("document.querySelector('main').textContent")
    assert all(text in seen for text in ("wild: 5 persons held out", "PVE, held out: wild", "at the end: 12.5%"))
    tab.evaluate("document.querySelector('.plot.line svg').focus()")
    tab.press("ArrowRight")
    assert tab.evaluate("document.querySelector('.plot.line .readout').textContent").startswith("step 0")
    rows = tab.evaluate("document.querySelectorAll('.times')[0].querySelectorAll('tbody tr').length")
    images = tab.evaluate("document.querySelectorAll('.times')[0].querySelectorAll('tbody img').length")
    assert (rows, images) == (2, 2 * (2 + 3)), "image, target and three steps of two persons"
    tab.evaluate(
        "(() => { const s = document.querySelector('#scrub'); s.value = 0; s.dispatchEvent(new Event('input')); })()"
    )
    assert tab.evaluate("document.querySelector('.scrubber output').textContent") == "step 0"
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("data:", path.as_uri()))] == []
