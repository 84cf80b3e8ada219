"""What figures that rank persons measure: errors by a benchmark, and how well a body lies on its image."""

from __future__ import annotations

import numpy as np
import torch

from pymaf_data.errors import EvaluationError, UsageError
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import seen_joints
from pymaf_data.geometry.affines import apply, view_affine
from pymaf_data.metrics import iou, keypoint_error
from pymaf_data.paths import DataRoot
from pymaf_data.storage import Store

from ..benchmarks.benchmark import Benchmark, Bodies, Rows, Setting, Values, class_of
from ..benchmarks.manifest import known_benchmarks, load_benchmark
from ..benchmarks.silhouettes import StoredMasks, faces_shown

PA = "PA-MPJPE"
#: Measure of alignment → its unit, and by what sign the smaller is the better.
ALIGNMENT = {"keypoints": ("px", 1.0), "silhouette": ("% overlap", -1.0)}


def benchmark_of(store: Store, metric: str, name: str | None, root: DataRoot) -> Benchmark:
    """The benchmark that a store's persons are measured by: that of this name, else the first of their data set.

    Raises:
        UsageError: it knows no such metric.
        EvaluationError: there is none, or it lacks what the metric needs.
    """
    whose = store.head["dataset"], store.head["split"]
    every = [load_benchmark(each) for each in ([name] if name else known_benchmarks())]
    fitting = [one for one in every if name or whose in [(data.dataset, data.split) for data in one.data]]
    if not fitting:
        raise EvaluationError(
            f"no benchmark measures {'-'.join(whose)}",
            expected="a store of held-out persons with truth",
            action="name a benchmark with --benchmark; `pymaf-data benchmarks` says what each needs.",
        )
    manifest = next((one for one in fitting if metric in one.metrics), None)
    if manifest is None:
        known = dict.fromkeys(metric for one in fitting for metric in one.metrics)
        raise UsageError(
            f"{fitting[0].name} has no {metric!r:.40}",
            expected=f"one of {', '.join(known)}",
            action="name it with --by.",
        )
    benchmark = class_of(manifest)(Setting(manifest, {}, store, root.assets))
    if metric in benchmark.lacking:
        raise EvaluationError(
            f"{metric} of {store.path.name} cannot be measured: {benchmark.lacking[metric]}",
            expected="the truth of the benchmark",
            action=f"make it with: {manifest.get}" if manifest.get else "",
        )
    return benchmark


class WithAlignment:
    """A benchmark's values, and how well bodies lie on their images, as ``alignment``.

    Args:
        benchmark: for PA-MPJPE.
        kind: of alignment, one of :data:`ALIGNMENT`.

    Raises:
        EvaluationError: the store has no masks.
    """

    def __init__(self, benchmark: Benchmark, kind: str) -> None:
        self._benchmark, self._kind = benchmark, kind
        self._arrays, self._masks = Persons.arrays(benchmark.store), StoredMasks(benchmark.store)
        if kind == "silhouette" and not self._masks.has_masks:
            raise EvaluationError(
                f"{benchmark.store.path.name} has no masks",
                expected="silhouettes of its persons",
                action="take --by keypoints.",
            )

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """(K,) each."""
        found = self._keypoints(rows, bodies) if self._kind == "keypoints" else self._overlaps(rows, bodies)
        return {**self._benchmark.measure(rows, bodies), "alignment": found}

    def _keypoints(self, rows: Rows, bodies: Bodies) -> np.ndarray:
        """Mean distance of projected joints from the keypoints that are seen, pixels of the 224 px view."""
        persons = Persons.at(self._benchmark.store, self._arrays, rows)
        seen = seen_joints(persons)
        told = apply(view_affine(persons.box), persons.keypoints[..., :2].astype(np.float64))
        target = torch.from_numpy(np.where(seen[..., None], told, 0.0))
        joints = bodies.body.keypoints(bodies.rotation, bodies.betas)[1].detach().cpu().double()
        found: np.ndarray = keypoint_error(bodies.view.project(joints), target, torch.from_numpy(seen).double()).numpy()
        return found

    def _overlaps(self, rows: Rows, bodies: Bodies) -> np.ndarray:
        """Overlap of silhouettes over their union, per cent; NaN of whom there is no mask."""
        found = np.full(len(rows), np.nan)
        for k, (mask, size) in enumerate(zip(self._masks.masks(rows), self._masks.sizes(rows), strict=True)):
            if mask is not None:
                shown = faces_shown(bodies, bodies.camera, size, k, k + 1)[0] >= 0
                found[k] = 100 * iou(mask, shown)
        return found
