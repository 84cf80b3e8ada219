"""Stored maps under augmentations, against rendering the transformed body anew."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import CROP_SIZE, apply, compose, crop_to_view, invert, resize
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.views import Augmentation, augment_pose
from pymaf_data.render import IUV, MAP_SIZE, Atlas, StoredMaps, load_atlas, render_iuv, render_stored, warp_maps
from pymaf_data.stages.iuv_shard import map_specs
from pymaf_data.storage.specs import encode_rows

ATLAS = load_atlas("free")
VIEW = weak_to_camera(torch.tensor([[0.85, 0.03, 0.02]], dtype=torch.float64))
STORED_OF_VIEW = compose(resize(CROP_SIZE, MAP_SIZE), invert(crop_to_view(CROP_SIZE)))
DEVICES = ["numpy", "cpu", "cuda"]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return request.param


def warped(maps: StoredMaps, affine: object, flip: object, size: int, device: str, atlas: Atlas = ATLAS) -> IUV:
    """The warp in NumPy arrays, or in tensors of a device."""
    if device == "numpy":
        return warp_maps(maps, affine, flip, atlas, size)
    tensors = StoredMaps(*(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (maps.part, maps.uv)))
    found = warp_maps(tensors, affine, flip, atlas, size)
    assert found.part.device.type == found.uv.device.type == device
    assert (found.part.dtype, found.uv.dtype) == (torch.uint8, torch.float32)
    return IUV(found.part.cpu().numpy(), found.uv.cpu().numpy())


@pytest.fixture(scope="module")
def stored(bodies: np.ndarray) -> StoredMaps:
    return render_stored(bodies, VIEW.warped(STORED_OF_VIEW), ATLAS, MAP_SIZE)


@pytest.fixture(scope="module")
def comparisons(body, poses, betas, stored: StoredMaps, warps: ModuleType) -> list:
    random = np.random.default_rng(5)
    draws = zip(random.uniform(0.75, 1.25, 24), np.radians(random.uniform(-60, 60, 24)), strict=True)
    return [
        warps.compare(body, poses, betas, VIEW, stored, Augmentation.of(k, phi, flip=n % 2 == 1), ATLAS)
        for n, (k, phi) in enumerate(draws)
    ]


def test_warped_parts_are_exact_within_one_stored_pixel(comparisons: list, warps: ModuleType) -> None:
    near, exact = warps.agreement(comparisons)
    print(f"within one stored pixel {near:.4%}, exact {exact:.4%} of the union foreground")
    assert near >= 0.995
    assert exact >= 0.94


def test_a_person_takes_less_than_twelve_kilobytes(stored: StoredMaps) -> None:
    part, uv, _ = map_specs(MAP_SIZE, 512)
    sizes = [
        sum(map(len, chunks)) for chunks in zip(encode_rows(part, stored.part), encode_rows(uv, stored.uv), strict=True)
    ]
    print(f"bytes a person: mean {np.mean(sizes):.0f}, largest {max(sizes)}")
    assert max(sizes) <= 12_000


def test_the_displacement_measure_sees_a_shift(comparisons: list, warps: ModuleType) -> None:
    mask = comparisons[0].exact.mask
    np.testing.assert_allclose(warps.displacement(np.roll(mask, (1, -1), (1, 2)), mask), [-1, 1], atol=0.15)


@pytest.mark.parametrize("flipped", [0, 1])
def test_warping_moves_the_silhouette_nowhere(comparisons: list, warps: ModuleType, flipped: int) -> None:
    bias = warps.bias(comparisons[flipped::2], MAP_SIZE)
    print(f"bias {bias} stored pixels")
    assert (np.abs(bias) <= 0.05).all()


def test_warped_charts_agree(comparisons: list, warps: ModuleType) -> None:
    error = warps.chart_errors(comparisons)
    print(f"uv error median {np.median(error):.4f}, p95 {np.percentile(error, 95):.4f}")
    assert np.median(error) <= 0.01
    assert np.percentile(error, 95) <= 0.06


def test_a_flip_is_rendering_the_mirrored_body(body, poses, betas, stored: StoredMaps, device: str) -> None:
    mirrored_pose = augment_pose(poses, Augmentation.of(flip=True))
    mirror = np.array([[-1.0, 0, MAP_SIZE], [0, 1, 0]])
    seen = VIEW.warped(compose(mirror, STORED_OF_VIEW)).matrix * torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64)
    rendered = render_iuv(body(mirrored_pose, betas).vertices, Camera(seen), ATLAS, MAP_SIZE)
    flipped = warped(stored, mirror, True, MAP_SIZE, device)
    foreground = rendered.mask | flipped.mask
    same = rendered.part == flipped.part
    assert (same & foreground).sum() >= 0.998 * foreground.sum()
    error = np.abs(rendered.uv - flipped.uv).max(axis=1)[same & foreground]
    print(f"uv error median {np.median(error):.4f}, p95 {np.percentile(error, 95):.4f}")
    assert np.median(error) <= 0.01
    assert np.percentile(error, 95) <= 0.06


def test_render_then_warp_is_warp_then_render(bodies: np.ndarray, device: str) -> None:
    """At whole-pixel moves and quarter turns nothing is resampled, so both must give the same pixels."""
    S = 256
    seen = compose(resize(MAP_SIZE, S), STORED_OF_VIEW)
    stored = render_stored(bodies, VIEW.warped(seen), ATLAS, S, block=1)
    for affine in ([[1.0, 0, 7], [0, 1, -5]], [[0.0, -1, S], [1, 0, 0]], [[-1.0, 0, S - 3], [0, -1, S]]):
        moved = warped(stored, affine, False, S, device)
        rendered = render_iuv(bodies, VIEW.warped(compose(affine, seen)), ATLAS, S)
        inside = apply(invert(affine), np.mgrid[:S, :S][::-1].reshape(2, -1).T + 0.5)
        inside = ((inside > 0) & (inside < S)).all(1).reshape(S, S)
        same = moved.part == rendered.part
        assert same[:, inside].mean() >= 1 - 1e-5
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(rendered.part, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2)
        )
        surrounded = (around == rendered.part[..., None, None]).all((-1, -2)) & same & inside & rendered.mask
        assert surrounded.sum() > 1000
        assert np.abs(moved.uv - rendered.uv).max(axis=1)[surrounded].max() <= 0.5 / 255 + 1e-5


def test_between_four_samples_of_a_part_charts_are_bilinear(device: str) -> None:
    maps = ramp(3, 4)
    found = warped(maps, [[1.0, 0, 0], [0, 1, 0]], False, 12, device)
    x = (np.arange(12) + 0.5) / 3 - 0.5
    inside = slice(2, 10)
    expected = np.broadcast_to(x * 40 / 255, (12, 12))
    np.testing.assert_allclose(found.uv[0, 0, inside, inside], expected[inside, inside], atol=1e-6)
    np.testing.assert_allclose(found.uv[0, 1, inside, inside], expected.T[inside, inside], atol=1e-6)


def test_beside_too_few_samples_charts_go_on_as_planes(device: str) -> None:
    """A limb one block wide has no four samples; U along it and V across it are still those of the plane."""
    maps = ramp(3, 6)
    maps.part[:, :, :6], maps.part[:, :, 12:] = 0, 0
    found = warped(maps, [[1.0, 0, 0], [0, 1, 0]], False, 18, device)
    x = (np.arange(18) + 0.5) / 3 - 0.5
    shown = np.s_[3:15, 6:12]
    np.testing.assert_allclose(found.uv[0, 0][shown], np.broadcast_to(x * 40 / 255, (18, 18))[shown], atol=0.002)
    np.testing.assert_allclose(
        found.uv[0, 1][shown], np.broadcast_to(x[:, None] * 40 / 255, (18, 18))[shown], atol=0.002
    )


def test_a_part_without_a_sample_near_becomes_what_the_nearest_sample_shows(device: str) -> None:
    """Its block samples another part; U, V of that part under the first one's name would be invented."""
    part, uv = np.zeros((1, 30, 30), np.uint8), np.zeros((1, 2, 10, 10), np.uint8)
    part[0, 15, 15], part[0, 16, 16] = 9, 4
    uv[0, :, 5, 5] = 51, 102
    part[0, 3, 3] = 9  # the first of its block, and so sampled, but farther than three blocks
    found = warped(StoredMaps(part, uv), [[1.0, 0, 0], [0, 1, 0]], False, 30, device)
    assert (found.part[0, 15, 15], found.part[0, 16, 16], found.part[0, 3, 3]) == (4, 4, 9)
    np.testing.assert_allclose(found.uv[0, :, 15, 15], [0.2, 0.4], atol=1e-6)
    np.testing.assert_allclose(found.uv[0, :, 16, 16], [0.2, 0.4], atol=1e-6)
    assert (found.part > 0).sum() == 3


