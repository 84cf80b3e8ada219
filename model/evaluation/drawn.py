"""Which bodies are kept to be drawn, and from where they are had: the subject is asked once more for those few."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.geometry.cameras import Camera
from pymaf_data.runs.drawn import MOST, Drawn, SomeBodies

from ..benchmarks.benchmark import Benchmark, Values
from ..benchmarks.truth import pose_of
from .subjects import Subject

Rows = NDArray[np.int64]


def drawn_bodies(benchmark: Benchmark, subject: Subject, rows: Rows, values: Values) -> dict[str, NDArray[Any]]:
    """The worst and the best persons of K by the first metric that a person has a value of, as members of an npz."""
    place = worst_and_best(benchmark, values)
    if not len(place):
        return {}
    asked = np.sort(rows[place])
    order = np.searchsorted(asked, rows[place])
    predicted = SomeBodies.none(len(asked))
    for part, iterations in subject.bodies(asked):
        bodies = iterations[list(iterations)[-1]]
        _put(predicted, np.searchsorted(asked, part), bodies.body, bodies.rotation, bodies.betas, bodies.camera)
    true = SomeBodies.none(len(asked))
    if benchmark.truth is not None:
        for found, body, fits, camera in benchmark.truth.seen(asked):
            _put(true, found, body, pose_of(fits), torch.from_numpy(fits.betas), camera)
    return Drawn(place, _ordered(predicted, order), _ordered(true, order)).members()


def worst_and_best(benchmark: Benchmark, values: Values) -> NDArray[np.int64]:
    """Places of up to 48 persons of K, the worst first; none where no metric has values of persons."""
    for name, metric in benchmark.manifest.metrics.items():
        array = values.get(name)
        if array is None or array.ndim != 1 or not np.isfinite(array).any():
            continue
        known = np.flatnonzero(np.isfinite(array))
        sign = -1.0 if metric.better == "lower" else 1.0
        order = known[np.argsort(sign * array[known], kind="stable")]
        return order if len(order) <= MOST else np.concatenate([order[: MOST // 2], order[-(MOST // 2) :]])
    return np.empty(0, np.int64)


def _put(
    into: SomeBodies,
    place: NDArray[np.int64],
    body: BodyModel,
    rotation: torch.Tensor,
    betas: torch.Tensor,
    camera: Camera,
) -> None:
    matrix = camera.matrix.detach().cpu().double().numpy()
    known = np.isfinite(matrix).all((1, 2))
    into.body[place[known]], into.digest[place[known]] = body.name, body.digest
    into.rotation[place[known]] = rotation.detach().cpu().float().numpy()[known]
    into.betas[place[known]] = betas.detach().cpu().float().numpy()[known]
    into.camera[place[known]], into.orthographic[place[known]] = matrix[known], camera.orthographic


def _ordered(bodies: SomeBodies, order: NDArray[np.int64]) -> SomeBodies:
    return SomeBodies(**{name: array[order] for name, array in vars(bodies).items()})
