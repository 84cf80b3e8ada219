"""Formats of published fits: every module beside this one but ``reader``, and what other packages register.

A name's hyphens are underscores in the module's.

A package registers a format by an entry point of the group ``pymaf_data.fits`` that names a
:class:`~pymaf_data.fits.readers.reader.FitReader`. A module is imported when its format is asked for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymaf_data.fits.readers.reader import FitReader

GROUP = "pymaf_data.fits"


def formats() -> list[str]:
    """Names of the formats, sorted."""
    return sorted({*_own(), *entry_points(group=GROUP).names})


def find_reader(name: str) -> FitReader:
    """The reader of a format; ours where another package's has the same name.

    Raises:
        KeyError: there is no such format.
    """
    if name in _own():
        own: FitReader = import_module(f"{__name__}.{name.replace('-', '_')}").READER
        return own
    registered: FitReader = entry_points(group=GROUP)[name].load()
    return registered


def _own() -> set[str]:
    return {module.name.replace("_", "-") for module in iter_modules(__path__)} - {"reader"}
