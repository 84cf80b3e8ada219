"""Whose bodies are measured: a network's, those of a source of fits, or the mean body for everybody.

    for rows, iterations in subject.bodies(store, rows):     iterations: {"M3": Bodies}, of fits {"fit": Bodies}

Each knows from where its roots are seen. A network that learned in the frame ``view`` is turned back into the camera of
the image by the data set's K, and fits that are said so likewise; where there is no K they are known up to that turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel, load_body
from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import AssetMismatch, EvaluationError
from pymaf_data.fits.chosen import ChosenFits, ChosenReader, SourceReader
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.affines import Floats, invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.frames import box_ray, intrinsics_of, turn_of_ray
from pymaf_data.geometry.rotations import rotation_6d_to_matrix
from pymaf_data.storage import StageInfo, Store

from ..benchmarks.benchmark import Benchmark, Bodies
from ..benchmarks.truth import Source, attached, pose_of
from ..images import normalise
from ..networks.network import Network, Prediction
from .views import Views, ahead

Rows = NDArray[np.int64]
CHOSEN = "chosen"
MEAN = "mean"
_AT_ONCE = 256


class Subject(Protocol):
    """Somebody whose bodies can be measured.

    Attributes:
        body: the body model of its bodies, or of most of them.
        about: what results say of it: name, kind, file, frame, licences.
        notes: what is to be known of its figures besides; whole once :meth:`bodies` was read.
    """

    body: BodyModel
    about: dict[str, Any]
    notes: list[str]

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """Its bodies of these persons, part by part, by iteration; of whom it has none is left out."""


class Persons(Protocol):
    """Whose bodies are asked for: a benchmark's persons, or those of any store."""

    @property
    def store(self) -> Store:
        """That holds them."""

    def intrinsics(self, rows: Rows) -> NDArray[np.float64]:
        """(K, 3, 3) of the persons' images; NaN where none are known."""

    def require(self, body: BodyModel) -> None:
        """Refuse bodies of a mesh that cannot be measured, by an :class:`AssetMismatch`."""


class NetworkSubject:
    """A network, on views of persons.

    Args:
        model: in evaluation mode.
        persons: whose bodies they are.
        views: what it sees of them.
        about: what is known of it.
        iterations: all of them, M0 first, or the last alone.
        batch: persons at a time.
        workers: threads that make views.
    """

    def __init__(
        self,
        model: Network,
        persons: Persons,
        views: Views,
        about: dict[str, Any],
        iterations: bool = False,
        batch: int = 32,
        workers: int = 2,
    ) -> None:
        self.body, self.about, self._model, self._persons, self._views = model.body, about, model, persons, views
        self._every, self._batch, self._workers = iterations, batch, workers
        self.notes: list[str] = []

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """See :class:`Subject`."""
        device = next(self._model.parameters()).device
        for part, views in ahead(self._views, rows, self._batch, self._workers):
            with torch.inference_mode():
                found = self._model(normalise(views.to(device)), auxiliary=False).predictions
            turn, plane = self._turns(part), invert(self._views.plane(part))
            first = 0 if self._every else len(found) - 1
            yield part, {f"M{t}": self._of(found[t], turn, plane) for t in range(first, len(found))}

    def _turns(self, rows: Rows) -> torch.Tensor:
        if self._model.frame == "camera":
            return torch.eye(3).expand(len(rows), 3, 3)
        return turns_back(self._persons.intrinsics(rows), _boxes(self._persons.store, rows))

    def _of(self, one: Prediction, turn: torch.Tensor, plane: Floats) -> Bodies:
        view = weak_to_camera(one.parameters.camera.double().cpu())
        return Bodies(
            body=self.body,
            rotation=one.rotation,
            betas=one.parameters.betas,
            vertices=one.vertices,
            camera=view.warped(plane),
            view=view,
            turn=turn.to(one.vertices),
        )


