"""A subject whose bodies are given: the truth, the mean body, and whatever a test does to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import stored_column
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.model.benchmarks.benchmark import Benchmark, Bodies
from pymaf_data.model.evaluation.subjects import turns_back

UPRIGHT = (0.9, 0.0, 0.0)


class GivenSubject:
    """Bodies of every row of a benchmark's store, as a network or a source of fits would give them.

    Args:
        benchmark: whose store's N rows.
        body: the body model, of float32 or float64.
        rotation: (N, 24, 3, 3), the root as seen in ``frame``.
        betas: (N, 10).
        weak: (N, 3) π of the plain view; by default that of :data:`UPRIGHT`.
        frame: "camera" or "view".
        iterations: names under which the same bodies are given.
        vertices: (N, V, 3) instead of those of rotation and betas: bodies that no parameters make.
        absent: rows of whom there is no body.
        batch: rows at a time.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        body: BodyModel,
        rotation: Any,
        betas: Any,
        weak: Any = None,
        frame: str = "camera",
        iterations: Sequence[str] = ("M0",),
        vertices: Any = None,
        absent: Sequence[int] = (),
        batch: int = 5,
    ) -> None:
        self.body, self.about, self._benchmark = body, {"kind": "given", "name": "given"}, benchmark
        self.notes: list[str] = []
        dtype = body.v_template.dtype
        self._rotation, self._betas = torch.as_tensor(rotation).to(dtype), torch.as_tensor(betas).to(dtype)
        self._weak = torch.tensor(UPRIGHT).expand(len(self._betas), 3) if weak is None else torch.as_tensor(weak)
        self._vertices = vertices if vertices is None else torch.as_tensor(vertices).to(dtype)
        self._frame, self._iterations, self._absent, self._batch = frame, iterations, absent, batch

    def bodies(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, dict[str, Bodies]]]:
        """As :class:`~pymaf_data.model.evaluation.subjects.Subject` says."""
        there = rows[~np.isin(rows, self._absent)]
        for first in range(0, len(there), self._batch):
            part = there[first : first + self._batch]
            yield part, dict.fromkeys(self._iterations, self.of(part))

    def of(self, rows: np.ndarray) -> Bodies:
        """The bodies of some rows."""
        rotation, betas = self._rotation[rows], self._betas[rows]
        box = stored_column(self._benchmark.store, "box").rows(rows)
        turn = torch.eye(3).expand(len(rows), 3, 3)
        if self._frame == "view":
            turn = turns_back(self._benchmark.intrinsics(rows), box)
        view = weak_to_camera(self._weak[rows].double())
        return Bodies(
            body=self.body,
            rotation=rotation,
            betas=betas,
            vertices=self.body.mesh(rotation, betas) if self._vertices is None else self._vertices[rows],
            camera=view.warped(invert(view_affine(box))),
            view=view,
            turn=turn.to(rotation),
        )
