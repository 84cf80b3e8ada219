"""Targets that are rendered while training, against projecting the body into the augmented view by other means."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import VIEW_SIZE, compose, resize
from pymaf_data.geometry.cameras import Camera, orthographic_view, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.geometry.views import Augmentation
from pymaf_data.loader import Batch
from pymaf_data.model.targets import render_targets
from pymaf_data.render import load_atlas, render_iuv

B, Z = 4, 56
BODY, ATLAS = load_body("free"), load_atlas("free")


def fits(orthographic: bool) -> tuple[torch.Tensor, torch.Tensor, Camera]:
    """Poses (B, 24, 3, 3), betas (B, 10) and cameras of the 224 px view."""
    generator = torch.Generator().manual_seed(2)
    pose = 0.3 * torch.randn(B, 24, 3, generator=generator)
    pose[:, 0] = torch.tensor([torch.pi, 0.2, 0.1])
    pi = torch.tensor([[0.8, 0.05, -0.1]], dtype=torch.float64).repeat(B, 1)
    camera = orthographic_view(pi) if orthographic else weak_to_camera(pi)
    return axis_angle_to_matrix(pose), torch.randn(B, 10, generator=generator), camera


def batch_of(pose: torch.Tensor, betas: torch.Tensor, camera: Camera, view: Augmentation) -> Batch:
    """What the loader hands over of the fits; the other fields do not matter here."""
    to_map = compose(resize(VIEW_SIZE, Z), view.affine())
    known = {
        "drawn_pose": pose, "betas": betas, "has_fit": torch.ones(B, dtype=torch.bool),
        "drawn_camera": camera.warped(to_map).matrix,
        "drawn_orthographic": torch.full((B,), camera.orthographic),
        "flip": torch.from_numpy(np.broadcast_to(view.flip, B).copy()),
        "part": torch.zeros(B, Z, Z, dtype=torch.uint8), "uv": torch.zeros(B, 2, Z, Z),
    }  # fmt: skip
    return Batch(**{field.name: known.get(field.name, torch.zeros(B)) for field in fields(Batch)})


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("flip", [False, True])
def test_targets_show_the_augmented_view(orthographic: bool, flip: bool) -> None:
    """The plain view at four times the size, moved by nearest pixel, shows the same parts almost everywhere."""
    pose, betas, camera = fits(orthographic)
    view = Augmentation.of(1.2, 0.5, flip)
    found = render_targets(batch_of(pose, betas, camera, view), BODY, ATLAS)
    vertices = BODY(pose, betas).vertices
    fine = render_iuv(vertices, camera.warped(resize(VIEW_SIZE, 4 * VIEW_SIZE)), ATLAS, 4 * VIEW_SIZE)
    centres = (np.mgrid[:Z, :Z][::-1].reshape(2, -1).T + 0.5) * VIEW_SIZE / Z
    affine = view.affine()
    source = (centres - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    column, row = np.floor(source * 4).astype(int).T
    inside = (column >= 0) & (column < 4 * VIEW_SIZE) & (row >= 0) & (row < 4 * VIEW_SIZE)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    wanted = np.where(inside, fine.part[:, row, column], 0)
    u = fine.uv[:, 0, row, column]
    if flip:
        u = np.where(ATLAS.u_mirror[wanted], 1 - u, u)
        wanted = ATLAS.part_mirror[wanted]
    part = found.part.numpy().reshape(B, -1)
    union = ((part > 0) | (wanted > 0)) & inside
    assert union.sum() > 500
    assert (part == wanted)[union].mean() > 0.98
    same = union & (part == wanted) & (wanted > 0)
    assert np.median(np.abs(found.uv[:, 0].reshape(B, -1).numpy() - u)[same]) < 0.01


def test_without_augmentation_it_is_the_renderer_itself() -> None:
    pose, betas, camera = fits(False)
    found = render_targets(batch_of(pose, betas, camera, Augmentation.of()), BODY, ATLAS)
    seen = render_iuv(BODY.mesh(pose, betas), camera.warped(resize(VIEW_SIZE, Z)), ATLAS, Z)
    assert np.array_equal(found.part.numpy(), seen.part)
    assert np.array_equal(found.uv.numpy(), seen.uv)


def test_persons_without_a_fit_have_no_target() -> None:
    pose, betas, camera = fits(False)
    batch = batch_of(pose, betas, camera, Augmentation.of())
    batch = replace(batch, has_fit=torch.tensor([True, False, True, False]))
    found = render_targets(batch, BODY, ATLAS)
    assert found.has_iuv.tolist() == [True, False, True, False]
    assert not found.part[1].any()
    assert not found.uv[3].any()


def test_a_batch_may_mix_cameras() -> None:
    mixed = [batch_of(*fits(orthographic), Augmentation.of()) for orthographic in (False, True)]
    joined = SimpleNamespace(**{f.name: torch.cat([getattr(b, f.name) for b in mixed]) for f in fields(Batch)})
    found = render_targets(Batch(**vars(joined)), BODY, ATLAS)
    for k, batch in enumerate(mixed):
        alone = render_targets(batch, BODY, ATLAS)
        assert torch.equal(found.part[k * B : (k + 1) * B], alone.part)


def test_mirrored_targets_follow_tables_where_there_are_some() -> None:
    pose, betas, camera = fits(False)
    batch = batch_of(pose, betas, camera, Augmentation.of(flip=True))
    v, u = np.mgrid[:512, :512].astype(np.float32) / 511
    tables = np.broadcast_to(np.stack([1 - v, u]), (24, 2, 512, 512)).copy()
    plain = render_targets(batch, BODY, ATLAS)
    found = render_targets(batch, BODY, replace(ATLAS, uv_mirror=tables))
    assert torch.equal(found.part, plain.part)
    shown = plain.part > 0
    turned = torch.from_numpy(ATLAS.u_mirror)[plain.part.long()]
    u = torch.where(turned, 1 - plain.uv[:, 0], plain.uv[:, 0])
    torch.testing.assert_close(found.uv[:, 0][shown], 1 - plain.uv[:, 1][shown], atol=0.5 / 511 + 1e-6, rtol=0)
    torch.testing.assert_close(found.uv[:, 1][shown], u[shown], atol=0.5 / 511 + 1e-6, rtol=0)
    assert not found.uv.permute(0, 2, 3, 1)[~shown].any()
