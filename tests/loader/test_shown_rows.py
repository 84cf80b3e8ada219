"""Views made of the rows that they show are those of the whole crop, bit by bit, with markers and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pymaf_data.geometry import affines
from pymaf_data.loader import AugmentationOptions, Loader, LoaderOptions
from pymaf_data.loader.augment import draw
from pymaf_data.loader.images import reductions, shown_rows, warp_view
from pymaf_data.storage import Store, encode_jpeg


def test_a_view_reads_no_other_rows() -> None:
    """Rows that are not said to be shown are white in one crop and black in the other; an image of noise betwixt."""
    rng, size, K = np.random.default_rng(0), 200, 400
    wide = AugmentationOptions(scale_std=0.5, rotation_std=60, upright_probability=0)
    moved = draw(wide, 0, 0, np.arange(K), K).view
    to_view = affines.compose(moved.affine(), affines.crop_to_view(size))
    matrix, reduction = affines.to_cv2(to_view), reductions(to_view)
    shown = shown_rows(matrix, 224, size)
    crop = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
    views, scratch = np.empty((2, 224, 224, 3), np.uint8), np.empty_like(crop)
    for k, rows in enumerate(slice(*span) for span in shown.tolist()):
        for view, other in zip(views, (0, 255), strict=True):
            part = np.full_like(crop, other)
            part[rows] = crop[rows]
            scratch[:] = other
            warp_view(part, matrix[k], reduction[k], view, scratch, rows)
        assert np.array_equal(*views)
        warp_view(crop, matrix[k], reduction[k], views[1], scratch)
        assert np.array_equal(*views)
    assert np.diff(shown).mean() < 0.9 * size, "which is what it is for"


def test_a_view_that_shows_nothing_reads_a_row() -> None:
    away = np.array([[[1.0, 0, 0], [0, 1, 900]], [[1, 0, 0], [0, 1, -900]]])
    assert (np.diff(shown_rows(away, 224, 400)) >= 1).all()
    assert (shown_rows(away, 224, 400) >= 0).all() and (shown_rows(away, 224, 400) <= 400).all()


def test_batches_of_several_stores_are_those_of_whole_crops(
    store: Store, make_store: Callable[..., Store], body, atlas, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tests.loader.conftest.encode_jpeg", lambda image: encode_jpeg(image, markers=False))
        former = make_store()
    options = LoaderOptions(batch_size=40, workers=0, augmentation=AugmentationOptions(channel_noise=0))
    loader = Loader([store, former], body, atlas, options)
    crops = np.concatenate([store.array("image")[:], former.array("image")[:]])
    for epoch in range(3):
        (batch,) = loader.epoch(epoch)
        rows = batch.row.numpy()
        moved = draw(options.augmentation, options.seed, epoch, rows, len(loader.labels)).view
        to_view = affines.compose(moved.affine(), affines.crop_to_view(crops.shape[1]))
        for place, row in enumerate(rows.tolist()):
            view, matrix = np.empty((224, 224, 3), np.uint8), affines.to_cv2(to_view[place])
            warp_view(crops[row], matrix, reductions(to_view[place]), view, np.empty_like(crops[0]))
            assert np.array_equal(view, batch.image[place].permute(1, 2, 0).numpy())
