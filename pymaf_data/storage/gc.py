"""Removing generations that no reader uses any more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pymaf_data.storage.lock import StageLock
from pymaf_data.storage.records import Generation
from pymaf_data.storage.store import StageInfo, open_store


def collect_garbage(path: str | os.PathLike[str], dry_run: bool = False) -> list[Generation]:
    """Remove the generations that newer ones replaced, unfinished ones included.

    Kept are current generations, every generation of a stage that has no current one, and whatever a kept one was made
    from: a choice goes on needing the very fits that it names until fits are chosen anew. A reader that already opened
    the arrays of a removed generation goes on reading them.

    Returns:
        The generations that were (with ``dry_run``: would be) removed.

    Raises:
        StoreLocked: a stage with something to remove is being written.
    """
    store = open_store(path)
    kept = _in_use(store.stages())
    superseded = [info.record.key for info in store.stages() if info.generation not in kept]
    for key in [] if dry_run else superseded:
        with StageLock(Path(path), key.stage):
            # Commits first: from then on its shards do not exist. The record last: until then a killed gc can go on.
            for prefix in (key.commits, key.group, key.record):
                store.files.remove(prefix)
    return superseded


def _in_use(infos: list[StageInfo]) -> set[str]:
    """Digests of the generations to keep."""
    settled = {info.stage for info in infos if info.current}
    by_digest = {info.generation: info for info in infos}
    kept: set[str] = set()
    waiting = [info for info in infos if info.current or info.stage not in settled]
    while waiting:
        info = waiting.pop()
        kept.add(info.generation)
        named = _texts(info.attributes) & by_digest.keys() - kept
        waiting += [by_digest[digest] for digest in named]
    return kept


def _texts(value: Any) -> set[str]:
    """Every text in a JSON value: generations name those that they were made from by digest, at any depth."""
    if isinstance(value, str):
        return {value}
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(_texts(member) for member in members))
