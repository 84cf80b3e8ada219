"""MPI-INF-3DHP as the stages read it, and where SPIN's preprocessing puts its joints."""

from __future__ import annotations

from pathlib import Path

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.datasets.thin import Thin

#: Where the 17 joints that are read stand in J24.
IN_J24 = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]


def read(root: Path, split: str = "train", *options: str, chosen: str | None = None, thin: str = "") -> Selection:
    return select(raw_of(root, split, *options, chosen=chosen, thin=thin))


def raw_of(root: Path, split: str = "train", *options: str, chosen: str | None = None, thin: str = "") -> Raw:
    manifest = load_manifest("mpi-inf-3dhp").inside(root, split).with_options(split, options)
    return Raw(root, manifest, split, chosen, thin=Thin.parse(thin) if thin else None)
