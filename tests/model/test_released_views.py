"""Views as released code makes them: hand-worked cuts, Pillow's own pixels, where cameras then project."""

from __future__ import annotations

from pathlib import Path
from threading import get_ident
from time import sleep
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import EvaluationError
from pymaf_data.geometry.affines import apply, view_affine
from pymaf_data.geometry.released import released_affine, released_corners
from pymaf_data.model.evaluation.released_views import RawViews, Resizing, cut_and_resize
from pymaf_data.model.evaluation.subjects import NetworkSubject
from pymaf_data.model.evaluation.views import ahead
from pymaf_data.model.networks.network import Output, Parameters, Prediction
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store
from tests.factories.videos import number_of

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)

CUTS = {  # in numbers that binary fractions hold exactly
    "whole pixels": ((98, 70, 56), (70, 42, 126, 98)),
    "fractions go towards zero": ((60.375, 59.5, 56), (32, 31, 88, 87)),
    "and so move inwards left of the image": ((15.75, 84, 112), (-40, 28, 71, 140)),
    "less than a pixel outside is none": ((55.5625, 56, 112), (0, 0, 111, 112)),
    "far outside": ((-203, 301, 56), (-231, 273, -175, 329)),
    "tiny": ((30.625, 31.5, 1.75), (29, 30, 31, 32)),
    "huge": ((7, 0, 14336), (-7161, -7168, 7175, 7168)),
}


@pytest.mark.parametrize(("box", "cut"), CUTS.values(), ids=CUTS)
def test_cuts_by_hand(box: tuple[float, ...], cut: tuple[int, ...]) -> None:
    assert released_corners([box]).tolist() == [list(cut)]
    affine = released_affine(np.array([cut]))
    assert np.allclose(apply(affine, [[cut[:2], cut[2:]]]), [[[0, 0], [224, 224]]])
    exact = apply(view_affine([box]), [[[(x + y) / 2 for x, y in zip(cut[:2], cut[2:], strict=True)]] * 2])
    assert np.abs(exact - 112).max() <= 224 / box[2], "the centre moves by less than a pixel of the image"


def test_rounding_decides_as_in_released_code() -> None:
    """Whole numbers but for the last bit, from the map as it is defined there: scale in 200 px, inverted by NumPy."""
    random, ways = np.random.default_rng(0), set()
    for x, y, hundredths in random.integers(-50, 700, (300, 3)).tolist():
        side = 200 * (abs(hundredths) + 1) / 100
        to_view = np.array(
            [[224 / side, 0, 224 * (-x / side + 0.5)], [0, 224 / side, 224 * (-y / side + 0.5)], [0, 0, 1]]
        )
        wanted = [np.dot(np.linalg.inv(to_view), [end, end, 1.0])[:2].astype(int) for end in (0, 224)]
        found = released_corners([[x, y, side]])[0]
        assert found.tolist() == np.concatenate(wanted).tolist()
        ways |= set((found - np.trunc([x - side / 2, y - side / 2, x + side / 2, y + side / 2])).tolist())
    assert ways == {-1, 0, 1}, "the plain formula falls elsewhere"


@pytest.mark.parametrize("resizing", ["spin", "spin-nearest"])
def test_pixels_are_pillows(resizing: Resizing) -> None:
    """Enlarged, reduced, of unequal sides, past every border, and beside the image."""
    Image = pytest.importorskip("PIL.Image")
    how = {"spin": Image.Resampling.BICUBIC, "spin-nearest": Image.Resampling.NEAREST}[resizing]
    sharp = np.where(NOISE > 127, 255, 0).astype(np.uint8)  # where bicubic weights overshoot most
    cuts = [(20, 10, 50, 41), (-30, -20, 193, 203), (0, 0, 224, 224), (5, -7, 117, 105), (-600, -500, 613, 712),
            (100, 70, 333, 302), (40, 40, 41, 41), (-90, 10, -20, 80), (119, 89, 130, 101)]  # fmt: skip
    for image in (NOISE, sharp):
        for left, top, right, bottom in cuts:
            cut = np.zeros((bottom - top, right - left, 3), np.uint8)
            x, y = slice(max(left, 0), max(min(right, 120), 0)), slice(max(top, 0), max(min(bottom, 90), 0))
            cut[y.start - top : y.stop - top, x.start - left : x.stop - left] = image[y, x]
            view = cut_and_resize(image, np.array([left, top, right, bottom]), 224, resizing)
            wanted = np.asarray(Image.fromarray(cut).resize((224, 224), how))
            assert np.array_equal(view, wanted), (resizing, left, top)


def test_nearest_by_hand() -> None:
    """Twice the size from one pixel left of the image: a black column pair, then each pixel twice."""
    view = cut_and_resize(NOISE, np.array([-1, 0, 3, 4]), 8, "spin-nearest")
    assert not view[:, :2].any()
    assert np.array_equal(view[:, 2:], NOISE[:4, :3].repeat(2, 0).repeat(2, 1))


@pytest.fixture
def made(worlds: ModuleType, tmp_path: Path) -> Any:
    """``made(name)``: a store of a small world, and the folder of its raw data."""

    def make(name: str) -> tuple[Store, Path]:
        options = {"root": tmp_path / name, "out": tmp_path / f"{name}.zarr"} | worlds.write(name, tmp_path / name)
        return open_store(ingest(IngestOptions(**options)).store), tmp_path / name

    return make


