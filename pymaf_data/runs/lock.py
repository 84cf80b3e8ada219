"""One writer per run folder: two ``train`` commands of one name would take turns in overwriting one checkpoint."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymaf_data.errors import TrainingError
from pymaf_data.storage.files import make_folder, writing_to


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a run's folder; the kernel lets go of it when the process ends, however it ends.

    Args:
        folder: ``runs/<name>``. The lock lies beside it, so that ``--overwrite`` may remove the folder.

    Raises:
        TrainingError: another process trains this run, or what stands in the lock's place is no file.
        NotWritable, DiskFull: the lock cannot be made.
    """
    path = folder.parent / f".{folder.name}.lock"
    if path.exists() and not path.is_file():  # to open a pipe would be to wait for its other end
        raise TrainingError(
            f"{path} is no file",
            expected="a lock, which is an empty file, or nothing",
            action="remove it, or give this run another --name.",
        )
    with writing_to(path):
        make_folder(folder.parent)
        handle = path.open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"another process is training the run {folder}",
                expected="one at a time",
                action="wait for it, or give this one another --name.",
            ) from None
        yield
