"""What of a data set lies on this machine, told without reading more of it than lists and ends of files.

Images are counted by listing folders and archives. A file that broke off is told by its end: an archive lacks its list
or end mark, JSON its last bracket, a page of a server or a pointer of Git stands where the file belongs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.archives import ArchivedImages, is_archive
from pymaf_data.datasets.manifest import Manifest
from pymaf_data.datasets.splits import ANNOTATIONS, IMAGES, Split, found, spelled_out
from pymaf_data.datasets.video import ENDINGS
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.archived import Archive
from pymaf_data.untrusted.kinds import kind_of_file

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_VIDEOS = tuple(f".{ending}" for ending in ENDINGS)
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp", ".incomplete")
_NOT_IT = ("empty", "a web page", "a Git LFS", "a git-annex", "nothing but zeros")
_END = 64  # bytes in which a JSON file closes


class FoundFiles(StrictModel):
    """What lies there of a role other than the images."""

    path: str = Field(description="below the data set's folder, or a pattern")
    files: int
    bytes: int
    problem: str = Field(default="", description="of the first file that is not what it should be")
    packed: str = Field(default="", description="the archive in which it still is")
    listed: int | None = Field(default=None, description="files of the whole split")


class FoundImages(StrictModel):
    """The images of a split."""

    where: tuple[str, ...] = Field(description="the folder, or the archives that stand for it; none: there are none")
    count: int
    listed: int | None = Field(description="images that a complete annotation file lists")
    videos: int = Field(default=0, description="videos there, whose frames may be images")


class FoundArchive(StrictModel):
    """An archive."""

    path: str
    bytes: int
    files: int
    problem: str
    used: bool = Field(description="images are read from it")
    instead: str = Field(default="", description="the folder whose images are read instead of those in it")


class Survey(StrictModel):
    """What lies in the folder of a data set."""

    files: dict[str, dict[str, FoundFiles]] = Field(description="split → role → what is there")
    images: dict[str, FoundImages] = Field(description="split → its images")
    archives: tuple[FoundArchive, ...]
    unfinished: tuple[str, ...] = Field(description="downloads that are not complete by their names")
    extra: tuple[str, ...] = Field(description="what nothing here reads")

    @property
    def damaged(self) -> list[str]:
        """What lies there and cannot be used, with the reason."""
        found = [(file.path, file.problem) for roles in self.files.values() for file in roles.values()]
        found += [(archive.path, archive.problem) for archive in self.archives]
        return [f"{path}: {problem}" for path, problem in dict.fromkeys(found) if problem]


def survey(manifest: Manifest, root: Path) -> Survey:
    """Look at everything that a manifest names; minutes for a large ``tar.gz``, else seconds.

    Args:
        manifest: of the data set.
        root: its folder; it need not be there.
    """
    manifest, opened = manifest.below(root), {}
    used = {path for split in manifest.splits.values() for path in split.archived(root)}
    instead = {path: split.files[IMAGES] for split in manifest.splits.values() for path in split.passed_over(root)}
    for path in sorted({*used, *_archives_below(manifest, root)}):
        opened[path] = _archive(path)
    packed = {path: names for path, (names, _) in opened.items()}
    return Survey(
        files={
            name: {role: _files(root, split, role, packed) for role in split.files if role != IMAGES}
            for name, split in manifest.splits.items()
        },
        images={name: _images(root, split, opened) for name, split in manifest.splits.items()},
        archives=tuple(
            FoundArchive(
                path=_name(root, path),
                bytes=path.stat().st_size,
                files=len(names),
                problem=problem,
                used=path in used and not problem,
                instead="" if path in used else instead.get(path, ""),
            )
            for path, (names, problem) in opened.items()
        ),
        unfinished=tuple(entry for entry in _entries(root) if entry.endswith(_UNFINISHED)),
        extra=tuple(entry for entry in _entries(root) if not _known(manifest, entry)),
    )


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _entries(folder: Path) -> list[str]:
    """Names in a folder, hidden ones left out."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".")
    except OSError:  # it is not there, or is no folder
        return []


def _archives_below(manifest: Manifest, root: Path) -> Iterable[Path]:
    """Archives in the data set's folder and in those where its downloads belong."""
    folders = {root, *(root / item.into for item in manifest.get)}
    files = (folder / name for folder in folders for name in _entries(folder) if is_archive(name))
    return (Path(os.path.normpath(path)) for path in files if path.is_file())


def _archive(path: Path) -> tuple[list[str], str]:
    """The names in an archive, and what is wrong with it."""
    try:
        archive = Archive(path)
    except RawDataCorrupt as error:
        return [], error.found.removeprefix(f"{path} is ").removeprefix(f"{path}: ").rstrip(".")
    archive.close()
    return list(archive.members), ""


def _files(root: Path, split: Split, role: str, packed: dict[Path, list[str]]) -> FoundFiles:
    pattern, listed = split.files[role], split.whole.files if split.whole and role == ANNOTATIONS else None
    paths = found(root, pattern)
    files = [file for path in paths for file in ([path] if path.is_file() else _below(path))]
    problem = next((wrong for file in paths if file.is_file() and (wrong := _problem(file))), "")
    inside = [_name(root, path) for path, names in packed.items() if not paths and _any_ends(names, pattern)]
    size = sum(file.stat().st_size for file in files)
    still = next(iter(inside), "")
    return FoundFiles(path=pattern, files=len(files), bytes=size, problem=problem, packed=still, listed=listed)


def _any_ends(names: list[str], pattern: str) -> bool:
    leaf = pattern.rpartition("/")[2]
    return any(fnmatch(name.rpartition("/")[2], leaf) for name in names)


def _problem(path: Path) -> str:
    """Why a file cannot be what its name says; "" where nothing speaks against it."""
    try:
        kind = kind_of_file(path)
        if kind.startswith(_NOT_IT):
            return f"it is {kind}"
        if path.suffix == ".json" and not _closes(path):
            return "it is cut short: JSON that does not close"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _closes(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        return file.read().rstrip()[-1:] in (b"}", b"]")


def _below(folder: Path) -> list[Path]:
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


def _images(root: Path, split: Split, opened: dict[Path, tuple[list[str], str]]) -> FoundImages:
    """Those that end as images do, in the folder or the archives that stand for it."""
    listed = split.whole.images if split.whole else None
    archives = split.archived(root)
    if archives:
        sound = [path for path in archives if not opened[path][1]]
        with ArchivedImages(sound, split.files[IMAGES]) as images:
            count = sum(name.lower().endswith(IMAGE_ENDINGS) for name in images.names())
        return FoundImages(where=tuple(_name(root, path) for path in archives), count=count, listed=listed)
    folder = root / split.files[IMAGES]
    leaves = [name.lower() for _, _, names in os.walk(folder) for name in names]
    count, videos = (sum(name.endswith(endings) for name in leaves) for endings in (IMAGE_ENDINGS, _VIDEOS))
    where = (f"{split.files[IMAGES] or '.'}/",) if folder.is_dir() else ()
    return FoundImages(where=where, count=count, listed=listed, videos=videos)


def _known(manifest: Manifest, entry: str) -> bool:
    """Whether anything in the manifest begins with this name, or it is told of as archive or unfinished."""
    if entry.endswith(_UNFINISHED) or is_archive(entry):
        return True
    named = [path for split in manifest.splits.values() for path in (*split.files.values(), *split.archives)]
    named += [item.into for item in manifest.get]
    return any(fnmatch(entry, one.split("/")[0]) for path in named for one in spelled_out(path))
