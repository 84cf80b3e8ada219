"""Open the source that a request names."""

from __future__ import annotations

from pymaf_data.errors import UsageError
from pymaf_data.fits.fitted import KeypointSource
from pymaf_data.fits.fitter import KeypointOptions
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.source import Source
from pymaf_data.fits.truth import TruthSource


def open_source(request: FitRequest, keypoints: KeypointOptions) -> Source:
    """The source of a request.

    Raises:
        UsageError: a format that needs a path has none.
        FitError: its file cannot be read.
    """
    if request.format == "keypoints":
        return KeypointSource(keypoints)
    if request.path is None:
        raise UsageError(f"{request.format} without a path", expected=f"{request.format}:PATH", action="name the file.")
    return TruthSource(request.path)
