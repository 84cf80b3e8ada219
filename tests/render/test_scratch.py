"""The memory in which a thread draws: used again, whatever was drawn in it before, and not kept for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pytest
import torch

from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.render import Raster, rasterize
from pymaf_data.render.zbuffer import Scratch

T = TypeVar("T")


def in_a_new_thread(work: Callable[[], T]) -> T:
    """What has memory of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.fixture
def drawings(bodies: np.ndarray, body) -> Iterator[Callable[[], Raster]]:
    """Rasters of many sizes, of a body or of a few triangles of it."""
    generator = np.random.default_rng(5)
    sizes = [(1, 1), (1, 300), (300, 1), (2, 2), (224, 224), (56, 57), (57, 56), (90, 200), (200, 90), (7, 150)] * 4

    def drawing(size: tuple[int, int], few: bool) -> Callable[[], Raster]:
        height, width = size
        to_raster = [[width / 224, 0.0, 0.0], [0.0, height / 224, 0.0]]
        camera = weak_to_camera(torch.tensor([[generator.uniform(0.5, 3), 0, 0]], dtype=torch.float64)).warped(
            to_raster
        )
        vertices, faces = bodies[:2], body.faces.numpy()
        if few:
            faces = generator.integers(0, 30, (40, 3))
            vertices = vertices[:, :30] + generator.normal(size=(1, 30, 3))
        return lambda: rasterize(vertices, faces, camera, (height, width), "numba")

    return (drawing(sizes[k], bool(generator.integers(2))) for k in generator.permutation(len(sizes)))


def test_what_was_drawn_before_shows_nowhere(drawings: Iterator[Callable[[], Raster]]) -> None:
    shown = 0
    for draw in drawings:
        found, wanted = draw(), in_a_new_thread(draw)
        shown += bool(found.mask.any())
        for one, other in ((found.face, wanted.face), (found.bary, wanted.bary), (found.depth, wanted.depth)):
            np.testing.assert_array_equal(one, other)
    assert shown > 20


def shared(one: Scratch, other: Scratch) -> list[bool]:
    return [np.shares_memory(*pair) for pair in zip(one, other, strict=True)]


def assert_holds(scratch: Scratch, vertices: int, faces: int, height: int, width: int, pixels: int) -> None:
    of_raster, listed = [(height, width)] * 2, (4, faces + 1)
    assert [one.shape for one in scratch] == [(vertices,)] * 4 + of_raster + [(pixels,), (pixels, 3), listed]
    assert all(one.flags.c_contiguous for one in scratch)


def test_memory_is_used_again_while_it_suffices() -> None:
    def work() -> None:
        sizes = (50, 90, 30, 40, 1200)
        large = Scratch.allocate(*sizes)
        assert_holds(large, *sizes)
        assert Scratch.allocate(*sizes) is large
        small = Scratch.allocate(20, 70, 40, 20, 100)
        assert_holds(small, 20, 70, 40, 20, 100)
        assert all(shared(large, small))
        for k in range(5):
            more = (*sizes[:k], 2 * sizes[k], *sizes[k + 1 :])
            wide = Scratch.allocate(*more)
            assert_holds(wide, *more)
            Scratch.allocate(*sizes)
        assert all(shared(wide, Scratch.allocate(100, 180, 60, 40, 1200))), "it suffices for all that was asked for"

    in_a_new_thread(work)


def test_threads_share_no_memory_and_much_of_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.render.zbuffer._MOST_KEPT", 1000)

    def work() -> Scratch:
        large = Scratch.allocate(50, 90, 30, 40, 1200)
        assert Scratch.allocate(50, 90, 30, 40, 1200) is large, "a run of large ones has the same"
        small = Scratch.allocate(50, 90, 10, 10, 100)
        assert not any(shared(large, small))
        assert small.key.base is not None and small.key.base.size == 100
        return small

    assert not any(shared(work(), in_a_new_thread(work)))
