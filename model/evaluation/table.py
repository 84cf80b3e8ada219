"""Results as tables: ours beside the published rows, for a terminal of 100 columns or as rows of a LaTeX table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pymaf_data.runs.evaluations import Evaluation, Figure, Metric

from .compare import Comparison

WIDTH = 100
_NAME, _BETWEEN, _NOTHING = 40, 2, "–"
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "–": "--"},
}


@dataclass(frozen=True)
class _Row:
    name: str
    cells: tuple[str, ...]
    """One of each metric."""


def lines_of(result: Evaluation) -> list[str]:
    """A result for a reader."""
    metrics = list(result.metrics.values())
    head = _Row("", tuple(name + _unit(metric) for name, metric in result.metrics.items()))
    parts = [[row for name, found in _measured(result) for row in _with_interval(name, found, result)]]
    parts += [[_Row(row.method, _numbers(row.figures, result)) for row in result.published]]
    parts += [[_Row(f"  {name} ({_most(found):,})", _cells(found, result)) for name, found in result.groups.items()]]
    titles = ["", "", f"{result.name} {result.last}, of these persons alone:"]
    said = [f"{result.benchmark}: {result.title}" + (f"; {_persons(result.persons)}" if result.store else "")]
    said += [f"  {line}".rstrip() for line in _grid(head, parts, titles, len(metrics))]
    said += [f"  {row.method}: {row.note}" for row in result.published if row.note]
    said += [f"  {name} is not measured: {why}" for name, why in result.lacking.items()]
    return said + [f"  {note}" for note in result.notes]


def compared_lines(found: Comparison) -> list[str]:
    """A comparison for a reader."""
    head = _Row("", tuple(name + _unit(metric) for name, metric in found.metrics.items()))
    differences = [found.differences.get(name) for name in found.metrics]
    values, intervals, better = [], [], []
    for metric, one in zip(found.metrics.values(), differences, strict=True):
        values.append(_NOTHING if one is None or one.value is None else f"{one.value:+.{metric.digits}f}")
        intervals.append(_interval(one, metric) if one is not None else "")
        better.append(_NOTHING if one is None or one.better is None else f"{100 * one.better:.0f} %")
    rows = [_Row(f"{found.subject} − {found.other}", tuple(values)), _Row("  95 %", tuple(intervals))]
    rows.append(_Row("  persons who got better", tuple(better)))
    said = [f"{found.benchmark}: {found.subject} against {found.other}; {_persons(found.persons)} that both have"]
    said += [f"  {line}".rstrip() for line in _grid(head, [rows], [""], len(head.cells))]
    return said + [f"  {name} is not compared: {why}" for name, why in found.lacking.items()]


def latex_of(result: Evaluation) -> list[str]:
    """Rows of a LaTeX table that uses booktabs: published ones, then ours."""
    count = len(result.metrics)
    arrows = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}
    head = [f"{_latex(name)} {arrows[metric.better]}" for name, metric in result.metrics.items()]
    rows = [[_latex(row.method), *_numbers(row.figures, result)] for row in result.published]
    ours = [[_latex(name), *_cells(found, result)] for name, found in _measured(result)]
    body = [_latex_row(row) for row in rows] + [r"\midrule"] * bool(rows) + [_latex_row(row) for row in ours]
    return [
        f"% {' '.join(result.title.split())}; {_persons(result.persons)}; \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{l{'r' * count}}}",
        r"\toprule",
        _latex_row(["Method", *head]),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _measured(result: Evaluation) -> Iterator[tuple[str, dict[str, Figure]]]:
    """Name and figures of each iteration."""
    for iteration, found in result.iterations.items():
        yield f"{result.name} {iteration}", found


def _most(figures: dict[str, Figure]) -> int:
    """Of how many persons a group is; of some a metric may not be measured."""
    return max((figure.persons for figure in figures.values()), default=0)


def _with_interval(name: str, found: dict[str, Figure], result: Evaluation) -> list[_Row]:
    rows = [_Row(name, _cells(found, result))]
    intervals = tuple(_interval(found.get(key), metric) for key, metric in result.metrics.items())
    return rows + [_Row("  95 %", intervals)] * any(intervals)


def _grid(head: _Row, parts: Sequence[Sequence[_Row]], titles: Sequence[str], count: int) -> list[str]:
    """Parts one below the other, a line between them; as many metrics side by side as there is room for."""
    filled = [(title, part) for title, part in zip(titles, parts, strict=True) if part]
    every = [head, *(row for _, part in filled for row in part)]
    named = min(max(len(row.name) for row in every), _NAME)
    widths = [max(len(row.cells[column]) for row in every) + _BETWEEN for column in range(count)]
    lines: list[str] = []
    for columns in _side_by_side(widths, WIDTH - 2 - named):
        said = [_line(head, columns, widths, named)]
        for title, part in filled:
            said += [title] if title else []
            said += [_line(row, columns, widths, named) for row in part]
        lines += ([""] if lines else []) + said
    return lines


def _side_by_side(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    chosen: list[int] = []
    for column, width in enumerate(widths):
        if chosen and sum(widths[one] for one in chosen) + width > room:
            yield chosen
            chosen = []
        chosen.append(column)
    yield chosen


def _line(row: _Row, columns: Sequence[int], widths: Sequence[int], named: int) -> str:
    name = row.name if len(row.name) <= named else f"{row.name[: named - 1]}…"
    return (name.ljust(named) + "".join(row.cells[column].rjust(widths[column]) for column in columns)).rstrip()


def _cells(found: dict[str, Figure], result: Evaluation) -> tuple[str, ...]:
    return _numbers({name: figure.value for name, figure in found.items()}, result)


def _numbers(figures: dict[str, float] | dict[str, float | None], result: Evaluation) -> tuple[str, ...]:
    return tuple(_number(figures.get(name), metric) for name, metric in result.metrics.items())


def _number(value: float | None, metric: Metric) -> str:
    return _NOTHING if value is None else f"{value:.{metric.digits}f}"


def _interval(figure: Figure | None, metric: Metric) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return ""
    between = " to " if figure.low < 0 else "–"
    return f"{_number(figure.low, metric)}{between}{_number(figure.high, metric)}"


def _unit(metric: Metric) -> str:
    return f" ({metric.unit})" if metric.unit else ""


def _persons(count: int) -> str:
    return f"{count:,} person{'s' * (count != 1)}"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(_LATEX.get(cell, cell) for cell in cells) + r" \\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
