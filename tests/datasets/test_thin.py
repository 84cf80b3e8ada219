"""Thinning: every Nth frame, or those in which a joint moved far enough."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.datasets.thin import Thin
from pymaf_data.errors import UsageError


def still(frames: int) -> np.ndarray:
    return np.zeros((frames, 2, 3))


def test_every_nth_counts_frames_of_the_sequence() -> None:
    frames = np.array([0, 1, 4, 5, 7, 10])
    assert Thin.parse("every:5").keep(frames, still(6)).tolist() == [True, False, False, True, False, True]


def test_motion_counts_from_the_last_frame_kept_and_takes_the_joint_that_moved_most() -> None:
    joints = still(400)
    joints[:, 1, 2] = np.arange(400) * 0.011  # m per frame, one joint alone
    kept = Thin.parse("motion:100mm").keep(np.arange(400), joints)
    assert np.flatnonzero(kept).tolist() == list(range(0, 400, 10)), "at 110 mm, not at 99"
    back = still(3)
    back[1, 0] = 0.05
    assert Thin.parse("motion:10cm").keep(np.arange(3), back).tolist() == [True, False, False]


def test_motion_that_begins_late_is_found() -> None:
    joints = still(1000)
    joints[777:, 0, 0] = 0.1
    assert np.flatnonzero(Thin.parse("motion:0.1m").keep(np.arange(1000), joints)).tolist() == [0, 777]


def test_frames_that_cannot_be_compared_are_kept() -> None:
    joints = still(4)
    joints[1] = np.nan
    joints[2, 0] = np.nan
    assert Thin.parse("motion:1cm").keep(np.arange(4), joints).tolist() == [True, True, True, False]
    assert Thin.parse("motion:1cm").keep(np.arange(0), still(0)).tolist() == []


@pytest.mark.parametrize("text", ["", "5", "every:0", "every:-1", "motion:0mm", "motion:5", "motion:nanmm", "every:5 "])
def test_another_word_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="every:N"):
        Thin.parse(text)
