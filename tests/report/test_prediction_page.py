"""The page of predictions: images, and bodies that a person turns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.report.html import render
from pymaf_data.report.prediction_page import ShownImage, for_page, packed, prediction_page

INK = """(() => { const c = document.querySelector('canvas.mesh'), d = document.createElement('canvas');
d.width = d.height = 64; const x = d.getContext('2d'); x.drawImage(c, 0, 0, 64, 64);
const p = x.getImageData(0, 0, 64, 64).data, m = [];
for (let i = 0; i < p.length; i += 4) m.push(p[i + 3] > 128 ? p[i] : -1);
return m; })()"""


def test_packed_vertices_come_back_within_a_twentieth_of_a_millimetre(body: BodyModel) -> None:
    vertices = body.v_template.double().numpy() + np.array([3.0, -2.0, 7.0])
    data, low, step = packed(vertices)
    back = np.frombuffer(data, "<u2").reshape(-1, 3) * step + low
    assert np.abs(back - vertices).max() < 5e-5
    assert packed(np.zeros((2, 3)))[0] == bytes(12)


@pytest.mark.parametrize(("size", "shown"), [((300, 2000), (144, 960)), ((2400, 8), (960, 3)), ((40, 50), (40, 50))])
def test_an_image_of_the_page_keeps_its_colours_and_no_more_pixels_than_are_seen(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    colour = (200, 60, 30)
    data = for_page(np.full((*size, 3), colour, np.uint8))
    assert data[:3] == bytes.fromhex("ffd8ff"), "what the page says it is"
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found.shape[:2] == shown and np.abs(found[..., ::-1] - np.array(colour)).max() <= 3


@pytest.mark.parametrize(("width", "left"), [(4000, 20), (1280, 45)])
def test_every_pixel_has_its_share_of_an_image_of_the_page(width: int, left: float) -> None:
    """Noise of 74 levels: the fewer pixels are looked at, the more of it is left."""
    noise = np.random.default_rng(0).integers(0, 256, (width * 3 // 4, width, 3), np.uint8)
    found = cv2.imdecode(np.frombuffer(for_page(noise), np.uint8), cv2.IMREAD_COLOR)
    assert abs(found.mean() - 127.5) < 1 and found.std() < left


@pytest.fixture(scope="module")
def page(body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, of one and of two persons; the first stands in the T pose and faces whoever looks."""
    upright = body.v_template.double().numpy() * np.array([1, -1, -1])
    panel = np.full((256, 256, 3), 200, np.uint8)

    def image(name: str, count: int) -> ShownImage:
        meshes = [packed(upright + k) for k in range(count)]
        persons = [{"title": f"person {k}", "told": ["4.2 m away"]} for k in range(count)]
        sides = [for_page(panel)] * count
        return ShownImage(name, for_page(np.zeros((300, 2000, 3), np.uint8)), persons, sides, meshes)

    images = [image("a <i>.jpg", 1), image("b.jpg", 2)]
    about = {"name": "mine", "frame": "view", "licences": "CC0 </script>"}
    out = tmp_path_factory.mktemp("page") / "predictions.html"
    out.write_bytes(
        b"".join(render(prediction_page("Predictions of mine", about, images, body.faces.numpy(), "30 on 9 <i>", 30)))
    )
    return out


def test_a_page_is_small_and_other_peoples_names_are_text(page: Path) -> None:
    text = page.read_text()
    assert len(text) < 700_000 and "a <i>" not in text and len(re.findall("</script>", text)) == 8


def test_a_body_opens_upright_and_is_turned_by_keys_and_by_hand(page: Path, tab: Any) -> None:
    tab.open(page)
    assert tab.evaluate("document.querySelector('#lead').textContent").startswith(
        "30 on 9 <i>. Of these bodies 3, evenly spread, are in this page."
    )
    assert tab.evaluate("document.querySelector('#images img').naturalWidth") == 960
    tab.evaluate("document.querySelectorAll('.card')[2].click()")
    front = np.array(tab.evaluate(INK)).reshape(64, 64)
    ys, xs = np.nonzero(front >= 0)
    assert ys.min() < 8 and ys.max() > 55, "the body fills the canvas"
    arms = np.nonzero((front >= 0).sum(1) > 40)[0]
    assert len(arms) and arms.max() < 32, "arms are spread in the upper half: the head is up"
    for _ in range(12):  # half of a half turn: from the side the arms are gone
        tab.press("ArrowRight")
    side = np.array(tab.evaluate(INK)).reshape(64, 64)
    assert np.ptp(np.nonzero(side >= 0)[1]) < np.ptp(xs) / 2
    tab.press("Escape")
    assert not tab.evaluate("document.querySelector('#person').open")
    assert [one for one in tab.complaints if "WebGL" not in one] == []  # of software rendering the driver complains
    assert not [url for url in tab.requests if not url.startswith(("file:", "data:"))]


def test_without_webgl_the_body_is_painted_just_so(page: Path, tab: Any) -> None:
    tab.open(page)
    tab.evaluate("document.querySelector('.card').click()")
    drawn = np.array(tab.evaluate(INK)).reshape(64, 64)
    without = (
        "HTMLCanvasElement.prototype.getContext = (get => function (kind, ...rest) {"
        " return kind === 'webgl' ? null : get.call(this, kind, ...rest); })(HTMLCanvasElement.prototype.getContext)"
    )
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=without)["identifier"]
    try:
        tab.call("Page.navigate", url="about:blank")
        tab.open(page)
        tab.evaluate("document.querySelector('.card').click()")
        painted = np.array(tab.evaluate(INK)).reshape(64, 64)
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    both = (drawn >= 0) & (painted >= 0)
    assert both.sum() > 0.95 * max((drawn >= 0).sum(), (painted >= 0).sum())
    assert np.median(np.abs(drawn - painted)[both]) < 12
