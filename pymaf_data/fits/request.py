"""What the command line asks for: ``[NAME=]FORMAT[:PATH]``."""

from __future__ import annotations

import re
from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.paths import UserPath

FORMATS: dict[str, bool] = {"truth": True, "keypoints": False}
"""Known formats, and whether they need a path."""

_REQUEST = re.compile(r"(?:(?P<name>[a-z0-9][a-z0-9_.-]{0,63})=)?(?P<format>[a-z0-9_-]+)(?::(?P<path>.+))?", re.DOTALL)


class FitRequest(StrictModel):
    """One source of fits: its name in the store, its format, and where it lies."""

    name: str
    format: str
    path: UserPath | None = None

    @classmethod
    def of(cls, text: str) -> FitRequest:
        """Read ``truth:PATH``, ``keypoints`` or ``mine=truth:PATH``; the name is the format's where none is given.

        Raises:
            UsageError: not of that form, an unknown format, a path missing or too many.
        """
        match = _REQUEST.fullmatch(text)
        if match is None or match["format"] not in FORMATS:
            raise UsageError(
                f"{text!r} names no source of fits",
                expected=f"[NAME=]FORMAT[:PATH] with a FORMAT among {', '.join(FORMATS)}, NAME in lower case",
                action="give for example --fits keypoints, or --fits truth:RAW/truth/train.npz.",
            )
        wants, path = FORMATS[match["format"]], match["path"]
        if wants != bool(path):
            raise UsageError(
                f"{text!r} {'lacks' if wants else 'has'} a path",
                expected=f"{match['format']}:PATH" if wants else match["format"],
                action="name the file behind a colon." if wants else "leave the path out: these fits are made here.",
            )
        return cls(name=match["name"] or match["format"], format=match["format"], path=Path(path) if path else None)
