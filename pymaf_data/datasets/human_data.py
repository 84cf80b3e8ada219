"""A file of HumanData, in which mmhuman3d, SMPLer-X and SMPLest-X keep persons: an .npz, partly pickled, of N rows.

    image_path · bbox_xywh (N, 4 or 5), conf last · config, a name · has_smpl (N)?
    keypoints2d[_smpl | _smplx | _original] (N, 190, 3) px, only the columns of its _mask if __keypoints_compressed__
    smpl, smplx: dictionaries of arrays · meta {gender, focal_length, principal_point, annot_valid or valid_label}?
    misc {focal_length, …}? for all rows

Numbers come in every shape that has as many of them, and in lists; (N, 1, 2) and N pairs are one thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.npz_rows import gender_of, read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.lists import flat_numbers
from pymaf_data.untrusted.npz import npz_keys
from pymaf_data.untrusted.unpickle import load_pickled_npz

JOINTS = 190
OF_J49 = np.array(
    [*range(153, 178), 8, 5, 144, 145, 4, 7, 21, 19, 17, 16, 18, 20, *range(146, 153), 55, 57, 56, 59, 58]
)
"""Of the 190 joints those of J49: OpenPose's, then J24's, whose limbs are those of SMPL's skeleton."""
_PARTS = ("smpl", "smplx", "meta", "misc", "config", "has_smpl", "bbox_xywh", "keypoints2d_mask")
_COMPRESSED = "__keypoints_compressed__"
_POINTS = ("keypoints2d_smpl", "keypoints2d_smplx", "keypoints2d", "keypoints2d_original")  # the bodies' own first
# What numbers that are none, or too few, or not there raise.
DAMAGED = (ValueError, LookupError, AttributeError, TypeError, OverflowError)


@dataclass(frozen=True)
class HumanData:
    """The file, but for its keypoints, which are read when they are asked for. Methods raise :data:`DAMAGED`.

    Attributes:
        names: of the images, as they stand.
        parts: member → array or, of what is none, its value.
        keys: of all members.
    """

    path: Path
    names: list[str]
    parts: dict[str, Any]
    keys: list[str]

    @classmethod
    def of(cls, path: Path) -> HumanData:
        """Read a file.

        Raises:
            RawDataCorrupt, UntrustedData: it cannot be read, names no images, or has no rows.
        """
        keys, names = npz_keys(path), read_texts(path, "image_path")
        if not names:
            raise RawDataCorrupt(f"{path} has no rows")
        parts = _unpacked(path, [key for key in (*_PARTS, _COMPRESSED) if key in keys])
        return cls(path, [name or "" for name in names], parts, keys)

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, value: Any, size: int, most: int = 0) -> np.ndarray:
        """(N, size) numbers; up to ``most`` for each row, where it is given."""
        flat = flat_numbers(value, len(self) * max(size, most))
        if len(flat) % len(self) or len(flat) < len(self) * size:
            raise ValueError(f"{len(flat)} numbers, not {size} for each of {len(self)} rows")
        return flat.reshape(len(self), -1)

    def table(self, key: str) -> dict[str, Any]:
        """A dictionary; empty where the file has none."""
        found = self.parts.get(key, {})
        if found is not None and not isinstance(found, dict):
            raise ValueError(f"{key} is a {type(found).__name__}")
        return found or {}

    def config(self) -> str:
        """What the file calls itself; empty where it does not."""
        return str(self.parts.get("config", ""))[:200]

    def centres(self) -> np.ndarray:
        """(N, 2) of boxes, which are square in some files and tight in others."""
        box = self.rows(self.parts["bbox_xywh"], 4, 5)
        return box[:, :2] + box[:, 2:4] / 2

    def valid(self) -> np.ndarray:
        """(N,) which rows are not said to be without a fit."""
        meta, valid = self.table("meta"), np.ones(len(self), bool)
        for flag in (self.parts.get("has_smpl"), meta.get("annot_valid"), meta.get("valid_label")):
            if flag is not None:
                valid &= self.rows(flag, 1)[:, 0] > 0
        return valid

    def genders(self) -> list[str]:
        """N, as records have them."""
        said = self.table("meta").get("gender")
        said = said if isinstance(said, (list, np.ndarray)) and len(said) == len(self) else [""] * len(self)
        return [gender_of(gender if isinstance(gender, str) else "") for gender in said]

    def intrinsics(self) -> tuple[np.ndarray | None, bool]:
        """K (N, 3, 3), and whether it has a principal point; else that lies amid the image, and is 0 here."""
        meta, misc, K = self.table("meta"), self.table("misc"), np.tile(np.eye(3), (len(self), 1, 1))
        focal, centre = (
            self.rows(meta[key], 1, 2) if key in meta else flat_numbers(misc[key], 2) if key in misc else None
            for key in ("focal_length", "principal_point")
        )
        if focal is None:
            return None, False
        K[:, [0, 1], [0, 1]] = np.where(focal > 0, focal, np.nan)  # a camera that sees nothing is none
        K[:, :2, 2] = 0 if centre is None else centre
        return K, centre is not None

    def detected(self) -> bool:
        """Whether its keypoints have OpenPose's."""
        mask = self.parts.get("keypoints2d_mask")
        return mask is None or bool((_mask(mask)[OF_J49[:25]]).any())

    def keypoints(self) -> np.ndarray | None:
        """(N, 49, 3) of J49; None where the file has none."""
        key = next((key for key in _POINTS if key in self.keys), None)
        if key is None:
            return None
        there = np.ones(JOINTS, bool)
        if self.parts.get(_COMPRESSED):
            there = _mask(_unpacked(self.path, [f"{key}_mask"])[f"{key}_mask"])
        points = self.rows(_unpacked(self.path, [key])[key], 3 * int(there.sum())).reshape(len(self), -1, 3)
        found = np.zeros((len(self), len(OF_J49), 3), np.float32)
        held = there[OF_J49]
        with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and so not seen
            found[:, held] = points[:, (np.cumsum(there) - 1)[OF_J49[held]]]
        return found


def _unpacked(path: Path, keys: list[str]) -> dict[str, Any]:
    return {key: array if array.ndim else array.item() for key, array in load_pickled_npz(path, keys).items()}


def _mask(value: Any) -> np.ndarray:
    mask = flat_numbers(value, JOINTS) > 0
    if len(mask) != JOINTS:
        raise ValueError(f"a mask of {len(mask)} joints")
    return mask
