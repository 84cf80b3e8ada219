"""Making a store, or going on with one. A new store appears in one rename, with its plan and without rows."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from pymaf_data.errors import NotAStore, StoreError
from pymaf_data.storage import plan as plans
from pymaf_data.storage import records, swap
from pymaf_data.storage.files import LocalFiles, make_folder, sync, writing_to
from pymaf_data.storage.plan import Plan, Provenance
from pymaf_data.storage.records import Generation
from pymaf_data.storage.specs import ArraySpec
from pymaf_data.storage.store import Store, open_store, require_store
from pymaf_data.storage.writer import new_record

_ABANDONED_SECONDS = 3600.0


def create_store(
    path: str | os.PathLike[str],
    plan: Plan,
    specs: Sequence[ArraySpec],
    provenance: Provenance,
    overwrite: bool = False,
) -> Store:
    """Make a store for a plan, or open the one that was begun for it.

    With ``overwrite``, a store that is complete or was planned otherwise stays as it is until a new one, built beside
    it, is finished (``StageWriter.finish`` of ``ingest`` returns where the store then lies).

    Raises:
        NotAStore: something else is at ``path``; it is never touched.
        StoreChanged: the store there was planned from other data or options, or begun with other versions (says which).
        StoreVersionError: a store of another major version; an older one is migrated, or overwritten.
        StoreLocked: a store to be overwritten is being written.
    """
    root = Path(path)
    swap.end_interrupted(root)
    if not _occupied(root):
        return _new(root, plan, specs, provenance)
    if not overwrite:
        return _continued(root, plan, provenance)
    require_store(root)
    unfinished = _matching(root, plan, provenance)
    if unfinished is not None and not _ingested(unfinished):
        return unfinished
    swap.require_unlocked(root)
    aside = swap.next_of(root)
    begun = _matching(aside, plan, provenance) if aside.exists() else None
    if begun is not None:
        return begun
    if aside.exists():
        swap.require_unlocked(aside)
        shutil.rmtree(aside)
    return _new(aside, plan, specs, provenance)


def _occupied(root: Path) -> bool:
    """Whether something lies at ``root`` that a rename would not replace."""
    return root.exists() and not (root.is_dir() and not any(root.iterdir()))


def _continued(root: Path, plan: Plan, provenance: Provenance) -> Store:
    try:
        require_store(root)
    except NotAStore as error:
        raise NotAStore(error.found, expected="a store, or nothing", action="give another path with --out.") from None
    records.require_present(plans.read_head(LocalFiles(root)), str(root))
    plans.require_same(LocalFiles(root), plan, str(root))
    store = open_store(root)
    if not _ingested(store):
        plans.require_same_versions(plans.parse_provenance(store.head), provenance, str(root))
    return store


def _matching(root: Path, plan: Plan, provenance: Provenance) -> Store | None:
    """The store at ``root`` if this very run would go on with it."""
    try:
        return _continued(root, plan, provenance)
    except StoreError:
        return None  # planned otherwise, another version, damaged: each a reason to build anew


def _ingested(store: Store) -> bool:
    return any(info.stage == records.INGEST and info.complete and info.current for info in store.stages())


def _new(root: Path, plan: Plan, specs: Sequence[ArraySpec], provenance: Provenance) -> Store:
    """Write a store without rows beside ``root`` and rename it into place, so that it appears whole or not at all."""
    with writing_to(root.parent):
        make_folder(root.parent)
        _remove_abandoned(root)
        folder = root.parent / f"{_prefix(root)}{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            _write_skeleton(LocalFiles(folder), plan, specs, provenance)
            folder.rename(root)
            sync(root.parent)
        except OSError:
            if not _occupied(root):
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    # The plan is compared again: another process may have been faster.
    return _continued(root, plan, provenance)


def _prefix(root: Path) -> str:
    return f".{root.name}.new-"


def _remove_abandoned(root: Path) -> None:
    # Only a run killed within these few milliseconds leaves one; younger ones may belong to a living process.
    for folder in root.parent.glob(f"{_prefix(root)}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _write_skeleton(files: LocalFiles, plan: Plan, specs: Sequence[ArraySpec], provenance: Provenance) -> None:
    temporary = records.temporary(records.INGEST)
    files.write({records.ROWS: [plan.rows_text()], records.PLAN: [plan.sealed(provenance)]}, temporary)
    key = Generation(records.INGEST, plan.digest)
    record, metadata = new_record(plans.read_head(files), key, specs, {})
    files.write({name: [text] for name, text in metadata.items()}, temporary)
    files.write({key.record: [records.seal(record.model_dump(mode="json"))]}, temporary)
    files.remove(records.TEMPORARY)
