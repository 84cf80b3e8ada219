"""What every benchmark is to whoever measures with it, and the bodies that it measures.

    benchmark = Benchmark(setting)             opens its truth; what it lacks stands in ``lacking``
    values = benchmark.measure(rows, bodies)   of each person, NaN where there is nothing to measure
    benchmark.figures(rows, values)            of all, or of some, in the units of its manifest

A benchmark never asks where bodies come from: a network's and those of a source of fits are one thing to it. Shape
letters: K persons, V vertices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.config import StrictModel
from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import ConfigError
from pymaf_data.geometry.cameras import Camera
from pymaf_data.runs.evaluations import Figure
from pymaf_data.storage import Store

from ..networks.network import Network
from .manifest import BenchmarkManifest
from .truth import NEUTRAL, TrueBodies

Rows = NDArray[np.int64]
Values = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Bodies:
    """K bodies that somebody made of K persons of a store, as they are said and as the camera of their image sees them.

    Attributes:
        body: the body model.
        rotation: (K, 24, 3, 3) joint rotations, the root as it is said.
        betas: (K, 10).
        vertices: (K, V, 3) metres without translation, as they are said. ``camera`` projects these.
        camera: of each person, metres → continuous pixels of the original image.
        view: of each person, metres → pixels of the 224 px view that the network saw, or of the plain view.
        turn: (K, 3, 3) from the frame that they are said in to that of the image's camera; NaN where it is not known.
            The identity for bodies that are said in it.
    """

    body: BodyModel
    rotation: Tensor
    betas: Tensor
    vertices: Tensor
    camera: Camera
    view: Camera
    turn: Tensor

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def posed(self) -> Tensor:
        """(K, V, 3) vertices as the camera of the image sees them, turned about the root joint; NaN: not known."""
        if torch.equal(self.turn, torch.eye(3).to(self.turn).expand_as(self.turn)):
            return self.vertices
        root = self.body.rest_joints(self.betas)[:, :1]
        return (self.vertices - root) @ self.turn.transpose(-1, -2) + root

    @cached_property
    def h36m(self) -> Tensor:
        """(K, 17, 3) Human3.6M's joints of :attr:`posed`, metres."""
        return self.h36m_as_said if self.posed is self.vertices else self.body.h36m(self.posed)

    @cached_property
    def h36m_as_said(self) -> Tensor:
        """(K, 17, 3) the same of :attr:`vertices`: for what no turn changes, and so known of everybody."""
        return self.body.h36m(self.vertices)

    @cached_property
    def root(self) -> Tensor:
        """(K, 3, 3) root rotations seen by the camera of the image."""
        return self.turn @ self.rotation[:, 0]


class NoOptions(StrictModel):
    """Of a benchmark that has none."""


@dataclass(frozen=True)
class Setting:
    """What a benchmark is opened with.

    Attributes:
        manifest: its YAML.
        given: options that were given on the command line, over the manifest's.
        store: the persons; ``None`` where the manifest names no data.
        assets: where licensed bodies lie; ``None``: below the data root.
        raw: the folder of the raw data set; ``None``: below the data root.
    """

    manifest: BenchmarkManifest
    given: Mapping[str, Any]
    store: Store | None
    assets: Path | None = None
    raw: Path | None = None


