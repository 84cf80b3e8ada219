"""``pymaf-data verify``: is a store whole?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_data.cli.say import Stores, echo, echo_json

if TYPE_CHECKING:
    from pymaf_data.storage import Finding


def command(
    stores: Stores = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Compare every byte of a store with what was committed, and every file with what belongs there.

    Says for each finding what, where, and which command mends it. Exit code 1 when something is damaged, missing or
    foreign; unfinished stages, and maps of fits, bodies or charts that have since changed, are only mentioned.

    Example: pymaf-data verify data/stores/coco-train.zarr
    """
    from pymaf_data.cli.progress import progress
    from pymaf_data.paths import DataRoot
    from pymaf_data.storage import verify

    results: dict[str, list[Finding]] = {}
    for path in DataRoot.default().require_stores(stores or []):
        with progress(f"verifying {path.name}") as report:
            found = verify(path, report)
        # What lies in a damaged store is not asked for its meaning.
        damaged = any(finding.is_damage for finding in found)
        results[str(path)] = found if damaged else [*found, *_stale(path)]
    if as_json:
        echo_json(results)
    else:
        for name, findings in results.items():
            _print(name, findings)
    if any(finding.is_damage for findings in results.values() for finding in findings):
        raise typer.Exit(1)


def _stale(path: Path) -> list[Finding]:
    from pymaf_data.stages.iuv_plan import stale_maps  # needs bodies, which take seconds to import
    from pymaf_data.storage import open_store

    return stale_maps(open_store(path))


def _remark(findings: list[Finding]) -> str:
    kinds = {finding.kind for finding in findings}
    return "".join([", not complete" if kinds - {"stale"} else "", ", stale" if "stale" in kinds else ""])


def _print(path: str, findings: list[Finding]) -> None:
    for finding in findings:
        colour = "red" if finding.is_damage else "yellow"
        echo(finding.kind, newline=False, fg=colour)
        echo(f"  {finding.where}: {finding.problem}")
        echo(f"    What to do: {finding.action}")
    damage = sum(finding.is_damage for finding in findings)
    if damage:
        echo(f"{path}: {damage} finding{'s' if damage > 1 else ''} of damage", fg="red")
    else:
        echo(f"{path}: whole{_remark(findings)}", fg="green")
