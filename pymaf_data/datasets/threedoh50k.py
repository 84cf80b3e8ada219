"""3DOH50K: people behind things, seen by six calibrated cameras, with SMPL fitted to all of them together.

    annots.json {"00000": {img_path, mask_path, bbox [[x1, y1], [x2, y2]], intri 3 × 3, extri 4 × 4 (world → camera),
    pose 1 × 72, betas 1 × 10, trans 1 × 3, scale, smpl_joints_2d, smpl_joints_3d, lsp_joints_2d, lsp_joints_3d}}

Paths begin in the split's folder, with backslashes. Lengths are in the calibration's unit; ``scale`` of it, fitted for
each person, is a metre of SMPL's. ``lsp_joints_3d`` is seen by the camera, ``pose`` in the world.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import Images, image_name
from pymaf_data.datasets.masks import Mask, read_masks
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.json_text import read_json

Floats = NDArray[np.float64]

_MASKS = "masks"
_SHAPES = {
    "bbox": (2, 2), "intri": (3, 3), "extri": (4, 4), "pose": (72,), "betas": (10,), "trans": (3,), "scale": (),
    "lsp_joints_2d": (14, 2), "lsp_joints_3d": (14, 3),
}  # fmt: skip


class ThreeDohOptions(StrictModel):
    """What a manifest chooses."""

    box: Literal["longer", "height"] = Field(
        "longer", description="side of the box: of the annotated one the longer side, or as in PARE its height"
    )
    masks: bool = Field(True, description="read the masks, each of which takes as long as its photograph")


class Entry(dict[str, Any]):
    """One person of the file: arrays of :data:`_SHAPES` and texts, those that could be read as such."""


def read_entries(path: Path) -> dict[str, Any]:
    """The persons of annots.json by their keys, in the file's order.

    Raises:
        RawDataCorrupt: it is not that file.
    """
    found = read_json(path, _packed)
    if not isinstance(found, dict) or not any(isinstance(entry, Entry) for entry in found.values()):
        fault = f"{path} is JSON but not of 3DOH50K: it names no persons with img_path and pose"
        raise RawDataCorrupt(fault, expected="annots.json as released", action="fetch it again.")
    return found


def key_of(text: str) -> int:
    """An annotation id.

    Raises:
        ValueError: the key of the file is no number.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"the key {text[:20]!r} is no number")
    return int(text)


def _packed(entry: dict[str, Any]) -> dict[str, Any]:
    if "img_path" not in entry or "pose" not in entry:
        return entry
    packed = Entry({key: entry[key] for key in ("img_path", "mask_path") if isinstance(entry.get(key), str)})
    for key, shape in _SHAPES.items():
        try:
            values = np.asarray(entry.get(key), np.float64)
            # 2D joints may come with a flag behind x and y.
            packed[key] = _laid(values[:, :2] if key == "lsp_joints_2d" and values.ndim == 2 else values, shape)
        except (ValueError, TypeError, OverflowError):
            continue
    return packed


def _laid(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Numbers in their shape, whichever axes of length 1 they have, or all in a row.

    Raises:
        ValueError: they lie otherwise, as if axes were swapped.
    """
    lengths, wanted = ([n for n in each if n != 1] for each in (values.shape, shape))
    if len(lengths) > 1 and lengths != wanted:
        raise ValueError(f"numbers of shape {values.shape}")
    return values.reshape(shape)


class ThreeDoh50k(ReaderOfStills):
    """Reader of annots.json (role ``annotations``), and of the masks where the manifest names their folder."""

    options = ThreeDohOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every entry."""
        entries, options = read_entries(raw.file("annotations")), raw.options(ThreeDohOptions)
        told.listed = len(entries), len(entries)
        for (key, entry), mask in zip(entries.items(), _masks(raw, entries, options), strict=True):
            try:
                outcome = _outcome(raw, key_of(key), entry, options.box == "height", mask)
            except (ValueError, TypeError, LookupError) as error:
                yield damage(f"person {key[:20]}", error)
                continue
            if mask.fault and isinstance(outcome, PersonRecord):
                told.adjusted.add("mask_unusable", mask.fault)
            yield outcome


def _masks(raw: Raw, entries: dict[str, Any], options: ThreeDohOptions) -> Iterable[Mask]:
    folder = raw.manifest.split(raw.split).files.get(_MASKS)
    if folder is None or not options.masks or not raw.files(_MASKS):
        return [Mask()] * len(entries)
    images = Images(raw.root.absolute(), folder, follow_links=raw.follow_links)
    paths = (entry.get("mask_path", "") if isinstance(entry, Entry) else "" for entry in entries.values())
    return read_masks(images, (_name(raw, path) for path in paths))


def _outcome(raw: Raw, key: int, entry: dict[str, Any], height: bool, mask: Mask) -> PersonRecord | Dropped:
    scale, joints = float(entry["scale"]), raw.manifest.keypoints.listed.joints
    if not scale > 0 or not np.isfinite(entry["intri"]).all():
        raise ValueError(f"scale {scale}, intri {entry['intri'].tolist()}")
    places = zip(joints, (entry["lsp_joints_2d"] + raw.manifest.keypoints.offset).tolist(), strict=True)
    solid = zip(joints, (entry["lsp_joints_3d"] / scale).tolist(), strict=True)
    keypoints = {joint: (x, y, 2) for joint, (x, y) in places if joint}
    (x, y), (w, h) = (entry["bbox"].mean(0) + OFFSETS[raw.manifest.box.origin]).tolist(), np.diff(entry["bbox"].T).T[0]
    K: Any = tuple(map(tuple, entry["intri"].tolist()))
    reason = raw.refusal(keypoints) or ("bad_box" if min(w, h) <= 0 else None)
    if reason:
        return Dropped(reason, f"person {key:05d}")
    return PersonRecord(
        image_name=_name(raw, entry["img_path"]),
        annotation_id=key,
        image_size=mask.size,
        box=(x, y, raw.manifest.box.factor * float(h if height else max(w, h))),
        keypoints=keypoints,
        joints3d={joint: place for joint, place in solid if joint},
        intrinsics=K,
        gender="neutral",
        box_source="annotated",
        mask=mask.counts,
    )


def _name(raw: Raw, path: str) -> str:
    return image_name(raw.folder, path.replace("\\", "/"), raw.root)
