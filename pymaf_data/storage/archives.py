"""Zip archives of stored members, as ``torch.save`` and ``numpy.savez`` write them, with a digest at their end.

    archive | "pymaf-data sha256 " and 64 hexadecimal digits: SHA-256 of all bytes before

The digest is the archive's comment, which other readers skip: a sealed file stays one that ``torch.load`` and
``numpy.load`` open. Whatever bit changes is noticed before anything is read. In a file without a seal, from before
there were any or from elsewhere, the CRC-32 of each member is checked instead.

Members are views of the file's bytes: a forged size cannot make anyone allocate more than the file holds.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.storage.files import LocalFiles

_LABEL = b"pymaf-data sha256 "
_SEAL_SIZE = len(_LABEL) + 64
# The last record of an archive: its signature comes first, the comment's length last.
_END = b"PK\x05\x06"
_END_SIZE = 22
_TAIL = 1024
_LOCAL = b"PK\x03\x04"
_LOCAL_SIZE = 30


class ArchiveDamaged(ValueError):
    """Bytes that are not a whole archive of stored members; the text goes on a sentence that begins with the path."""


def seal(archive: memoryview) -> bytes:
    """The comment to be written behind an archive that has none; the archive's last record is told of it in place."""
    archive[-2:] = _SEAL_SIZE.to_bytes(2, "little")
    return _LABEL + hashlib.sha256(archive).hexdigest().encode()


def seal_holds(data: NDArray[np.uint8]) -> bool | None:
    """Whether the bytes (N,) of a file are those that were sealed; None where there is no seal."""
    body, tail = data[: max(len(data) - _SEAL_SIZE, 0)], data[-_TAIL:].tobytes()
    # Record and comment tell of each other: a seal that was hit itself, cut or moved is not taken for none.
    record = tail[max(tail.rfind(_END), 0) :][:_END_SIZE]
    announced = record.startswith(_END) and record.endswith(_SEAL_SIZE.to_bytes(2, "little"))
    if not announced and _LABEL not in tail:
        return None
    return tail[-_SEAL_SIZE:] == _LABEL + hashlib.sha256(body.data).hexdigest().encode()


class Archive:
    """The members of an archive by name; the file is mapped, and read when they are.

    Raises:
        ArchiveDamaged: it is not whole, or no archive.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._data: NDArray[np.uint8] = LocalFiles(path.parent).view(path.name)
        sealed = seal_holds(self._data)
        if sealed is False:
            raise ArchiveDamaged("is damaged: its bytes are not those that were written")
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
        except OSError:
            raise
        except Exception:  # bytes that are no archive lead its reader into errors of any kind
            whole = "is cut short or damaged" if self._data[:4].tobytes() == _LOCAL else "is no archive"
            raise ArchiveDamaged(f"{whole}: its list of members cannot be read") from None
        # torch can be told to leave the checksums out: then all of them are zero.
        self._checked = not sealed and any(info.CRC for info in self._members.values())

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The members' names, in the archive's order."""
        return list(self._members)

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        """The bytes (N,) of a member, read-only.

        Raises:
            ArchiveDamaged: there is no such member, or it is damaged or compressed.
        """
        info = self._members.get(name)
        if info is None:
            raise ArchiveDamaged(f"is damaged: it lacks its member {name[-60:]!r}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ArchiveDamaged("holds compressed members, which the programs that write such files never make")
        # The lengths of name and extra field stand here once more, and may differ from those in the list.
        head = self._data[info.header_offset :][:_LOCAL_SIZE].tobytes()
        if len(head) < _LOCAL_SIZE or not head.startswith(_LOCAL):
            raise ArchiveDamaged(f"is damaged: member {name[-60:]!r} is not where the list says")
        first = info.header_offset + _LOCAL_SIZE + sum(struct.unpack("<HH", head[26:]))
        content = self._data[first : first + info.file_size]
        if len(content) != info.file_size or (self._checked and zlib.crc32(content.data) != info.CRC):
            raise ArchiveDamaged(f"is damaged: the bytes of member {name[-60:]!r} are not those that were written")
        return content
