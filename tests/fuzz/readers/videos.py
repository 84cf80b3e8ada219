"""Videos, what detectors found in them, and data sets from video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.datasets.video import VideoFrames

from .fits import read_fits
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


def _write_cdf(folder: Path) -> Iterator[Path]:
    h36m, pose = factory("h36m"), np.arange(192.0).reshape(2, 96)
    yield h36m.save_cdf(folder / "row.cdf", pose)
    yield h36m.save_cdf(folder / "column.cdf", pose, column=True, double=False)
    yield h36m.save_cdf(folder / "packed.cdf", pose, packed=6)


def _read_cdf(folder: Path) -> Any:
    from pymaf_data.errors import RawDataCorrupt
    from pymaf_data.untrusted.cdf import read_cdf

    found, refused = [], []
    for path in sorted(folder.glob("*.cdf")):
        try:
            found.append(read_cdf(path, "Pose"))
        except RawDataCorrupt as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return found


def _write_h36m(folder: Path) -> Iterator[Path]:
    h36m = factory("h36m")
    world = h36m.start(folder / "raw")
    for camera in h36m.CAMERAS[:2]:
        h36m.add(world, 9, "Greeting", camera, 2)
    yield from sorted((folder / "raw").glob("S9/*/*/*.cdf"))
    yield folder / "raw" / "metadata.xml"


def _read_h36m(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, load_manifest, select
    from pymaf_data.untrusted import cdf

    cdf._SECONDS = 2.0  # a file that keeps cdflib busy is waited for twice
    manifest = load_manifest("h36m").with_options("p1", ["known_bad=correct"])
    return select(Raw(folder / "raw", manifest, "p1"))


def _write_mosh(folder: Path) -> Iterator[Path]:
    path = folder / "S9" / "Greeting_cam0_aligned.pkl"
    path.parent.mkdir()
    path.write_bytes(factory("threedpw").pickled({"new_poses": np.ones((3, 72)), "betas": np.zeros(10)}))
    yield path


def _write_metadata(folder: Path) -> Iterator[Path]:
    factory("h36m").start(folder)
    yield folder / "metadata.xml"


def _read_metadata(folder: Path) -> Any:
    from pymaf_data.datasets.h36m_cameras import read_metadata

    return read_metadata(folder / "metadata.xml")


def _write_boxes(folder: Path) -> Iterator[Path]:
    h36m = factory("h36m")
    world, mask = h36m.start(folder), h36m.rectangle(3, 4, 20, 30, 40, 50)
    yield h36m.save_boxes(world, 9, "Greeting", h36m.CAMERAS[0], [mask] * 3)


def _read_boxes(folder: Path) -> Any:
    from pymaf_data.datasets.h36m_boxes import read_boxes

    return read_boxes(next(folder.rglob("*.mat")), [0, 2])


READERS = {
    "videos": Reader(_write_videos, _read_videos),
    "detections": Reader(_write_detections, _read_detections),
    "cdf": Reader(_write_cdf, _read_cdf),
    "h36m": Reader(_write_h36m, _read_h36m),
    "mosh": Reader(_write_mosh, read_fits("h36m-mosh:{}")),
    "metadata.xml": Reader(_write_metadata, _read_metadata),
    "boxes of h36m": Reader(_write_boxes, _read_boxes),
    "3dhp annot.mat": Reader(_write_tdhp("annot.mat"), _read_tdhp("train")),
    "3dhp annot_data": Reader(_write_tdhp("annot_data.mat"), _read_tdhp("test")),
    "3dhp calibration": Reader(_write_tdhp("camera.calibration"), _read_tdhp("train")),
    "3dhp lens": Reader(_write_tdhp("*.calib"), _read_tdhp("test")),
    "3dhp video": Reader(_write_tdhp("video_0.avi"), _read_tdhp("train", images=True)),
}
