"""Members of zip and tar archives of strangers, listed once and read each by itself, from any thread.

    zip                   stored and deflated members, zip64; each proves itself by its checksum
    tar                   its heads are walked once: a tar has no list of its members
    tar.gz, tgz           unpacked once to be walked; reading begins at states of the unpacker kept on the way

Nothing is unpacked that is not asked for, nothing beyond the size that its list declares, and nothing is written. What
cannot be read, or is no file, is listed with the reason.
"""

from __future__ import annotations

import os
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.gunzipped import Forward, Gunzipped
from pymaf_data.untrusted.kinds import kind_of_file

ZIP, TAR, GZIP = (".zip",), (".tar",), (".tar.gz", ".tgz")
#: Endings of what is read.
ENDINGS = (*ZIP, *TAR, *GZIP)
MOST_MEMBERS = 4_000_000
_MOST_READ = 1 << 27  # bytes of one list or head: 1.2 million members of a zip
_LOCAL = b"PK\x03\x04"


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        at: its first byte in a tar, that of its head in a zip.
        packed, size: bytes in the archive, and unpacked.
        method: 0 stored, 8 deflated.
        crc: of the unpacked bytes; None where the archive has none.
        refused: why it is not read; empty where it is.
        link: whether it is a link, which is never followed.
    """

    at: int
    packed: int
    size: int
    method: int = 0
    crc: int | None = None
    refused: str = ""
    link: bool = False


class Archive:
    """An archive, open: its members by name.

    Args:
        path: ends as one of :data:`ENDINGS`.

    Raises:
        RawDataCorrupt: it cannot be opened, is cut short, or is none of its kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise RawDataCorrupt(f"{path} is no file", expected="an archive of images", action="check the path.")
            self._file = path.open("rb")
        except OSError as error:
            raise RawDataCorrupt(f"cannot read {path}: {error.strerror}", action="check the path.") from None
        try:
            with _one:  # threads of a worker list it once
                self.members, self._gunzipped = _listed(path, status.st_size, status.st_mtime_ns)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Nothing is read after."""
        self._file.close()

    def read(self, member: Member) -> bytes:
        """The bytes of a member.

        Raises:
            ValueError: they are not those that were packed.
            OSError: the archive cannot be read.
        """
        if self._gunzipped is not None:
            data = self._gunzipped.read(self._file.fileno(), member.at, member.size)
        elif member.crc is None:
            data = os.pread(self._file.fileno(), member.size, member.at)
        else:
            data = self._of_zip(member)
        if len(data) != member.size or (member.crc is not None and zlib.crc32(data) != member.crc):
            raise ValueError(f"its bytes in {self.path.name} are not those that were packed")
        return data

    def _of_zip(self, member: Member) -> bytes:
        head = os.pread(self._file.fileno(), 30, member.at)
        if len(head) < 30 or not head.startswith(_LOCAL):
            raise ValueError(f"it is not where the list of {self.path.name} says")
        # The lengths of name and extra field stand here once more, and may differ from those in the list.
        first = member.at + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        data = os.pread(self._file.fileno(), member.packed, first)
        if member.method == zipfile.ZIP_STORED:
            return data
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
        except zlib.error as error:
            raise ValueError(f"its bytes in {self.path.name} do not unpack: {error}") from None


_one = threading.Lock()


@lru_cache(maxsize=8)
def _listed(path: Path, size: int, _changed: int) -> tuple[dict[str, Member], Gunzipped | None]:
    """The members by name, and how to unpack the archive as a whole; kept for as long as the file stays as it is."""
    gunzipped = None
    try:
        with path.open("rb") as file:
            start = file.read(2)
            if start == b"\x1f\x8b":
                gunzipped = Gunzipped(size)
                forward = Forward(file, gunzipped)
                members = _by_name(_tar_entries(_Sparing(forward)))
                forward.finish()
            elif start == b"PK" or path.name.lower().endswith(ZIP):
                members = _by_name(_zip_entries(_Sparing(file), size))
            else:
                file.seek(0)
                members = _by_name(_tar_entries(_Sparing(file)))
            return members, gunzipped
    except Exception as error:  # bytes that are no archive lead its readers into errors of any kind
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> RawDataCorrupt:
    kind = kind_of_file(path)
    found = f" It is {kind}." if kind and "archive" not in kind and "gzip" not in kind else ""
    return RawDataCorrupt(
        f"{path} is cut short or damaged: {str(error)[:200] or type(error).__name__}.{found}",
        expected="a whole archive, as its authors give it",
        action="fetch it again (`curl -C - -O URL` and `wget -c URL` go on where a download ended), or unpack what it "
        "holds into the folder of the images.",
    )


def _by_name(entries: Iterator[tuple[str, Member]]) -> dict[str, Member]:
    """Names as archives of Windows and of `tar .` mean them; names that lead out of a folder are nobody's."""
    found: dict[str, Member] = {}
    for number, (name, member) in enumerate(entries):
        if number >= MOST_MEMBERS:
            raise ValueError(f"more than {MOST_MEMBERS:,} members")
        if "/" not in name:
            name = name.replace("\\", "/")
        name = name.removeprefix("./")
        before = found.get(name)
        if before is not None and member.crc is not None and (before.refused or before[2:5] != member[2:5]):
            member = member._replace(refused="the archive holds two different files of this name")
        if not name.startswith("/") and ".." not in name.split("/"):
            found[name] = member  # what was added to a tar later stands for what was there before, as it unpacks
    return found


