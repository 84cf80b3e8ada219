"""What a network costs, by a clock that ticks once whenever somebody looks at it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from pymaf_data.errors import EvaluationError
from pymaf_data.model.benchmarks.benchmark import Setting
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.benchmarks.runtime import Runtime
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.model.networks.network import Network, make_network
from pymaf_data.model.networks.options import ModelOptions

pytestmark = pytest.mark.usefixtures("small")


def network(free_body: Any, **options: Any) -> Network:
    torch.manual_seed(0)
    return make_network(ModelOptions(view_size=64, **options), free_body, "view").eval()


def timed(model: Network, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Runtime, dict[str, dict[str, Any]]]:
    ticks = count()
    monkeypatch.setattr("pymaf_data.model.benchmarks.runtime.clock_of", lambda _: lambda: float(next(ticks)))
    given = {"batches": (1, 2), "repeats": 1, "warmup": 1} | options
    benchmark = Runtime(Setting(load_benchmark("runtime"), given, None))
    return benchmark, benchmark.run(model)


@pytest.mark.parametrize(("maps", "modules"), [("deconvolution", 3), ("lateral", 4)])
def test_parts_are_counted_for_an_iteration_and_a_sample(
    maps: str, modules: int, free_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three iterations: four meshes, three times maps of some modules, three mesh-aligned features, a tick each."""
    model = network(free_body, maps=maps)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    benchmark, found = timed(model, monkeypatch)
    seconds = {"sample": 1, "with head": 1, "mesh": 1, "feature maps": modules, "mesh-aligned": 1}
    # Looks at the clock within the loop: two for each of its parts, and the one that ends it; and those of the maps.
    seconds["iteration"] = (2 * (4 + 3) + 1 + 3 * modules) / 3
    for B in (1, 2):
        figures = found[f"batch {B}"]
        wanted = {part: 1000 * value / B for part, value in seconds.items()} | {"head in training": 0}
        assert {part: figure.value for part, figure in figures.items()} == pytest.approx(wanted)
        assert figures["sample"].persons == 1 and figures["sample"].low == figures["sample"].high == 1000 / B
    assert benchmark.lacking == {} and "1 run" in benchmark.notes[0] and set(figures) == set(benchmark.manifest.metrics)
    assert (
        not model.training and "decode" not in vars(model) and all(not part._forward_hooks for part in model.modules())
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())


def test_what_a_network_has_not_is_named(free_body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(free_body, network="hmr", auxiliary="none")
    benchmark, found = timed(model, monkeypatch, batches=(1,))
    assert set(found["batch 1"]) == {"sample", "iteration", "mesh"}
    assert set(benchmark.lacking) == {"with head", "head in training", "feature maps", "mesh-aligned"}
    assert "training=false" in timed(network(free_body), monkeypatch, training=False)[0].lacking["head in training"]


def test_fits_have_no_runtime(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="fits-eft is no network"):
        evaluate(EvaluateOptions(subject="fits:eft", benchmarks=("runtime",), out=tmp_path))
