"""True bodies in the very file that a store of persons was made of, as SPIN's ``3dpw_test.npz``.

Without keypoints in the file no fit of it can be attached as valid. But its rows are the store's persons, by their
annotation ids, so nothing need be proved of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.digest import digest_file
from pymaf_data.errors import EvaluationError
from pymaf_data.fits.chosen import ChosenFits
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers.reader import ByAnnotation
from pymaf_data.fits.request import FitRequest
from pymaf_data.paths import DataRoot
from pymaf_data.storage import Store
from pymaf_data.untrusted.npz import npz_keys

Rows = NDArray[np.int64]
_NPZ = "npz"


@dataclass(frozen=True)
class FileFits:
    """The fits of one body in a file, read as those of a store are; of whom it has none, none is read.

    Attributes:
        body: its name.
        place: (N,) of each person of the store the row of ``pose`` and ``betas``; −1: none.
        pose: (M, 72) axis-angle. betas: (M, 10). frame: (M,) index of where the root is seen from.
    """

    body: str
    place: Rows
    pose: NDArray[np.float32]
    betas: NDArray[np.float32]
    frame: NDArray[np.uint8]
    camera: str = "none"

    def read(self, rows: Rows) -> ChosenFits:
        """The fits of K rows of the store."""
        fits, place = ChosenFits.none(len(rows)), self.place[rows]
        mine = np.flatnonzero(place >= 0)
        fits.source[mine] = 0
        for name in ("pose", "betas", "frame"):
            getattr(fits, name)[mine] = getattr(self, name)[place[mine]]
        return fits


def fits_of_file(store: Store, raw: Path | None, assets: Path | None) -> list[FileFits]:
    """Of each body in the file that a store was made of; none where that file is not here, or holds none.

    Args:
        store: the persons.
        raw: the file or its folder; ``None``: below the data root, among raw data or the assets' ``dataset_extras``.
        assets: ``None``: below the data root.

    Raises:
        EvaluationError: a file was given, and the store was made of another.
    """
    inputs: dict[str, str] = store.head["inputs"] if store.head["dataset"] == _NPZ else {}
    if inputs and raw is not None and raw.is_file():
        if digest_file(raw) not in inputs.values():
            raise EvaluationError(
                f"{raw} is not the file that {store.path} was made of",
                expected=" or ".join(f"{name} with the SHA-256 {digest}" for name, digest in inputs.items()),
                action="give that file, whose rows are the store's persons.",
            )
        found: list[Path | None] = [raw]
    else:
        found = [_found(Path(name).name, digest, raw, assets) for name, digest in inputs.items()]
    bodied = (path for path in found if path is not None and {"pose", "shape"} <= {*npz_keys(path)})
    return next((_by_body(store, path) for path in bodied), [])


def _found(name: str, digest: str, raw: Path | None, assets: Path | None) -> Path | None:
    root = DataRoot.default()
    folders = [raw] if raw else [root.raw(_NPZ), (assets or root.assets) / "dataset_extras"]
    paths = (folder / name for folder in folders)
    return next((path for path in paths if path.is_file() and digest_file(path) == digest), None)


def _by_body(store: Store, path: Path) -> list[FileFits]:
    table, _ = read_fits(FitRequest(name=_NPZ, format=_NPZ, path=path), [digest_file(path)])
    assert isinstance(table.keys, ByAnnotation)
    rows = {number: row for row, number in enumerate(store.array("annotation_id").rows(np.arange(len(store))).tolist())}
    whole = np.isfinite(table.pose).all(1) & np.isfinite(table.betas).all(1)
    found = []
    for body in np.unique(table.body).tolist():
        place = np.full(len(store), -1, np.int64)
        for index in np.flatnonzero((table.body == body) & whole).tolist():
            row = rows.get(int(table.keys.ids[index]))
            if row is not None:
                place[row] = index
        pose, betas = table.pose.astype(np.float32), table.betas.astype(np.float32)
        found.append(FileFits(body, place, pose, betas, table.frame))
    return found