def ramp(block: int, blocks: int) -> StoredMaps:
    """One part everywhere, with 255·U = 40·column and 255·V = 40·row of the block."""
    across = np.broadcast_to(np.arange(blocks, dtype=np.uint8) * 40, (blocks, blocks))
    part = np.full((1, block * blocks, block * blocks), 5, np.uint8)
    return StoredMaps(part, np.ascontiguousarray(np.stack([across, across.T])[None]))


@st.composite
def noise(draw: st.DrawFn) -> tuple[StoredMaps, np.ndarray, np.ndarray]:
    """Maps of patches with holes and slivers, and affines that shift, turn, scale and mirror them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, rows, columns, block = 3, draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([1, 3, 5]))
    parts = rng.choice(25, draw(st.integers(1, 4)))
    shape = (count, rows * block, columns * block)
    part = rng.choice(parts, shape).astype(np.uint8) * (rng.random(shape) < draw(st.sampled_from([0.05, 0.5, 1])))
    uv = rng.integers(0, 256, (count, 2, rows, columns)).astype(np.uint8)
    linear = rng.normal(size=(count, 2, 2)) * draw(st.sampled_from([0.3, 1, 4]))
    affine = np.concatenate([linear, rng.normal(size=(count, 2, 1)) * 5], -1)
    return StoredMaps(part, uv), affine, np.linalg.det(linear) < 0


@settings(max_examples=150)
@given(noise())
def test_tensors_are_warped_as_arrays_are(case: tuple[StoredMaps, np.ndarray, np.ndarray]) -> None:
    maps, affine, flip = case
    ours = warped(maps, affine, flip, 14, "numpy")
    assert not ours.uv.transpose(0, 2, 3, 1)[~ours.mask].any()
    assert ((ours.uv >= 0) & (ours.uv <= 1)).all()
    for device in DEVICES[1:] if torch.cuda.is_available() else DEVICES[1:2]:
        theirs = warped(maps, affine, flip, 14, device)
        assert np.array_equal(theirs.part, ours.part)
        np.testing.assert_allclose(theirs.uv, ours.uv, atol=1e-5)


def test_tensors_of_bodies_are_warped_as_arrays_are(stored: StoredMaps, device: str) -> None:
    view = Augmentation.of(np.linspace(0.75, 1.25, 8), np.linspace(-1, 1, 8), flip=np.arange(8) % 2 == 1)
    affine = compose(compose(resize(224, 56), view.affine()), crop_to_view(MAP_SIZE))
    ours, theirs = (warped(stored, affine, view.flip, 56, kind) for kind in ("numpy", device))
    assert np.array_equal(theirs.part, ours.part)
    np.testing.assert_allclose(theirs.uv, ours.uv, atol=1e-5)


def tabled(side: int, of_u: str = "1 - u") -> Atlas:
    """The free atlas with DensePose's kind of tables: the torso mirrors U, or every part changes U and V."""
    v, u = np.mgrid[:side, :side].astype(np.float32) / (side - 1)
    tables = np.stack([np.stack([u, v])] * 24)
    if of_u == "swap":
        tables[:] = np.stack([v, 1 - u])
    else:
        tables[:2, 0] = 1 - u
    return replace(ATLAS, uv_mirror=tables)


