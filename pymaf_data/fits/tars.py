"""Persons in tars of samples, as WebDataset packs them: <key>.jpg beside <key>.data.pyd, a pickled list of persons."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.archived import Archive
from pymaf_data.untrusted.unpickle import loads_trusted

logger = logging.getLogger(__name__)

PERSONS = ".data.pyd"
_IMAGES = (".jpg", ".jpeg", ".png")


def tars(path: Path) -> list[Path]:
    """The tars of a folder, or of the folders in it; a file itself."""
    found = (sorted(path.glob(where)) for where in ("*.tar", "*/*.tar"))
    return [path] if path.is_file() else next((files for files in found if files), [])


def persons_of(path: Path) -> Iterator[tuple[str, Any]]:
    """Each person of a tar and the image, by its key; a member that cannot be read is a warning.

    Raises:
        RawDataCorrupt, UntrustedData: the tar cannot be read, or a pickle asks for what is on no list.
    """
    archive = Archive(path)
    try:
        for name in archive.members:
            if name.endswith(PERSONS):
                stem = name.removesuffix(PERSONS)
                image = next((stem + ending for ending in _IMAGES if stem + ending in archive.members), f"{stem}.jpg")
                yield from ((image, person) for person in _persons(archive, name))
    finally:
        archive.close()


def _persons(archive: Archive, name: str) -> list[Any]:
    """The persons of a member; none, and a warning, where it cannot be read."""
    member = archive.members[name]
    try:
        persons = None if member.refused else loads_trusted(archive.read(member), f"{archive.path}:{name}")
        if isinstance(persons, list):
            return persons
        raise ValueError(member.refused or "it is no list of persons")
    except (RawDataCorrupt, OSError, ValueError) as error:
        logger.warning("%s: no fits: %s", name, str(error).splitlines()[0])
        return []
