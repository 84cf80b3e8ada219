"""The chosen fits of a store's rows: one way to read them, whichever sources they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.choice import NONE
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.storage import Store

if TYPE_CHECKING:
    from pymaf_data.geometry.cameras import Camera


@dataclass(frozen=True)
class ChosenFits:
    """The chosen fit of each of K rows (NumPy).

    Attributes:
        source: (K,) index into ``names``, −1 where the row has no valid fit.
        pose: (K, 72) axis-angle radians; betas: (K, 10).
        native: (K, 3, 4) camera-space metres → original pixels.
        weak_camera: (K, 3) derived π.
        box: (K, 3) the persons' boxes, in which π is meant.
        names: the sources.
        native_kinds: "perspective", "orthographic" or "none", per source.
        bodies: the body that each source's fits belong to.
    """

    source: NDArray[np.int64]
    pose: NDArray[np.float32]
    betas: NDArray[np.float32]
    native: NDArray[np.float64]
    weak_camera: NDArray[np.float32]
    box: NDArray[np.float64]
    names: tuple[str, ...]
    native_kinds: tuple[str, ...]
    bodies: tuple[str, ...]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(K,) whether the row has a fit."""
        return self.source != NONE

    def source_name(self, row: int) -> str:
        """Name of the source of a valid row."""
        return self.names[self.source[row]]

    def camera(self, row: int) -> Camera:
        """The camera of a valid row in original pixels: the native one, else that of π."""
        import torch

        from pymaf_data.geometry.cameras import Camera, weak_to_camera

        kind = self.native_kinds[self.source[row]]
        if kind == "none":
            weak = torch.from_numpy(self.weak_camera[row : row + 1]).double()
            return weak_to_camera(weak).warped(invert(view_affine(self.box[row])))
        return Camera(torch.from_numpy(self.native[row : row + 1]), kind == "orthographic")


def read_chosen(store: Store, rows: NDArray[np.int64]) -> ChosenFits:
    """Read the chosen fits of rows. A chosen fit that is marked as not valid counts as none.

    Raises:
        StoreIncomplete: there is no choice, or a shard that holds some of the rows is missing.
    """
    choice = store.current("choice")
    names = tuple(choice.attributes["sources"])
    source = store.array("choice/source").rows(rows).astype(np.int64)
    K = len(rows)
    values: dict[str, np.ndarray] = {
        "pose": np.zeros((K, 72), np.float32),
        "betas": np.zeros((K, 10), np.float32),
        "native": np.zeros((K, 3, 4), np.float64),
        "weak_camera": np.zeros((K, 3), np.float32),
    }
    attributes = [store.current(f"fits/{name}").attributes for name in names]
    for index, name in enumerate(names):
        mine = np.flatnonzero(source == index)
        if not mine.size:
            continue
        valid = store.array(f"fits/{name}/valid").rows(rows[mine]).astype(bool)
        source[mine[~valid]] = NONE
        for key, target in values.items():
            target[mine[valid]] = store.array(f"fits/{name}/{key}").rows(rows[mine[valid]])
    return ChosenFits(
        source,
        values["pose"],
        values["betas"],
        values["native"],
        values["weak_camera"],
        store.array("box").rows(rows),
        names,
        tuple(str(entry["native_kind"]) for entry in attributes),
        tuple(str(entry["body"]) for entry in attributes),
    )
