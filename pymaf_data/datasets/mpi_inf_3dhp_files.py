"""The annotations of MPI-INF-3DHP.

    training   annot.mat (v5): annot2 14 × 1 cells N × 56 px; annot3, univ_annot3 14 × 1 cells N × 84 mm, of 28 joints
    test       annot_data.mat (v7.3): annot2 2 × 17 × 1 × N px; annot3, univ_annot3 3 × 17 × 1 × N mm; valid_frame and
               activity_annotation 1 × N

3D joints are seen by the camera; ``univ_annot3`` is the same person scaled to one size and does not project to annot2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.mat import read_mat
from pymaf_data.untrusted.mat73 import read_mat73

Floats = NDArray[np.float64]

#: Of the test set, by the names of the training set's joints.
TEST_JOINTS = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head",
)  # fmt: skip


class TestSequence(NamedTuple):
    """Of N frames.

    Attributes:
        points: (N, 17, 2) px.
        plain, universal: (N, 17, 3) metres.
        valid: (N,) whether a frame is measured on.
        activity: (N,) 1 to 7; 0: not known.
    """

    points: Floats
    plain: Floats
    universal: Floats
    valid: NDArray[np.bool_]
    activity: NDArray[np.int64]


def read_training(path: Path, solid: str) -> Iterator[tuple[Floats, Floats]]:
    """Of each camera (N, 28, 2) px and, of the variable ``solid``, (N, 28, 3) metres.

    Raises:
        RawDataCorrupt: it is no annot.mat.
    """
    found = read_mat(path, ["annot2", solid])
    try:
        flat, deep = (list(_array(found[name]).ravel()) for name in ("annot2", solid))
        if len(flat) != len(deep) or not flat:
            raise ValueError(f"{len(flat)} cameras in annot2, {len(deep)} in {solid}")
        for one, other in zip(flat, deep, strict=True):
            points, places = _rows(one, 28, 2), _rows(other, 28, 3) / 1000
            if len(points) != len(places):
                raise ValueError(f"{len(points)} frames in annot2, {len(places)} in {solid}")
            yield points, places
    except (ValueError, TypeError) as error:
        raise corrupt(path, error, "annot.mat as released, with a cell for each camera") from None


def read_test(path: Path) -> TestSequence:
    """The annotations of a test sequence.

    Raises:
        RawDataCorrupt: it is no annot_data.mat.
    """
    found = read_mat73(path, ["annot2", "annot3", "univ_annot3", "valid_frame"], optional=["activity_annotation"])
    try:
        points = _rows(found["annot2"].T, 17, 2)
        plain, universal = (_rows(found[name].T, 17, 3) / 1000 for name in ("annot3", "univ_annot3"))
        valid = _numbers(found["valid_frame"]).ravel()
        activity = _numbers(found.get("activity_annotation", np.zeros(len(points)))).ravel()
        if {len(plain), len(universal), len(valid), len(activity)} != {len(points)}:
            raise ValueError(f"{len(points)} frames in annot2, {len(plain)} in annot3, {len(valid)} in valid_frame")
    except (ValueError, TypeError, AttributeError) as error:
        raise corrupt(path, error, "annot_data.mat as released") from None
    known = np.isin(activity, np.arange(1, 8))
    return TestSequence(points, plain, universal, valid == 1, np.where(known, activity, 0).astype(np.int64))


def _rows(values: Any, joints: int, axes: int) -> Floats:
    """(N, joints, axes) of an array whose last axes hold them, joint by joint."""
    found = _numbers(values)
    width = joints * axes
    if not found.size:  # of a camera that nothing is annotated for
        return np.zeros((0, joints, axes))
    if found.shape[-2:] != (joints, axes) and (found.ndim != 2 or found.shape[1] != width):
        raise ValueError(f"an array of shape {found.shape} where {joints} joints should be")
    return found.reshape(-1, joints, axes)


def _numbers(values: Any) -> Floats:
    if _array(values).dtype.kind not in "biuf":
        raise ValueError(f"values of type {values.dtype}")
    return np.asarray(values, np.float64)


def _array(values: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise TypeError(f"a {type(values).__name__} where an array should be")
    return values


def corrupt(path: Path, error: Exception, expected: str) -> RawDataCorrupt:
    """The error of a file that is not what was expected."""
    fault = f"{path}: {type(error).__name__}: {str(error)[:200]}"
    return RawDataCorrupt(fault, expected=expected, action="fetch it again.")
