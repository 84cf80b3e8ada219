"""What the command line asks for: ``[NAME=]FORMAT[:PATH[:COMPANION]]``, or ``[NAME=]PATH[:COMPANION]``."""

from __future__ import annotations

import re
from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.errors import FitError, UsageError
from pymaf_data.fits.readers import find_reader, formats, is_format
from pymaf_data.near import absent, is_it
from pymaf_data.paths import DataRoot, UserPath

MADE_HERE = "keypoints"
"""The format of fits that no file holds."""

_REQUEST = re.compile(r"(?:(?P<name>[a-z0-9][a-z0-9_.-]{0,63})=)?(?P<format>[a-z0-9_-]+)(?::(?P<path>.+))?", re.DOTALL)
_NAMED = re.compile(r"(?P<name>[a-z0-9][a-z0-9_.-]{0,63}=)(?P<rest>.+)", re.DOTALL)


class FitRequest(StrictModel):
    """Fits to attach: their name in the store, format, file, and the file whose rows they follow."""

    name: str
    format: str
    path: UserPath | None = None
    companion: UserPath | None = None

    @classmethod
    def of(cls, text: str) -> FitRequest:
        """Read ``truth:PATH``, ``keypoints``, ``3dpw`` or ``mine=truth:PATH``; the name is the format's by default.

        A companion stands behind the last colon, for formats that need one. Without a format it is told from what the
        file holds.

        Raises:
            UsageError: not of that form, an unknown format, a path missing or too many; or none named, and not one
                format alone fits.
        """
        match = _REQUEST.fullmatch(text)
        if match is None or not (match["format"] == MADE_HERE or is_format(match["format"])):
            return cls.of(_with_format(text))
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


def require_named(text: str) -> None:
    """Refuse a request of no format, or of no file that is there, by its text alone: no reader is imported.

    Raises:
        UsageError: it names no source of fits.
        FitError: its file is not there.
    """
    match = _REQUEST.fullmatch(text)
    if match is None or not (match["format"] == MADE_HERE or is_format(match["format"])):
        if not any(_path(rest) for _, rest in _readings(text)):
            raise _no_source(text)
    elif match["path"] and not _path(match["path"]):
        raise FitError(
            f"there is no {absent(Path(match['path']).expanduser())}",
            expected=f"the fits of {text.partition(':')[0]}",
            action="check the path.",
        )


def _with_format(text: str) -> str:
    """A request that names a path alone, with the format that fits the file.

    Raises:
        UsageError: it names none, or not one format alone fits.
    """
    from pymaf_data.fits.sniffing import sniff, what_it_is  # with NumPy, which explaining a command does not need

    for name, rest in _readings(text):
        path = _path(rest)
        fitting = sniff(Path(path).expanduser()) if path else []
        fitting = [one for one in fitting if path == rest or find_reader(one).companion]
        if len(fitting) == 1:
            return f"{name}{fitting[0]}:{rest}"
        if path:
            raise UsageError(
                f"{rest} may be of the formats {', '.join(fitting)}"
                if fitting
                else f"no format of fits fits {rest}{what_it_is(Path(path).expanduser())}",
                expected="what one format alone holds" if fitting else f"one of {', '.join(formats())}",
                action=f"name the format: --fits {name}{fitting[0] if fitting else 'FORMAT'}:{rest}",
            )
    raise _no_source(text)


def _readings(text: str) -> list[tuple[str, str]]:
    """What may be the name, with its sign, and the rest."""
    named = _NAMED.fullmatch(text)
    return [("", text), *([(named["name"], named["rest"])] if named else [])]


def _path(rest: str) -> str:
    """The path that is there, a companion left out; "" where none is."""
    return next((part for part in (rest, rest.rpartition(":")[0]) if part and Path(part).expanduser().exists()), "")


def _no_source(text: str) -> UsageError:
    rest = _readings(text)[-1][1]
    like = is_it(rest.partition(":")[0], (MADE_HERE, *formats()))
    return UsageError(
        f"{text!r} names no source of fits{like or f': there is no {absent(Path(rest).expanduser())}'}",
        expected="[NAME=][FORMAT:]PATH[:COMPANION], or FORMAT alone, with a FORMAT among "
        f"{', '.join((MADE_HERE, *formats()))}, NAME in lower case",
        action="give for example --fits keypoints, or --fits truth:RAW/truth/train.npz.",
    )


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
