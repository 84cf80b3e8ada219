"""Why an image is not where its annotation says, told from what does lie there: for messages alone, nothing is opened.

Tools write file names in their own way: Windows separates by backslashes, Label Studio percent-encodes and writes
addresses, exports name the folder once more, converters change endings. What can be read all the same is read
(:func:`spellings`); what would be guessing is named (:func:`why`).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

_MAX_LISTED = 1_000_000


def spellings(name: str) -> Iterator[str]:
    """The name as annotated, then as Windows and percent-encoding tools mean it; ordinary names have one spelling."""
    yield name
    slashed = name.replace("\\", "/")
    if slashed != name:
        yield slashed
    if "%" in name:
        yield unquote(name)
        if slashed != name:
            yield unquote(slashed)


def is_address(name: str) -> bool:
    """Whether the annotation names a URL where a file belongs."""
    return "://" in name


class Absences:
    """Explains absent images below one root; a folder is listed once, at its first absent image.

    Args:
        root: the data set's folder.
        folder: the split's image folder below it, which image names begin with.
    """

    def __init__(self, root: Path, folder: str) -> None:
        self._root, self._folder = root, folder
        self._listed: dict[Path, dict[str, str]] = {}

    def why(self, name: str) -> str:
        """A half-sentence on what is there instead; "" where nothing helps.

        Args:
            name: the image's path below the root, as stores keep it.
        """
        if is_address(name):
            return "a URL: nothing is downloaded, file_name must name a file"
        try:
            return self._why(name)
        except OSError:  # a name that no file can have, or a folder that may not be looked into
            return ""

    def _why(self, name: str) -> str:
        plain = list(spellings(name))[-1]
        path = self._root / plain.lstrip("/")
        if path.is_symlink():
            return f"a link to {path.readlink()}, which is not there (git annex get, dvc pull or a download brings it)"
        if ".." in plain.split("/"):
            return ""
        cause = self._elsewhere(plain) or _of_windows(name) or self._similar(path)
        return f"{cause} (backslashes were taken for Windows' separators)" if "\\" in name else cause

    def _elsewhere(self, name: str) -> str:
        """Where the folder is named twice, or was left behind when the images were moved."""
        below = name.removeprefix(f"{self._folder}/").lstrip("/") if self._folder else name
        leaf = below.rpartition("/")[2]
        for other in (below, f"{self._folder}/{name}".lstrip("/"), f"{self._folder}/{leaf}".lstrip("/"), leaf):
            if other != name and (self._root / other).is_file():
                return f"{other} is there: the manifest's folder and the annotations' file_name do not fit together"
        return ""

    def _similar(self, path: Path) -> str:
        """A name of other case, ending or Unicode form in the same folder."""
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
        known = self._names(path.parent)
        other = known.get(alike(path.name)) or known.get(alike(Path(path.name).stem))
        return f"{other} is there: names must agree in case and ending" if other else ""

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            names: dict[str, str] = {}
            with os.scandir(folder) as entries:
                for entry in islice(entries, _MAX_LISTED):
                    names.setdefault(alike(Path(entry.name).stem), entry.name)
                    names[alike(entry.name)] = entry.name
            self._listed[folder] = names
        return self._listed[folder]


def _of_windows(name: str) -> str:
    if re.search(r"(^|/)[A-Za-z]:[\\/]", name):
        return "a path of a Windows machine: file_name must be a path below the images' folder"
    return ""


def alike(name: str) -> str:
    """What names of other case or Unicode form have in common."""
    return unicodedata.normalize("NFC", name).strip().casefold()
