"""``pymaf-data benchmarks``: what can be measured."""

from __future__ import annotations

from typing import Annotated

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.paths import DataRoot


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the benchmarks as JSON.")] = False) -> None:
    """List the benchmarks that `evaluate` measures on: protocol, metrics, published figures, needs.

    Example: pymaf-data benchmarks
    """
    from pymaf_data.model.benchmarks.manifest import known_benchmarks, load_benchmark

    root = DataRoot.default()
    found = [load_benchmark(name) for name in known_benchmarks()]
    if as_json:
        echo_json([one.model_dump(mode="json") for one in found])
        return
    for one in found:
        echo(one.name, bold=True)
        echo(f"  {one.title}")
        echo(f"  metrics   {', '.join(f'{name} {metric.unit}'.strip() for name, metric in one.metrics.items())}")
        for sentence in one.protocol:
            echo(f"            {sentence}")
        here = [root.store(data.dataset, data.split) for data in one.data]
        there = next((str(path) for path in here if path.is_dir()), "")
        if one.data:
            echo(f"  store     {there or 'not here: ' + (one.get or ', '.join(map(str, here)))}")
