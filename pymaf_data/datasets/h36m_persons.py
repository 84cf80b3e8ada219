"""The persons of one view of Human3.6M: its joints, their boxes, and what is known to be wrong with some."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.columns import PersonColumns
from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.h36m_boxes import read_boxes
from pymaf_data.datasets.h36m_cameras import CAMERAS, Camera, project
from pymaf_data.datasets.h36m_views import LONGEST, View
from pymaf_data.datasets.records import BOX_SOURCES, FAR
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.select import Dropped, Told
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import BOX_FACTOR, square
from pymaf_data.geometry.joints import J24, J49, Convention
from pymaf_data.untrusted.cdf import read_cdf

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
logger = logging.getLogger(__name__)

_SHIFT = np.array([-0.2, 0.0, 0.0])  # metres in the world, which lead sequences that are shifted back
_SOURCES = {"bb": "annotated", "bs": "silhouette", "joints": "keypoints"}


class H36mOptions(StrictModel):
    """What a manifest chooses."""

    boxes: Literal["bb", "bs", "joints"] = Field(
        "bb", description="of the annotated rectangles, of the silhouettes, or of the 2D joints (side × 1.2)"
    )
    frames: Literal["aligned", "spin"] = Field(
        "aligned", description="pose i on frame i of the video; spin: on frame i + 1, as SPIN reads to evaluate"
    )
    every: int = Field(5, ge=1, description="frames from one that is taken to the next")
    known_bad: Literal["keep", "drop", "correct"] = Field(
        "keep", description="of sequences that are known to be bad: taken, not taken, or shifted ones shifted back"
    )
    shifted: tuple[str, ...] = Field((), description="sequences with joints and boxes 200 mm off in the world's x")
    unreadable: tuple[str, ...] = Field((), description="views whose video is bad")


@dataclass(frozen=True)
class Reading:
    """One view while it is read."""

    raw: Raw
    told: Told
    options: H36mOptions
    camera: Camera
    view: View
    action: int
    subaction: int

    def persons(self, path: Path, flat: Path | None) -> Iterator[PersonColumns | Dropped]:
        """Its persons, from the file of its 3D joints and, where that is there, of the 2D ones."""
        solid, points = self._joints(path, flat)
        frames, (images, persons) = np.arange(len(solid)), self.told.listed
        self.told.listed = images + len(solid), persons + len(solid)
        kept = self.raw.thin.keep(frames, solid) if self.raw.thin else frames % self.options.every == 0
        self.told.unwanted["thinned"] += len(solid) - int(kept.sum())
        reason = self.raw.refusal(self._names) or ("known_bad" if self._left_out else "")
        if reason:
            yield from (Dropped(reason, self._called(frame)) for frame in frames[kept].tolist())
            return
        if flat is None:
            self._tell("keypoints_projected", frames[kept])
        yield from self._columns(frames[kept], solid[kept], points[kept])

    def _joints(self, path: Path, flat: Path | None) -> tuple[Floats, Floats]:
        """(N, 17, 3) metres and (N, 17, 2) px."""
        joints = self.raw.manifest.keypoints.listed.joints
        picked = [place for place, joint in enumerate(joints) if joint]
        solid = _pose(path, (len(joints), 3))[:, picked] / 1000
        points = _pose(flat, (len(joints), 2))[:, picked] if flat else project(solid, self.camera.lens)
        if len(points) != len(solid):
            fault = f"{flat} has {len(points)} frames, {path} {len(solid)}"
            raise RawDataCorrupt(fault, expected="files of one release", action="fetch both again.")
        return solid, points

    def _columns(self, frames: Indices, solid: Floats, points: Floats) -> Iterator[PersonColumns | Dropped]:
        """Of n frames with 3D (n, 17, 3) and 2D joints (n, 17, 2)."""
        offset = self.raw.manifest.keypoints.offset
        with np.errstate(all="ignore"):  # what comes of damaged numbers is no number either
            before = points
            if self._shifted:
                solid = solid + self.camera.R @ _SHIFT
                points = project(solid, self.camera.lens)
            box, annotated = self._boxes(frames, points, (points - before).mean(1))
        lacking = ~annotated & (self.options.boxes != "joints")
        why = np.full(len(frames), "", object)
        why[lacking & (self.raw.manifest.box.missing == "drop")] = "no_box"
        why[~(box[:, 2] > 0)] = "bad_box"
        numbers = np.concatenate([box, solid.reshape(len(solid), -1), points.reshape(len(points), -1)], 1)
        why[~(np.abs(numbers) < FAR - 1).all(1)] = "not_finite"
        for frame, reason in zip(frames[why != ""].tolist(), why[why != ""].tolist(), strict=True):
            yield Dropped(reason, self._called(frame))
        good = why == ""
        self._tell("box_from_keypoints", frames[good & lacking])
        if not good.any():
            return
        frames, source = frames[good], BOX_SOURCES.index(_SOURCES[self.options.boxes])
        yield PersonColumns.of_arrays(
            self.view.images(self.raw, frames),
            image_size=CAMERAS[self.view.camera],
            box=box[good],
            keypoints=_placed(J49, self._names, np.pad(points[good] + offset, _ONE_MORE, constant_values=1)),
            joints3d=_placed(J24, self._names, np.pad(solid[good], _ONE_MORE, constant_values=1)),
            visibility=_placed(J49, self._names, np.full((len(frames), len(self._names), 1), 2))[..., 0],
            annotation_id=self.view.ids(frames),
            subject=self.view.subject,
            sequence=1000 * self.view.subject + 10 * self.action + self.subaction,
            frame=frames,
            intrinsics=self.camera.intrinsics + np.array([[0, 0, offset], [0, 0, offset], [0, 0, 0]], np.float64),
            has_intrinsics=True,
            camera=self.view.camera,
            box_source=np.where(annotated[good], source, BOX_SOURCES.index("keypoints")),
        )

    def _boxes(self, frames: Indices, points: Floats, moved: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Boxes (n, 3), and (n,) whether annotated, where joints are now; ``moved`` (n, 2) px from where they were."""
        kind, stem = self.options.boxes, f"{self.view.name}.{self.view.camera}.mat"
        folders = self.raw.files(kind) if kind != "joints" else []
        paths = (folder / stem for folder in folders if View.of(folder / stem) == self.view)
        corners = np.full((len(frames), 4), np.nan)
        for path in (path for path in paths if path.is_file()):
            try:
                corners = (
                    read_boxes(path, frames.tolist(), self.raw.kept)
                    + np.tile(moved, 2)
                    + OFFSETS[self.raw.manifest.box.origin]
                )
            except RawDataCorrupt as error:
                logger.warning("%s", error.found)
        annotated = np.isfinite(corners).all(1)
        joints = np.concatenate([points.min(1), points.max(1)], 1) + self.raw.manifest.keypoints.offset
        x, y, right, bottom = np.where(annotated[:, None], corners, joints).T
        factor: Any = np.where(annotated, self.raw.manifest.box.factor, BOX_FACTOR)
        return np.stack(square(x, y, right - x, bottom - y, factor), -1), annotated

    @property
    def _names(self) -> list[str]:
        return [joint for joint in self.raw.manifest.keypoints.listed.joints if joint]

    @property
    def _left_out(self) -> bool:
        bad = str(self.view) in self.options.unreadable and self.options.known_bad != "keep"
        return bad or (self._shifted and self.options.known_bad == "drop")

    @property
    def _shifted(self) -> bool:
        return self.view.sequence in self.options.shifted and self.options.known_bad != "keep"

    def _called(self, frame: int) -> str:
        return f"frame {frame} of {self.view}"

    def _tell(self, reason: str, frames: Indices) -> None:
        for frame in frames.tolist():
            self.told.adjusted.add(reason, self._called(frame))


_ONE_MORE = ((0, 0), (0, 0), (0, 1))


def _placed(convention: Convention, names: list[str], values: NDArray[Any]) -> NDArray[Any]:
    """(n, J, K) of a convention from (n, len(names), K); zeros elsewhere."""
    placed = np.zeros((len(values), len(convention), values.shape[2]), values.dtype)
    placed[:, [convention.index(name) for name in names]] = values
    return placed


def _pose(path: Path, shape: tuple[int, int]) -> Floats:
    """(N, *shape) the variable Pose, which has one record of N frames."""
    pose = read_cdf(path, "Pose")
    found = pose[0] if pose.ndim == 3 and len(pose) == 1 else pose
    if found.ndim != 2 or found.shape[1] != shape[0] * shape[1] or not 0 < len(found) <= LONGEST:
        fault = f"Pose of shape {pose.shape} in {path}"
        raise RawDataCorrupt(fault, expected=f"(1, N, {shape[0] * shape[1]})", action="fetch it again.")
    return found.reshape(len(found), *shape).astype(np.float64)
