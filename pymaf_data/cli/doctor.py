"""``pymaf-data doctor``: what this machine has and lacks."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Say what this machine has and lacks: why it matters, where to get it, where to put it.

    Exit code 1 only where something is missing that every command needs.

    Example: pymaf-data doctor
    """
    import json

    from pymaf_data.doctor import diagnose
    from pymaf_data.paths import DataRoot

    checks = diagnose(DataRoot.default())
    if as_json:
        typer.echo(json.dumps([check.model_dump() for check in checks], indent=2))
    else:
        group = ""
        for check in checks:
            if check.group != group:
                group = check.group
                typer.secho(group, bold=True)
            mark = typer.style("ok  ", fg="green") if check.present else typer.style("—   ", fg="yellow")
            typer.echo(f"  {mark}{check.name}: {check.detail}")
            if check.advice:
                typer.echo(f"      {check.advice}")
    if any(check.required and not check.present for check in checks):
        raise typer.Exit(1)
