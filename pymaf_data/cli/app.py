"""The Typer application and its error boundary.

Exit codes: 0 done, 1 failed or damage found, 2 usage, 130 interrupted, 143 terminated (SIGTERM). An error that a user
can mend is printed as its message; a stack appears only for a defect of pymaf-data itself, or with
``PYMAF_DATA_DEBUG=1``.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pymaf_data import __version__
from pymaf_data.cli.say import any_encoding
from pymaf_data.cli.signals import Terminated, exit_code, terminable
from pymaf_data.errors import PymafDataError, TooManyFiles
from pymaf_data.plain import CleanFormatter, clean
from pymaf_data.progress import is_told
from pymaf_data.stages.registry import STAGES

# In the order of the pipeline, and what each does: where nothing is said here, the registry of stages says it, whose
# other commands follow. A command that is not made of a stage's entry is written in the module of its name.
_SUMMARIES = {
    "sample": "",
    "datasets": "List the raw data sets that can be ingested: licences, where to get them, expected counts, what is "
    "here.",
    "ingest": "",
    "attach-fits": "",
    "export-fits": "",
    "render-iuv": "",
    "train": "",
    "evaluate": "",
    "card": "Show what a checkpoint or an evaluation is: data, licences, recipe, frame, body, versions, figures.",
    "run": "Take the whole pipeline of a recipe: sample, ingest, fits, IUV maps, training, contact sheet, report.",
    "report": "",
    "inspect": "Show what a store holds: persons kept and dropped, missing images, stages, where it came from, "
    "licences.",
    "verify": "Compare every byte of a store with what was committed, and every file with what belongs there.",
    "gc": "Remove the generations of fits, choices and maps that a newer, complete one has replaced.",
    "migrate": "Bring stores of format 1.x to the present one, complete or half-made, in moments.",
    "recipes": "List the recipes that run and train take: what each does, and what the paper reports of it.",
    "fits": "List the formats of fits that attach-fits takes: what each needs, its licence, where it is had.",
    "benchmarks": "List the benchmarks that evaluate measures on: protocol, metrics, published figures, needs.",
    "doctor": "Say what this machine has and lacks: why it matters, where to get it, where to put it.",
}


class _Commands(TyperGroup):
    """Every command: its summary for lists, and itself only when it is called or asked for help.

    What stops one from outside has its own exit code, whatever typer makes of it.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        summaries = {name: stage.summary for name, stage in STAGES.items() if stage.command}
        for name in [*_SUMMARIES, *summaries]:
            self.commands[name] = TyperCommand(name, help=_SUMMARIES.get(name) or STAGES[name].summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and _command(name), rest

    def invoke(self, ctx: Any) -> Any:
        gc.enable()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            from pymaf_data.cli.progress import console

            console.print("terminated." if isinstance(stop, Terminated) else "interrupted.", style="yellow")
            raise typer.Exit(exit_code(stop)) from None


def _command(name: str) -> Any:
    one = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    stage = STAGES.get(name)
    if stage is not None and stage.command:
        from pymaf_data.cli.stage import stage_command

        one.command(name, help=stage.help)(stage_command(stage))
    else:
        one.command(name)(resolve_name(f"{__package__}.{name}:command"))
    return typer.main.get_command(one)


app = typer.Typer(
    name="pymaf-data",
    cls=_Commands,
    help="Raw human-pose data to trained, evaluated 3D human mesh recovery:\n\n"
    "ingest → attach-fits → render-iuv → train, over sharded Zarr stores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",  # a list needs no Markdown, which takes its time
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
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level if is_told() else logging.ERROR, handlers=[handler])


def run(arguments: list[str] | None = None) -> None:
    """Run the application and leave with its exit code; a user's error is a message, never a stack."""
    any_encoding()
    try:
        with terminable():
            app(args=arguments, prog_name="pymaf-data")
    except (PymafDataError, OSError) as error:
        said = _message(error)
        if not said or os.environ.get("PYMAF_DATA_DEBUG"):
            raise
        from rich.markup import escape

        from pymaf_data.cli.progress import console

        console.print(f"[bold red]error:[/] {escape(clean(said))}", highlight=False, soft_wrap=True)
        sys.exit(getattr(error, "exit_code", 1))


def _message(error: PymafDataError | OSError) -> str:
    """What the user is told; nothing of a defect of ours."""
    if isinstance(error, PymafDataError):
        return str(error)
    # What the system refuses about a file is the user's to mend: a folder that may not be read, a bad or full disk.
    if TooManyFiles.is_cause(error):
        return str(TooManyFiles.of(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error}\nWhat to do: free some space and run the same command again."
    if error.filename is None:
        return ""
    return f"{error.filename}: {error.strerror}\nWhat to do: check the path, who may use it, and its disk."
