"""Every rasterizer against the embedded one: the same pixels, whoever draws them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError, UsageError
from pymaf_data.geometry.cameras import Camera, full_frame, orthographic_view, weak_to_camera
from pymaf_data.render import LIMB_OF_PART, LIMBS, Atlas, rasterize, render_iuv
from pymaf_data.render.backends import BACKENDS, presence, presences, resolve_backend

SIZE = (40, 52)  # a rectangle: x and y must not be confused
COUNT = 8


def cameras() -> dict[str, Camera]:
    """Far and near, strong perspective, half outside, inside the body, parallel; one per mesh."""
    pi = torch.tensor([[0.85 + 0.05 * n, 0.02 * n, -0.03 * n] for n in range(COUNT)], dtype=torch.float64)
    to_raster = np.array([[SIZE[1] / 224, 0, 0], [0, SIZE[0] / 224, 0]])
    K = torch.tensor([[[40.0, 0, 26], [0, 40.0, 20], [0, 0, 1]]], dtype=torch.float64).repeat(COUNT, 1, 1)
    at = torch.tensor([[0.05 * n, 0.2, 1.5] for n in range(COUNT)], dtype=torch.float64)
    shift = torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    return {
        "far": weak_to_camera(pi).warped(to_raster),
        "half outside": weak_to_camera(pi + 0.6 * shift).warped(to_raster),
        "wide angle": full_frame(K, at),
        "through the camera plane": full_frame(K, at - torch.tensor([0.0, 0.0, 1.4], dtype=torch.float64)),
        "parallel": orthographic_view(pi).warped(to_raster),
    }


@pytest.mark.parametrize("name", cameras())
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_backend_shows_the_same_pixels(
    name: str, mirrored: bool, backend: str, bodies: np.ndarray, atlas: Atlas
) -> None:
    camera, faces = cameras()[name], atlas.mesh_faces
    meshes = (bodies * ([-1, 1, 1] if mirrored else [1, 1, 1])).astype(np.float32)
    ours = rasterize(meshes, faces, camera, SIZE, "numba")
    theirs = rasterize(meshes, faces, camera, SIZE, backend)
    covered, same = ours.mask | theirs.mask, ours.face == theirs.face
    assert covered.sum() > 500, "the camera must show the bodies"
    # PyTorch3D computes in float32: of 16,640 pixels one may fall on the other side of an edge. Where weights are not
    # made perspective-correct they sum to less than 1, and its depths err by up to a thousandth (see its module).
    foreign = backend == "pytorch3d"
    assert (~same).sum() <= (0 if not foreign else 4 if camera.orthographic else 1)
    shown = same & ours.mask
    np.testing.assert_allclose(theirs.bary[shown], ours.bary[shown], atol=2e-3 if foreign else 0)
    depths = theirs.depth[shown], ours.depth[shown]
    np.testing.assert_allclose(*depths, rtol=2e-5 if foreign else 0, atol=1e-6 if foreign else 0)
    assert (theirs.face[~theirs.mask] == -1).all()
    assert (theirs.bary[~theirs.mask] == 0).all()
    assert np.isinf(theirs.depth[~theirs.mask]).all()


def test_every_backend_paints_the_same_charts(backend: str, bodies: np.ndarray, atlas: Atlas) -> None:
    pi = torch.tensor([[0.9, 0.0, 0.05]]).repeat(len(bodies), 1)
    vertices = torch.as_tensor(bodies).float()
    ours, theirs = render_iuv(vertices, pi, atlas), render_iuv(vertices, pi, atlas, backend=backend)
    same = ours.part == theirs.part
    assert (~same).sum() <= (0 if backend != "pytorch3d" else 1)
    np.testing.assert_allclose(theirs.uv, np.where(same[:, None], ours.uv, theirs.uv), atol=1e-4)
    assert theirs.part.dtype == np.uint8
    assert theirs.uv.dtype == np.float32


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_the_gpu_kernels_agree_to_the_last_bit_on_any_triangles(seed: int) -> None:
    """Random triangles through each other and the camera, corners on pixel centres among them."""
    if not presence("warp").present:
        pytest.skip("warp is not installed")
    random = np.random.default_rng(seed)
    vertices = random.normal(0, 1, (2, 12, 3)) + np.array([0, 0, 1.5])
    vertices[:, :4] = np.round(vertices[:, :4] * 2) / 2
    faces = random.integers(0, 12, (30, 3))
    camera = full_frame(
        torch.tensor([[[8.0, 0, 10], [0, 8.0, 9], [0, 0, 1]]], dtype=torch.float64), torch.zeros(1, 3).double()
    )
    for seen in (camera, Camera(torch.eye(4, dtype=torch.float64)[None, [0, 1, 3]] * 1.0, orthographic=True)):
        ours, theirs = (rasterize(vertices, faces, seen, (18, 20), name) for name in ("numba", "warp"))
        for field in ("face", "bary", "depth"):
            assert np.array_equal(getattr(ours, field), getattr(theirs, field)), field


def test_an_item_does_not_depend_on_its_batch(backend: str, bodies: np.ndarray, atlas: Atlas) -> None:
    camera = cameras()["wide angle"]
    batch = rasterize(bodies[:3], atlas.mesh_faces, camera[:3], SIZE, backend)
    alone = rasterize(bodies[2:3], atlas.mesh_faces, camera[2:3], SIZE, backend)
    assert np.array_equal(batch.face[2], alone.face[0])
    assert np.array_equal(batch.depth[2], alone.depth[0])


def test_six_body_parts_lie_on_their_sides(body, atlas: Atlas) -> None:
    rest = body.v_template.numpy()
    for number, limb in enumerate(LIMBS, start=1):
        faces = atlas.mesh_faces[LIMB_OF_PART[atlas.face_part] == number]
        x, y = rest[faces][..., 0].mean(), rest[faces][..., 1].mean()
        side = {"left": 1, "righ": -1}.get(limb[:4], 0)
        assert np.sign(round(float(x), 1)) == side, limb
        assert (y < -0.3) == limb.endswith("leg"), limb
    maps = render_iuv(rest[None], torch.tensor([[0.9, 0.0, 0.0]]), atlas)
    assert set(np.unique(maps.limbs)) == set(range(7))
    assert np.array_equal(maps.limbs > 0, maps.mask)


def test_auto_is_the_embedded_one_for_arrays() -> None:
    assert resolve_backend("auto") == "numba"
    assert resolve_backend("auto", on_gpu=True) == ("warp" if presence("warp").present else "numba")


def test_a_backend_that_is_not_here_is_refused_with_advice() -> None:
    for found in presences():
        if not found.present:
            with pytest.raises(UsageError, match=found.name) as raised:
                resolve_backend(found.name)
            assert "auto" in str(raised.value)
    with pytest.raises(UsageError, match="voodoo"):
        resolve_backend("voodoo")
    assert {found.name for found in presences()} == set(BACKENDS) - {"auto"}


def test_every_backend_refuses_the_same_shapes(backend: str) -> None:
    camera = cameras()["parallel"]
    for vertices, faces in ((np.zeros((3, 3)), [[0, 1, 2]]), (np.zeros((1, 3, 3)), [[0, 1, 3]])):
        with pytest.raises(ShapeError):
            rasterize(vertices, np.array(faces), camera[:1], SIZE, backend)
