"""Replacing a finished store by a newer one, so that a crash at any moment leaves one of the two whole.

    <store>            .<store>.next        .<store>.previous
    old                being built
    old                complete
                       complete             old                 renamed aside
    new                                     old                 swapped in; the old one is removed

Each of these states is ended by the next run of the same command.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from pymaf_data.errors import StoreLocked
from pymaf_data.storage import lock, records
from pymaf_data.storage.files import sync

_log = logging.getLogger(__name__)
_NEXT, _PREVIOUS = ".next", ".previous"


def next_of(root: Path) -> Path:
    """Where the store that will replace ``root`` is built."""
    return root.with_name(f".{root.name}{_NEXT}")


def previous_of(root: Path) -> Path:
    """Where ``root`` lies for the moment in which it is replaced."""
    return root.with_name(f".{root.name}{_PREVIOUS}")


def settle(root: Path, token: str) -> Path:
    """Swap in a store that was built aside, and free its ingest lock; any other store stays.

    Returns:
        Where the store now lies.

    Raises:
        StoreLocked: the store to be replaced is being written. The new one is kept for the next run.
    """
    final = root.with_name(root.name.removeprefix(".").removesuffix(_NEXT))
    if root != next_of(final):
        return root
    if final.exists():
        require_unlocked(final)
    replace(final, root)
    lock.release(final, records.INGEST, token)
    shutil.rmtree(previous_of(final), ignore_errors=True)
    return final


def replace(final: Path, newer: Path) -> None:
    """Put a whole store where another lies or none; the old one stays as :func:`previous_of` until it is removed."""
    if final.exists():
        final.rename(previous_of(final))
    newer.rename(final)
    sync(final.parent)
    _log.info("swapped the new store in at %s", final)


def end_interrupted(root: Path) -> None:
    """Complete a swap in which a run was killed.

    Raises:
        StoreLocked: the run lives and is swapping at this moment.
    """
    aside, previous = next_of(root), previous_of(root)
    if previous.exists() and not root.exists():
        if aside.exists():
            require_unlocked(aside)
        (aside if aside.exists() else previous).rename(root)
        sync(root.parent)
    shutil.rmtree(previous, ignore_errors=True)


def require_unlocked(root: Path) -> None:
    """Refuse to replace a store that somebody writes.

    Raises:
        StoreLocked: a stage is locked by a process that lives.
    """
    for stage, holder in lock.living_holders(root).items():
        raise StoreLocked(
            f"{root} cannot be replaced: its stage {stage} is being written by {holder}",
            action="wait for it to end, then run the same command again.",
        )
