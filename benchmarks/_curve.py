"""A small line chart as SVG, so that a benchmark's curve needs no plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 640, 360, 56
COLOURS = ("#1f5fa8", "#c0392b", "#2e8b57", "#8e6bbf")
_STYLE = "font-family='sans-serif' font-size='12' fill='#333'"


def save_curves(
    path: Path,
    title: str,
    xlabel: str,
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    goals: Sequence[float],
    steps: Sequence[float] | None = None,
) -> None:
    """Draw curves over a common axis, each with its goal as a dashed line of the same colour.

    The axis is linear from the first to the last of ``steps``, its ticks; without them it is logarithmic.
    """
    positive = [value for values in (*curves.values(), goals) for value in values if value > 0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    ticks = steps or [10.0**power for power in range(low, high + 1)]

    def share(b: float) -> float:
        if steps:
            return (b - steps[0]) / (steps[-1] - steps[0])
        return (math.log10(max(b, 10.0**low)) - low) / (high - low)

    def place(a: float, b: float) -> str:
        across = MARGIN + (WIDTH - 2 * MARGIN) * a / max(x)
        return f"{across:.1f},{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share(b):.1f}"

    parts = [f"<text x='{WIDTH / 2}' y='24' text-anchor='middle' {_STYLE}>{title}</text>"]
    parts.append(f"<text x='{WIDTH / 2}' y='{HEIGHT - 16}' text-anchor='middle' {_STYLE}>{xlabel}</text>")
    for tick in ticks:
        left, y = place(0, tick).split(",")
        parts.append(f"<path d='M{left},{y} H{WIDTH - MARGIN}' stroke='#ddd'/>")
        parts.append(f"<text x='{MARGIN - 8}' y='{float(y) + 4}' text-anchor='end' {_STYLE}>{tick:g}</text>")
    for number in range(5):
        value = max(x) * number / 4
        left = place(value, ticks[0]).split(",")[0]
        parts.append(f"<text x='{left}' y='{HEIGHT - MARGIN + 18}' text-anchor='middle' {_STYLE}>{value:.0f}</text>")
    for number, ((name, values), goal) in enumerate(zip(curves.items(), goals, strict=True)):
        colour, y = COLOURS[number], 46 + 18 * number
        line = " ".join(place(a, b) for a, b in zip(x, values, strict=True))
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts.append(f"<path d='M{place(0, goal)} L{place(max(x), goal)}' stroke='{colour}' stroke-dasharray='4 4'/>")
        parts.append(f"<path d='M{WIDTH - 230},{y - 4} h24' stroke='{colour}' stroke-width='2'/>")
        parts.append(f"<text x='{WIDTH - 200}' y='{y}' {_STYLE}>{name}</text>")
    body = "\n".join(parts)
    path.write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}'>\n"
        f"<rect width='100%' height='100%' fill='white'/>\n{body}\n</svg>\n",
        encoding="utf-8",
    )
