"""3DPW: people filmed by a moving phone, their bodies measured by IMUs; one Python 2 pickle for each sequence.

    sequence, cam_intrinsics 3 × 3, cam_poses N × 4 × 4 (world → camera), and a list with an entry for each actor of
    genders "m" | "f", poses N × 72, betas 10 or 300, trans N × 3, jointPositions N × 72 (SMPL's joints, world metres),
    poses2d N × 3 × 18 (OpenPose: x, y, confidence; zeros where fewer than six joints were found), campose_valid N

Frame i is image i, counted from 0. Pixels are those of the camera matrix, taken as continuous. A frame counts for those
actors for whom its camera is valid.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.records import Gender, PersonRecord
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import square
from pymaf_data.geometry.joints import J24, SMPL24
from pymaf_data.untrusted.unpickle import load_trusted_pickle

Floats = NDArray[np.float64]

_GENDERS: dict[Any, Gender] = {"m": "male", "f": "female"}
_ACTORS, _FRAMES = 10, 1_000_000  # what an annotation id has place for
#: SMPL's joints that are the same joints in J24. Its hips, neck and head are others than those that are annotated.
_SHARED = {joint: SMPL24.index(joint) for joint in SMPL24.joints if joint in J24.joints}


@dataclass(frozen=True)
class Actor:
    """One person of a sequence of N frames.

    Attributes:
        gender: of the body.
        pose: (N, 72) axis-angle, the root in the world. betas: (10,). trans: (N, 3) metres, as smplx's ``transl``.
        joints: (N, 24, 3) SMPL's joints in the world, metres.
        keypoints: (N, 18, 3) px and confidence.
        valid: (N,) whether the camera is, and is none of zeros.
    """

    gender: Gender
    pose: Floats
    betas: Floats
    trans: Floats
    joints: Floats
    keypoints: Floats
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Sequence:
    """One file.

    Attributes:
        name: of its folder of images.
        intrinsics: (3, 3).
        extrinsics: (N, 3, 4) world → camera, metres.
        actors: by their number.
    """

    name: str
    intrinsics: Floats
    extrinsics: Floats
    actors: tuple[Actor, ...]

    @property
    def number(self) -> int:
        """Made of the name, so that it is the same whichever other sequences are there."""
        return zlib.crc32(self.name.encode()) & 0x7FFFFFFF

    def ids(self, actor: int, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Annotation ids of an actor in some frames."""
        return (self.number * _FRAMES + frames) * _ACTORS + actor


def read_sequence(path: Path) -> Sequence:
    """Read a file.

    Raises:
        RawDataCorrupt: it is no pickle of a sequence.
        UntrustedData: it asks for more than arrays.
    """
    record = load_trusted_pickle(path)
    try:
        name, genders = record["sequence"], list(record["genders"])
        if not isinstance(name, str) or not 0 < len(genders) <= _ACTORS:
            raise ValueError(f"sequence {str(name)[:40]!r} of {len(genders)} actors")
        frames = len(record["cam_poses"])
        extrinsics = _numbers("cam_poses", record["cam_poses"], (frames, 4, 4))[:, :3]
        intrinsics = _numbers("cam_intrinsics", record["cam_intrinsics"], (3, 3))
        if frames > _FRAMES or not np.isfinite(intrinsics).all() or np.linalg.det(intrinsics) <= 0:
            raise ValueError(f"{frames} frames, cam_intrinsics {intrinsics.tolist()}")
        R = extrinsics[:, :, :3]
        turns = np.isfinite(extrinsics).all((1, 2)) & (np.abs(R).sum((1, 2)) > 0)
        actors = tuple(_actor(record, k, genders[k], turns) for k in range(len(genders)))
    except (ValueError, TypeError, LookupError, np.linalg.LinAlgError) as error:
        raise RawDataCorrupt(
            f"{path} is no sequence of 3DPW: {type(error).__name__}: {str(error)[:200]}",
            expected="a file of sequenceFiles.zip as released",
            action="fetch it again.",
        ) from None
    return Sequence(name, intrinsics, extrinsics, actors)


