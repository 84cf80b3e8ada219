"""By which joints a fit is proved: what people annotated before what a network detected, the seen before the hidden."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import seen_joints
from pymaf_data.geometry.joints import J49


def persons(*marks: dict[str, int]) -> Persons:
    """By joint its visibility, each with confidence 0.5."""
    visibility = np.array([[mark.get(joint, 0) for joint in J49.joints] for mark in marks])
    keypoints = np.concatenate([np.ones((*visibility.shape, 2)), 0.5 * (visibility[..., None] > 0)], -1)
    rest = {field.name: np.zeros(len(marks)) for field in fields(Persons)}
    return Persons(**rest | {"keypoints": keypoints, "visibility": visibility})


def test_detected_joints_prove_nothing_of_who_is_annotated() -> None:
    marks = (
        {"nose": 2, "left_hip": 1, "openpose:nose": 2, "openpose:left_hip": 2},
        {"nose": 1, "left_hip": 1, "openpose:nose": 2},
        {"openpose:nose": 2, "openpose:neck": 1},
        {},
    )
    seen = [{J49.joints[at] for at in row.nonzero()[0]} for row in seen_joints(persons(*marks))]
    assert seen == [{"nose"}, {"nose", "left_hip"}, {"openpose:nose"}, set()]