def _zip_entries(file: _Sparing, size: int) -> Iterator[tuple[str, Member]]:
    with zipfile.ZipFile(file) as archive:  # type: ignore[call-overload]
        infos = archive.infolist()
    for info in infos:
        if info.is_dir():
            continue
        link = stat.S_ISLNK(info.external_attr >> 16)
        stored = info.compress_type == zipfile.ZIP_STORED
        refused, packed, unpacked = "", info.compress_size, info.file_size
        if link:
            refused = "a link inside the archive"
        elif info.flag_bits & 1:
            refused = "it is encrypted"
        elif not stored and info.compress_type != zipfile.ZIP_DEFLATED:
            refused = f"it is packed by method {info.compress_type}; read are stored and deflated members"
        elif info.header_offset + 30 + packed > size or (
            packed != unpacked if stored else packed > 2 * unpacked + 1024
        ):
            refused = "the archive's list does not fit its bytes"
        yield info.filename, Member(info.header_offset, packed, unpacked, info.compress_type, info.CRC, refused, link)


def _tar_entries(file: _Sparing) -> Iterator[tuple[str, Member]]:
    """Hard links are the files that they link to, which stand before them."""
    files: dict[str, Member] = {}
    before = -1
    with tarfile.open(fileobj=file, mode="r:") as archive:  # type: ignore[call-overload]
        while (info := archive.next()) is not None:
            archive.members.clear()  # it would keep them all
            if archive.offset <= before:  # a size below zero leads back
                raise ValueError("its heads lead back")
            before = archive.offset
            member = Member(info.offset_data, info.size, info.size)
            if info.isdir():
                continue
            if info.islnk():
                member = files.get(info.linkname, member._replace(refused="a link to nothing before it", link=True))
            elif info.issym():
                member = member._replace(refused="a link inside the archive", link=True)
            elif not info.isreg() or info.sparse is not None:
                member = member._replace(refused="no plain file of the archive")
            files[info.name] = member
            yield info.name, member
        if file.last != bytes(tarfile.BLOCKSIZE):  # what is no head ends a tar silently
            raise ValueError("it ends before its end mark")


class _Sparing:
    """A file of which a list or a head that takes all memory cannot be asked for."""

    def __init__(self, file: BinaryIO | Forward) -> None:
        self._file, self.last = file, b""
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        """As ``zipfile`` asks."""
        return True

    def read(self, count: int = -1) -> bytes:
        """As of a file, up to a bound."""
        self.last = self._file.read(min(count, _MOST_READ + 1) if count >= 0 else _MOST_READ + 1)
        if len(self.last) > _MOST_READ:
            raise ValueError("its list, or a head, takes more bytes than any would")
        return self.last
