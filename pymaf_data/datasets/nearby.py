"""Where a split lies that is not where it was looked for: a folder up or down, or out of order; for messages alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pymaf_data.datasets.splits import Split

_MOST = 300  # folders that are looked into


def elsewhere(root: Path, split: Split) -> str:
    """What of a split lies close to its folder, as a sentence on what to do; "" where nothing does.

    Args:
        root: the data set's folder.
        split: of which something is absent there.
    """
    if root.is_file():
        return f"{root} is a file: give the folder that it lies in with --root."
    absent = [split.files[role] for role in split.absent(root)]
    if not any(wanted and not wanted.startswith("/") for wanted in absent):
        return ""  # the root itself, or what was named by its whole path
    for folder in (Path(os.path.normpath(root.absolute())).parent, *_below(root)):
        if not split.inside(folder).absent(folder):
            return f"it lies in {folder}: give that with --root."
    strays = {wanted: _stray(root, wanted) for wanted in absent if not wanted.startswith("/")}
    said = [f"{stray} is there, and belongs at {root / wanted}" for wanted, stray in strays.items() if stray]
    return f"{'; '.join(said)}." if said else ""


def _below(root: Path) -> Iterator[Path]:
    """Folders in a folder, then those in them."""
    folders = (path for where in ("*", "*/*") for path in sorted(root.glob(where)) if path.is_dir())
    return islice(folders, _MOST)


def _stray(root: Path, pattern: str) -> Path | None:
    """The first file or folder below a root that is called as one that belongs elsewhere."""
    parts = pattern.split("/")
    name = "/".join(parts[-2:] if "*" in parts[-1] else parts[-1:])
    called = (path for where in (f"*/{pattern}", name, f"*/{name}", f"*/*/{name}") for path in root.glob(where))
    return next(islice(called, _MOST), None) if name else None
