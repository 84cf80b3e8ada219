"""What fits are judged by: masks, limits, habits."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import UsageError
from pymaf_data.fits.plausibility import judge
from pymaf_data.fits.reprojection import measure
from pymaf_data.fits.rule import ChooseOptions
from pymaf_data.fits.silhouettes import mask_iou, masks_of
from pymaf_data.fits.table import JUDGED, Fits
from pymaf_data.geometry.joints import J49
from pymaf_data.geometry.rle import encode_mask
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.stages import attach_source
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import open_store

N = 8


@pytest.fixture(scope="module")
def drawn(known: Any, body: BodyModel) -> np.ndarray:
    """(N, 480, 640) silhouettes of the known bodies, splat by splat: every pixel near a projected vertex."""
    pose = axis_angle_to_matrix(torch.from_numpy(known.truth.pose[:N]).reshape(-1, 24, 3))
    X = body(pose, torch.from_numpy(known.truth.betas[:N])).vertices.numpy()
    X = np.concatenate([X, X[:, body.faces.numpy()].mean(2)], 1)  # vertices, and the middle of each face
    seen = np.einsum("nij,nvj->nvi", known.truth.native[:N], np.pad(X, ((0, 0), (0, 0), (0, 1)), constant_values=1))
    x, y = np.floor(seen[..., :2] / seen[..., 2:]).astype(int).transpose(2, 0, 1)
    found = np.zeros((N, 480, 640), bool)
    for row in range(N):
        inside = (x[row] >= 0) & (x[row] < 640) & (y[row] >= 0) & (y[row] < 480)
        found[row, y[row][inside], x[row][inside]] = True
    few = np.ones((9, 9), np.uint8)  # pixels between splats are body
    return np.stack([cv2.morphologyEx(one.astype(np.uint8), cv2.MORPH_CLOSE, few) > 0 for one in found])


def overlap(body: BodyModel, known: Any, masks: Any, fits: Fits | None = None, **persons: Any) -> np.ndarray:
    fits = known.truth[:N] if fits is None else fits
    theirs = [mask if isinstance(mask, tuple) else (encode_mask(mask), []) for mask in masks]
    return mask_iou(body, fits, np.zeros((N, 3)), replace(known.persons[:N], **persons), theirs, "perspective")


def test_a_body_covers_its_mask_and_nobody_elses(body: BodyModel, known: Any, drawn: np.ndarray) -> None:
    assert overlap(body, known, drawn).min() > 0.87
    assert overlap(body, known, np.roll(drawn, 1, 0)).max() < 0.7
    grown = replace(known.truth[:N], native=known.truth.native[:N].copy())
    grown.native[:, 2, 3] *= 1.4  # farther off
    assert overlap(body, known, drawn, grown).max() < 0.75
    assert np.isnan(overlap(body, known, [(b"", [])] * N)).all()
    assert np.isnan(overlap(body, known, [(encode_mask(mask[:-1]), []) for mask in drawn])).all()
    assert (overlap(body, known, drawn, replace(grown, betas=np.full((N, 10), 1e30))) == 0).all()


def test_only_what_would_be_seen_speaks_against_a_body(body: BodyModel, known: Any, drawn: np.ndarray) -> None:
    left = np.arange(640) < known.persons.box[:N, :1] - 0.05 * known.persons.box[:N, 2:]
    hidden = drawn & left[:, None]
    halved = overlap(body, known, hidden)
    assert halved.max() < 0.75
    beside = [(encode_mask(mask), [encode_mask(whole & ~mask)]) for mask, whole in zip(hidden, drawn, strict=True)]
    assert (overlap(body, known, beside) > np.maximum(0.75, halved + 0.1)).all()
    width = known.persons.box[:N, 0].astype(np.int32)  # of images that end amid their persons
    cut = [(encode_mask(mask[:, :end]), []) for mask, end in zip(drawn, width.tolist(), strict=True)]
    sizes = np.stack([width, np.full(N, 480, np.int32)], 1)
    assert overlap(body, known, cut, image_size=sizes).min() > 0.8
    low = np.arange(480)[:, None] > known.persons.keypoints[:N, J49.index("left_knee"), 1].reshape(-1, 1, 1)
    legs, visibility = ["left_ankle", "right_ankle"], known.persons.visibility[:N].copy()
    behind = drawn & ~low
    before = overlap(body, known, behind)
    visibility[:, [J49.index(name) for name in legs]] = 1
    assert (overlap(body, known, behind, visibility=visibility) > before + 0.05).sum() >= N - 2
    visibility[:] = 0  # nobody said what is seen: all counts
    assert np.array_equal(overlap(body, known, behind, visibility=visibility), before)


def test_limits_and_habits(body: BodyModel, known: Any) -> None:
    pose = known.truth.pose[:N].copy()
    pose[1, 3 * 4] = np.radians(-30.0)  # a knee that bends forwards
    pose[2] = np.random.default_rng(0).uniform(-2, 2, 72)
    fits = deepcopy(replace(known.truth[:N], pose=pose))
    fits.drop(np.arange(N) == 3, "reprojection too large")
    found = judge(None, fits, np.zeros((N, 3)), known.persons[:N], None, "perspective")
    assert np.isnan([found.mask_iou]).all() and np.isnan([found.beyond_limits[3], found.pose_prior[3]]).all()
    usual = [0, 4, 5, 6, 7]
    assert found.beyond_limits[usual].max() < 1e-6 and found.pose_prior[usual].max() < 2
    assert found.beyond_limits[1] == pytest.approx(30, abs=0.1)
    assert found.beyond_limits[2] > 20 and found.pose_prior[2] > 2.5


@pytest.fixture
def masked(tmp_path: Path, factory: ModuleType, known: Any, drawn: np.ndarray) -> Any:
    """A store of N persons, of whom 2 … 5 stand on one image, over the border of a shard."""
    names = known.persons.names[:N].copy()
    names[2:6] = names[2]
    persons, masks = replace(known.persons[:N], names=names), [encode_mask(mask) for mask in drawn]
    return factory.make_store(tmp_path / "m.zarr", persons, masks=[*masks[:7], b""])


def test_they_are_stored_with_the_fits(
    masked: Any, tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    whole = masks_of(masked, slice(0, N))
    assert whole is not None and whole[3][1] == [whole[2][0], whole[4][0], whole[5][0]] and not whole[0][1]
    assert [one for first in (0, 4) for one in masks_of(masked, slice(first, first + 4)) or ()] == whole
    truth = factory.write_truth(tmp_path / "truth.npz", known, body)
    attach_fits(AttachOptions(store=masked.path, fits=(f"truth:{truth}",)))
    stored = {name: open_store(masked.path).array(f"fits/truth/{name}")[:] for name in JUDGED}
    persons, fits = replace(known.persons[:N], names=np.array([n for n, _ in masked.rows])), known.truth[:N]
    pi = measure(body, fits, persons).weak_camera
    for name, expected in vars(judge(body, fits, pi, persons, whole, "perspective")).items():
        np.testing.assert_allclose(stored[name], expected, atol=1e-6)
    measured = measure(body, fits, persons)
    np.testing.assert_allclose(stored["mirrored"], measured.mirrored, rtol=1e-6)
    np.testing.assert_allclose(stored["scale"], measured.scale, rtol=1e-6)
    assert np.isnan(stored["mask_iou"]).tolist() == [False] * 7 + [True]
    by_pi = judge(body, fits, pi, persons, whole, "none").mask_iou
    assert np.nanmin(by_pi) > 0.7 and not np.array_equal(by_pi[:7], stored["mask_iou"][:7])


REASONS_OF_BEFORE = (
    *("", "picture not present", "no fit in the source", "too few keypoints", "trunk not labelled"),
    *("coordinates not finite", "reprojection too large", "camera not solvable"),
)


@pytest.mark.parametrize(("form", "had", "gate"), [(2, (), "pose_prior"), (3, JUDGED[:3], "mirrored")])
def test_fits_of_before_stay_until_they_are_to_be_judged(
    form: int,
    had: tuple[str, ...],
    gate: str,
    masked: Any,
    tmp_path: Path,
    factory: ModuleType,
    known: Any,
    body: BodyModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, rows = factory.write_truth(tmp_path / "truth.npz", known, body), attach_source._rows
    options = AttachOptions(store=masked.path, fits=(f"truth:{truth}",))
    with monkeypatch.context() as patch:  # as an earlier version attached
        patch.setattr(attach_source, "_FORMATS", {form: had})
        lacking = set(JUDGED) - set(had)
        patch.setattr(attach_source, "_rows", lambda *of: {k: v for k, v in rows(*of).items() if k not in lacking})
        patch.setattr(attach_source, "REASONS", attach_source.REASONS if had else REASONS_OF_BEFORE)
        first = attach_fits(options)
    again = attach_fits(options)
    assert again.sources[0].shards_written == 0 and again.choice == first.choice
    assert gate not in open_store(masked.path).current("fits/truth").record.specs
    usual = options.model_copy(update={"choose": ChooseOptions(**dict.fromkeys(had[1:], 999.0))})
    assert attach_fits(usual).sources[0].shards_written == 0
    judging = options.model_copy(update={"fits": (), "choose": ChooseOptions(**{gate: 0.0})})
    with pytest.raises(UsageError, match=f"did not measure {gate}"):
        attach_fits(judging)
    judged = attach_fits(judging.model_copy(update={"fits": options.fits}))
    assert (
        judged.sources[0].shards_written == 2
        and judged.choice is not None
        and judged.choice.none == (N if gate == "pose_prior" else 0)
    )
    assert attach_fits(options).sources[0].shards_written == 0
    assert gate in open_store(masked.path).current("fits/truth").record.specs
