"""Whose bodies are measured: a network's, those of a source of fits, or the mean body for everybody.

    for rows, iterations in subject.bodies(store, rows):     iterations: {"M3": Bodies}, of fits {"fit": Bodies}

Each knows from where its roots are seen. A network that learned in the frame ``view`` is turned back into the camera of
the image by the data set's K, and fits that are said so likewise; where there is no K they are known up to that turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel, load_body
from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import UsageError
from pymaf_data.fits.chosen import ChosenReader, SourceReader
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.affines import Floats, invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.frames import box_ray, intrinsics_of, turn_of_ray
from pymaf_data.geometry.rotations import rotation_6d_to_matrix
from pymaf_data.storage import StageInfo, Store

from ..benchmarks.benchmark import Benchmark, Bodies
from ..benchmarks.truth import pose_of
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
    """

    body: BodyModel
    about: dict[str, Any]

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """Its bodies of these persons, part by part, by iteration; of whom it has none is left out."""


class NetworkSubject:
    """A network, on views of a benchmark's persons.

    Args:
        model: in evaluation mode.
        benchmark: whose persons.
        views: what it sees of them.
        about: what is known of it.
        iterations: all of them, M0 first, or the last alone.
        batch: persons at a time.
        workers: threads that make views.
    """

    def __init__(
        self,
        model: Network,
        benchmark: Benchmark,
        views: Views,
        about: dict[str, Any],
        iterations: bool = False,
        batch: int = 32,
        workers: int = 2,
    ) -> None:
        self.body, self.about, self._model, self._benchmark, self._views = model.body, about, model, benchmark, views
        self._every, self._batch, self._workers = iterations, batch, workers

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
        return turns_back(self._benchmark.intrinsics(rows), _boxes(self._benchmark.store, rows))

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
    """A source of fits of a benchmark's persons, or the chosen ones.

    Args:
        benchmark: whose persons.
        name: of the source, of all its bodies where it has several; ``chosen``.
        assets: where licensed bodies lie; ``None``: below the data root.

    Raises:
        UsageError: the store has no such source.
        AssetMissing: a body is not there.
    """

    def __init__(self, benchmark: Benchmark, name: str, assets: Path | None = None) -> None:
        self._benchmark, store = benchmark, benchmark.store
        infos = {info.stage.removeprefix("fits/"): info for info in store.stages() if info.stage.startswith("fits/")}
        current = {key: info for key, info in infos.items() if info.current}
        mine = [key for key in current if key == name or key.startswith(f"{name}.")]
        if name == CHOSEN and store.has("choice"):
            chosen = ChosenReader(store)
            found = [chosen.source(index) for index in range(len(chosen.names))]
            self._source = chosen.sources_of
        elif mine:
            found = [current[key] for key in mine]
            self._source = None
        else:
            raise UsageError(
                f"{store.path} has no source of fits {name!r}",
                expected=f"one of {', '.join([CHOSEN, *current]) if current else 'none: nothing is attached'}",
                action="name one, as in fits:eft, or attach it with `pymaf-data attach-fits`.",
            )
        self._readers = [SourceReader(store, info) for info in found]
        self._bodies = [load_body(str(info.attributes["body"]), assets) for info in found]
        self.body = self._bodies[0]
        self.about = {"kind": "fits", "name": name, "sources": [_about(info) for info in found]}

    def bodies(self, rows: Rows) -> Iterator[tuple[Rows, dict[str, Bodies]]]:
        """See :class:`Subject`."""
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            left = np.ones(len(part), bool)
            for index, reader in enumerate(self._readers):
                mine = self._source(part) == index if self._source else left.copy()
                if not mine.any():
                    continue
                fits = reader.read(part[mine])
                known = np.flatnonzero(fits.valid)
                if len(known):
                    there = part[mine][known]
                    yield there, {"fit": self._of(index, there, fits[known])}
                left[np.flatnonzero(mine)[known]] = False

    def _of(self, index: int, rows: Rows, fits: Any) -> Bodies:
        reader, body = self._readers[index], self._bodies[index]
        rotation, betas = pose_of(fits), torch.from_numpy(fits.betas)
        box, K = _boxes(self._benchmark.store, rows), self._benchmark.intrinsics(rows)
        if reader.camera == "perspective":
            K = intrinsics_of(fits.native)
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
    known = np.isfinite(K).all((1, 2))
    ray = np.full((len(box), 3), np.nan)
    ray[known] = box_ray(K[known], box[known])
    turn = np.swapaxes(turn_of_ray(ray), -1, -2)
    return torch.from_numpy(np.where(known[:, None, None], turn, np.nan)).float()


def _boxes(store: Store, rows: Rows) -> Floats:
    found: Floats = stored_column(store, "box").rows(rows)
    return found


def _about(info: StageInfo) -> dict[str, Any]:
    return {
        "stage": info.stage,
        "generation": info.generation,
        "body": info.attributes["body"],
        "proved": info.attributes.get("proved"),
        "forced": info.attributes.get("forced", ""),
        "licences": info.attributes.get("licences", {}),
    }
