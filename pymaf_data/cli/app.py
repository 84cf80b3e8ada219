"""The Typer application and its error boundary.

Exit codes: 0 done, 1 failed or damage found, 2 usage, 130 interrupted, 143 terminated (SIGTERM). An error that a user
can mend is printed as its message; a stack appears only for a defect of pymaf-data itself, or with
``PYMAF_DATA_DEBUG=1``.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pymaf_data import __version__
from pymaf_data.cli.attach_fits import command as attach_fits
from pymaf_data.cli.datasets import command as datasets
from pymaf_data.cli.doctor import command as doctor
from pymaf_data.cli.fits import command as fits
from pymaf_data.cli.gc import command as gc
from pymaf_data.cli.ingest import command as ingest
from pymaf_data.cli.inspect import command as inspect
from pymaf_data.cli.migrate import command as migrate
from pymaf_data.cli.progress import console
from pymaf_data.cli.render_iuv import command as render_iuv
from pymaf_data.cli.report import command as report
from pymaf_data.cli.run import command as run_recipe
from pymaf_data.cli.sample import command as sample
from pymaf_data.cli.say import any_encoding
from pymaf_data.cli.signals import Terminated, exit_code, terminable
from pymaf_data.cli.train import command as train
from pymaf_data.cli.verify import command as verify
from pymaf_data.errors import PymafDataError, TooManyFiles
from pymaf_data.plain import CleanFormatter, clean


class _Commands(TyperGroup):
    """Every command; what stops one from outside has its own exit code, whatever typer makes of it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            console.print("terminated." if isinstance(stop, Terminated) else "interrupted.", style="yellow")
            raise typer.Exit(exit_code(stop)) from None


app = typer.Typer(
    name="pymaf-data",
    cls=_Commands,
    help="Raw human-pose data to trained, evaluated 3D human mesh recovery:\n\n"
    "ingest → attach-fits → render-iuv → train, over sharded Zarr stores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"pymaf-data {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what the library does.")] = False,
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


# In the order of the pipeline.
app.command("sample")(sample)
app.command("datasets")(datasets)
app.command("ingest")(ingest)
app.command("attach-fits")(attach_fits)
app.command("render-iuv")(render_iuv)
app.command("train")(train)
app.command("run")(run_recipe)
app.command("report")(report)
app.command("inspect")(inspect)
app.command("verify")(verify)
app.command("gc")(gc)
app.command("migrate")(migrate)
app.command("fits")(fits)
app.command("doctor")(doctor)


def run(arguments: list[str] | None = None) -> None:
    """Run the application and leave with its exit code; a user's error is a message, never a stack."""
    any_encoding()
    try:
        with terminable():
            app(args=arguments, prog_name="pymaf-data")
    except PymafDataError as error:
        if os.environ.get("PYMAF_DATA_DEBUG"):
            raise
        _say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        # What the system refuses about a file is the user's to mend: a folder that may not be read, a bad or full disk.
        if os.environ.get("PYMAF_DATA_DEBUG"):
            raise
        if TooManyFiles.is_cause(error):
            _say(str(TooManyFiles.of(error)))
            sys.exit(1)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error.filename is None and not full:
            raise
        if full:
            _say(f"the disk is full: {error}\nWhat to do: free some space and run the same command again.")
            sys.exit(1)
        _say(f"{error.filename}: {error.strerror}\nWhat to do: check the path, who may use it, and its disk.")
        sys.exit(1)


def _say(message: str) -> None:
    console.print(f"[bold red]error:[/] {_escape(clean(message))}", highlight=False, soft_wrap=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
