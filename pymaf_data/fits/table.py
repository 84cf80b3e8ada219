"""What a source of fits gives, and what the store keeps of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

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
    "body not converted",
    "conversion residual too large",
)
"""Why a row has no valid fit; the attribute ``reasons`` of a fits group. Entry 0: it has one."""

REASONS_OF_UNJUDGED = REASONS[:8]
"""Those of groups that were begun before fits were judged: a group says the same as long as it is written to."""


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
        conversion: (N, 2) mm and degrees that are left where bodies were of another model, see
            :class:`~pymaf_data.fits.conversion.vertex_fit.Fitted`; of refused ones too, NaN where nothing was
            converted. ``None``: they were of none.
    """

    pose: np.ndarray
    betas: np.ndarray
    native: np.ndarray
    frame: np.ndarray
    reason: np.ndarray
    conversion: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.reason)

    def __getitem__(self, rows: slice) -> Fits:
        parts = (getattr(self, field.name) for field in fields(self))
        values: list[Any] = [None if part is None else part[rows] for part in parts]
        return Fits(*values)

    @property
    def valid(self) -> np.ndarray:
        """(N,) bool."""
        return self.reason == 0

    @classmethod
    def empty(cls, rows: int, why: str, frame: int) -> Fits:
        """No fit in any row; those that come will be seen from ``frame``."""
        code, seen_from = np.full(rows, reason(why), np.uint8), np.full(rows, frame, np.uint8)
        return cls(np.zeros((rows, 72)), np.zeros((rows, 10)), np.zeros((rows, 3, 4)), seen_from, code)

    def drop(self, rows: np.ndarray, why: str) -> None:
        """Take the fits of a mask (N,) out, for a reason; one given before stays. Where they lie: copies are large."""
        gone = rows & self.valid
        self.pose[gone], self.betas[gone], self.native[gone], self.reason[gone] = 0.0, 0.0, 0.0, reason(why)

    @classmethod
    def cat(cls, parts: Sequence[Fits]) -> Fits:
        """Parts one after the other."""
        columns = ([getattr(p, f.name) for p in parts] for f in fields(cls))
        values: list[Any] = [None if column[0] is None else np.concatenate(column) for column in columns]
        return cls(*values)


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
JUDGED = ("mask_iou", "beyond_limits", "pose_prior", "mirrored", "scale")
"""By which fits are judged, see :class:`~pymaf_data.fits.plausibility.Plausibility` and, for the last two,
:class:`~pymaf_data.fits.reprojection.Measures`; earlier generations lack them."""


def fit_specs(shard: int, converted: bool = False, judged: Sequence[str] = JUDGED) -> tuple[ArraySpec, ...]:
    """The arrays of a generation of ``fits/<name>`` in a store of that shard size; see ``schemas/store.md``.

    Args:
        shard: of the store.
        converted: whether its bodies were of another model.
        judged: which of :data:`JUDGED` it has.
    """
    inner, more = math.gcd(_INNER_CHUNK, shard), [("conversion", (2,), "f4")] * converted
    judgements = [(name, (), "f4") for name in judged]
    return tuple(ArraySpec(name, shape, dtype, inner) for name, shape, dtype in (*_ARRAYS, *more, *judgements))
