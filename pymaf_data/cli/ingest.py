"""``pymaf-data ingest``: raw data set → store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, Cluster, Processes, expect_flow, take_one

if TYPE_CHECKING:
    from pymaf_data.stages.ingest import IngestReport

_NAMED = 10


def command(
    dataset: Annotated[
        str, typer.Argument(help="Data set, as `pymaf-data datasets` lists them, or the path of a manifest (*.yaml).")
    ],
    root: Annotated[
        Path | None, typer.Option(help="Folder of the raw data set.", show_default="raw/DATASET of the data root")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data set, as its manifest names it.")] = "train",
    out: Annotated[
        Path | None, typer.Option(help="The store to write.", show_default="stores/DATASET-SPLIT.zarr of the data root")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Persons to keep: a selection of the data set, such as any (at least one keypoint labelled).",
            show_default="the data set's own, SPIN's rule",
        ),
    ] = None,
    crop_size: Annotated[int, typer.Option(min=32, max=2048, help="Side of the stored crop in pixels.")] = 400,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; the result does not depend on them.", show_default="all cores")
    ] = None,
    processes: Processes = None,
    cluster: Cluster = None,
    on_error: Annotated[
        Literal["skip", "stop"], typer.Option(help="Count and name damaged persons and images, or stop at the first.")
    ] = "skip",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Build the store anew beside the old, then swap.")
    ] = False,
    break_lock: Annotated[bool, typer.Option("--break-lock", help="Take over the lock of another run.")] = False,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links",
            help="Take images that are links out of the raw data's folder (DVC, git-annex, Hugging Face).",
        ),
    ] = False,
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Cut every selected person of a raw data set into a store.

    Run again after an interruption, the same command does only what is missing.

    Example: pymaf-data ingest coco --root /data/coco
    """
    expect_flow(direct)
    from pymaf_data.stages.ingest import IngestOptions, require_raw_data

    options = IngestOptions(
        dataset=dataset,
        split=split,
        root=root,
        out=out,
        select=select,
        crop_size=crop_size,
        **({"workers": workers} if workers else {}),
        processes=processes,
        cluster=cluster,
        on_error=on_error,
        overwrite=overwrite,
        break_lock=break_lock,
        follow_links=follow_links,
    )
    require_raw_data(options)  # at once: a flow takes seconds to start
    report = take_one("ingest", f"ingest {dataset}", options, direct)
    echo_json(report) if as_json else echo("\n".join(lines(report)))
    report.require_images()


def lines(report: IngestReport) -> list[str]:
    """The report for a reader."""
    from pymaf_data.datasets.images import MISSING
    from pymaf_data.datasets.select import ADJUSTED, REASONS

    counts = report.counts
    said = [
        f"{report.dataset} {report.split}: {counts['total']:,} annotations → "
        f"{counts['kept']:,} persons kept ({report.selection}), {counts['dropped']:,} dropped"
    ]
    said += [f"  {counts[reason]:>7,} {REASONS[reason]}" for reason in REASONS if reason in counts]
    said += _named(report.damaged)
    said += [f"  {report.adjusted[reason]:>7,} {ADJUSTED[reason]}" for reason in ADJUSTED if reason in report.adjusted]
    said.append(_comparison(report))
    holes = report.holes
    if holes.counts:
        said.append(
            f"{sum(holes.counts.values()):,} of the kept persons have no image; their rows stay, marked as missing:"
        )
        said += [f"  {count:>7,} {MISSING[reason]}" for reason, count in holes.counts.items()]
        said += _named([f"{name}: {reason}" for name, reason in holes.pictures.items()])
    said += [f"licence of {part}: {licence}" for part, licence in report.licences.items()]
    kept = report.shards - report.shards_written
    done = f"{report.shards_written} of {report.shards} shards written" + f", {kept} were there already" * bool(kept)
    said.append(f"{report.store}: {done if report.shards_written else 'complete already, nothing to do'}")
    return [line for line in said if line]


def _comparison(report: IngestReport) -> str:
    """How the count compares with the manifest's, or why it cannot."""
    images, annotations = report.listed
    if report.expected is None:
        return ""
    if not report.whole:
        return (
            f"the annotation file lists {images:,} images and {annotations:,} annotations, not the whole split, "
            f"so the count is not compared with the manifest's {report.expected:,}"
        )
    kept = report.counts["kept"]
    if kept == report.expected:
        return f"as many persons as the manifest expects of the whole split: {kept:,}"
    return f"WARNING: of the whole split the manifest expects {report.expected:,} persons, and {kept:,} are kept"


def _named(names: list[str] | tuple[str, ...]) -> list[str]:
    shown = [f"          {name}" for name in names[:_NAMED]]
    more = len(names) - _NAMED
    return shown + [f"          and {more:,} more (--json names all)"] * (more > 0)
