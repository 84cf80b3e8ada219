"""Every kind of raw data set in small, whole with its images, and the options with which it is ingested.

    write(name, root)    writes below root and returns options

Each has persons on two images at least, and every image.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

World = Callable[[Path], dict[str, Any]]


def _photograph(path: Path, seed: int, size: tuple[int, int] = (96, 72)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))
    return path


def coco(root: Path) -> dict[str, Any]:
    """With masks, a crowd and one whom nobody wants."""
    made = _load("coco").small_set(root, pictures=3, persons=1)
    made.person(made.images[0], iscrowd=1, segmentation={"size": [72, 96], "counts": [700, 20, 72 * 96 - 720]})
    _load("coco").unlabel(made.person(made.images[1]), [16])
    made.save()
    return {"dataset": "coco", "option": ("masks=true",)}


def own(root: Path) -> dict[str, Any]:
    """A file of one's own, OpenPose's detections beside it."""
    made, openpose = _load("coco").small_set(root, pictures=3, persons=1), _load("openpose")
    for image, person in zip(made.images, made.annotations, strict=True):
        openpose.write(root / "op", image["file_name"][:-4], [openpose.detection(person["keypoints"], (1, 0))])
    return {"dataset": str(made.file), "images": made.folder, "root": None, "openpose": root / "op"}


def zipped(root: Path) -> dict[str, Any]:
    made = _load("coco").small_set(root, pictures=3, persons=1)
    with zipfile.ZipFile(root / "train2014.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(made.folder.iterdir()):
            archive.write(path, f"train2014/{path.name}")
    shutil.rmtree(made.folder)
    return {"dataset": "coco"}


def mpii(root: Path) -> dict[str, Any]:
    """Its images in the tar as downloaded."""
    made, rng = _load("mpii"), np.random.default_rng(0)
    people = [made.rect(made.points(rng.uniform(20, 70, (16, 2))), 0.3, (45.0, 40.0)) for _ in range(3)]
    names = ["1.jpg", "2.jpg", "3.jpg"]
    images = [made.image(name, made.struct(one)) for name, one in zip(names, people, strict=True)]
    made.save(root, images, [1, 1, 1])
    with tarfile.open(root / "mpii_human_pose_v1.tar.gz", "w:gz") as archive:
        for seed, name in enumerate(names):
            archive.add(_photograph(root / "images" / name, seed), f"images/{name}")
    shutil.rmtree(root / "images")
    return {"dataset": "mpii"}


def lsp(root: Path) -> dict[str, Any]:
    """With the masks and parts of UPi-S1h."""
    leeds = _load("lsp")
    leeds.lsp(root, leeds.people(1003), np.zeros((1003, 14), bool), "lsp_dataset")
    for number in (1001, 1002, 1003):
        leeds.save_image(root / "lsp_dataset" / "images" / f"im{number}.jpg", number)
        leeds.upi_s1h(root, number, *leeds.outlines(number))
    return {"dataset": "lsp", "split": "test", "option": ("persons=[1001, 1003]",)}


def lspet(root: Path) -> dict[str, Any]:
    leeds = _load("lsp")
    leeds.hr_lspet(root, leeds.people(3), np.ones((3, 14), bool), [1, 3, 4])
    return {"dataset": "lspet"}


def up_3d(root: Path) -> dict[str, Any]:
    made, rng = _load("up_3d"), np.random.default_rng(0)
    for number in (1, 2, 3):
        joints = np.concatenate([rng.uniform(2, 24, (2, 14)), np.ones((1, 14))])
        made.save_person(root, number, joints, (2, 3, 20, 30), (24, 32))
    made.save_list(root, "train.txt", [2, 1, 3])
    return {"dataset": "up-3d"}


def threedpw(root: Path) -> dict[str, Any]:
    """Two actors in two frames, and a second sequence."""
    made = _load("threedpw")
    for name, genders, seed in (("walk_00", "mf", 0), ("run_01", "f", 1)):
        made.save(root, "test", made.sequence(name, 2, genders, seed=seed), (960, 960))
    return {"dataset": "3dpw", "split": "test"}


def threedoh50k(root: Path) -> dict[str, Any]:
    made, rng = _load("threedoh50k"), np.random.default_rng(0)
    made.save(root, "test", {f"{number:05d}": made.entry(number, rng) for number in (2, 0, 1)})
    return {"dataset": "3doh50k", "split": "test"}


def ssp3d(root: Path) -> dict[str, Any]:
    _load("ssp3d").save(root, _load("ssp3d").labels(3))
    return {"dataset": "ssp-3d", "split": "test"}


def npz(root: Path) -> dict[str, Any]:
    """All that a row can have, masks too."""
    made, leeds, rng = _load("npz"), _load("lsp"), np.random.default_rng(0)
    rows = []
    for i in range(3):
        leeds.save_image(root / "images" / f"{i}.jpg", i)
        leeds.upi_s1h(root, i, *leeds.outlines(i))
        part, openpose = rng.uniform(10, 90, (24, 3)), rng.uniform(10, 90, (25, 3))
        part[:, 2], openpose[:, 2] = 1, rng.uniform(0, 1, 25)
        more: dict[str, Any] = {"openpose": openpose, "S": rng.normal(size=(24, 4)), "gender": "mf"[i % 2]}
        more |= {
            f"{key}name": f"im{i:04d}_{end}.png"
            for key, end in (("mask", "segmentation"), ("part", "part_segmentation"))
        }
        rows.append(made.person(f"images/{2 - i}.jpg", (60, 80), 0.5 + i / 10, part, **more))
    file = made.save(root / "mpii_train.npz", rows)
    return {"dataset": "npz", "npz": file, "images": root, "root": None, "option": ("masks=upi-s1h/data/lsp",)}


def video(root: Path) -> dict[str, Any]:
    """Two, so that a shard begins in the middle of each; the second ends too early."""
    videos, files = _load("videos"), []
    for name, frames in (("a.mp4", 12), ("b.avi", 9)):
        files.append(videos.write_video(root / name, frames, "mp4v" if name == "a.mp4" else "MJPG"))
        joints = [value for joint in range(17) for value in (30 + joint, 20 + 2 * joint, 0.9)]
        persons = [{"image_id": frame, "keypoints": joints, "box": [20, 10, 40, 60]} for frame in (2, 5, 8)]
        files[-1].with_suffix(".json").write_text(json.dumps(persons))
    return {"dataset": "video", "files": tuple(files), "root": None}


def images(root: Path) -> dict[str, Any]:
    """With the persons that a detector found, one of them in a sub-folder."""
    joints = [value for joint in range(17) for value in (30 + joint, 20 + 2 * joint, 0.9)]
    names = ("0.jpg", "1.jpg", "sub/2.jpg")
    for number, name in enumerate(names):
        _photograph(root / name, number)
    persons = [{"image_id": name, "keypoints": joints, "bbox": [20, 10, 40, 60]} for name in names]
    (root / "detections.json").write_text(json.dumps(persons))
    return {"dataset": "images"}


def h36m(root: Path) -> dict[str, Any]:
    """Two cameras of one sequence; boxes are those of the joints."""
    made = _load("h36m").start(root)
    for camera in ("54138969", "60457274"):
        _load("h36m").add(made, 9, "Walking", camera, 12)
        _load("h36m").save_video(made, 9, "Walking", camera)
    return {"dataset": "h36m", "split": "p1", "option": ("boxes=joints",)}


def tdhp(root: Path) -> dict[str, Any]:
    """Two cameras, whose videos are shorter than the annotations."""
    _load("tdhp").sequence(root, "S1/Seq1", 6, {0: 4, 1: 4}, 64)
    return {"dataset": "mpi-inf-3dhp", "option": ("every=1",), "select": "any"}


def _keypoint_set(name: str, split: str = "train") -> World:
    def write(root: Path) -> dict[str, Any]:
        getattr(_load("keypoint_sets"), name.replace("-", "_"))(root)
        return {"dataset": name, "split": split}

    return write


WORLDS: dict[str, World] = {
    "coco": coco,
    "own": own,
    "zip": zipped,
    "mpii": mpii,
    "lsp": lsp,
    "lspet": lspet,
    "up-3d": up_3d,
    "3dpw": threedpw,
    "3doh50k": threedoh50k,
    "ssp-3d": ssp3d,
    "npz": npz,
    "video": video,
    "images": images,
    "h36m": h36m,
    "mpi-inf-3dhp": tdhp,
    "aic": _keypoint_set("aic"),
    "crowdpose": _keypoint_set("crowdpose"),
    "ochuman": _keypoint_set("ochuman", "val"),
    "coco-wholebody": _keypoint_set("coco-wholebody", "val"),
    "halpe": _keypoint_set("halpe"),
    "posetrack": _keypoint_set("posetrack", "val"),
    "jhmdb": _keypoint_set("jhmdb"),
}


@cache
def _load(name: str) -> ModuleType:
    """A writer beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(name: str, root: Path) -> dict[str, Any]:
    """Write a world; returns what ingest is to be told of it."""
    root.mkdir(parents=True, exist_ok=True)
    return {"root": root} | WORLDS[name](root)
