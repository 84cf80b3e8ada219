"""Raw data sets of benchmarks, in which every joint and vertex is that of a body that the writer posed itself.

Bodies are posed here by SMPL's formulas in NumPy. Index lists are those of the published code, typed in.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

#: Sizes of the free body that stand for SMPL's three.
SIZES = {"smpl-male": 1.03, "smpl-female": 0.96, "smpl-neutral": 1.0}
#: SPIN's J14 among the regressor's 17 joints, and where it puts those 17 among its 24.
J14 = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
IN_J24 = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]
#: The same 17 among the 32 of Human3.6M's files, and among the 17 of MPI-INF-3DHP's test set.
OF_32 = [11, 6, 7, 8, 1, 2, 3, 12, 24, 14, 15, 17, 18, 19, 25, 26, 27]
OF_17 = [14, 11, 12, 13, 8, 9, 10, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
#: Among SMPL's 24 joints, 21 landmarks and 9 extra joints: OpenPose's 18, and the first 14 of SPIN's 24.
OPENPOSE18 = [24, 12, 17, 19, 21, 16, 18, 20, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28]
LSP14 = [8, 5, 45, 46, 4, 7, 21, 19, 17, 16, 18, 20, 47, 48]


class Posed(NamedTuple):
    """Persons without translation: vertices (N, V, 3), joints (N, 54, 3), turns (N, 24, 3, 3) of bones in space."""

    vertices: np.ndarray
    joints: np.ndarray
    turns: np.ndarray

    @property
    def skeleton(self) -> np.ndarray:
        """(N, 24, 3)."""
        return self.joints[:, :24]


class People(NamedTuple):
    """N persons of some bodies: rotation (N, 24, 3, 3) seen by the camera, betas (N, 10), place (N, 3) metres."""

    bodies: list[str]
    rotation: np.ndarray
    betas: np.ndarray
    place: np.ndarray

    @property
    def pose(self) -> np.ndarray:
        """(N, 72)."""
        return Rotation.from_matrix(self.rotation.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 72)


def people(bodies: list[str], seed: int = 0, same: int = 1) -> People:
    """Somebody of each body, upright before the camera; ``same`` one after the other have the same betas."""
    random, N = np.random.default_rng(seed), len(bodies)
    turns = 0.25 * random.normal(size=(N, 24, 3))
    rotation = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(N, 24, 3, 3)
    upright = Rotation.from_rotvec([np.pi, 0, 0])
    heading = Rotation.from_euler("y", random.uniform(0, 360, (N, 1)), degrees=True)
    rotation[:, 0] = (upright * heading).as_matrix() @ rotation[:, 0]
    betas = np.repeat(0.7 * random.normal(size=(-(-N // same), 10)), same, 0)[:N]
    place = np.stack([random.uniform(-0.8, 0.8, N), random.uniform(-0.2, 0.2, N), random.uniform(4, 5, N)], 1)
    return People(bodies, rotation, betas, place)


def posed(arrays: Any, bodies: list[str], rotation: np.ndarray, betas: np.ndarray) -> Posed:
    """By the formulas of Loper et al., person by person."""
    found = []
    bent = (rotation[:, 1:] - np.eye(3)).reshape(len(betas), -1) @ arrays.posedirs
    for body, R, beta, more in zip(bodies, rotation, betas, bent, strict=True):
        rest = SIZES[body] * arrays.v_template + arrays.shapedirs @ beta
        J = arrays.joints.matrix @ rest
        rest = rest + more.reshape(-1, 3)
        G, at = [R[0]], [J[0]]
        for j in range(1, 24):
            parent = arrays.parents[j]
            at.append(at[parent] + G[parent] @ (J[j] - J[parent]))
            G.append(G[parent] @ R[j])
        turns, skeleton = np.array(G), np.array(at)
        blend = (arrays.weights @ turns.reshape(24, 9)).reshape(-1, 3, 3)
        shift = arrays.weights @ (skeleton - np.einsum("jab,jb->ja", turns, J))
        vertices = (blend @ rest[..., None])[..., 0] + shift
        joints = np.concatenate([skeleton, vertices[arrays.landmarks], arrays.extra.matrix @ vertices])
        found.append((vertices, joints, turns))
    return Posed(*(np.array(each) for each in zip(*found, strict=True)))


def project(K: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., 2) px."""
    seen = points @ K.T
    return seen[..., :2] / seen[..., 2:]


def threedpw(module: ModuleType, arrays: Any, root: Path, who: People, split: str = "test") -> np.ndarray:
    """A man and a woman in as many frames each, before a moving camera; returns K."""
    frames = len(who.bodies) // 2
    content = module.sequence("downtown_00", frames, "mf")
    K, R, T = content["cam_intrinsics"], content["cam_poses"][:, :3, :3], content["cam_poses"][:, :3, 3]
    K[:2, 2] = 320, 240
    K[0, 0] = K[1, 1] = 500
    body = posed(arrays, who.bodies, who.rotation, who.betas)
    for k in range(2):
        mine = slice(k * frames, (k + 1) * frames)
        there, J0 = body.joints[mine] + who.place[mine, None], body.skeleton[mine, 0]
        world = np.einsum("nji,nkj->nki", R, there - T[:, None])
        pose = who.pose[mine].copy()
        pose[:, :3] = Rotation.from_matrix(R.transpose(0, 2, 1) @ who.rotation[mine, 0]).as_rotvec()
        points = project(K, there[:, OPENPOSE18])
        content["poses"][k], content["betas"][k] = pose, who.betas[mine.start]
        content["trans"][k] = world[:, 0] - J0
        content["jointPositions"][k] = world[:, :24].reshape(frames, 72)
        content["poses2d"][k] = np.concatenate([points, np.full((frames, 18, 1), 0.9)], 2).transpose(0, 2, 1)
    module.save(root, split, content, (640, 480))
    return K


