"""The dense truth against rays that are cast in float64, and as files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.world.dense import dense_truth, encode_dense, read_dense
from pymaf_data.world.view import View

pytestmark = pytest.mark.long  # of the world, which is finished


def test_maps_go_through_their_files(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (37, 21, 3)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(encode_dense(image))
    assert np.array_equal(read_dense(tmp_path / "a.png"), image)
    stored = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored[:, :, ::-1], image), "red is the part, as viewers and stores have it"


def test_files_that_are_none_are_told(tmp_path):
    with pytest.raises(RawDataCorrupt, match="cannot be read"):
        read_dense(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(RawDataCorrupt, match="make the sample again"):
        read_dense(tmp_path / "text.png")


def test_a_body_out_of_sight_has_an_empty_map(scenes, workshop):
    scene = scenes[0]
    aside = scene.people[0].vertices + np.array([500.0, 0, 0])
    image, origin = dense_truth(scene.view, aside, workshop.atlas)
    assert image.shape == (1, 1, 3)
    assert not image.any()
    assert origin == (0, 0)


def test_maps_are_amodal_and_lie_in_the_picture(products):
    """Nothing but the frame cuts them: the part of a body that others hide is there."""
    hidden = 0
    for product in products:
        for row, png in enumerate(product.dense):
            image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
            left, top = product.truth["iuv_origin"][row]
            height, width = image.shape[:2]
            assert left >= 0 and top >= 0 and left + width <= 320 and top + height <= 240
            assert image[..., 0].max() <= 24
            assert not image[image[..., 0] == 0].any()
            covered = (image[..., 0] > 0).sum()
            if product.truth["occlusion"][row] > 0.3:
                hidden += covered > 1.1 * product.annotations[row]["area"]
    assert hidden >= 5


def compared(rays, scene, person, atlas, pixels_of, mask=None):
    """(pixels compared, pixels that agree) of a person's dense truth with rays cast at the body.

    Pixels are those that the map covers or the mask shows; ``pixels_of`` chooses among their indices.
    """
    view = scene.view
    image, (left, top) = dense_truth(view, person.vertices, atlas)
    whole = np.zeros((*view.size[::-1], 3), np.uint8)
    whole[top : top + image.shape[0], left : left + image.shape[1]] = image
    shown = whole[..., 0] > 0 if mask is None else mask
    rows, columns = np.nonzero(shown)
    chosen = pixels_of(len(rows))
    rows, columns = rows[chosen], columns[chosen]
    hits = rays.cast_pixels(
        person.vertices, np.asarray(atlas.mesh_faces), view.intrinsics, np.stack([columns, rows], 1)
    )
    met = hits.face >= 0
    part = np.where(met, np.asarray(atlas.face_part)[hits.face], 0)
    uv = np.einsum("pk,pkc->pc", hits.bary, atlas.corner_uv[hits.face]) * met[:, None]
    stored = whole[rows, columns]
    agree = (stored[:, 0] == part) & (np.abs(stored[:, 1:] / 255 - uv) <= 1 / 255).all(1)
    return len(rows), int(agree.sum())


def test_rays_cast_in_double_precision_agree(rays, shots, workshop):
    count = agree = people = 0
    for shown, _ in shots:
        for person, mask in zip(shown.scene.people, shown.masks, strict=True):
            if people == 8 or mask.sum() < 400:
                continue
            chosen = np.random.default_rng(people)
            found = compared(
                rays, shown.scene, person, workshop.atlas, lambda n, rng=chosen: rng.permutation(n)[:900], mask
            )
            count, agree, people = count + found[0], agree + found[1], people + 1
    print(f"{agree / count:.5%} of {count} visible pixels of {people} people agree with rays")
    assert people >= 6
    assert agree >= 0.999 * count


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.0, -0.5)])
def test_rays_would_find_half_a_pixel(rays, shots, workshop, shift):
    shown, _ = max(shots, key=lambda shot: shot[0].masks[0].sum())
    scene, person = shown.scene, shown.scene.people[0]
    moved = scene.view.intrinsics.copy()
    moved[:2, 2] += shift
    image, (left, top) = dense_truth(
        View(moved, scene.view.rotation, scene.view.centre, scene.view.size), person.vertices, workshop.atlas
    )
    rows, columns = np.nonzero(image[..., 0])
    chosen = np.random.default_rng(0).permutation(len(rows))[:600]
    rows, columns = rows[chosen], columns[chosen]
    pixels = np.stack([columns + left, rows + top], 1)
    hits = rays.cast_pixels(person.vertices, np.asarray(workshop.atlas.mesh_faces), scene.view.intrinsics, pixels)
    uv = np.einsum("pk,pkc->pc", hits.bary, workshop.atlas.corner_uv[hits.face])
    same = (image[rows, columns, 0] == np.asarray(workshop.atlas.face_part)[hits.face]) & (hits.face >= 0)
    close = (np.abs(image[rows, columns, 1:] / 255 - uv) <= 1 / 255).all(1)
    assert (same & close).mean() < 0.9