class FitsSubject:
    """A source of fits of persons, or the chosen ones.

    Args:
        persons: whose bodies they are.
        name: of the source, of all its bodies where it has several; ``chosen``.
        assets: where licensed bodies lie; ``None``: below the data root.

    Attributes:
        notes: which of its bodies are left out, and why; once :attr:`bodies` was read, how many persons have no fit.

    Raises:
        EvaluationError: the store has no such source, or none that can be measured.
    """

    def __init__(self, persons: Persons, name: str, assets: Path | None = None) -> None:
        self._persons, store = persons, persons.store
        found, self._source = _sources(store, name)
        sources = [attached(SourceReader(store, info), len(store), assets) for info in found]
        faults = [_fault(source, info, persons) for source, info in zip(sources, found, strict=True)]
        self._readers = [SourceReader(store, info) for info in found]
        self._bodies = [None if fault else source.body for source, fault in zip(sources, faults, strict=True)]
        told = [f"{info.stage}: {fault}" for info, fault in zip(found, faults, strict=True) if fault]
        self.notes = [f"left out: {each}" for each in told]
        here = [body for body in self._bodies if body is not None]
        if not here:
            raise EvaluationError(
                f"{name} of {store.path} cannot be measured: {'; '.join(told)}",
                expected="proved fits whose body is here",
                action="bring the body and attach them again with `pymaf-data attach-fits`.",
            )
        self.body = here[0]
        told_of = [_about(info, fault) for info, fault in zip(found, faults, strict=True)]
        self.about = {"kind": "fits", "name": name, "sources": told_of}

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """See :class:`Subject`."""
        without = 0
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            left = np.ones(len(part), bool)
            for index, (reader, body) in enumerate(zip(self._readers, self._bodies, strict=True)):
                mine = np.flatnonzero(left & (self._source(part) == index) if self._source else left)
                if body is None or not len(mine):
                    continue
                fits = reader.read(part[mine])
                known = np.flatnonzero(fits.valid)
                if len(known):
                    there = part[mine[known]]
                    yield there, {"fit": self._of(reader, body, there, fits[known])}
                left[mine[known]] = False
            without += int(left.sum())
        if without:
            self.notes.append(f"{without:,} of {len(rows):,} persons have no fit of {self.about['name']}")

    def _of(self, reader: SourceReader, body: BodyModel, rows: Rows, fits: ChosenFits) -> Bodies:
        rotation, betas = pose_of(fits), torch.from_numpy(fits.betas)
        box, K = _boxes(self._persons.store, rows), self._persons.intrinsics(rows)
        if reader.camera == "perspective":
            own = intrinsics_of(fits.native)
            K = np.where(np.isfinite(own), own, K)
        turn = turns_back(K, box)
        turn[torch.from_numpy(fits.frame == CAMERA)] = torch.eye(3)
        return Bodies(
            body=body,
            rotation=rotation,
            betas=betas,
            vertices=body.mesh(rotation, betas),
            camera=fits.cameras(reader.camera, box, np.tile(np.eye(2, 3), (len(rows), 1, 1))),
            view=fits.cameras(reader.camera, box, view_affine(box)),
            turn=turn,
        )


class MeanSubject:
    """The mean body for everybody, as the iterations of a network begin with it, seen by the camera of the image.

    Args:
        benchmark: whose persons.
        assets: where licensed bodies lie; ``None``: below the data root.

    Raises:
        AssetMissing: the benchmark's body is not there.
    """

    def __init__(self, benchmark: Benchmark, assets: Path | None = None) -> None:
        self._store, self.body = benchmark.store, load_body(benchmark.mean_body, assets)
        self.about = {"kind": MEAN, "name": MEAN, "body": self.body.name, "body_digest": self.body.digest}
        self.notes: list[str] = []

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """See :class:`Subject`."""
        rotation = rotation_6d_to_matrix(self.body.mean_pose6d.view(1, 24, 6))
        betas = self.body.mean_betas.view(1, 10)
        vertices, pi = self.body.mesh(rotation, betas), self.body.mean_camera.view(1, 3).double()
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            K = len(part)
            view = weak_to_camera(pi.expand(K, 3))
            yield (
                part,
                {
                    "M0": Bodies(
                        body=self.body,
                        rotation=rotation.expand(K, -1, -1, -1),
                        betas=betas.expand(K, -1),
                        vertices=vertices.expand(K, -1, -1),
                        camera=view.warped(invert(view_affine(_boxes(self._store, part)))),
                        view=view,
                        turn=torch.eye(3).to(vertices).expand(K, 3, 3),
                    )
                },
            )


def turns_back(K: Floats, box: Floats) -> torch.Tensor:
    """(K, 3, 3) from the frame of the view of each box (K, 3) to that of the image's camera; NaN where K is."""
    known = np.asarray(np.isfinite(K).all((1, 2)))
    ray = np.full((len(box), 3), np.nan)
    ray[known] = box_ray(K[known], box[known])
    turn = np.swapaxes(turn_of_ray(ray), -1, -2)
    return torch.from_numpy(np.where(known[:, None, None], turn, np.nan)).float()


def _boxes(store: Store, rows: Rows) -> Floats:
    found: Floats = stored_column(store, "box").rows(rows)
    return found


def _sources(store: Store, name: str) -> tuple[list[StageInfo], Callable[[Rows], Rows] | None]:
    """The sources of a name, one for each body, and which of them each row is of where they were chosen from.

    Raises:
        EvaluationError: there is none.
    """
    if name == CHOSEN and store.has("choice"):
        chosen = ChosenReader(store)
        return [chosen.source(index) for index in range(len(chosen.names))], chosen.sources_of
    current = {info.stage.removeprefix("fits/"): info for info in store.stages() if info.current}
    sources = {key: info for key, info in current.items() if info.stage != key}
    mine = [info for key, info in sources.items() if key == name or key.startswith(f"{name}.")]
    if not mine:
        there = ", ".join([CHOSEN] * store.has("choice") + list(sources))
        raise EvaluationError(
            f"{store.path} has no fits {name!r:.80}, but {there or 'none at all'}",
            expected="fits:NAME of one that it has",
            action="name another, or attach it with `pymaf-data attach-fits`.",
        )
    return mine, None


def _fault(source: Source, info: StageInfo, persons: Persons) -> str:
    """Why a source cannot be measured; "" where it can."""
    if source.body is None:
        return source.fault
    if not info.attributes["proved"]:
        return "nobody knows whether they are of these persons: they were attached while their body was not here"
    try:
        persons.require(source.body)
    except AssetMismatch as error:
        return error.found
    return ""


def _about(info: StageInfo, fault: str) -> dict[str, Any]:
    return {
        "stage": info.stage,
        "generation": info.generation,
        "body": info.attributes["body"],
        "proved": info.attributes.get("proved"),
        "forced": info.attributes.get("forced", ""),
        "licences": info.attributes.get("licences", {}),
        **({"left_out": fault} if fault else {}),
    }