def h36m(module: ModuleType, arrays: Any, root: Path, who: People, views: list[tuple[str, str]]) -> None:
    """S9 in views (name, camera) of three poses each, frames 0, 5 and 10, as images that were made of the videos."""
    module.start(root)
    joints = arrays.h36m.matrix @ posed(arrays, who.bodies, who.rotation, who.betas).vertices
    (root / "images").mkdir()
    for k, (name, camera) in enumerate(views):
        solid = 100 * np.random.default_rng(k).normal(size=(11, 32, 3)) + [0, 0, 5000]
        solid[::5, OF_32] = 1000 * (joints + who.place[:, None])[3 * k : 3 * k + 3]
        flat = module.distorted(solid, module.LENSES[camera])
        for kind, values in (("D3_Positions_mono", solid), ("D2_Positions", flat)):
            module.save_cdf(root / "S9" / "MyPoseFeatures" / kind / f"{name}.{camera}.cdf", values.reshape(11, -1))
        for frame in (0, 5, 10):
            image = np.zeros((module.HEIGHTS[camera], 1000, 3), np.uint8)
            path = root / "images" / f"S9_{name.replace(' ', '_')}.{camera}_{frame + 1:06d}.jpg"
            cv2.imwrite(str(path), image)


def mosh(path: Path, pose: np.ndarray, betas: np.ndarray) -> Path:
    """Bodies of a view: R_root · Rx(π) of what is written is seen by the camera."""
    written = pose.copy()
    half = Rotation.from_rotvec([np.pi, 0, 0])
    written[:, :3] = (Rotation.from_rotvec(pose[:, :3]) * half.inv()).as_rotvec()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"new_poses": written, "betas": betas}, 2))
    return path


def mpi_inf_3dhp(module: ModuleType, mat73: ModuleType, arrays: Any, root: Path, who: People) -> None:
    """TS1 and TS6, in each the second of four frames not valid; ``univ_annot3`` is 0.9 × the plain one."""
    joints = arrays.h36m.matrix @ posed(arrays, who.bodies, who.rotation, who.betas).vertices
    for k, number in enumerate((1, 6)):
        size, folder = (128, 128) if number == 1 else (160, 90), root / "mpi_inf_3dhp_test_set" / f"TS{number}"
        calib = "ts1-4cameras.calib" if number == 1 else "ts5-6cameras.calib"
        K = module.lens(folder.parent / "test_util" / "camera_calibration" / calib, size)
        solid = np.full((4, 17, 3), 4000.0) + np.random.default_rng(k).normal(size=(4, 17, 3))
        mine = slice(3 * k, 3 * k + 3)
        solid[np.ix_([0, 2, 3], OF_17)] = 1000 * (joints[mine] + who.place[mine, None])
        valid = np.array([1, 0, 1, 1])
        content = module.measured(project(K, solid), solid, valid, np.ones(4))
        content["univ_annot3"] = 0.9 * content["annot3"]
        mat73.save(folder / "annot_data.mat", content)
        module.measured_images(folder / "imageSequence", [0, 2, 3], size)


def threedoh50k(module: ModuleType, arrays: Any, root: Path, who: People) -> None:
    """A person on each image, lengths in units of 1 / scale metres."""
    random, size, entries = np.random.default_rng(5), (640, 480), {}
    body = posed(arrays, who.bodies, who.rotation, who.betas)
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    for i in range(len(who.bodies)):
        one = module.entry(i, random)
        (scale,), R, T = one["scale"], np.array(one["extri"])[:3, :3], np.array(one["extri"])[:3, 3]
        J0, there = body.skeleton[i, 0], (body.joints[i] + who.place[i])[LSP14]
        pose, points = who.pose[i].copy(), project(K, there)
        pose[:3] = Rotation.from_matrix(R.T @ who.rotation[i, 0]).as_rotvec()
        # scale · (R·(x − J0) + J0 of the world's body, placed) is what the camera sees.
        trans = R.T @ (scale * (who.place[i] + J0) - T) - scale * J0
        one |= {"pose": pose[None].tolist(), "betas": who.betas[i : i + 1].tolist(), "trans": trans[None].tolist()}
        one |= {"intri": K.tolist(), "lsp_joints_3d": (scale * there).tolist(), "lsp_joints_2d": points.tolist()}
        entries[f"{i:05d}"] = one | {"bbox": [points.min(0).tolist(), points.max(0).tolist()], "mask_path": ""}
    module.save(root, "test", entries, size)


def npz_row(npz: ModuleType, root: Path, name: str, joints: np.ndarray | None = None, **more: Any) -> dict[str, Any]:
    """A row of SPIN's files, and its image; joints (17, 3) metres become S, from their pelvis. Without keypoints."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / name), np.zeros((60, 80, 3), np.uint8))
    row = npz.person(name, (40, 30), 0.25)
    del row["part"]
    if joints is not None:
        row["S"] = np.zeros((24, 4))
        row["S"][IN_J24] = np.pad(joints - joints[0], ((0, 0), (0, 1)), constant_values=1)
    return row | more