def test_tables_that_say_what_the_rule_says_change_nothing(stored: StoredMaps, device: str) -> None:
    mirror = np.array([[-1.0, 0, MAP_SIZE], [0, 1, 0]])
    by_rule = warped(stored[:3], mirror, True, MAP_SIZE, device)
    by_table = warped(stored[:3], mirror, True, MAP_SIZE, device, tabled(256))
    assert np.array_equal(by_rule.part, by_table.part)
    np.testing.assert_allclose(by_rule.uv, by_table.uv, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("flips", [[True, True], [True, False]])
def test_tables_decide_where_the_image_is_mirrored_and_nowhere_else(
    stored: StoredMaps, device: str, flips: list[bool]
) -> None:
    affine = np.array([[[-1.0 if flip else 1.0, 0, MAP_SIZE if flip else 0], [0, 1, 0]] for flip in flips])
    plain = warped(stored[:2], affine, flips, MAP_SIZE, device)
    found = warped(stored[:2], affine, flips, MAP_SIZE, device, tabled(1024, "swap"))
    assert np.array_equal(found.part, plain.part)
    for flip, part, (u, v), ours in zip(flips, plain.part, plain.uv, found.uv, strict=True):
        shown = part > 0
        own = np.where(ATLAS.u_mirror[part], 1 - u, u) if flip else u
        wanted = np.stack([v, 1 - own]) if flip else np.stack([u, v])
        np.testing.assert_allclose(ours[:, shown], wanted[:, shown], atol=0.5 / 1023 + 1e-6)
        assert not ours[:, ~shown].any()


def test_charts_do_not_mix_across_parts(device: str) -> None:
    part, uv = np.full((1, 12, 12), 3, np.uint8), np.zeros((1, 2, 4, 4), np.uint8)
    part[:, :, 6:] = 5
    uv[0, 0, :, :2] = uv[0, 1, :, 2:] = 255
    found = warped(StoredMaps(part, uv), [[3.0, 0, 0], [0, 3, 0]], False, 36, device)
    assert set(np.unique(found.uv[0, 0][found.part[0] == 3])) == {1.0}
    assert set(np.unique(found.uv[0, 0][found.part[0] == 5])) == {0.0}


def test_outside_the_stored_map_is_background(device: str) -> None:
    found = warped(ramp(1, 4), [[1.0, 0, 2], [0, 1, 0]], False, 6, device)
    assert not found.part[0, :, :2].any()
    assert not found.part[0, 4:].any()
    assert (found.part[0, :4, 2:] == 5).all()


def test_arguments_that_disagree_are_refused() -> None:
    with pytest.raises(ShapeError, match="mirrors"):
        warp_maps(ramp(3, 2), [[1.0, 0, 0], [0, 1, 0]], True, ATLAS)


def test_an_empty_batch_warps_to_an_empty_batch(device: str) -> None:
    assert warped(ramp(3, 2)[:0], [[1.0, 0, 0], [0, 1, 0]], False, 56, device).part.shape == (0, 56, 56)
