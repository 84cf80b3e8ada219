"""Formats of published fits: every module beside this one but ``reader``, and what other packages register.

A package registers a format by an entry point of the group ``pymaf_data.fits`` that names a
:class:`~pymaf_data.fits.readers.reader.FitReader`. A module is imported when its format is asked for. Its name is the
format's, with ``_`` for a hyphen and before a digit: ``_3dpw``, ``ssp_3d``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymaf_data.fits.readers.reader import FitReader

GROUP = "pymaf_data.fits"


def formats() -> list[str]:
    """Names of the formats, sorted."""
    return sorted({*_own(), *_others().names})


def is_format(name: str) -> bool:
    """Whether there is a format of this name."""
    return name in _own() or name in _others().names


def find_reader(name: str) -> FitReader:
    """The reader of a format; ours where another package's has the same name.

    Raises:
        KeyError: there is no such format.
    """
    if name in _own():
        own: FitReader = import_module(f"{__name__}.{_own()[name]}").READER
        return own
    registered: FitReader = _others()[name].load()
    return registered


@cache
def _own() -> dict[str, str]:
    """Format → module."""
    modules = (module.name for module in iter_modules(__path__) if module.name != "reader")
    return {name.removeprefix("_").replace("_", "-"): name for name in modules}


@cache
def _others() -> EntryPoints:
    """What other packages register; to ask takes the metadata of all that is installed: ten milliseconds."""
    return entry_points(group=GROUP)