def test_views_of_a_store(made: Any) -> None:
    """Of stills in an archive whose boxes count pixels from 1: cut about the centre as it is said."""
    store, root = made("mpii")
    views = RawViews(store, root, "spin-nearest")
    rows = np.flatnonzero(store.array("present")[:])
    views.require(rows)
    shown, box = views(rows).permute(0, 2, 3, 1).numpy(), store.array("box").rows(rows)
    corners = released_corners(box + np.array([0.5, 0.5, 0]))
    assert not views.in_order and np.array_equal(views.plane(rows), released_affine(corners))
    stored = store.array("image").rows(rows)
    for view, cut, (x, y, side), crop in zip(shown, corners, box, stored, strict=True):
        # The middle of the view and of the stored crop show the same place of the image, but for JPEG and resampling.
        assert abs((cut[0] + cut[2]) / 2 - x) <= 1 and abs((cut[1] + cut[3]) / 2 - y) <= 1
        middle, same = view[80:144, 80:144].mean((0, 1)), crop[168:232, 168:232].mean((0, 1))
        assert np.abs(middle - same).max() < 40 and side > 0


def test_frames_of_a_video_come_in_order(made: Any) -> None:
    store, root = made("video")
    views = RawViews(store, root, "spin-nearest")
    rows = np.arange(len(store))
    views.require(rows)
    threads: set[int] = set()

    class Watched:
        in_order = views.in_order
        plane = views.plane

        def __call__(self, rows: np.ndarray) -> torch.Tensor:
            threads.add(get_ident())
            sleep(0.005)  # long enough that a second thread would take the next
            return views(rows)

    found = [(part.tolist(), made_) for part, made_ in ahead(Watched(), rows, 1, workers=4)]
    assert views.in_order and len(threads) == 1 and [part for part, _ in found] == [[row] for row in rows.tolist()]
    frames = [int(store.rows[row][0].split("/")[-1][:6]) for row in rows.tolist()]
    assert len(set(frames)) > 1
    for row, frame in zip(rows.tolist(), frames, strict=True):
        (image,) = views._images.decode(views._images.place(store.rows[row][0]).file, [frame], (96, 80))
        assert number_of(image) == frame
        cut = released_corners(store.array("box").rows(rows[[row]]))[0]
        assert np.array_equal(found[row][1][0].permute(1, 2, 0), cut_and_resize(image, cut, 224, "spin-nearest"))


@pytest.mark.parametrize(("world", "left"), [("coco", 1), ("npz", 2)])
def test_sides_are_those_that_files_of_scales_hold(made: Any, world: str, left: int) -> None:
    """26.4 / 200 · 200 is more than 26.4, by a bit that moves the corner; SPIN's own files are read as they are."""
    store, root = made(world)
    views: Any = RawViews(store, root, "spin")
    offset = views._offset[0]
    views._boxes = SimpleNamespace(rows=lambda _: np.array([[15.2 + offset, 15.2 + offset, 26.4]]))
    assert views.plane(np.array([0]))[0, 0, 2] == pytest.approx(-left * 224 / (28 - left))


def test_bodies_land_on_the_image_where_the_cut_was(made: Any, free_body: Any) -> None:
    """What a network sees at (v, w) of its view lies at the cut's corner and so many pixels of the image further."""
    store, root = made("mpii")
    rows, views = np.flatnonzero(store.array("present")[:]), RawViews(store, root, "spin")
    parameters = Parameters(
        torch.zeros(len(rows), 144), torch.zeros(len(rows), 10), torch.tensor([[0.8, 0.1, 0.2]]).repeat(len(rows), 1)
    )
    points = torch.rand(len(rows), 7, 3, generator=torch.Generator().manual_seed(0))
    eye = torch.eye(3).expand(len(rows), 24, 3, 3)
    one = Prediction(parameters, eye, points, points, points[..., :2], points, free_body)
    model: Any = torch.nn.Linear(1, 1)
    model.forward = lambda image, auxiliary: Output([one], slice(0, 1), None)
    model.body, model.frame = free_body, "camera"
    benchmark: Any = SimpleNamespace(store=store)
    ((_, found),) = NetworkSubject(model, benchmark, views, {}).bodies(rows)
    seen, on_image = found["M0"].view.project(points.double()), found["M0"].camera.project(points.double())
    cut = torch.from_numpy(released_corners(store.array("box").rows(rows) + np.array([0.5, 0.5, 0])))[:, None]
    assert torch.allclose(on_image, cut[..., :2] + seen * (cut[..., 2:] - cut[..., :2]) / 224, atol=1e-6)


def test_what_is_not_there_is_named(made: Any) -> None:
    store, root = made("coco")
    with pytest.raises(EvaluationError, match=r"looked for .*nowhere"):
        RawViews(store, root / "nowhere", "spin")
    views, rows = RawViews(store, root, "spin"), np.arange(len(store))
    file = root / store.rows[1][0]
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(EvaluationError, match=rf"{file.name} cannot be used: the image is cut off"):
        views(rows)
    file.unlink()
    with pytest.raises(EvaluationError, match=rf"1 of \d+ raw images are not there, the first .*{file.name}"):
        views.require(rows)
    views.require(rows[:1])
