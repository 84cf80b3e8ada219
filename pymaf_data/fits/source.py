"""What every source of fits offers: those made here (``fitted``) and those of published files (``joined``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pymaf_data.body import BodyModel
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.table import Fits

Progress = Callable[[int], None]


class Source(Protocol):
    """Fits of one body for the persons of a store.

    Attributes:
        format: how they come ("truth", "keypoints").
        origin: what to call them in messages.
        body: the body they belong to ("free").
        body_fingerprint: topology of that body as the source states it, "" where it does not.
        converted_from: the model of the file's bodies where they become those of ``body``; "" where they are.
        camera: of the fits: "perspective", "orthographic" or "none".
        placed: whether some that come without a camera are seen by the image's, so that its K tells where they stand.
        licences: what came in with them → licence.
        tolerance: how closely joined fits must reproject, ``None`` where nothing is joined.
        worst_reprojection: mean view pixels above which one fit is not valid, ``None`` for no such limit.
    """

    format: str
    origin: str
    body: str
    body_fingerprint: str
    converted_from: str
    camera: str
    placed: bool
    licences: dict[str, str]
    tolerance: Tolerance | None
    worst_reprojection: float | None

    def prepare(self, assets: Path) -> None:
        """Find the licensed files that fits take besides their body; to be called before anything else.

        Raises:
            AssetMissing: one is not there.
        """
        ...

    def identity(self) -> dict[str, Any]:
        """Everything besides persons and body that determines the fits, as JSON; it names the generation."""
        ...

    def fits(self, persons: Persons, body: BodyModel | None, progress: Progress | None = None) -> Fits:
        """Fits of these persons, who are all of a store where fits are joined (``tolerance``).

        ``body`` is ``None`` where it is not there; sources that need it refuse.
        """
        ...

    def looks(self, persons: Persons, body: BodyModel) -> str:
        """What is wrong with joined fits that are not these persons', for a message; "" where that is not plain."""
        ...
