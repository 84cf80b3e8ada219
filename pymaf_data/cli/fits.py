"""``pymaf-data fits``: which fits can be attached."""

from __future__ import annotations

from typing import Annotated

import typer

from pymaf_data.cli.say import echo, echo_json


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the formats as JSON.")] = False) -> None:
    """List the formats of fits that `attach-fits` takes: what each needs, its licence, where it is had.

    Example: pymaf-data fits
    """
    from pymaf_data.fits import describe_formats

    formats = describe_formats()
    if as_json:
        echo_json(formats)
        return
    for format_ in formats:
        echo(format_["request"], bold=True)
        for key in ("file", "companion", "licence", "get"):
            if format_[key]:
                echo(f"  {key:<10}{format_[key]}")
