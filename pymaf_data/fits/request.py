"""What the command line asks for: ``[NAME=]FORMAT[:PATH[:COMPANION]]``."""

from __future__ import annotations

import re
from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.fits.readers import find_reader, formats, is_format
from pymaf_data.paths import DataRoot, UserPath

MADE_HERE = "keypoints"
"""The format of fits that no file holds."""

_REQUEST = re.compile(r"(?:(?P<name>[a-z0-9][a-z0-9_.-]{0,63})=)?(?P<format>[a-z0-9_-]+)(?::(?P<path>.+))?", re.DOTALL)


class FitRequest(StrictModel):
    """Fits to attach: their name in the store, format, file, and the file whose rows they follow."""

    name: str
    format: str
    path: UserPath | None = None
    companion: UserPath | None = None

    @classmethod
    def of(cls, text: str) -> FitRequest:
        """Read ``truth:PATH``, ``keypoints``, ``3dpw`` or ``mine=truth:PATH``; the name is the format's by default.

        A companion stands behind the last colon, for formats that need one.

        Raises:
            UsageError: not of that form, an unknown format, a path missing or too many.
        """
        match = _REQUEST.fullmatch(text)
        if match is None or not (match["format"] == MADE_HERE or is_format(match["format"])):
            known = (MADE_HERE, *formats())
            raise UsageError(
                f"{text!r} names no source of fits",
                expected=f"[NAME=]FORMAT[:PATH[:COMPANION]] with a FORMAT among {', '.join(known)}, NAME in lower case",
                action="give for example --fits keypoints, or --fits truth:RAW/truth/train.npz.",
            )
        form, path = _form(match["format"]), match["path"] or _raw(match["format"])
        given = [] if not path else [path] if len(form) < 3 else [part for part in path.rpartition(":")[::2] if part]
        if len(given) != len(form) - 1:
            raise UsageError(
                f"{text!r} {'lacks' if len(given) < len(form) - 1 else 'has'} a path",
                expected=":".join(form),
                action="name the file behind a colon." if form[1:] else "leave the path out: these fits are made here.",
            )
        files = dict(zip(("path", "companion"), map(Path, given), strict=False))
        return cls(name=match["name"] or match["format"], format=match["format"], **files)


def describe_formats() -> list[dict[str, str]]:
    """Every format: how it is asked for, its file and companion, the licence of published files, where they are had."""
    made = {
        "file": "",
        "companion": "",
        "licence": "as the data set's annotations",
        "get": "made from a store's keypoints",
    }
    files = {name: vars(find_reader(name)) for name in formats()}
    return [
        {"format": name, "request": ":".join(_form(name))} | {key: str(about[key]) for key in made}
        for name, about in {MADE_HERE: made, **files}.items()
    ]


def _raw(name: str) -> str:
    """Where a data set's own fits are read by default; empty for other formats."""
    dataset = "" if name == MADE_HERE else find_reader(name).raw
    return str(DataRoot.default().raw(dataset)) if dataset else ""


def _form(name: str) -> list[str]:
    """What a request of a format consists of."""
    if name == MADE_HERE:
        return [name]
    return [name, "PATH", "COMPANION"] if find_reader(name).companion else [name, "PATH"]
