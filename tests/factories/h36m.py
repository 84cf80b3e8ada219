"""Small Human3.6Ms as released: CDFs of both majorities, box files of Matlab 7.3, metadata.xml, and videos whose frames
show their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import cv2
import h5py
import numpy as np
from scipy.spatial.transform import Rotation

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
HEIGHTS = {"54138969": 1002, "55011271": 1000, "58860488": 1000, "60457274": 1002}
SUBJECTS = range(1, 12)
ACTIONS = (
    "_ALL", "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip
#: Names that do not say their subaction, as in the release: (action, subaction, subject) → name.
ODD = {
    (5, 1, 11): "Greeting 2", (5, 2, 11): "Greeting", (5, 1, 9): "Greeting 1", (5, 2, 9): "Greeting",
    (12, 1, 1): "TakingPhoto 1", (15, 1, 1): "WalkingDog 1", (14, 1, 9): "Walking 1", (14, 2, 9): "Walking",
    (2, 1, 11): "Directions 1", (2, 2, 11): "Directions",
}  # fmt: skip
#: fx fy cx cy k1 k2 k3 p1 p2, like those of the release.
LENSES = {
    camera: np.array(
        [
            1145.0 + k,
            1143.7 - k,
            512.5 + k,
            515.4 - 3 * k,
            -0.2071,
            0.2478,
            0.004 * k - 0.0031,
            -0.0014,
            k / 1000 - 0.001,
        ]
    )
    for k, camera in enumerate(CAMERAS)
}


class World:
    """What is written.

    ``angles``, ``centres`` (mm): by (subject, camera). ``bodies``: (subject, name) → (N, 32, 3) mm in the world.
    ``views``: (subject, name, camera) → world (N, 32, 3) m, solid (N, 32, 3) mm in the camera, flat (N, 32, 2) px.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.angles: dict[tuple[int, str], np.ndarray] = {}
        self.centres: dict[tuple[int, str], np.ndarray] = {}
        self.bodies: dict[tuple[int, str], np.ndarray] = {}
        self.views: dict[tuple[int, str, str], dict[str, np.ndarray]] = {}

    def rotation(self, subject: int, camera: str) -> np.ndarray:
        """(3, 3) world → camera."""
        return Rotation.from_euler("XYZ", self.angles[subject, camera]).as_matrix()


def start(root: Path, seed: int = 0) -> World:
    """Four cameras around each subject, and metadata.xml."""
    world, random = World(root), np.random.default_rng(seed)
    for subject in SUBJECTS:
        for k, camera in enumerate(CAMERAS):
            heading = np.pi / 4 + k * np.pi / 2 + 0.1 * random.normal()
            centre = np.array([4500 * np.cos(heading), 4500 * np.sin(heading), 1550 + 50 * random.normal()])
            forward = -centre + [0, 0, 1000]
            z = forward / np.linalg.norm(forward)
            x = np.cross(z, [0, 0, 1.0])
            x /= np.linalg.norm(x)
            world.centres[subject, camera] = centre
            axes = Rotation.from_matrix(np.stack([x, np.cross(z, x), z]))
            world.angles[subject, camera] = axes.as_euler("XYZ")
    root.mkdir(parents=True, exist_ok=True)
    (root / "metadata.xml").write_text(metadata(world), encoding="utf-8")
    return world


def name_of(action: int, subaction: int, subject: int) -> str:
    """What files are called."""
    return ODD.get((action, subaction, subject), ACTIONS[action - 1] + ("" if subaction == 1 else f" {subaction - 1}"))


def metadata(world: World) -> str:
    """The text of metadata.xml."""

    def row(cells: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"

    pairs = [(action, subaction) for action in range(1, 17) for subaction in (1, 2)]
    rows = [row(["", "", *(f"S{subject}" for subject in SUBJECTS)])]
    rows += [row([a, s, *(name_of(a, s, subject) for subject in SUBJECTS)]) for a, s in pairs]
    rows += [row(["", "", *("Calibration" for _ in SUBJECTS)])]
    numbers = [
        value
        for camera in CAMERAS
        for subject in SUBJECTS
        for value in (*world.angles[subject, camera], *world.centres[subject, camera])
    ]
    numbers += [value for camera in CAMERAS for value in LENSES[camera]]
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<H36M><mapping>{''.join(rows)}</mapping>"
        f"<actionnames>{''.join(f'<name>{name}</name>' for name in ACTIONS)}</actionnames>"
        f"<dbcameras><index2id>{''.join(f'<camera>{camera}</camera>' for camera in CAMERAS)}</index2id></dbcameras>"
        f"<frames>{row([1, 1, 1, 100, 100, 100, 100, 400])}</frames>"
        f"<w0>[{' '.join(repr(float(number)) for number in numbers)}]</w0></H36M>"
    )


def body(random: np.random.Generator, frames: int) -> np.ndarray:
    """(N, 32, 3) mm in the world: some points of someone who walks; doubled joints as in the release."""
    start = random.uniform([-300, -300, 100], [300, 300, 1700], (32, 3))
    found = (
        start
        + np.linspace(0, 400, frames)[:, None, None] * random.normal(size=3)
        + 5 * random.normal(size=(frames, 32, 3))
    )
    found[:, 11] = found[:, 0]
    found[:, [16, 24]] = found[:, 13:14]
    return found


