"""Bodies of persons as panels: over the view that a network sees of them, and turned by 90° about the vertical."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import stored_column
from pymaf_data.geometry.affines import VIEW_SIZE, Floats, resize, view_affine
from pymaf_data.geometry.cameras import Camera
from pymaf_data.report.panels import PANEL, Image, message_panel, overlay_body, side_view
from pymaf_data.storage import Store

from ..benchmarks.benchmark import Benchmark
from ..benchmarks.truth import pose_of
from ..evaluation.subjects import Subject
from ..evaluation.views import StoredViews


class ShownBody(NamedTuple):
    """A body of one person.

    Attributes:
        vertices: (V, 3) camera-space metres without translation.
        faces: (F, 3).
        camera: one, in pixels of the panel.
    """

    vertices: Floats
    faces: np.ndarray
    camera: Camera


#: Row → iteration → body; who has none is left out.
Shown = dict[int, dict[str, ShownBody]]


def views_of(store: Store, rows: Sequence[int]) -> list[Image]:
    """(P, P, 3) what a network sees of each person, at the size of a panel."""
    views = StoredViews(store, PANEL)(np.asarray(rows, np.int64))
    return [np.ascontiguousarray(view.permute(1, 2, 0).numpy()) for view in views]


def shown_bodies(subject: Subject, rows: Sequence[int]) -> Shown:
    """Somebody's bodies of some persons."""
    found: Shown = {}
    for part, iterations in subject.bodies(np.unique(np.asarray(rows, np.int64))):
        for iteration, bodies in iterations.items():
            for k, row in enumerate(part.tolist()):
                one = _shown(bodies.body, bodies.vertices[k], bodies.view[k])
                if one is not None:
                    found.setdefault(row, {})[iteration] = one
    return found


def true_bodies(benchmark: Benchmark, rows: Sequence[int]) -> Shown:
    """The true bodies of some persons, as far as a benchmark has such."""
    found: Shown = {}
    if benchmark.truth is None:
        return found
    asked = np.unique(np.asarray(rows, np.int64))
    box = stored_column(benchmark.store, "box").rows(asked)
    for places, body, fits, camera in benchmark.truth.seen(asked):
        vertices, views = (
            body.mesh(pose_of(fits), torch.from_numpy(fits.betas)),
            camera.warped(view_affine(box[places])),
        )
        for k, place in enumerate(places.tolist()):
            one = _shown(body, vertices[k], views[k])
            if one is not None:
                found[int(asked[place])] = {"truth": one}
    return found


def over(view: Image, body: ShownBody | None) -> Image:
    """The body over the view."""
    return message_panel("no body") if body is None else overlay_body(view, *body)


def from_the_side(body: ShownBody | None) -> Image:
    """The body from the side."""
    if body is None:
        return message_panel("no body")
    return side_view(body.vertices, body.faces, body.camera.matrix[0].numpy())


def _shown(body: BodyModel, vertices: torch.Tensor, view: Camera) -> ShownBody | None:
    """None of a body that cannot be drawn."""
    camera = view.to("cpu", torch.float64).warped(resize(VIEW_SIZE, PANEL))
    points = vertices.detach().cpu().double()
    if not (bool(points.isfinite().all()) and bool(camera.matrix.isfinite().all())):
        return None
    return ShownBody(points.numpy(), body.faces.cpu().numpy(), camera)
