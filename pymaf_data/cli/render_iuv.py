"""``pymaf-data render-iuv``: chosen fits → dense-correspondence maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, Cluster, Processes, expect_flow, take_one

if TYPE_CHECKING:
    from pymaf_data.stages.render_iuv import RenderReport, StoreMaps


def command(
    stores: Annotated[
        list[Path] | None, typer.Argument(metavar="[STORE]...", help="Stores; by default all of the data root.")
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Shards to render: all, missing, 0-3 (both ends included), 7,9 or 0-3,7.")
    ] = "all",
    renderer: Annotated[
        str, typer.Option(help="Renderer: auto (the fastest that is there), numba, warp or pytorch3d; see doctor.")
    ] = "auto",
    size: Annotated[int, typer.Option(min=16, max=1024, help="Side of the maps in pixels, a multiple of 3.")] = 576,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; the result does not depend on them.", show_default="all cores")
    ] = None,
    processes: Processes = None,
    cluster: Cluster = None,
    assets: Annotated[
        Path | None, typer.Option(help="Folder of licensed files.", show_default="assets of the data root")
    ] = None,
    break_lock: Annotated[bool, typer.Option("--break-lock", help="Take over the lock of another run.")] = False,
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Render body part and U, V of every chosen fit, in the frame of the stored crop.

    Run again after an interruption, the same command does only what is missing. Maps whose fit, body or atlas
    changed are another generation and are rendered anew.

    Example: pymaf-data render-iuv --shard all
    """
    expect_flow(direct)
    from pymaf_data.stages.render_iuv import RenderOptions

    options = RenderOptions(
        stores=tuple(stores or ()),
        shard=shard,
        renderer=renderer,
        size=size,
        **({"workers": workers} if workers else {}),
        processes=processes,
        cluster=cluster,
        assets=assets,
        break_lock=break_lock,
    )
    report = take_one("render-iuv", "render-iuv", options, direct)
    if as_json:
        echo_json(report)
    else:
        echo("\n".join(lines(report)))


def lines(report: RenderReport) -> list[str]:
    """The report for a reader."""
    return [line for maps in report.stores for line in _store_lines(maps, report.renderer, report.size)]


def _store_lines(maps: StoreMaps, renderer: str, size: int) -> list[str]:
    """The report on one store, for a reader."""
    lines = [f"{maps.store}: {maps.rendered:,} maps of {size} px for {maps.persons:,} persons"]
    holes = maps.persons - maps.rendered
    if holes:
        lines.append(f"  {holes:>7,} without a map: no valid fit was chosen for them")
    if maps.shards_written:
        rate = maps.maps_written / max(maps.seconds, 1e-9)
        lines.append(f"  {maps.shards_written} of {maps.shards} shards written by {renderer}, {rate:,.0f} maps/s")
    else:
        lines.append("  nothing to do: the shards asked for are there already")
    if maps.shards_missing:
        lines.append(
            f"  {len(maps.shards_missing)} shards are still missing: "
            f"`pymaf-data render-iuv {maps.store} --shard missing` renders them"
        )
    return lines
