"""Open the sources that a request names."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pymaf_data.fits.fitted import KeypointSource
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.joined import JoinedSource, read_fits
from pymaf_data.fits.request import MADE_HERE, FitRequest
from pymaf_data.fits.source import Source


def open_sources(request: FitRequest, keypoints: KeypointOptions, made_from: Collection[str] = ()) -> dict[str, Source]:
    """The sources of a request, by their names in a store: one for each body, NAME.BODY where a file has several.

    Args:
        request: names them.
        keypoints: how fits are made here.
        made_from: digests of the files that the store was made from.

    Raises:
        FitError: its file cannot be read.
    """
    if request.format == MADE_HERE:
        return {request.name: KeypointSource(keypoints)}
    table, identity = read_fits(request, made_from)
    bodies = np.unique(table.body).tolist()
    return {
        f"{request.name}.{body}" if len(bodies) > 1 else request.name: JoinedSource(request, table, identity, body)
        for body in bodies
    }
