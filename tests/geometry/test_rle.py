"""Run lengths are COCO's: what pycocotools writes we read, and the other way round; what is none is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.rle import decode_mask, encode_mask, mask_at

coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")


def masks() -> st.SearchStrategy[np.ndarray]:
    """Of all sizes, from dust to one run, and with long runs."""

    def drawn(width: int, height: int, seed: int, share: float, block: int) -> np.ndarray:
        coarse = np.random.default_rng(seed).random((height // block + 1, width // block + 1)) < share
        return coarse.repeat(block, 0).repeat(block, 1)[:height, :width]

    side = st.integers(1, 150)
    return st.builds(drawn, side, side, st.integers(0, 99), st.sampled_from([0.0, 0.03, 0.5, 1.0]), st.integers(1, 40))


@given(masks())
def test_they_are_pycocotools_and_come_back(mask: np.ndarray) -> None:
    counts, size = encode_mask(mask), mask.shape[::-1]
    assert counts == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert (decode_mask(counts + b"\0\0", size) == mask).all()


@given(masks(), st.integers(0, 99))
def test_a_point_is_in_a_mask_whose_pixel_is(mask: np.ndarray, seed: int) -> None:
    (height, width), random = mask.shape, np.random.default_rng(seed)
    x, y = random.uniform(-3, width + 3, (40, 1)), random.uniform(-3, height + 3, 30)
    x[0], y[0] = width, height  # just outside
    framed = np.pad(mask, 3)
    expected = framed[np.floor(y).astype(int) + 3, np.floor(x).astype(int) + 3]
    assert (mask_at(encode_mask(mask), (width, height), x, y) == expected).all()


def test_of_a_large_image() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[5:2990, 3:3998] = True
    mask[1500:1501, 2000:2002] = False
    counts = encode_mask(mask)
    assert counts == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert (decode_mask(counts, (4000, 3000)) == mask).all()


@pytest.mark.parametrize("size", [(9, 8), (11, 8), (80, 2), (0, 0)])
def test_a_mask_of_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(RawDataCorrupt, match="80 pixels"):
        decode_mask(encode_mask(np.ones((8, 10), bool)), size)


@pytest.mark.parametrize(
    "counts", [b"", b"\0\0", b"P", b"/", b"o", b"0p", b"0\0000", b"n" * 40, b"oooooooo0", b"O0", b"1O"]
)
def test_what_is_no_mask_is_refused(counts: bytes) -> None:
    with pytest.raises(RawDataCorrupt):
        decode_mask(counts, (4, 4))


@given(st.binary(max_size=40), st.integers(0, 20), st.integers(0, 20))
def test_anything_is_a_mask_of_that_size_or_refused(counts: bytes, width: int, height: int) -> None:
    try:
        mask = decode_mask(counts, (width, height))
    except RawDataCorrupt:
        return
    assert mask.shape == (height, width) and mask.dtype == bool