def _actor(record: Any, k: int, gender: Any, turns: NDArray[np.bool_]) -> Actor:
    frames = len(turns)
    betas = _numbers("betas", record["betas"][k])
    if betas.size < 10:
        raise ValueError(f"betas of shape {betas.shape}")
    points = _numbers("poses2d", record["poses2d"][k], (frames, 3, 18))
    return Actor(
        _GENDERS[gender],
        _numbers("poses", record["poses"][k], (frames, 72)),
        betas.ravel()[:10],
        _numbers("trans", record["trans"][k], (frames, 3)),
        _numbers("jointPositions", record["jointPositions"][k], (frames, 72)).reshape(frames, 24, 3),
        points.transpose(0, 2, 1),
        (_numbers("campose_valid", record["campose_valid"][k], (frames,)) > 0) & turns,
    )


def _numbers(key: str, value: Any, shape: tuple[int, ...] | None = None) -> Floats:
    kind = value.dtype.kind if isinstance(value, np.ndarray) else type(value).__name__
    if kind not in tuple("biuf") or shape not in (None, value.shape):
        raise ValueError(f"{key} is {kind} {getattr(value, 'shape', '')}, not numbers of shape {shape or '(10,)'}")
    found: Floats = value.astype(np.float64)
    return found


class ThreeDpw(ReaderOfStills):
    """Reader of sequences (role ``annotations``)."""

    thins = True

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every actor in every frame."""
        files: dict[int, Path] = {}
        for path in raw.files("annotations"):
            sequence = read_sequence(path)
            if files.setdefault(sequence.number, path) != path:
                fault = f"{path.name} and {files[sequence.number].name} are both the sequence {sequence.name}"
                raise RawDataCorrupt(fault, expected="a file for each sequence", action="take one of them away.")
            frames = len(sequence.extrinsics)
            told.listed = told.listed[0] + frames, told.listed[1] + frames * len(sequence.actors)
            for k, actor in enumerate(sequence.actors):
                wanted = raw.thin.keep(np.arange(frames), actor.joints) if raw.thin else np.ones(frames, bool)
                told.unwanted["thinned"] += int((~wanted).sum())
                yield from _persons(raw, sequence, k, wanted)


def _persons(raw: Raw, sequence: Sequence, k: int, wanted: NDArray[np.bool_]) -> Iterator[PersonRecord | Dropped]:
    actor, R = sequence.actors[k], sequence.extrinsics[:, :, :3]
    measured = actor.joints[:, list(_SHARED.values())] @ R.transpose(0, 2, 1) + sequence.extrinsics[:, None, :, 3]
    same: dict[str, Any] = {
        "subject": k,
        "sequence": sequence.number,
        "intrinsics": tuple(map(tuple, sequence.intrinsics.tolist())),
        "gender": actor.gender,
        "box_source": "keypoints",
    }
    frames = np.flatnonzero(wanted)
    for i, key in zip(frames.tolist(), sequence.ids(k, frames).tolist(), strict=True):
        who = f"actor {k} in frame {i} of {sequence.name}"
        try:
            points, sure = _detected(raw, actor.keypoints[i])
            reason = raw.refusal(points) if actor.valid[i] else "no_camera"
            box = _box(raw, points) if not reason else (0.0, 0.0, 0.0)
            if reason or box[2] == 0:
                yield Dropped(reason or "bad_box", who)
                continue
            yield PersonRecord(
                image_name=image_name(raw.folder, f"{sequence.name}/image_{i:05d}.jpg", raw.root),
                annotation_id=key,
                box=box,
                keypoints=points,
                confidence=sure,
                joints3d=dict(zip(_SHARED, measured[i].tolist(), strict=True)),
                frame=i,
                **same,
            )
        except ValueError as error:
            yield damage(who, error)


def _detected(raw: Raw, points: Floats) -> tuple[dict[str, tuple[float, float, int]], dict[str, float]]:
    """The joints with confidence, and theirs, of which OpenPose gives some a little above 1."""
    listed, shift = zip(raw.manifest.keypoints.listed.joints, points.tolist(), strict=True), raw.manifest.keypoints
    found = [(joint, x + shift.offset, y + shift.offset, c) for joint, (x, y, c) in listed if joint and not c <= 0]
    return {joint: (x, y, 2) for joint, x, y, _ in found}, {joint: min(c, 1.0) for joint, _, _, c in found}


def _box(raw: Raw, points: dict[str, tuple[float, float, int]]) -> tuple[float, float, float]:
    x, y = [place[0] for place in points.values()], [place[1] for place in points.values()]
    found: tuple[float, float, float] = square(
        min(x), min(y), max(x) - min(x), max(y) - min(y), raw.manifest.box.factor
    )
    return found
