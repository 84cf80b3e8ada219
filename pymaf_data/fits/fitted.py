"""Fits made here, from the store's own keypoints."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.request import MADE_HERE
from pymaf_data.fits.source import Progress
from pymaf_data.fits.table import Fits

# Raised when the method changes what it gives for the same options.
_METHOD = 1


class KeypointSource:
    """See :mod:`pymaf_data.fits.fitter`."""

    format = origin = MADE_HERE
    converted_from = ""
    camera, placed = "perspective", False
    tolerance: Tolerance | None = None

    def __init__(self, options: KeypointOptions) -> None:
        self.options, self.body, self.body_fingerprint = options, options.body, ""
        self.worst_reprojection: float | None = options.worst_reprojection
        self.licences = {"fits made from the data set's keypoints": "as the data set's annotations"}

    def prepare(self, assets: Path) -> None:
        """It takes nothing but the body."""

    def identity(self) -> dict[str, Any]:
        """Format, version of the method, options that change a result."""
        options = self.options.model_dump(mode="json")
        return {"format": self.format, "method": _METHOD, "options": options}

    def fits(self, persons: Persons, body: BodyModel | None, progress: Progress | None = None) -> Fits:
        """Fit the body to each person.

        Raises:
            FitError: the body is not there.
        """
        if body is None:
            raise FitError(
                f"the body {self.body} is not there, so it cannot be fitted",
                action="bring its files (`pymaf-data doctor` says which), or use --body free.",
            )
        return _fitter(body, self.options).fit(persons, progress)

    def looks(self, persons: Persons, body: BodyModel) -> str:
        """Nothing is joined."""
        return ""


@lru_cache(maxsize=1)
def _fitter(body: BodyModel, options: KeypointOptions) -> KeypointFitter:
    """Kept from shard to shard, also by workers, whose sources come and go with their tasks."""
    return KeypointFitter(body, options)
