"""What a source of fits gives, and what the store keeps of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from pymaf_data.geometry.frames import FRAMES
from pymaf_data.storage import ArraySpec

REASONS: tuple[str, ...] = (
    "",
    "picture not present",
    "no fit in the source",
    "too few keypoints",
    "trunk not labelled",
    "coordinates not finite",
    "reprojection too large",
    "camera not solvable",
)
"""Why a row has no valid fit; the attribute ``reasons`` of a fits group. Entry 0: it has one."""


CAMERA, VIEW = (FRAMES.index(name) for name in ("camera", "view"))
"""What :attr:`Fits.frame` may be."""


def reason(name: str) -> int:
    """Index of a reason."""
    return REASONS.index(name)


CAMERAS = ("perspective", "orthographic", "none")
"""What the cameras of a source may be (the attribute ``native_kind``); with "none" a fit is seen by its derived π."""


def frame_without_column(camera: str) -> int:
    """The frame of fits of a format before 1.2, which had no such column: what their kind of camera implies."""
    return CAMERA if camera == "perspective" else VIEW


@dataclass(frozen=True)
class Fits:
    """N fitted bodies as their source gives them (NumPy float64). Rows that are not valid hold zeros.

    Attributes:
        pose: (N, 72) axis-angle; from where the root rotation is seen, ``frame`` says. betas: (N, 10).
        native: (N, 3, 4) projection of camera-space metres of the body *without* translation to image pixels.
        frame: (N,) index into :data:`~pymaf_data.geometry.frames.FRAMES`: whether the root is seen by the camera of the
            whole image, or along the ray through the person's box, as by a fitter that knew the crop alone.
        reason: (N,) index into :data:`REASONS`; 0 is valid.
    """

    pose: np.ndarray
    betas: np.ndarray
    native: np.ndarray
    frame: np.ndarray
    reason: np.ndarray

    def __len__(self) -> int:
        return len(self.reason)

    def __getitem__(self, rows: slice) -> Fits:
        return Fits(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def valid(self) -> np.ndarray:
        """(N,) bool."""
        return self.reason == 0

    @classmethod
    def empty(cls, rows: int, why: str, frame: int) -> Fits:
        """No fit in any row; those that come will be seen from ``frame``."""
        code, seen_from = np.full(rows, reason(why), np.uint8), np.full(rows, frame, np.uint8)
        return cls(np.zeros((rows, 72)), np.zeros((rows, 10)), np.zeros((rows, 3, 4)), seen_from, code)

    def without(self, rows: np.ndarray, why: str) -> Fits:
        """These fits, those of a mask (N,) taken out for a reason; a reason given before stays."""
        drop = rows & self.valid
        if not drop.any():
            return self
        keep = ~drop
        return Fits(
            np.where(keep[:, None], self.pose, 0.0),  # NaN · 0 is no zero
            np.where(keep[:, None], self.betas, 0.0),
            np.where(keep[:, None, None], self.native, 0.0),
            self.frame,
            np.where(drop, np.uint8(reason(why)), self.reason),
        )

    @classmethod
    def cat(cls, parts: Sequence[Fits]) -> Fits:
        """Parts one after the other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


_INNER_CHUNK = 64
_ARRAYS: tuple[tuple[str, tuple[int, ...], str], ...] = (
    ("pose", (72,), "f4"),
    ("betas", (10,), "f4"),
    ("native", (3, 4), "f8"),
    ("frame", (), "u1"),
    ("weak_camera", (3,), "f4"),
    ("weak_residual", (), "f4"),
    ("valid", (), "bool"),
    ("reason", (), "u1"),
    ("reprojection", (), "f4"),
)


def fit_specs(shard: int) -> tuple[ArraySpec, ...]:
    """The arrays of a generation of ``fits/<name>`` in a store of that shard size; see ``schemas/store.md``."""
    inner = math.gcd(_INNER_CHUNK, shard)
    return tuple(ArraySpec(name, shape, dtype, inner) for name, shape, dtype in _ARRAYS)
