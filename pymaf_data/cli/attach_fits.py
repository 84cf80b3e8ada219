"""``pymaf-data attach-fits``: pseudo-SMPL fits into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, Cluster, Processes, expect_flow, take_one

if TYPE_CHECKING:
    from pymaf_data.stages.attach_fits import AttachReport
    from pymaf_data.stages.attach_source import Distances, SourceReport


def command(
    store: Annotated[
        list[Path] | None, typer.Argument(help="Stores.", show_default="every store below the data root")
    ] = None,
    fits: Annotated[
        list[str] | None,
        typer.Option(
            "--fits",
            help="A source, [NAME=]FORMAT[:PATH[:COMPANION]]: keypoints fits the body here; `pymaf-data fits` lists "
            "the formats of files. May be given several times. Without it, only the choice is made again.",
        ),
    ] = None,
    prefer: Annotated[
        str | None, typer.Option(help="The source that wins wherever it is valid; else the lowest reprojection.")
    ] = None,
    body: Annotated[str, typer.Option(help="The body that `keypoints` fits.")] = "free",
    allow_unproved: Annotated[
        bool, typer.Option("--allow-unproved", help="Accept fits of a body that is not on this machine (exit 0).")
    ] = False,
    processes: Processes = None,
    cluster: Cluster = None,
    break_lock: Annotated[bool, typer.Option("--break-lock", help="Take over the lock of another run.")] = False,
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Attach fits to the persons of a store, prove them, and choose one per person.

    Sources stand side by side; nothing is rewritten. Run again, the same command does only what is missing.

    Example: pymaf-data attach-fits data/stores/coco-train.zarr --fits keypoints
    """
    expect_flow(direct)
    from pymaf_data.fits.fitter import KeypointOptions
    from pymaf_data.paths import DataRoot
    from pymaf_data.stages.attach_fits import AttachOptions

    reports = []
    for path in DataRoot.default().require_stores(store or ()):
        options = AttachOptions(
            store=path,
            fits=tuple(fits or ()),
            prefer=prefer,
            keypoints=KeypointOptions(body=body),
            allow_unproved=allow_unproved,
            processes=processes,
            cluster=cluster,
            break_lock=break_lock,
        )
        reports.append(take_one("attach-fits", f"attach fits to {path.name}", options, direct))
        if not as_json:
            echo("\n".join(lines(reports[-1])))
    if as_json:
        echo_json(reports)
    if any(report.failed for report in reports):
        raise typer.Exit(1)


def lines(report: AttachReport) -> list[str]:
    """The report for a reader."""
    lines = [f"{report.store}"]
    for source in report.sources:
        lines += [f"  {line}" for line in _source_lines(source)]
    choice = report.choice
    if choice is None:
        lines.append("  no choice: no source is proved")
    else:
        chosen = ", ".join(f"{count:,} from {name}" for name, count in choice.persons.items())
        lines.append(f"  choice ({choice.rule}): {chosen}, {choice.none:,} without a fit")
    if report.failed:
        lines.append("  fits are unproved: bring their body, or accept them with --allow-unproved")
    return lines


def _source_lines(source: SourceReport) -> list[str]:
    done = f"{source.shards_written} of {source.shards} shards written"
    if not source.shards_written:
        done = "complete already, nothing to do"
    lines = [f"fits/{source.name} of the body {source.body}: {source.valid:,} of {source.persons:,} persons; {done}"]
    lines += [f"  {count:>7,} without: {why}" for why, count in source.without.items()]
    if not source.proved:
        return [*lines, "  UNPROVED: this machine does not have that body; never chosen"]
    lines += _distance_line("reprojection", source.reprojection) + _distance_line("π residual", source.weak_residual)
    if source.worst:
        lines.append(f"  worst: {'; '.join(source.worst)}")
    return lines


def _distance_line(title: str, values: Distances | None) -> list[str]:
    if values is None:
        return []
    numbers = f"median {values.median:.2f}, 90 % below {values.p90:.2f}, worst {values.maximum:.2f}"
    return [f"  {title} in px of the 224 view: {numbers}"]
