"""Results as tables: for a reader, ours beside the published rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymaf_data.runs.evaluations import Evaluation, Figure


def lines_of(result: Evaluation) -> list[str]:
    """A result for a reader."""
    metrics = list(result.metrics)
    rows = [("", *(f"{name}{_unit(result.metrics[name])}" for name in metrics))]
    for iteration, found in result.iterations.items():
        rows.append(
            (f"{result.subject['name']} {iteration}", *(told(found.get(m), result.metrics[m]) for m in metrics))
        )
    for row in result.published:
        figures = [row["figures"].get(name) for name in metrics]
        rows.append(
            (row["method"], *(_number(value, result.metrics[m]) for value, m in zip(figures, metrics, strict=True)))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(metrics) + 1)]
    said = [f"{result.benchmark}: {result.title}; {result.persons:,} persons"]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        said.append("  " + "  ".join(cells).rstrip())
    said += [f"  {name} is not measured: {why}" for name, why in result.lacking.items()]
    return said + [f"  {note}" for note in result.notes]


def told(figure: Figure | None, metric: Mapping[str, Any]) -> str:
    """A figure and its interval."""
    if figure is None or figure.value is None:
        return "–"
    value = _number(figure.value, metric)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{_number(figure.low, metric)}, {_number(figure.high, metric)}]"


def _number(value: float | None, metric: Mapping[str, Any]) -> str:
    return "–" if value is None else f"{value:.{metric['digits']}f}"


def _unit(metric: Mapping[str, Any]) -> str:
    return f" ({metric['unit']})" if metric["unit"] else ""