def distorted(solid: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """(…, 2) px by the toolbox's own words: radial, tangential and a shift along each axis."""
    f, c, k, p = lens[:2], lens[2:4], lens[4:7], lens[7:9]
    plane = solid[..., :2] / solid[..., 2:]
    r2 = (plane**2).sum(-1, keepdims=True)
    radial = 1 + (k * np.concatenate([r2, r2**2, r2**3], -1)).sum(-1, keepdims=True)
    tangential = (p * plane[..., ::-1]).sum(-1, keepdims=True)
    return f * (plane * (radial + tangential) + r2 * p[::-1]) + c


def add(
    world: World,
    subject: int,
    name: str,
    camera: str,
    frames: int = 12,
    *,
    column: bool = False,
    fetched: bool = False,
    flat: bool = True,
) -> dict[str, np.ndarray]:
    """Write a view's poses: D3_Positions_mono and D2_Positions. All cameras see the same body."""
    random = np.random.default_rng([subject, *name.encode()])
    moves = world.bodies.setdefault((subject, name), body(random, frames))
    solid = (moves - world.centres[subject, camera]) @ world.rotation(subject, camera).T
    view = {"world": moves / 1000, "solid": solid, "flat": distorted(solid, LENSES[camera])}
    world.views[subject, name, camera] = view
    folder, prefix = world.root / f"S{subject}", "Poses_" if fetched else "MyPoseFeatures/"
    for kind, values in (("D3_Positions_mono", solid), ("D2_Positions", view["flat"]))[: 1 + flat]:
        save_cdf(folder / f"{prefix}{kind}" / f"{name}.{camera}.cdf", values.reshape(len(values), -1), column=column)
    return view


def save_cdf(path: Path, pose: np.ndarray, *, column: bool = False, double: bool = True, packed: int = 0) -> Path:
    """One record of the zVariable Pose, of N × 96 or N × 64 numbers; or several."""
    from cdflib import cdfwrite

    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {"Majority": "column_major" if column else "row_major", "Compressed": packed}
    file = cdfwrite.CDF(path, cdf_spec=spec, delete=True)
    records = pose.reshape(-1, *pose.shape[-2:]).astype(np.float64 if double else np.float32)
    variable = {
        "Variable": "Pose", "Data_Type": 45 if double else 44, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": list(pose.shape[-2:]), "Var_Type": "zVariable", "Compress": packed,
    }  # fmt: skip
    # The package writes the bytes as they lie, whichever order it declares.
    stored = [np.frombuffer(one.tobytes("F"), one.dtype).reshape(one.shape) if column else one for one in records]
    file.write_var(variable, var_data=np.stack(stored))
    file.close()
    return path


def save_boxes(
    world: World, subject: int, name: str, camera: str, masks: Sequence[np.ndarray], kind: str = "bb"
) -> Path:
    """Masks (H, W) as Matlab 7.3 keeps a column of cells that the release's own tool wrote."""
    path = world.root / f"S{subject}" / "MySegmentsMat" / f"ground_truth_{kind}" / f"{name}.{camera}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        kept = file.create_group("#refs#")
        references = np.empty((len(masks), 1), h5py.ref_dtype)
        for i, mask in enumerate(masks):
            made = kept.create_dataset(f"m{i}", data=mask.T.astype(np.uint8), compression="gzip", compression_opts=1)
            made.attrs["MATLAB_class"], made.attrs["MATLAB_int_decode"] = np.bytes_("logical"), np.int32(1)
            references[i, 0] = made.ref
        cells = file.create_dataset("Masks", data=references, dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2013 HDF5 schema 1.00 ."
    with path.open("r+b") as stream:
        stream.write(head.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def rectangle(x: int, y: int, right: int, bottom: int, height: int = 1002, width: int = 1000) -> np.ndarray:
    """A mask (H, W): the pixels from (x, y) to before (right, bottom)."""
    mask = np.zeros((height, width), bool)
    mask[y:bottom, x:right] = True
    return mask


def save_video(world: World, subject: int, name: str, camera: str, frames: int = 14) -> Path:
    """A video of MPEG-4 with its frames' numbers, from 0, in 16 blocks."""
    path = world.root / f"S{subject}" / "Videos" / f"{name}.{camera}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (1000, HEIGHTS[camera])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 50, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(numbered(number, size))
    writer.release()
    return path


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) that shows a number."""
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    for bit in range(16):
        row, column = divmod(bit, 4)
        image[64 * row : 64 * row + 64, 64 * column : 64 * column + 64] = 230 if number >> bit & 1 else 10
    return image


def number_on(image: np.ndarray) -> int:
    """The number that an image shows."""
    means = image[:256, :256].mean(-1).reshape(4, 64, 4, 64)[:, 16:48, :, 16:48].mean((1, 3)).ravel()
    return int(sum(1 << bit for bit in range(16) if means[bit] > 120))
