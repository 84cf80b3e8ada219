"""The stage ``ingest`` of small stores, and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymaf_data.stages.ingest import IngestOptions, IngestReport, ingest


def run(root: Path, out: Path, **options: Any) -> IngestReport:
    defaults: dict[str, Any] = {"crop_size": 64, "shard": 4, "workers": 1}
    return ingest(IngestOptions(root=root, out=out, **(defaults | options)))


def tree(store: Path) -> dict[str, bytes]:
    """Every file that is content: all but locks and unfinished work."""
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}
