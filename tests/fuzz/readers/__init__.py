"""Every reader of files that others made: a small sound file, and the call that reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import bodies, fits, images, raw_data, stores, videos, yaml_files
from .reader import Reader

READERS: dict[str, Reader] = {
    name: reader
    for room in (bodies, fits, raw_data, videos, yaml_files, images, stores)
    for name, reader in room.READERS.items()
}


def sound(name: str, folder: Path) -> list[tuple[Path, bytes]]:
    """Write a reader's sound files, anew; returns those to mutate with their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return [(path, path.read_bytes()) for path in list(READERS[name].write(folder))]
