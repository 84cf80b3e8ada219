"""Videos, what detectors found in them, and data sets from video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


READERS = {
    "videos": Reader(_write_videos, _read_videos),
    "detections": Reader(_write_detections, _read_detections),
}
