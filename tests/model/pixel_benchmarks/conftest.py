"""The bodies that this machine has, and people evaluated as one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.errors import AssetMissing
from pymaf_data.model.benchmarks.benchmark import Benchmark
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from tests.model.pixel_benchmarks.people import People


@pytest.fixture(scope="session")
def bodies() -> dict[str, BodyModel]:
    """The free body under SMPL's names; those of the two genders differ."""
    arrays = load_free_arrays()
    made = {name: BodyModel(name, arrays) for name in ("smpl-neutral", "smpl-male", "smpl-female")}
    made["smpl-female"].v_template[:, 0] *= 0.9
    return made


@pytest.fixture
def here(bodies: dict[str, BodyModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, BodyModel]:
    """The bodies that this machine has, and an empty data root; tests take some away."""
    found = dict(bodies)

    def load(name: str, *_: Any) -> BodyModel:
        if name not in found:
            raise AssetMissing(f"no {name}")
        return found[name]

    for place in ("stages.attach_source", "model.benchmarks.truth", "model.evaluation.subjects"):
        monkeypatch.setattr(f"pymaf_data.{place}.load_body", load)
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    return found


@pytest.fixture
def measured(subjects: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Evaluate people as ``body`` on a benchmark."""

    def run(name: str, store: Path, body: BodyModel, people: People, *options: str, **more: Any) -> Any:
        def given(benchmark: Benchmark, *_: Any) -> Any:
            return subjects.GivenSubject(benchmark, body, people.rotation, people.betas, people.weak, batch=3)

        monkeypatch.setattr("pymaf_data.model.evaluation.result.FitsSubject", given)
        chosen = EvaluateOptions(
            subject="fits:given",
            benchmarks=(name,),
            stores=(store,),
            out=tmp_path / "ev",
            option=options,
            **{"overwrite": True, **more},
        )
        return evaluate(chosen)

    return run
