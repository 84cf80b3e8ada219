"""HumanData as mmhuman3d's converters dump it: dictionaries pickled into members of an .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

# Where the 190 joints have OpenPose's 25 (first to last) and SPIN's 24, by mmhuman3d's own numbering.
OPENPOSE = list(range(153, 178))
SPIN24 = [8, 5, 144, 145, 4, 7, 21, 19, 17, 16, 18, 20, 146, 147, 148, 149, 150, 151, 152, 55, 57, 56, 59, 58]


def spread(joints: np.ndarray, places: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (N, J, C) at their places among the 190, and the mask of those."""
    found, mask = np.zeros((len(joints), 190, joints.shape[2])), np.zeros(190)
    found[:, places], mask[places] = joints, 1
    return found, mask


def xywh(box: np.ndarray, tight: float = 1.0) -> np.ndarray:
    """Boxes with a confidence, of centres and sides (N, 3): square, or as much narrower and lower as a raw set's."""
    size = np.stack([box[:, 2] * tight * 0.5 if tight < 1 else box[:, 2], box[:, 2] * tight], 1)
    return np.hstack([box[:, :2] - size / 2, size, np.ones((len(box), 1))])


def bodies(pose: np.ndarray, betas: np.ndarray, **more: Any) -> dict[str, Any]:
    """The dictionary ``smpl``."""
    return {"body_pose": pose[:, 3:].reshape(-1, 23, 3), "global_orient": pose[:, :3], "betas": betas, **more}


def dump(path: Path, names: Any, box: np.ndarray, smpl: Any, points: Any, compressed: bool = True, **more: Any) -> Path:
    """A file; ``points`` are joints (N, J, 3) and their places.


    Args:
        path: of the file.
        names: N, of images.
        box: as :func:`xywh` gives it.
        smpl: as :func:`bodies` gives it.
        points: joints and places.
        compressed: whether only columns of the mask are kept.
        more: further members, or instead; None leaves one out.
    """
    found, mask = spread(*points)
    members: dict[str, Any] = {
        "__key_strict__": False, "__data_len__": len(box), "__keypoints_compressed__": compressed,
        "image_path": [str(name) for name in names], "bbox_xywh": box, "smpl": smpl,
        "keypoints2d": found[:, mask > 0] if compressed else found, "keypoints2d_mask": mask, "config": "eft",
    } | more  # fmt: skip
    np.savez_compressed(path, **{key: value for key, value in members.items() if value is not None})
    return path


def placed(path: Path, people: Any, **more: Any) -> Path:
    """Persons (``published.People``) as a converter of a set with cameras dumps them, in tight boxes; ``more`` as of
    :func:`dump`.
    """
    N, K = len(people.names), people.K
    meta = {
        "focal_length": [row[[0, 1], [0, 1]].reshape(1, 2) for row in K], "principal_point": [row[:2, 2] for row in K],
        "height": [480] * N, "width": [640] * N,
    }  # fmt: skip
    points = np.dstack([people.joints[:, 25:], np.ones((N, 19))]), SPIN24[:19]
    smpl = bodies(people.pose, people.betas.reshape(N, 1, 10), transl=people.trans.astype(np.float32))
    members = {"smpl": smpl, "config": "renbody", "meta": meta} | more
    return dump(path, people.names, xywh(people.box, 0.7), members.pop("smpl"), points, **members)
