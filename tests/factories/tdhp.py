"""Small MPI-INF-3DHPs: annot.mat, camera.calibration and videos of training, annot_data.mat and images of the test set.

Every image bears its frame's number, counted from 0, as 16 white or black blocks along its upper edge.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

# Written or read, the first video of a process decides how much FFmpeg says of damaged ones.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

#: The 17 joints of the test set, in its order, by their places among the 28 of training.
TEST = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)
#: Whose 2D places are not their projections.
APART = (3, 18, 23)


def matrix(side: int, camera: int) -> np.ndarray:
    """(3, 3) of a camera whose images have this side."""
    return np.array([[0.73 * side + camera, 0, side / 2 - 3.5], [0, 0.74 * side + camera, side / 2 + 2.25], [0, 0, 1]])


def people(frames: int, seed: int, drift: float = 0.0) -> np.ndarray:
    """(N, 28, 3) mm in the camera: somebody three metres off, who walks to the right by ``drift`` mm a frame."""
    random = np.random.default_rng(seed)
    body = random.uniform((-400, -700, -200), (400, 700, 200), (28, 3)) + np.array([0, 0, 3000])
    walk = np.arange(frames)[:, None, None] * np.array([drift, 0, 0])
    found: np.ndarray = body + walk + random.normal(0, 15, (frames, 28, 3))
    return found


def project(K: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(..., 2) px."""
    found = solid @ K.T
    return found[..., :2] / found[..., 2:]


def seen(K: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(N, 28, 2) px as annotated: hips and spine lie a pixel off."""
    points = project(K, solid)
    points[:, APART] += 1.0
    return points


def annotations(path: Path, points: list[np.ndarray], solid: list[np.ndarray], row: bool = False, **more: Any) -> Path:
    """annot.mat of N frames and as many cameras as there are arrays: (N, 28, 2) px and (N, 28, 3) mm."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def cells(values: list[np.ndarray]) -> np.ndarray:
        found = np.empty((len(values), 1), object)
        for k, value in enumerate(values):
            found[k, 0] = value.reshape(len(value), -1) if len(value) else np.zeros((0, 0))
        return found.T if row else found

    content = {
        "annot2": cells(points),
        "annot3": cells(solid),
        "univ_annot3": cells([0.92 * value for value in solid]),
        "cameras": np.arange(len(points))[None],
        "frames": np.arange(len(points[0]))[:, None],
    }
    savemat(path, {key: value for key, value in (content | more).items() if value is not None}, do_compression=True)
    return path


def calibration(path: Path, matrices: Mapping[int, np.ndarray], side: int) -> Path:
    """camera.calibration, the lines of matrices ending in a blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number, K in matrices.items():
        wide = np.eye(4)
        wide[:3, :3] = K
        outer = np.eye(4)
        outer[:3, 3] = 100.0 * number
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            f"  size        {side} {side}",
            "  animated    0",
            f"  intrinsic   {' '.join(f'{value:.9g}' for value in wide.ravel())} ",
            f"  extrinsic   {' '.join(f'{value:.9g}' for value in outer.ravel())} ",
            "  radial      0",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def image(number: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3) with its number burnt in."""
    made = np.full((height, width, 3), 90, np.uint8)
    block = width // 16
    for bit in range(16):
        made[: height // 8, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
    return made


def number_of(shown: np.ndarray) -> int:
    """The number that an image bears."""
    height, width = shown.shape[:2]
    block = width // 16
    bits = [shown[2 : height // 8 - 2, bit * block + 2 : (bit + 1) * block - 2].mean() > 128 for bit in range(16)]
    return sum(1 << bit for bit, on in enumerate(bits) if on)


def video(path: Path, frames: list[np.ndarray], codec: str = "MJPG") -> Path:
    """An avi of (H, W, 3) RGB frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def numbered(path: Path, frames: int, side: int, codec: str = "MJPG") -> Path:
    """A video whose frames bear their numbers."""
    return video(path, [image(number, side, side) for number in range(frames)], codec)


def sequence(
    root: Path, name: str, frames: int, videos: Mapping[int, int], side: int = 128, seed: int = 0, drift: float = 40.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """S1/Seq1 with 14 cameras' annotations, and videos of some cameras with so many frames; returns px and mm."""
    matrices = {camera: matrix(side, camera) for camera in range(14)}
    solid = [people(frames, 100 * seed + camera, drift * (1 + camera % 3)) for camera in matrices]
    points = [seen(K, one) for K, one in zip(matrices.values(), solid, strict=True)]
    annotations(root / name / "annot.mat", points, solid)
    calibration(root / name / "camera.calibration", matrices, side)
    for camera, length in videos.items():
        codec = "XVID" if camera % 2 else "MJPG"
        numbered(root / name / "imageSequence" / f"video_{camera}.avi", length, side, codec)
    return points, solid


def lens(path: Path, size: tuple[int, int], tabs: str = "\t") -> np.ndarray:
    """A calibration of the test set's; returns its (3, 3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wide, high = 10.0, 10.0 * size[1] / size[0]
    said = {
        "sensorSize": (wide, high), "focalLength": (7.5,), "pixelAspect": (0.995,), "centerOffset": (-0.05, 0.08),
    }  # fmt: skip
    lines = ["tc camera calibration v0.3", "camera\t0\tcam_8", "\tcolorCorrection", "\t\tred   0 1 2 3", "\tframe\t0"]
    lines += [f"\t\t{key}{tabs}{tabs.join(map(str, values))}\t# in mm" for key, values in said.items()]
    lines += ["\t\tdistortionModel\tOpenCV", "\t\tdistortion\t0.1 0 0 0 0", "\t\t\torigin\t1\t2\t3"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    per_mm = size[0] / wide
    return np.array(
        [
            [7.5 * per_mm, 0, (5 - 0.05) * per_mm],
            [0, 7.5 * per_mm * 0.995, (high / 2 + 0.08) * per_mm],
            [0, 0, 1],
        ]
    )


def measured(points: np.ndarray, solid: np.ndarray, valid: np.ndarray, activity: np.ndarray) -> dict[str, Any]:
    """The variables of annot_data.mat in Matlab's axes, of (N, 17, 2) px and (N, 17, 3) mm."""
    universal = 0.9 * solid
    universal[:, [9, 12]] += 25.0  # knees, as in the revised TS6
    return {
        "annot2": points[:, None].T,
        "annot3": solid[:, None].T,
        "univ_annot3": universal[:, None].T,
        "valid_frame": valid[None].astype(np.float64),
        "activity_annotation": activity[None].astype(np.float64),
        "bb_crop": np.zeros((34, len(points))),
    }


def measured_images(folder: Path, frames: list[int], size: tuple[int, int]) -> None:
    """img_000001.jpg is frame 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        made = image(frame, *size)
        assert cv2.imwrite(str(folder / f"img_{frame + 1:06d}.jpg"), made)
