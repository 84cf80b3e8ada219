"""Videos, what detectors found in them, and data sets from video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.video import VideoFrames

from .reader import Reader, factory


def _write_videos(folder: Path) -> Iterator[Path]:
    videos = factory("videos")
    for name, codec in (("a.mp4", "mp4v"), ("a.avi", "XVID"), ("b.avi", "MJPG")):
        yield videos.write_video(folder / name, 5, codec)


def _read_videos(folder: Path) -> Any:
    with VideoFrames(folder, "") as source:
        return [list(source.decode(path.name, [0, 3, 9], (0, 0))) for path in sorted(folder.iterdir())]


def _write_detections(folder: Path) -> Iterator[Path]:
    factory("videos").write_video(folder / "a.mp4", 3)
    person: dict[str, Any] = {"keypoints": [float(10 + k % 40) for k in range(51)], "bbox": [5, 5, 20, 30.5]}
    pairs = {"keypoints": [[k, 2 * k] for k in range(17)], "keypoint_scores": [0.9] * 17, "bbox": [[1, 2, 30, 40]]}
    forms: list[Any] = [
        {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 3, "image_id": 1, **person}]},
        [{"image_id": "2.jpg", "idx": 1, **person}, {"image_id": 0, **person}],
        {"instance_info": [{"frame_id": 1, "instances": [pairs, pairs]}]},
    ]
    for form in forms:
        (folder / "a.json").write_text(json.dumps(form))
        yield folder / "a.json"


def _read_detections(folder: Path) -> Any:
    from pymaf_data.datasets import select
    from pymaf_data.stages.ingest import require_raw_data
    from pymaf_data.stages.options import IngestOptions

    return select(require_raw_data(IngestOptions(dataset="video", files=(folder / "a.mp4",))))


def _write_tdhp(*names: str) -> Callable[[Path], Iterator[Path]]:
    """Both splits, of whose files those of some names are mutated."""

    def write(folder: Path) -> Iterator[Path]:
        tdhp, root = factory("tdhp"), folder / "raw"
        tdhp.sequence(root, "S1/Seq1", 6, {0: 4}, 64)
        K = tdhp.lens(root / "mpi_inf_3dhp_test_set/test_util/camera_calibration/ts1-4cameras.calib", (64, 64))
        solid = tdhp.people(4, 1)
        points, ones = tdhp.seen(K, solid)[:, tdhp.TEST], np.ones(4)
        content = tdhp.measured(points, solid[:, tdhp.TEST], ones, ones)
        factory("mat73").save(root / "mpi_inf_3dhp_test_set/TS1/annot_data.mat", content)
        tdhp.measured_images(root / "mpi_inf_3dhp_test_set/TS1/imageSequence", [0], (64, 64))
        yield from (path for name in names for path in sorted(root.rglob(name)))

    return write


def _read_tdhp(split: str, images: bool = False) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from pymaf_data.datasets import Raw, find_reader, load_manifest, one_image, select

        manifest = load_manifest("mpi-inf-3dhp").with_options(split, ["every=1"])
        raw = Raw(folder / "raw", manifest, split, "any")
        found = select(raw).records
        with find_reader("mpi-inf-3dhp").images(raw) as source:
            return found, [one_image(source, name, (64, 64)) for name, _ in found.row_keys() if images]

    return read


READERS = {
    "videos": Reader(_write_videos, _read_videos),
    "detections": Reader(_write_detections, _read_detections),
    "3dhp annot.mat": Reader(_write_tdhp("annot.mat"), _read_tdhp("train")),
    "3dhp annot_data": Reader(_write_tdhp("annot_data.mat"), _read_tdhp("test")),
    "3dhp calibration": Reader(_write_tdhp("camera.calibration"), _read_tdhp("train")),
    "3dhp lens": Reader(_write_tdhp("*.calib"), _read_tdhp("test")),
    "3dhp video": Reader(_write_tdhp("video_0.avi"), _read_tdhp("train", images=True)),
}
