"""Labels of rendered persons as BEDLAM's and AGORA's own scripts save them."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np


def scene(path: Path, people: Any, agora: bool = False, betas: int = 11, **changes: Any) -> Path:
    """Persons (``published.People``) of a scene, or of AGORA; ``changes`` replace arrays, None leaves one out.

    The way from the world's origin to the camera stands in the last column of ``cam_ext``; AGORA's has all of it.
    """
    N = len(people.names)
    trans_cam = np.zeros((N, 3)) if agora else people.trans - (0.5, -0.25, 3.0)
    cam_ext = np.zeros((N, 4, 4))
    cam_ext[:, :3, :3] = [[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    cam_ext[:, :3, 3], cam_ext[:, 3, 3] = people.trans - trans_cam, 1
    world = people.pose.copy()
    world[:, :3] = 1
    arrays: dict[str, Any] = {
        "imgname": people.names, "center": people.box[:, :2], "scale": people.box[:, 2] / 200,
        "pose_cam": people.pose, "pose_world": world, "shape": np.pad(people.betas, ((0, 0), (0, betas - 10))),
        "trans_cam": trans_cam, "trans_world": np.ones((N, 3)), "gtkps": people.joints, "cam_int": people.K,
        "cam_ext": cam_ext, "gender": np.array(["male", "female"] * N)[:N], "sub": np.array(["rp_x_posed_001"] * N),
        "motion_info": np.array([{}] * N, object),
    }  # fmt: skip
    if agora:
        arrays |= {"trans_cam": None, "trans_world": None, "bfh": np.zeros(N, bool)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return path


def token_hmr(path: Path, people: Any, scene: str = "20221010_a", **changes: Any) -> Path:
    """A tar of TokenHMR's, a list of persons for each image; ``changes`` are of the first person."""
    images: dict[str, list[dict[str, Any]]] = {}
    for i, name in enumerate(people.names.tolist()):
        cam_ext = np.eye(4, dtype=np.float32)
        cam_ext[:3, 3] = (0.5, -0.25, 3.0)
        person = {
            "gtkps": people.joints[i], "center": people.box[i, :2], "scale": people.box[i, 2] / 200,
            "pose_cam": people.pose[i], "shape": np.pad(people.betas[i], (0, 1)), "cam_int": people.K[i].tolist(),
            "trans_cam": people.trans[i] - (0.5, -0.25, 3.0), "cam_ext": cam_ext,
        }  # fmt: skip
        stem = f"{scene}/{name.removesuffix('.jpg')}"
        images.setdefault(stem, []).append(person | (changes if i == 0 else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for stem, persons in images.items():
            data = pickle.dumps(persons)
            for member, content in ((f"{stem}.data.pyd", data), (f"{stem}.jpg", b"\xff\xd8 no image \xff\xd9")):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def as_smplx(pose: np.ndarray) -> np.ndarray:
    """(N, 165) of poses of SMPL (N, 72): root and 21 joints, jaw and eyes at rest, each finger joint another."""
    fingers = np.linspace(0.01, 0.9, 90)
    return np.hstack([pose[:, :66], np.zeros((len(pose), 9)), np.tile(fingers, (len(pose), 1))])
