"""Persons of MPI-INF-3DHP: one sequence seen by one camera, and which of its frames are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.images import UNKNOWN_SIZE
from pymaf_data.datasets.mpi_inf_3dhp_cameras import Matrix
from pymaf_data.datasets.mpi_inf_3dhp_files import Floats
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.geometry.boxes import square

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class View:
    """One sequence of N frames, seen by one camera.

    Attributes:
        images: how names of its images begin; the number of the frame follows, counted from 1.
        joints: J, by their names in J49.
        points: (N, J, 2) px, continuous.
        solid: (N, J, 3) metres, in the camera.
        keys: (N,) annotation ids.
        intrinsics: None where they are not known.
        size: of the images, px.
    """

    images: str
    joints: tuple[str, ...]
    points: Floats
    solid: Floats
    keys: NDArray[np.int64]
    intrinsics: Matrix | None
    size: tuple[int, int]
    subject: int
    sequence: int
    camera: int = -1

    @property
    def inside(self) -> Flags:
        """(N, J) which joints lie on the image."""
        end = np.inf if self.size == UNKNOWN_SIZE else np.array(self.size)
        return np.asarray(((self.points >= 0) & (self.points < end)).all(2))


class Stride:
    """Of the frames that are wanted, the first of each so many; one count goes over all views, as SPIN's does."""

    def __init__(self, every: int) -> None:
        self._every, self._seen = every, 0

    def keep(self, wanted: Flags) -> Flags:
        """Which of those that are wanted."""
        number = self._seen + np.cumsum(wanted)
        self._seen += int(wanted.sum())
        return np.asarray(wanted & (number % self._every == 1 % self._every))


def persons(
    raw: Raw,
    told: Told,
    view: View,
    stride: Stride,
    masks: Callable[[NDArray[np.int64]], Iterator[bytes]] | None = None,
    of: Flags | None = None,
) -> Iterator[PersonRecord | Dropped]:
    """The persons of a view that are wanted and not left out for their neighbours.

    Args:
        masks: gives those of some frames.
        of: (N,) frames that count at all.
    """
    inside = view.inside
    counts = np.ones(len(inside), bool) if of is None else of
    finite = np.isfinite(view.points).all((1, 2)) & np.isfinite(view.solid).all((1, 2))
    for i in np.flatnonzero(counts & ~finite).tolist():
        yield Dropped("not_finite", _called(view, i))
    seen, whole = inside.any(1), inside[:, [view.joints.index(joint) for joint in raw.rule.requires]].all(1)
    counts = counts & finite
    told.unwanted["no_keypoints"] += int((counts & ~seen).sum())
    told.unwanted["incomplete"] += int((counts & seen & ~whole).sum())
    wanted = counts & seen & whole
    if raw.thin:
        kept, rows = np.zeros_like(wanted), np.flatnonzero(wanted)
        kept[rows] = raw.thin.keep(rows, view.solid[rows])
    else:
        kept = stride.keep(wanted)
    told.unwanted["thinned"] += int(wanted.sum() - kept.sum())
    frames = np.flatnonzero(kept)
    found = masks(frames) if masks else (b"" for _ in frames)
    for i, mask in zip(frames.tolist(), found, strict=True):
        yield _person(raw, told, view, i, inside[i], mask)


def _person(raw: Raw, told: Told, view: View, i: int, inside: Flags, mask: bytes) -> PersonRecord | Dropped:
    (left, top), (right, bottom) = view.points[i].min(0).tolist(), view.points[i].max(0).tolist()
    places = zip(view.joints, view.points[i].tolist(), inside.tolist(), strict=True)
    for joint, on in zip(view.joints, inside.tolist(), strict=True):
        if not on:
            told.adjusted.add("joint_outside", f"{_called(view, i)}: {joint}")
    try:
        return PersonRecord(
            image_name=_called(view, i),
            annotation_id=int(view.keys[i]),
            image_size=view.size,
            box=square(left, top, right - left, bottom - top, raw.manifest.box.factor),
            keypoints={joint: (x, y, 2) for joint, (x, y), on in places if on},
            joints3d=dict(zip(view.joints, map(tuple, view.solid[i].tolist()), strict=True)),
            subject=view.subject,
            sequence=view.sequence,
            frame=i,
            intrinsics=view.intrinsics,
            camera=view.camera,
            box_source="keypoints",
            mask=mask,
        )
    except ValueError as error:
        return damage(_called(view, i), error)


def _called(view: View, i: int) -> str:
    return f"{view.images}{i + 1:06d}.jpg"
