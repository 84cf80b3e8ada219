"""Removing generations that no reader uses any more."""

from __future__ import annotations

import os
from pathlib import Path

from pymaf_data.storage import layout
from pymaf_data.storage.layout import Generation
from pymaf_data.storage.lock import StageLock
from pymaf_data.storage.store import StageInfo, open_store


def collect_garbage(path: str | os.PathLike[str], dry_run: bool = False) -> list[Generation]:
    """Remove every generation beside the current one, unfinished ones included, of each stage that has a current one.

    A reader that already opened such a generation's arrays goes on reading them.

    Returns:
        The generations that were (with ``dry_run``: would be) removed.

    Raises:
        StoreLocked: a stage with something to remove is being written.
    """
    store = open_store(path)
    superseded = [info.record.key for info in store.stages() if _superseded(info, store.stages())]
    for key in [] if dry_run else superseded:
        with StageLock(Path(path), key.stage):
            # Commits first: from then on its shards do not exist. The record last: until then a killed gc can go on.
            for prefix in (key.commits, key.group, key.record):
                store.files.remove(prefix)
    return superseded


def _superseded(info: StageInfo, others: list[StageInfo]) -> bool:
    return (
        info.stage != layout.INGEST
        and not info.current
        and any(other.stage == info.stage and other.current for other in others)
    )
