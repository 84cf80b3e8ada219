"""What a file is, by its first bytes: for messages on files that are not what their name says."""

from __future__ import annotations

HEAD = 600
"""Bytes that are enough to tell."""

# The way out of what commonly stands in a file's place.
LFS_POINTER = "a Git LFS pointer: `git lfs pull` brings the file itself"
ANNEX_POINTER = "a git-annex pointer: `git annex get` brings the file itself"
WEB_PAGE = "a web page (HTML), as servers send it instead of a file to who is not signed in"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\x93NUMPY", "NumPy array (.npy)"),
    (b"PK\x03\x04", "ZIP archive (.npz, .pt)"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"MATLAB 5.0 MAT-file", "MATLAB 5 file"),
    (b"MATLAB 7.3 MAT-file", "MATLAB 7.3 file (HDF5)"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\0", "xz archive"),
    (b"7z\xbc\xaf", "7z archive"),
    (b"Rar!", "RAR archive"),
    (b"%PDF", "PDF"),
    (b"version https://git-lfs", LFS_POINTER),
    (b"/annex/objects/", ANNEX_POINTER),
    (b"<?xml", "XML"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}
_PICKLE_STARTS = (b"(", b"]", b"}", b"c")  # protocols 0 and 1 begin with a mark, a container or a global


def kind(head: bytes) -> str:
    """A name for what begins with these bytes (:data:`HEAD` of them are enough); "" where nothing is recognised."""
    if not head:
        return "an empty file"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "MP4 or HEIF")
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower().startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return WEB_PAGE
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return "pickle"
    if not any(head[:HEAD]):
        return "a file of zeros, as broken downloads leave it"
    return "pickle" if head.startswith(_PICKLE_STARTS) and b"\n" in head and head.isascii() else ""
