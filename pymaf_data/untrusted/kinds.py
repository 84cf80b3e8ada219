"""What a file is by its first bytes, whatever its name says: a renamed file is refused by its own name."""

from __future__ import annotations

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
    (0, b"%PDF-", "a PDF document"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"RIFF", "a RIFF file (WebP, AVI or WAV)"),
    (0, b"\xcd\xf3\x00\x00\x26\x1e\x00\x00", "a CDF file"),
    (0, b"\xcd\xf3\x00\x01", "a CDF file"),
    (0, b"\x80", "a pickle"),
)
_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not downloaded"),
    (b"<!doctype html", "a web page (HTML): the download led to a page instead of the file"),
    (b"<html", "a web page (HTML): the download led to a page instead of the file"),
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
    return "nothing but zeros" if not any(data[:4096]) else ""


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
