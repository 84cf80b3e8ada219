"""What PyTorch3D drew, kept: our rasterizers show the same pixels where it is not built.

``pytorch3d_golden.npz`` is written by ``benchmarks/parity.py --golden``: twelve bodies by six kinds of camera at 56 px,
the face of every pixel (−1 is background) and 65535 · U, V of the pixels that show one, in reading order.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pymaf_data.render import Atlas, load_atlas, rasterize, render_iuv

GOLDEN = Path(__file__).with_name("pytorch3d_golden.npz")


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as kept:
        return dict(kept)


def test_our_rasterizers_show_what_pytorch3d_showed(
    golden: dict[str, np.ndarray], scenes: ModuleType, own_backend: str, atlas: Atlas
) -> None:
    B, size = golden["face"].shape[:2]
    vertices = scenes.bodies(B)
    charts = np.split(golden["uv"] / 65535, np.cumsum((golden["face"] >= 0).sum((1, 2)))[:-1])
    differing = 0
    for b, (face, uv) in enumerate(zip(golden["face"], charts, strict=True)):
        camera = scenes.cameras(scenes.CAMERAS[b % len(scenes.CAMERAS)], B, size)[b]
        ours = rasterize(vertices[b : b + 1], atlas.mesh_faces, camera, size, own_backend)[0]
        same = ours.face == face
        differing += int((~same).sum())
        assert (face >= 0).sum() > 50, "the camera must show the body"
        shown = same & (face >= 0)
        np.testing.assert_allclose(scenes.painted(ours, atlas)[1][shown], uv[same[face >= 0]], atol=1e-4)
        painted = render_iuv(vertices[b : b + 1], camera, atlas, size, own_backend)
        assert np.array_equal(painted.part[0][same], np.where(face >= 0, atlas.face_part[face], 0)[same])
    # One tie in a hundred thousand pixels: PyTorch3D decides in float32.
    assert differing <= np.ceil(1e-5 * golden["face"].size)


def test_the_kept_images_would_notice_a_shift(
    golden: dict[str, np.ndarray], scenes: ModuleType, own_backend: str
) -> None:
    B, size = golden["face"].shape[:2]
    camera = scenes.cameras(scenes.CAMERAS[1], B, size)[1].warped(np.array([[1.0, 0, 0.01], [0, 1, 0]]))
    ours = rasterize(scenes.bodies(B)[1:2], load_atlas("free").mesh_faces, camera, size, own_backend)[0]
    assert (ours.face != golden["face"][1]).sum() > 5
