"""Each image is made on one thread, whatever the process may use else; what several workers compile, they share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from pymaf_data.world import sample as stage
from pymaf_data.world.options import SampleOptions
from pymaf_data.world.produce import paint_nobody, single_thread
from pymaf_data.world.scenery import painting


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


def test_a_worker_compiles_the_scenery_while_another_poses_people(tmp_path, monkeypatch):
    """Its order comes first, and reaches the dearest kernel of those that draw an empty place."""
    orders, told = [], []

    class Recording(ThreadPoolExecutor):
        def submit(self, call, *arguments):
            orders.append(call.__name__)
            return super().submit(call, *arguments)

        def __exit__(self, *_):
            self.shutdown(cancel_futures=True)

    shade, calls = painting.shade, []
    monkeypatch.setattr(painting, "shade", lambda *arguments: calls.append(1) or shade(*arguments))
    paint_nobody()
    assert calls
    monkeypatch.setattr(stage, "ended_pool", lambda _: Recording(1))
    options = SampleOptions(out=tmp_path / "out", persons=1, size=(200, 160), workers=2)
    stage.write_sample(options, lambda *report: told.append(report))
    assert orders[:2] == ["paint_nobody", "produce"] and orders.count("paint_nobody") == 1
    assert told[0][0] == 0 and "kernels" in told[0][2]
