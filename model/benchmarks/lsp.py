"""LSP's silhouettes and six parts, as SPIN and PyMAF count their pixels (UP-3D's protocol).

Bodies are drawn in the 224 px view and put back into the image at whole pixels, as the released code does. Its renderer
draws nothing beyond 100 m, a scale of 0.446, which is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.body import BodyModel
from pymaf_data.config import StrictModel
from pymaf_data.datasets.columns import stored_column
from pymaf_data.datasets.rules import OFFSETS, Origin
from pymaf_data.errors import AssetError, EvaluationError, RawDataCorrupt
from pymaf_data.geometry.affines import VIEW_SIZE
from pymaf_data.geometry.released import released_corners
from pymaf_data.geometry.uncrop import uncrop
from pymaf_data.metrics import accuracy, confusion, f1

from .benchmark import Benchmark, Bodies, Rows, Setting, Values
from .parts import IGNORED, PARTS, parts_of_faces
from .silhouettes import Faces, StoredMasks, faces_shown

_FB, _PARTS = ("FB accuracy", "FB F1"), ("parts accuracy", "parts F1")
_CLASSES = 1 + PARTS  # with the background


class LspOptions(StrictModel):
    """What the benchmark can be told."""

    origin: Origin = Field(
        "index1", description="how the data set counted pixels: released code takes its boxes' centres as they stood"
    )
    drawn: Literal["view", "image"] = Field(
        "view", description="view: as released, see the module; image: in the image itself, to sub-pixel accuracy"
    )


class LspSegmentation(Benchmark):
    """Values of a person are pixels [true, predicted]: ``FB`` (2, 2), ``parts`` (8, 7) with what is ignored last."""

    options_model = LspOptions

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._masks = StoredMasks(self.store)
        self._part_of_face: NDArray[np.uint8] | None = None
        if not self._masks.has_masks:
            self._lack(_FB, f"{self.store.path.name} has no masks (UPi-S1h)")
        if not self._masks.has_parts:
            self._lack(_PARTS, f"{self.store.path.name} has no parts (UPi-S1h)")
        else:
            try:
                self._part_of_face = parts_of_faces(setting.assets)
            except (AssetError, RawDataCorrupt) as error:
                self._lack(_PARTS, error.found)
        self._keep(self._masks.known(self.rows), "they have neither mask nor parts")

    def require(self, body: BodyModel) -> None:
        """See :class:`Benchmark`. Of another body than SMPL's there are no parts."""
        faces = 0 if self._part_of_face is None else len(self._part_of_face)
        if faces and not (body.name.startswith("smpl-") and len(body.faces) == faces):
            self._part_of_face = None
            self._lack(_PARTS, f"vertex_texture.npy knows the parts of SMPL's mesh ({faces} faces), not of {body.name}")
        if not self._masks.has_masks and self._part_of_face is None:
            raise EvaluationError(
                "; ".join(dict.fromkeys(self.lacking.values())),
                expected="masks, or parts and a body that has them",
                action=f"make the store with: {self.manifest.get}",
            )

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        images = self._drawn(rows, bodies)
        found: Values = {}
        if self._masks.has_masks:
            found["FB"] = _counted(mask_counts, self._masks.masks(rows), [image >= 0 for image in images], (2, 2))
        if self._part_of_face is not None:
            part = np.append(self._part_of_face, np.uint8(0))  # −1, no face, is the last
            shown = [part[image] for image in images]
            found["parts"] = _counted(part_counts, self._masks.parts(rows), shown, (_CLASSES + 1, _CLASSES))
        return found

    def figures(self, rows: Rows, values: Values) -> dict[str, float]:
        """See :class:`Benchmark`."""
        found = dict.fromkeys(self.manifest.metrics, float("nan"))
        if "FB" in values:
            counts = summed(values["FB"])
            found |= dict(zip(_FB, (100 * accuracy(counts), f1(counts)), strict=True))
        if "parts" in values:
            counts = summed(values["parts"])
            measured, folded = counts[:_CLASSES], counts[:_CLASSES].copy()
            folded[0] += counts[_CLASSES]  # right where nothing is predicted, as the released code has it
            found |= dict(zip(_PARTS, (100 * accuracy(folded), f1(measured)), strict=True))
        return found

    def _drawn(self, rows: Rows, bodies: Bodies) -> list[Faces]:
        """(H, W) of each person's image: the face that each pixel shows, −1 where it shows none."""
        sizes = self._masks.sizes(rows)
        if self.options.drawn == "image":
            return [faces_shown(bodies, bodies.camera, size, i, i + 1)[0] for i, size in enumerate(sizes)]
        views = faces_shown(bodies, bodies.view, (VIEW_SIZE, VIEW_SIZE))
        cuts = cuts_of(stored_column(self.store, "box").rows(rows), self.options.origin)
        return [uncrop(view, cut, size, -1) for view, cut, size in zip(views, cuts, sizes, strict=True)]

    def _lack(self, metrics: Sequence[str], why: str) -> None:
        self.lacking |= dict.fromkeys(metrics, why)


def cuts_of(box: NDArray[np.float64], origin: Origin) -> NDArray[np.int64]:
    """(K, 4) where the released code puts views of boxes (K, 3) back: it knows centres as float32, sides as scales."""
    centre = (box[:, :2] - OFFSETS[origin]).astype(np.float32)
    return released_corners(np.column_stack([centre, 200.0 * (box[:, 2] / 200.0)]))


def mask_counts(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(2, 2) pixels of background and person that are predicted as each."""
    return confusion(true, predicted, (2, 2))


def part_counts(true: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(8, 7) pixels of each part, 0 … 6 and what is not to be measured (255), that are predicted as each."""
    return confusion(np.where(true == IGNORED, _CLASSES, true), predicted, (_CLASSES + 1, _CLASSES))


def summed(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Of all persons that have any."""
    return np.nansum(counts, axis=0).astype(np.int64)


def _counted(
    count: Callable[[Any, Any], NDArray[np.int64]],
    true: Sequence[NDArray[Any] | None],
    predicted: Sequence[NDArray[Any]],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Counts of each person, NaN of whom nothing true is known."""
    found = np.full((len(true), *shape), np.nan)
    for place, (mine, theirs) in enumerate(zip(true, predicted, strict=True)):
        if mine is not None:
            found[place] = count(mine, theirs)
    return found
