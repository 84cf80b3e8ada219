"""What the YAML of a benchmark says: protocol, metrics and their units, data, published figures. No torch in here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from pymaf_data.config import StrictModel, load_yaml, read_yaml
from pymaf_data.errors import ConfigError
from pymaf_data.paths import as_meant
from pymaf_data.runs.evaluations import Metric, Published

_PACKAGE = "pymaf_data.manifests.benchmarks"


class Data(StrictModel):
    """A store that holds the benchmark's persons."""

    dataset: str
    split: str


class BenchmarkManifest(StrictModel):
    """One benchmark."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    benchmark: str = Field(pattern=r"^[\w.]+:\w+$", description="its class, module:Class")
    protocol: tuple[str, ...]
    """What is compared with what, a sentence each."""
    citation: str = ""
    data: tuple[Data, ...] = ()
    """Stores to look for below the data root; none: it needs no store."""
    truth: tuple[str, ...] = ()
    """Formats of fits that hold its true bodies, the best first."""
    get: str = ""
    """The commands that make such a store."""
    metrics: dict[str, Metric] = Field(min_length=1)
    """In the order of tables."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Of its class, where they differ from the class's own."""
    published: tuple[Published, ...] = ()

    @model_validator(mode="after")
    def _published_are_measured(self) -> Self:
        unknown = sorted({name for row in self.published for name in row.figures} - self.metrics.keys())
        if unknown:
            raise ValueError(f"published figures of {', '.join(unknown)}, which are no metrics of {self.name}")
        return self


def known_benchmarks() -> tuple[str, ...]:
    """Names of the benchmarks that come with the package."""
    names = (Path(entry.name) for entry in files(_PACKAGE).iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".yaml"))


def load_benchmark(name_or_path: str) -> BenchmarkManifest:
    """The manifest of a known benchmark, or a YAML file of your own.

    Raises:
        ConfigError: no such benchmark, or a manifest that does not validate.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return BenchmarkManifest.parse(load_yaml(as_meant(Path(name_or_path))), name_or_path)
    known = known_benchmarks()
    if name_or_path not in known:
        raise ConfigError(
            f"no benchmark is called {name_or_path!r:.80}",
            expected=f"one of {', '.join(known)}",
            action="`pymaf-data benchmarks` says what each measures; a *.yaml of your own is taken by its path.",
        )
    return _shipped(name_or_path)


@cache
def _shipped(name: str) -> BenchmarkManifest:
    text = (files(_PACKAGE) / f"{name}.yaml").read_text("utf-8")
    return BenchmarkManifest.parse(read_yaml(text, f"benchmark {name}"), name)
