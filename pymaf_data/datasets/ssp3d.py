"""SSP-3D: 311 sportspersons on images of 512², with silhouettes, and SMPL of their gender fitted to them.

    labels.npz  fnames, genders "m" | "f", joints2D N × 17 × 2 or 3, bbox_centres N × 2 (row, column), bbox_whs N,
                poses N × 72, shapes N × 10, cam_trans N × 3

The camera is that of the fits: focal length 5000 px, principal point at the centre. Boxes are tight squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import Images, image_name
from pymaf_data.datasets.masks import Mask, read_masks
from pymaf_data.datasets.records import Gender, PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.npz import read_npz

#: Of every image.
INTRINSICS = ((5000.0, 0.0, 256.0), (0.0, 5000.0, 256.0), (0.0, 0.0, 1.0))
_GENDERS: dict[str, Gender] = {"m": "male", "f": "female"}
_SHAPES: dict[str, tuple[int, ...]] = {
    "joints2D": (17, 0), "bbox_centres": (2,), "bbox_whs": (), "poses": (72,), "shapes": (10,), "cam_trans": (3,),
}  # fmt: skip


def read_labels(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of labels.npz, (N, …) each; ``genders`` are "male", "female" and, for what is neither, "unknown".

    Raises:
        RawDataCorrupt: it is not that file.
    """
    found = read_npz(path, ("fnames", "genders", *_SHAPES))
    rows = len(np.atleast_1d(found["fnames"]))
    for key in ("fnames", "genders"):
        if found[key].shape != (rows,) or found[key].dtype.kind not in "US":
            raise _no_labels(path, f"{key} of {found[key].dtype} {found[key].shape}")
        if found[key].dtype.kind == "S":
            found[key] = np.char.decode(found[key], "utf-8", "replace")
    for key, shape in _SHAPES.items():
        array = found[key]
        if key == "bbox_whs" and array.ndim == 2 and array.size:
            array = array[:, 0]  # of a square, width and height
        wanted = tuple(n or has for n, has in zip((rows, *shape), array.shape, strict=False))
        if array.shape != wanted or len(wanted) != 1 + len(shape) or array.dtype.kind not in "fiu":
            raise _no_labels(path, f"{key} of {array.dtype} {found[key].shape}")
        found[key] = array.astype(np.float64)
    if found["joints2D"].shape[2] not in (2, 3):
        raise _no_labels(path, f"joints2D of shape {found['joints2D'].shape}")
    found["genders"] = np.array([_GENDERS.get(text, "unknown") for text in found["genders"].tolist()])
    return found


def _no_labels(path: Path, found: str) -> RawDataCorrupt:
    return RawDataCorrupt(
        f"{path} has {found}", expected="labels.npz of ssp_3d.zip, a row for each image", action="fetch it again."
    )


class Ssp3d(ReaderOfStills):
    """Reader of labels.npz (role ``annotations``) and of the silhouettes (role ``silhouettes``, a folder)."""

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every row."""
        labels, folder = read_labels(raw.file("annotations")), raw.manifest.split(raw.split).files["silhouettes"]
        masks = Images(raw.root.absolute(), folder, follow_links=raw.follow_links)
        names = (image_name(folder, str(name), raw.root) for name in labels["fnames"])
        told.listed = len(labels["fnames"]), len(labels["fnames"])
        for row, mask in enumerate(read_masks(masks, names)):
            try:
                outcome = _outcome(raw, row, {key: values[row] for key, values in labels.items()}, mask)
            except ValueError as error:
                yield damage(f"row {row}", error)
                continue
            if mask.fault and isinstance(outcome, PersonRecord):
                told.adjusted.add("mask_unusable", mask.fault)
            yield outcome


def _outcome(raw: Raw, row: int, person: dict[str, Any], mask: Mask) -> PersonRecord | Dropped:
    name, keypoints = str(person["fnames"]), raw.manifest.keypoints
    points = np.column_stack([person["joints2D"], np.ones(17)])[:, :3]  # confidence, where it is stated
    points[:, :2] += keypoints.offset
    if not np.isfinite(points[:, 2]).all():
        return Dropped("not_finite", f"row {row}", "joints2D: a confidence")
    places = zip(keypoints.listed.joints, points.tolist(), strict=True)
    found = {joint: (x, y, min(c, 1.0)) for joint, (x, y, c) in places if joint and not c <= 0}
    reason = raw.refusal(found) or ("bad_box" if person["bbox_whs"] <= 0 else None)
    if reason:
        return Dropped(reason, f"row {row}")
    down, right = (person["bbox_centres"] + OFFSETS[raw.manifest.box.origin]).tolist()
    return PersonRecord(
        image_name=image_name(raw.folder, name, raw.root),
        annotation_id=row,
        image_size=mask.size,
        box=(right, down, float(person["bbox_whs"]) * raw.manifest.box.factor),
        keypoints={joint: (x, y, 2) for joint, (x, y, _) in found.items()},
        confidence={joint: c for joint, (_, _, c) in found.items()},
        intrinsics=INTRINSICS,
        gender=person["genders"].item(),
        box_source="silhouette",
        mask=mask.counts,
    )
