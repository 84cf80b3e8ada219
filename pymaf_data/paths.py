"""The data root: one folder with a fixed layout, from ``PYMAF_DATA_ROOT`` or ``./data``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator

from pymaf_data.errors import NotAStore, UsageError

VARIABLE = "PYMAF_DATA_ROOT"
STORE_SUFFIX = ".zarr"


def as_meant(path: Path) -> Path:
    """A path as the user means it: ``~`` is the home folder, and ``.`` and ``..`` have names of their own.

    Shells expand ``~`` in most places and not in all: not in quotes, behind ``=``, in an ``.env`` file.

    Raises:
        UsageError: the home folder is not known.
    """
    try:
        path = path.expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path}: the home folder that ~ stands for is not known",
            expected="a path, or ~ with HOME set",
            action="write the path out.",
        ) from None
    return path.resolve() if path.name in ("", "..") else path


UserPath: TypeAlias = Annotated[Path, AfterValidator(as_meant)]
"""A path in options: see :func:`as_meant`."""


@dataclass(frozen=True)
class DataRoot:
    """Where raw data, stores, assets and runs lie.

    raw/<dataset>/                    the data set as its authors give it
    stores/<dataset>-<split>.zarr     what `ingest` makes of it
    assets/                           bodies, regressors, atlases, fits, in the layout of PyMAF's own data/ folder
    runs/                             checkpoints, logs, measurements while training
    reports/                          pages to look at, of stores and of runs
    evaluations/                      results on benchmarks, a folder for each that was measured
    predictions/                      bodies of persons on anyone's images, a folder for each checkpoint
    figures/                          images of what networks make of persons of stores, a folder for each checkpoint
    """

    path: Path

    @classmethod
    def default(cls) -> Self:
        """The root that the environment names, else ``./data``. It need not exist."""
        return cls(as_meant(Path(os.path.expandvars(os.environ.get(VARIABLE) or "data"))))

    def raw(self, dataset: str) -> Path:
        """The raw data set."""
        return self.path / "raw" / dataset

    def store(self, dataset: str, split: str) -> Path:
        """The store of one split."""
        return self.path / "stores" / f"{dataset}-{split}{STORE_SUFFIX}"

    def stores(self) -> list[Path]:
        """Every store that is there, sorted by name."""
        return sorted(
            path for path in (self.path / "stores").glob(f"*{STORE_SUFFIX}") if path.is_dir() and path.name[0] != "."
        )

    def require_stores(self, given: Sequence[Path] = ()) -> list[Path]:
        """The stores a command works on: those given, else every one below the root.

        Raises:
            NotAStore: none is given and none is there.
        """
        found = [as_meant(path) for path in given] or self.stores()
        if not found:
            raise NotAStore(
                f"no store is given, and there is none in {self.path / 'stores'}",
                expected=f"<dataset>-<split>{STORE_SUFFIX}",
                action=f"make one with `pymaf-data ingest`, name one, or set {VARIABLE}.",
            )
        return found

    @property
    def assets(self) -> Path:
        """Companion files that the user brings."""
        return self.path / "assets"

    @property
    def runs(self) -> Path:
        """What training writes."""
        return self.path / "runs"

    @property
    def reports(self) -> Path:
        """Pages that ``report`` writes."""
        return self.path / "reports"

    @property
    def evaluations(self) -> Path:
        """Results that ``evaluate`` writes."""
        return self.path / "evaluations"

    @property
    def predictions(self) -> Path:
        """What ``predict`` writes."""
        return self.path / "predictions"

    @property
    def figures(self) -> Path:
        """What ``figure`` draws."""
        return self.path / "figures"
