"""Pseudo-SMPL fits: read or made, proved on their persons, measured, chosen among.

    source = open_sources(FitRequest.of("keypoints"), KeypointOptions())["keypoints"]
    fits = source.fits(persons, load_body(source.body))
    measures = measure(body, fits, persons)

Sources: ``keypoints`` (made here; see :mod:`pymaf_data.fits.fitter`) and files of others, one module of
:mod:`pymaf_data.fits.readers` for each format. The stage ``attach_fits`` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymaf_data.fits.readers import formats
from pymaf_data.fits.request import FitRequest, describe_formats

if TYPE_CHECKING:
    from pymaf_data.fits.choice import Rule, choose
    from pymaf_data.fits.chosen import ChosenFits, ChosenReader
    from pymaf_data.fits.fitter.fit import KeypointFitter
    from pymaf_data.fits.fitter.options import KeypointOptions
    from pymaf_data.fits.opening import open_sources
    from pymaf_data.fits.persons import Persons
    from pymaf_data.fits.reprojection import Measures, measure
    from pymaf_data.fits.source import Source
    from pymaf_data.fits.table import Fits

_LAZY = {
    "ChosenFits": "chosen",
    "ChosenReader": "chosen",
    "Fits": "table",
    "KeypointFitter": "fitter.fit",
    "KeypointOptions": "fitter.options",
    "Measures": "reprojection",
    "Persons": "persons",
    "Rule": "choice",
    "Source": "source",
    "choose": "choice",
    "measure": "reprojection",
    "open_sources": "opening",
}

__all__ = [
    "ChosenFits",
    "ChosenReader",
    "FitRequest",
    "Fits",
    "KeypointFitter",
    "KeypointOptions",
    "Measures",
    "Persons",
    "Rule",
    "Source",
    "choose",
    "describe_formats",
    "formats",
    "measure",
    "open_sources",
]


def __getattr__(name: str) -> Any:
    # torch is imported only by those who fit.
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
