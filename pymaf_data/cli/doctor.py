"""``pymaf-data doctor``: what this machine has and lacks."""

from __future__ import annotations

from typing import Annotated

import typer

from pymaf_data.cli.say import echo, echo_json


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Say what this machine has and lacks: why it matters, where to get it, where to put it.

    Exit code 1 only where something is missing that every command needs.

    Example: pymaf-data doctor
    """
    from pymaf_data.doctor import diagnose
    from pymaf_data.paths import DataRoot

    checks = diagnose(DataRoot.default())
    if as_json:
        echo_json(checks)
    else:
        group = ""
        for check in checks:
            if check.group != group:
                group = check.group
                echo(group, bold=True)
            mark, colour = ("ok", "green") if check.present else ("—", "yellow")
            echo(f"  {mark:<4}", newline=False, fg=colour)
            echo(f"{check.name}: {check.detail}")
            if check.advice:
                echo(f"      {check.advice}")
    if any(check.required and not check.present for check in checks):
        raise typer.Exit(1)
