"""What reports can be told. No torch, no NumPy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pymaf_data.config import Flag, StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.paths import UserPath


class ReportOptions(StrictModel):
    """What to report on, and where to."""

    path: Annotated[
        UserPath,
        Flag(
            "Stores, folders of runs, or the JSON of an evaluation; by default every store.",
            each=True,
            metavar="[STORE|RUN|EVALUATION.json]...",
            shown="",
        ),
    ]
    out: Annotated[UserPath | None, Flag("The page.", shown="reports/<name>.html of the data root")] = None
    persons: Annotated[
        int | None, Field(ge=0), Flag("Persons of a store with images.", shown="up to 400, the page below 25 MB")
    ] = None
    store: Annotated[
        UserPath | None,
        Flag("The store that an evaluation was measured on.", shown="that of its data set below the data root"),
    ] = None


def require_one_page(*options: ReportOptions) -> None:
    """Refuse several reports of one name, by a :class:`UsageError`."""
    if len(options) > 1 and options[0].out is not None:
        raise UsageError(
            f"--out names one page, and there are {len(options)} to write",
            expected="one store or run",
            action="name it, or leave --out away.",
        )


class SheetOptions(StrictModel):
    """What to show."""

    store: UserPath
    out: UserPath
    raw: UserPath | None = Field(default=None, description="the raw data set, for the original images")
    dataset: str = Field(default="", description="its name or manifest; by default the store's")
    checkpoint: UserPath | None = Field(
        default=None, description="whose predictions to show; none leaves the column out"
    )
    follow_links: bool = Field(default=False, description="take original images that are links out of the raw data")
    persons: int = Field(default=8, ge=1, le=100, description="persons, evenly spread over the store")
