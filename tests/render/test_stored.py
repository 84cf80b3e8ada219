"""The stored form: parts at every pixel, U and V where the specification says, whoever renders."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from pymaf_data.errors import RenderError, ShapeError
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.render import Atlas, StoredMaps, render_iuv, render_stored
from pymaf_data.render.stored import blocks, sample_pixels

SIZE = 96


@pytest.fixture(scope="module")
def pi(bodies: np.ndarray) -> torch.Tensor:
    """Far and near; of the nearest the raster shows a part."""
    count = len(bodies)
    return torch.stack([torch.linspace(0.6, 2.5, count), torch.zeros(count), torch.zeros(count)], 1).double()


@pytest.mark.parametrize("block", [1, 3])
def test_planes_are_the_targets_in_bytes(block: int, bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas) -> None:
    stored, targets = render_stored(bodies, pi, atlas, SIZE, block), render_iuv(bodies, pi, atlas, SIZE)
    assert stored.block == block
    assert stored.part.dtype == stored.uv.dtype == np.uint8
    assert np.array_equal(stored.part, targets.part)
    part, uv = torch.from_numpy(targets.part), torch.from_numpy(targets.uv)
    chosen = sample_pixels(part, block)[:, None, ..., None].expand(-1, 2, -1, -1, -1)
    sampled = blocks(uv, block).gather(-1, chosen)[..., 0].numpy()
    np.testing.assert_allclose(stored.uv / 255.0, sampled, atol=0.5 / 255 + 1e-6)


def test_samples_are_those_of_the_specification(
    bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas, independent: ModuleType
) -> None:
    stored, full = render_stored(bodies, pi, atlas, SIZE), render_stored(bodies, pi, atlas, SIZE, block=1)
    elsewhere = 0
    for n, r, c in np.ndindex(len(bodies), SIZE // 3, SIZE // 3):
        pixel = independent.sampled_pixel(full.part[n, 3 * r : 3 * r + 3, 3 * c : 3 * c + 3])
        row, column = pixel or (1, 1)
        assert (stored.uv[n, :, r, c] == full.uv[n, :, 3 * r + row, 3 * c + column]).all()
        elsewhere += pixel not in (None, (1, 1))
    assert elsewhere > 200


def test_every_backend_stores_the_same(backend: str, bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas) -> None:
    vertices = torch.as_tensor(bodies).float()
    ours, theirs = (render_stored(vertices, pi, atlas, SIZE, backend=name) for name in ("numba", backend))
    assert (ours.part != theirs.part).sum() <= (4 if backend == "pytorch3d" else 0)
    difference = np.abs(ours.uv.astype(int) - theirs.uv)
    assert (difference > 1).mean() <= (1e-4 if backend == "pytorch3d" else 0)
    assert (difference > 0).mean() <= 1e-3


def test_an_item_does_not_depend_on_its_batch(bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas) -> None:
    whole, alone = render_stored(bodies, pi, atlas, SIZE), render_stored(bodies[3:4], pi[3:4], atlas, SIZE)
    assert np.array_equal(whole[3:4].part, alone.part)
    assert np.array_equal(whole[3:4].uv, alone.uv)
    assert len(render_stored(bodies[:0], pi[:0], atlas, SIZE)) == 0


def test_a_rectangle_is_rendered(bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas) -> None:
    camera = weak_to_camera(pi)
    square, part = (render_stored(bodies, camera, atlas, size, 1) for size in (224, (224, 120)))
    assert np.array_equal(square.part[:, :, :120], part.part)
    assert np.array_equal(square.uv[..., :120], part.uv)


def test_what_does_not_fit_is_refused(bodies: np.ndarray, pi: torch.Tensor, atlas: Atlas) -> None:
    for size, block in ((97, 3), (96, 2)):
        with pytest.raises(ShapeError, match=rf"{size} px with one U, V for {block}"):
            render_stored(bodies, pi, atlas, size, block)
    broken = bodies.copy()
    broken[6, 0, 0] = np.nan
    with pytest.raises(RenderError, match="mesh 6"):
        render_stored(broken, pi, atlas, SIZE)
    part, uv = np.zeros((2, 6, 6), np.uint8), np.zeros((2, 2, 2, 2), np.uint8)
    for wrong in ((part[0], uv), (part, uv[:1]), (part, uv[:, :1]), (part[:, :5], uv), (part[:, :4, :4], uv)):
        with pytest.raises(ShapeError, match="stored maps of shapes"):
            StoredMaps(*wrong)
    with pytest.raises(ShapeError, match="float64"):
        StoredMaps(part.astype(float), uv)
