"""``pymaf-data gc``: room back from what no reader uses any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_data.cli.say import Stores, echo, echo_json

if TYPE_CHECKING:
    from pymaf_data.storage.records import Generation


def command(
    stores: Stores = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed and leave it there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was removed as JSON.")] = False,
) -> None:
    """Remove the generations of fits, choices and maps that a newer, complete one has replaced.

    What is in use stays, and so does a stage that has no complete generation yet. Nothing is asked: look with --dry-run
    first.

    Example: pymaf-data gc data/stores/coco-train.zarr --dry-run
    """
    from pymaf_data.paths import DataRoot
    from pymaf_data.storage import collect_garbage

    paths = DataRoot.default().require_stores(stores or [])
    removed = {str(path): collect_garbage(path, dry_run) for path in paths}
    if as_json:
        named = {
            path: [{"stage": key.stage, "generation": key.digest} for key in keys] for path, keys in removed.items()
        }
        echo_json(named)
        return
    for path, keys in removed.items():
        _print(path, keys, dry_run)


def _print(path: str, keys: list[Generation], dry_run: bool) -> None:
    for key in keys:
        echo(f"{'would remove' if dry_run else 'removed'}  {key.stage} {key.short}")
    echo(f"{path}: {len(keys) or 'no'} old generation{'' if len(keys) == 1 else 's'}", bold=True)
