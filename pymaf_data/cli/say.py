"""What commands share: the stores that they take, and printing, clean of control characters, in any encoding."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pymaf_data.plain import ERRORS, clean

Stores = Annotated[
    list[Path] | None, typer.Argument(metavar="[STORE]...", help="Stores; all of the data root if none is given.")
]


def any_encoding() -> None:
    """Let standard streams write what their encoding lacks (LANG=C, PYTHONIOENCODING=ascii) in plainer characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def echo(text: str = "", *, newline: bool = True, **style: Any) -> None:
    """Print text; ``style`` as :func:`typer.style` takes it, left out where nobody sees colours."""
    shown = clean(text)
    # The stream is named: typer would replace one of ASCII by one of UTF-8.
    typer.echo(typer.style(shown, **style) if style else shown, file=sys.stdout, nl=newline)


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def echo_json(value: Any) -> None:
    """Print JSON in ASCII, which every stream takes and no terminal obeys; models by their fields."""
    import json  # a list of commands prints none

    typer.echo(json.dumps(value, indent=2, default=_plain_value), file=sys.stdout)


def _plain_value(value: Any) -> Any:
    return value.model_dump(mode="json")
