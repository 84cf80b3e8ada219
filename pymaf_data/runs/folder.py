"""The names of what a run's folder holds, and the two small files that tell what the run is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pymaf_data.storage.files import UNFINISHED, LocalFiles

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
HISTORY = "history.jsonl"
OPTIONS = "options.json"
PROVENANCE = "provenance.json"
SNAPSHOTS = "snapshots"
LOGS = "tensorboard"


def is_run(path: Path) -> bool:
    """Whether a folder is that of a training run."""
    return (path / OPTIONS).is_file() or (path / HISTORY).is_file()


def describe(folder: Path, options: dict[str, Any], provenance: dict[str, Any]) -> None:
    """Write what the run was told, and the data, licences, body and versions that it learns with.

    Raises:
        DiskFull, NotWritable: they cannot be written.
    """
    texts = {
        name: json.dumps(value, indent=2, sort_keys=True) + "\n"
        for name, value in ((OPTIONS, options), (PROVENANCE, provenance))
    }
    LocalFiles(folder).write({name: [text.encode()] for name, text in texts.items()}, UNFINISHED)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object beside a run; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
