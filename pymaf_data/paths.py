"""The data root: one folder with a fixed layout, from ``PYMAF_DATA_ROOT`` or ``./data``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

VARIABLE = "PYMAF_DATA_ROOT"
STORE_SUFFIX = ".zarr"


@dataclass(frozen=True)
class DataRoot:
    """Where raw data, stores, assets and runs lie.

    raw/<dataset>/                    the data set as its authors give it
    stores/<dataset>-<split>.zarr     what `ingest` makes of it
    assets/                           bodies, regressors, atlases, fits, in the layout of PyMAF's own data/ folder
    runs/                             checkpoints, logs, reports
    """

    path: Path

    @classmethod
    def default(cls) -> Self:
        """The root that the environment names, else ``./data``. It need not exist."""
        return cls(Path(os.environ.get(VARIABLE) or "data"))

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

    @property
    def assets(self) -> Path:
        """Companion files that the user brings."""
        return self.path / "assets"

    @property
    def runs(self) -> Path:
        """What training and evaluation write."""
        return self.path / "runs"