class Benchmark:
    """A benchmark on the persons of a store. Most need only :meth:`measure`.

    Attributes:
        options: its options, typed.
        rows: the rows that it measures, ascending.
        lacking: metric → why it cannot be measured here; the others are.
        notes: what else is to be known of its figures here, such as persons that are left out.
        truth: the true bodies, where it has such.

    Raises:
        StoreIncomplete: the store lacks shards.
        ConfigError: an option that it has not.
    """

    options_model: ClassVar[type[StrictModel]] = NoOptions
    resampled: ClassVar[bool] = True
    """Whether :meth:`figures` may be asked of persons drawn with repetition."""

    of_networks: ClassVar[bool] = False
    """Whether it measures a network itself, by :meth:`run`, and no persons; its manifest then names no data."""

    def __init__(self, setting: Setting) -> None:
        self.manifest, self.setting = setting.manifest, setting
        self.options: Any = self.options_of(setting.manifest, setting.given)
        self.lacking: dict[str, str] = {}
        self.notes: list[str] = []
        self.truth: TrueBodies | None = None
        self.rows: Rows = np.empty(0, np.int64)
        if setting.store is not None:
            self.rows = np.flatnonzero(stored_column(self.store, "present").rows(np.arange(len(self.store))))

    @classmethod
    def options_of(cls, manifest: BenchmarkManifest, given: Mapping[str, Any]) -> StrictModel:
        """Its options: the manifest's, those that were given over them.

        Raises:
            ConfigError: it has no such option, or a value does not fit.
        """
        every, known = {**manifest.options, **given}, list(cls.options_model.model_fields)
        unknown = sorted(every.keys() - set(known))
        if unknown:
            raise ConfigError(
                f"benchmark {manifest.name} has no option {', '.join(map(repr, unknown))[:200]}",
                expected=f"one of {', '.join(known)}" if known else "none: it has no options",
                action="mend its name; --option BENCHMARK.KEY=VALUE gives one to that benchmark alone.",
            )
        return cls.options_model.parse(every, f"options of benchmark {manifest.name}")

    @property
    def store(self) -> Store:
        """The persons."""
        assert self.setting.store is not None
        return self.setting.store

    def _measured_on(self, truth: TrueBodies) -> None:
        """Measure those who have a true body, and nothing else."""
        self.truth = truth
        if not truth:
            self.lacking = dict.fromkeys(self.manifest.metrics, truth.lacking)
        self.notes += truth.left_out(self.rows)
        self.rows = self.rows[truth.known(self.rows)]

    def _keep(self, known: NDArray[np.bool_], why: str) -> None:
        """Measure those of :attr:`rows` alone who are known, and say why the others are left out."""
        if not known.all():
            self.notes.append(f"{int((~known).sum()):,} of {len(known):,} persons are left out: {why}")
        self.rows = self.rows[known]

    def intrinsics(self, rows: Rows) -> NDArray[np.float64]:
        """(K, 3, 3) of the persons' images, by which bodies of the frame ``view`` are turned back: the data set's, else
        those of the truth; NaN where neither says any."""
        found = stored_intrinsics(self.store, rows)
        return found if self.truth is None else np.where(np.isfinite(found), found, self.truth.intrinsics(rows))

    @property
    def mean_body(self) -> str:
        """Whose mean is measured on it: the free body's where its truth is of that, else the neutral SMPL's."""
        return "free" if self.truth is not None and "free" in self.truth.names else NEUTRAL

    def require(self, body: BodyModel) -> None:
        """Refuse bodies that it cannot measure.

        Raises:
            AssetMismatch: of a body that its truth is not of.
        """
        if self.truth is not None:
            self.truth.require(body)

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """Values of K persons, names → (K, …), those of metrics in their units; NaN where there is nothing to measure.

        Args:
            rows: (K,) among :attr:`rows`.
            bodies: of these persons.
        """
        raise NotImplementedError

    def run(self, model: Network) -> dict[str, dict[str, Figure]]:
        """Where it measures networks: row of the table → metric → figure. The network is left as it was."""
        raise NotImplementedError

    def figures(self, rows: Rows, values: Values) -> dict[str, float]:
        """The metrics of some persons together: by default the mean over those that have a value, NaN of none."""
        return {name: mean(values[name]) for name in self.manifest.metrics if name in values}

    def groups(self, rows: Rows) -> dict[str, NDArray[np.bool_]]:
        """Persons that are told apart besides, such as those of an action: name → (K,) which."""
        return {}


def class_of(manifest: BenchmarkManifest) -> type[Benchmark]:
    """The class that a manifest names.

    Raises:
        ConfigError: there is none, or it is no benchmark.
    """
    try:
        found = resolve_name(manifest.benchmark)
    except (ImportError, AttributeError, ValueError) as error:
        found = str(error)
    measures = isinstance(found, type) and issubclass(found, Benchmark)
    if not measures or (found.measure is Benchmark.measure and found.run is Benchmark.run):
        raise ConfigError(
            f"benchmark {manifest.name}: {manifest.benchmark} cannot be used: {found!s:.200}",
            expected="MODULE:CLASS, a class of Benchmark that can be imported and measures",
            action="mend `benchmark` in its YAML, or install the package that holds it.",
        )
    return found


def stored_intrinsics(store: Store, rows: Rows) -> NDArray[np.float64]:
    """(K, 3, 3) of the persons' images as the data set says them; NaN where it does not."""
    found = stored_column(store, "intrinsics").rows(rows)
    known = stored_column(store, "has_intrinsics").rows(rows).astype(bool)[:, None, None]
    return np.where(known, found, np.nan)


def mean(values: NDArray[Any]) -> float:
    """Of those that are finite; NaN of none."""
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else float("nan")


def millimetres(metres: Tensor) -> NDArray[np.float64]:
    """A tensor of metres as NumPy millimetres."""
    return 1000.0 * metres.detach().cpu().to(torch.float64).numpy()
