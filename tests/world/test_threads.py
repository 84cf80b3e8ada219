"""Pictures are made on one thread, whatever the process may use else."""

from __future__ import annotations

import cv2
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from pymaf_data.world.produce import single_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_no_library_uses_more_threads_and_all_get_theirs_back():
    before = torch.get_num_threads(), cv2.getNumThreads()
    with threadpool_limits(2, user_api="blas"):
        two = blas_threads()
        assert 2 in two  # not all: an old OpenCV brings one that knows a single thread
        with single_thread():
            assert blas_threads() == {1}
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
        assert blas_threads() == two
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
