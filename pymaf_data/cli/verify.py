"""``pymaf-data verify``: is a store whole?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pymaf_data.storage import Finding


def command(
    stores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE]...", help="Stores; all of the data root if none is given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Compare every byte of a store with what was committed, and every file with what belongs there.

    Says for each finding what, where, and which command mends it. Exit code 1 when something is damaged, missing or
    foreign; unfinished stages are only mentioned.

    Example: pymaf-data verify data/stores/coco-train.zarr
    """
    import json

    from pymaf_data.cli.progress import progress
    from pymaf_data.paths import DataRoot
    from pymaf_data.storage import verify

    results: dict[str, list[Finding]] = {}
    for path in DataRoot.default().require_stores(stores or []):
        with progress(f"verifying {path.name}") as report:
            results[str(path)] = verify(path, report)
    if as_json:
        found = {path: [finding.model_dump() for finding in findings] for path, findings in results.items()}
        typer.echo(json.dumps(found, indent=2))
    else:
        for name, findings in results.items():
            _print(name, findings)
    if any(finding.is_damage for findings in results.values() for finding in findings):
        raise typer.Exit(1)


def _print(path: str, findings: list[Finding]) -> None:
    for finding in findings:
        colour = "red" if finding.is_damage else "yellow"
        typer.echo(f"{typer.style(finding.kind, fg=colour)}  {finding.where}: {finding.problem}")
        typer.echo(f"    What to do: {finding.action}")
    damage = sum(finding.is_damage for finding in findings)
    if damage:
        typer.secho(f"{path}: {damage} finding{'s' if damage > 1 else ''} of damage", fg="red")
    else:
        typer.secho(f"{path}: whole{', not complete' if findings else ''}", fg="green")
