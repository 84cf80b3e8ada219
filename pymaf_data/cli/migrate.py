"""``pymaf-data migrate``: stores of an older format become those of the present one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pymaf_data.cli.say import echo


def command(
    stores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE]...", help="Stores; all of the data root if none is given."),
    ] = None,
) -> None:
    """Bring stores of format 1.x to the present one, complete or half-made, in moments.

    Files of images, fits and maps keep their bytes and move at most; no room is needed beside the store. Readers go on
    meanwhile, writers are refused. Killed at any moment, it leaves a whole store and the same command ends it.

    Example: pymaf-data migrate data/stores/coco-train.zarr
    """
    from pymaf_data.paths import DataRoot
    from pymaf_data.storage import migrate

    for path in DataRoot.default().require_stores(stores or []):
        echo(f"{path}: {'migrated' if migrate(path) else 'has the present format'}", bold=True)
