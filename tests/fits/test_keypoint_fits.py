"""What the keypoint fits promise: right bodies, the same for anyone's company, reasons instead of nonsense."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import worst_violation
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import joints49, measure
from pymaf_data.fits.table import REASONS, Fits
from pymaf_data.geometry.joints import J49
from pymaf_data.geometry.rotations import axis_angle_to_matrix

_TRUNK = [J49.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]


def facing(joints: torch.Tensor) -> torch.Tensor:
    """Unit vectors that trunks face, from J49."""
    left, right, hip_left, hip_right = joints[:, _TRUNK].unbind(1)
    across, up = left + hip_left - right - hip_right, left + right - hip_left - hip_right
    return torch.nn.functional.normalize(torch.cross(across, up, dim=-1), dim=-1)


def test_known_bodies_are_found(fitter: KeypointFitter, body: BodyModel, known: Any) -> None:
    fits = fitter.fit(known.persons)
    assert fits.valid.all()
    measured = measure(body, fits, known.persons)
    assert np.median(measured.reprojection) < 3
    assert measured.reprojection.max() < 8
    rows = np.arange(len(fits))
    cosine = (facing(joints49(body, fits, rows)) * facing(torch.from_numpy(known.joints))).sum(-1)
    assert (cosine > np.cos(np.radians(30))).double().mean() >= 0.9
    assert worst_violation(torch.from_numpy(fits.pose))[0].max() < 1e-4


def test_a_fit_does_not_depend_on_who_else_is_fitted(fitter: KeypointFitter, body: BodyModel, known: Any) -> None:
    together = fitter.fit(known.persons[:4])
    order = np.array([3, 0])
    apart = KeypointFitter(body, KeypointOptions(batch=1)).fit(known.persons[order])
    for field in ("pose", "betas", "native"):
        assert np.allclose(getattr(together, field)[order], getattr(apart, field), rtol=1e-5, atol=1e-5), field
    again = fitter.fit(known.persons[:4])
    assert np.array_equal(again.pose, together.pose)


def test_a_mirrored_person_gets_the_mirrored_fit(factory: ModuleType, fitter: KeypointFitter, body: BodyModel) -> None:
    known = factory.make_known(fitter, body, 4, seed=11)
    mirrored = fitter.fit(mirror_persons(known.persons))
    fits = fitter.fit(known.persons)
    rows = np.arange(len(fits))
    joints = joints49(body, fits, rows)[:, J49.flip_permutation.tolist()] * torch.tensor([-1.0, 1.0, 1.0])
    assert (joints49(body, mirrored, rows) - joints).norm(dim=-1).max() < 1e-3
    assert np.allclose(mirrored.betas, fits.betas, atol=1e-3)


def mirror_persons(persons: Persons) -> Persons:
    width = persons.image_size[:, :1].astype(np.float32)
    keypoints = persons.keypoints[:, J49.flip_permutation].copy()
    keypoints[..., 0] = np.where(keypoints[..., 2] > 0, width - keypoints[..., 0], 0)
    box = persons.box.copy()
    box[:, 0] = width[:, 0] - box[:, 0]
    return replace(persons, keypoints=keypoints, visibility=persons.visibility[:, J49.flip_permutation], box=box)


def test_persons_that_cannot_be_fitted_say_why(fitter: KeypointFitter, known: Any) -> None:
    persons = known.persons[:5]
    keypoints = persons.keypoints.copy()
    present = persons.present.copy()
    keypoints[0, :, 2] = 0
    keypoints[1, _TRUNK, 2] = 0
    keypoints[2, 26, 0] = np.nan
    present[3] = False
    fits = fitter.fit(replace(persons, keypoints=keypoints, present=present))
    reasons = [REASONS[code] for code in fits.reason]
    assert reasons == ["too few keypoints", "trunk not labelled", "coordinates not finite", "picture not present", ""]
    assert all(np.isfinite(getattr(fits, field)).all() for field in ("pose", "betas", "native"))
    assert not fits.pose[:4].any()
    assert np.allclose(fits.pose[4:], fitter.fit(persons[4:]).pose, atol=1e-5)


def test_few_keypoints_give_a_finite_body(fitter: KeypointFitter, body: BodyModel, known: Any) -> None:
    keypoints = known.persons.keypoints[:4].copy()
    for name in ("knee", "ankle", "wrist"):
        for side in ("left", "right"):
            keypoints[:, J49.index(f"{side}_{name}"), 2] = 0
    persons = replace(known.persons[:4], keypoints=keypoints)
    fits = fitter.fit(persons)
    assert fits.valid.all()
    assert np.isfinite(fits.pose).all()
    assert np.isfinite(fits.native).all()
    assert measure(body, fits, persons).reprojection.max() < 8


def test_a_known_camera_is_kept(fitter: KeypointFitter, known: Any) -> None:
    K = np.array([[900.0, 0, 300], [0, 950, 260], [0, 0, 1]])
    count = 2
    persons = replace(known.persons[:count], intrinsics=np.tile(K, (count, 1, 1)), has_intrinsics=np.ones(count, bool))
    assert np.allclose(fitter.fit(persons).native[:, :, :3], K)


def test_measures_of_the_truth_are_zero_and_the_camera_projects_it(body: BodyModel, known: Any) -> None:
    measured = measure(body, known.truth, known.persons)
    assert measured.reprojection.max() < 1e-3  # keypoints are float32
    assert measured.solvable.all()
    assert np.isfinite(measured.weak_residual).all()
    assert measured.weak_residual.min() > 0.05  # a camera at 5000 px is not the image's


def test_fits_taken_out_leave_nothing_that_looks_real() -> None:
    left = Fits(
        np.ones((3, 72)), np.ones((3, 10)), np.ones((3, 3, 4)), np.ones(3, np.uint8), np.array([0, 2, 0], np.uint8)
    )
    left.drop(np.array([True, True, False]), "reprojection too large")
    assert [REASONS[code] for code in left.reason] == ["reprojection too large", "no fit in the source", ""]
    assert not left.pose[0].any()
    assert left.pose[2].all()
    assert axis_angle_to_matrix(torch.from_numpy(left.pose[2].reshape(24, 3))).isfinite().all()
