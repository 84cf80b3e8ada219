"""The record: refuses what no store should hold, and turns into arrays by joint name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pymaf_data.datasets.records import PersonRecord, joint3d_array, keypoint_arrays
from pymaf_data.geometry.joints import J24, J49

GOOD: dict[str, Any] = {
    "image_name": "train2014/a.jpg",
    "annotation_id": 7,
    "image_size": (640, 480),
    "box": (1.0, 2.0, 3.0),
    "keypoints": {"left_wrist": (10.5, 20.5, 2), "openpose:left_wrist": (11.0, 21.0, 1)},
    "joints3d": {"head_top_lsp": (0.1, -0.2, 0.3)},
}


def test_arrays_go_by_name() -> None:
    record = PersonRecord(**GOOD)
    keypoints, visibility = keypoint_arrays([record])
    assert keypoints.shape == (1, 49, 3) and keypoints.dtype == np.float32
    assert keypoints[0, J49.index("left_wrist")].tolist() == [10.5, 20.5, 1.0]
    assert visibility[0, J49.index("left_wrist")] == 2 and visibility[0, J49.index("openpose:left_wrist")] == 1
    assert np.count_nonzero(visibility) == 2
    joints = joint3d_array([record])
    assert joints.shape == (1, 24, 4)
    assert joints[0, J24.index("head_top_lsp")].tolist() == pytest.approx([0.1, -0.2, 0.3, 1.0])
    assert joints[..., 3].sum() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"box": (1.0, 2.0, 0.0)},
        {"box": (1.0, float("nan"), 3.0)},
        {"keypoints": {"tail": (1.0, 2.0, 2)}},
        {"keypoints": {"nose": (float("inf"), 2.0, 2)}},
        {"keypoints": {"nose": (1.0, 2.0, 0)}},
        {"joints3d": {"openpose:nose": (0.0, 0.0, 0.0)}},
        {"image_size": (0, 480)},
        {"image_size": (640, 2_000_000)},
        {"image_name": ""},
        {"annotation_id": -1},
        {"mood": "cheerful"},
        {"gender": "f"},
        {"box_source": "guess"},
        {"camera": -2},
        {"confidence": {"left_wrist": 0.0}},
        {"confidence": {"left_wrist": 1e-300}},
        {"confidence": {"left_wrist": 1.5}},
        {"confidence": {"nose": 0.5}},
    ],
    ids=lambda change: str(change),
)
def test_what_no_store_should_hold_is_refused(change: dict[str, Any]) -> None:
    PersonRecord(**GOOD)
    with pytest.raises(ValidationError):
        PersonRecord(**(GOOD | change))
