"""The bodies that this machine has, and what given bodies score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.errors import AssetMissing
from pymaf_data.model.evaluation.measure import figures, measure
from tests.model.joint_benchmarks.known import Known, load_free_arrays

PATCHED = ("stages.attach_source", "model.benchmarks.truth", "model.evaluation.subjects")


@pytest.fixture(scope="session")
def arrays() -> Any:
    return load_free_arrays()


@pytest.fixture(scope="session")
def bodies(arrays: Any, worlds_of: ModuleType) -> dict[str, BodyModel]:
    """The free body in three sizes, as SMPL's."""
    sizes = worlds_of.SIZES.items()
    return {name: BodyModel(name, replace(arrays, v_template=size * arrays.v_template)) for name, size in sizes}


@pytest.fixture(scope="module", autouse=True)
def here(bodies: dict[str, BodyModel]) -> Iterator[dict[str, BodyModel]]:
    """The bodies that this machine has; tests take some away."""
    found = dict(bodies)

    def load(name: str, *_: Any) -> BodyModel:
        if name not in found:
            raise AssetMissing(f"no {name}")
        return found[name]

    with pytest.MonkeyPatch.context() as patch:
        for room in PATCHED:
            patch.setattr(f"pymaf_data.{room}.load_body", load)
        yield found


@pytest.fixture(scope="module")
def score(subjects: ModuleType, here: dict[str, BodyModel]) -> Callable[..., dict[str, float]]:
    """Figures of given bodies."""

    def scored(known: Known, rotation: Any, betas: Any, body: str = "smpl-neutral", **more: Any) -> dict[str, float]:
        subject = subjects.GivenSubject(known.benchmark, here[body], rotation, betas, **more)
        rows = known.benchmark.rows
        (values,) = measure(known.benchmark, subject, rows).values()
        found = figures(known.benchmark, rows, values)
        return {name: np.nan if one.value is None else one.value for name, one in found.items()}

    return scored
