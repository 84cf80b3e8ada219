"""What a file is by its first bytes, whatever its name says: a renamed file is refused by its own name."""

from __future__ import annotations

from pathlib import Path

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x93NUMPY", "a NumPy array (.npy)"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (512, b"\x89HDF\r\n\x1a\n", "a Matlab v7.3 file (HDF5 inside)"),
    (0, b"MATLAB 5.0 MAT-file", "a Matlab v5 file (.mat)"),
    (0, b"\x1f\x8b", "gzip-compressed (.gz): unpack it first"),
    (0, b"BZh", "bzip2-compressed (.bz2): unpack it first"),
    (0, b"\xfd7zXZ\x00", "xz-compressed (.xz): unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed (.zst): unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (0, b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\xff\xd8", "a JPEG image"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"RIFF", "a RIFF file (AVI or WAV)"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (4, b"ftypavi", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftyp", "an MP4 video"),
    (0, b"\xcd\xf3\x00\x00\x26\x1e\x00\x00", "a CDF file"),
    (0, b"\xcd\xf3\x00\x01", "a CDF file"),
    (0, b"\x80", "a pickle"),
)
_WEB_PAGE = "a web page (HTML): the download led to a page instead of the file"
_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: `git lfs pull` brings the file itself"),
    (b"/annex/objects/", "a git-annex pointer: `git annex get` brings the file itself"),
    (b"<!doctype html", _WEB_PAGE),
    (b"<html", _WEB_PAGE),
    (b"<head", _WEB_PAGE),
    (b"<?xml", "XML"),
    (b"{", "JSON or other text"),
    (b"[", "JSON or other text"),
)


def kind_of(data: bytes | bytearray) -> str:
    """What the bytes are, with its article; empty where they are nothing that is known.

    Args:
        data: the file, or its first 4 KiB and, of a zip archive, its last.
    """
    if not data:
        return "empty (0 bytes)"
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _archive(data)
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    start = data[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, name in _TEXT:
        if start.startswith(magic):
            return name
    if not any(data[:4096]):
        return "nothing but zeros, as broken downloads leave them"
    # Protocols 0 and 1 have no magic: they begin with a mark, a container or a global, and are lines of ASCII.
    old = data[:1] in (b"(", b"]", b"}", b"c") and b"\n" in data[:4096] and bytes(data[:4096]).isascii()
    return "a pickle" if old else ""


def _archive(data: bytes | bytearray) -> str:
    ends = data[:4096] + data[-65536:]
    if b"/data.pkl" in ends or b"archive/" in ends:
        return "a PyTorch checkpoint"
    if b".npy" in ends:
        return "an .npz archive of NumPy arrays"
    return "a zip archive: unpack it first"


def named(data: bytes | bytearray, but: str) -> str:
    """The sentence for a message: `` It is an .npz archive of NumPy arrays.``; nothing where it is nothing known.

    Args:
        data: the file.
        but: a word of the kind that was expected, which needs no telling.
    """
    kind = kind_of(data[:4096] + data[-65536:] if len(data) > 69632 else data)
    return f" It is {kind}." if kind and but not in kind else ""


def kind_of_file(path: Path) -> str:
    """What a file is, by its ends.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(0, 2)
        file.seek(max(file.tell() - 65536, len(head)))
        return kind_of(head + file.read())
