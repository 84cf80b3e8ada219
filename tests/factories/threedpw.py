"""Sequences of 3DPW as Python 2 pickled them: protocol 2, written opcode by opcode."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def pickled(value: Any) -> bytes:
    """A whole pickle."""
    return b"\x80\x02" + opcodes(value) + b"."


def opcodes(value: Any) -> bytes:
    """What pushes a value: text as Python 2's byte strings, arrays as NumPy 1 reconstructs them; bytes are opcodes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _string(value.encode("latin1"))
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, dict):
        return b"}(" + b"".join(opcodes(key) + opcodes(item) for key, item in value.items()) + b"u"
    assert isinstance(value, list)
    return b"](" + b"".join(map(opcodes, value)) + b"e"


def _string(data: bytes) -> bytes:
    return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data))) + data


def _array(array: np.ndarray) -> bytes:
    shape = b"(" + b"".join(map(opcodes, map(int, array.shape))) + b"t"
    order, nothing = array.dtype.str[:1], b"NNN" + opcodes(-1) + opcodes(-1) + opcodes(0)
    dtype = b"cnumpy\ndtype\n(" + opcodes(array.dtype.str[1:]) + opcodes(0) + opcodes(1) + b"tR"
    dtype += b"(" + opcodes(3) + opcodes(order) + nothing + b"tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + opcodes(0) + b"t" + opcodes("b") + b"tR"
    return made + b"(" + opcodes(1) + shape + dtype + b"\x89" + _string(array.tobytes()) + b"tb"


def rotation(random: np.random.Generator) -> np.ndarray:
    """(3, 3) any."""
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def sequence(
    name: str, frames: int, genders: str = "m", betas: int = 10, seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """The content of a file with invented people; ``changes`` replace keys."""
    random, actors = np.random.default_rng(seed), range(len(genders))
    cam_poses = np.tile(np.eye(4), (frames, 1, 1))
    for pose in cam_poses:
        pose[:3, :3], pose[:3, 3] = rotation(random), random.normal(size=3)

    def points() -> np.ndarray:
        found = np.concatenate([random.uniform(100, 900, (frames, 2, 18)), random.uniform(0.2, 1, (frames, 1, 18))], 1)
        found[:, :, 16] = 0  # an ear that nobody sees
        return found

    content = {
        "sequence": name,
        "cam_intrinsics": np.array([[1970.0, 0, 960], [0, 1970, 540], [0, 0, 1]]),
        "cam_poses": cam_poses,
        "img_frame_ids": np.arange(frames) * 2,
        "genders": list(genders),
        "poses": [random.normal(size=(frames, 72)) for _ in actors],
        "betas": [random.normal(size=betas) for _ in actors],
        "trans": [random.normal(size=(frames, 3)) for _ in actors],
        "jointPositions": [random.normal(size=(frames, 72)) for _ in actors],
        "poses2d": [points() for _ in actors],
        "campose_valid": [np.ones(frames, np.int64) for _ in actors],
        "poses_60Hz": [random.normal(size=(2 * frames, 72)) for _ in actors],
        "v_template_clothed": [random.normal(size=(100, 3)) for _ in actors],
        "texture_maps": [],
    }
    return content | changes


def save(root: Path, split: str, content: dict[str, Any], size: tuple[int, int] | None = None, stem: str = "") -> Path:
    """Write a sequence, and its images where a size (width, height) is given."""
    path = root / "sequenceFiles" / split / f"{stem or content['sequence']}.pkl"
    for folder in (path.parent, root / "imageFiles"):
        folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickled(content))
    if size is not None:
        folder = root / "imageFiles" / content["sequence"]
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(len(content["cam_poses"])):
            cv2.imwrite(str(folder / f"image_{i:05d}.jpg"), np.full((size[1], size[0], 3), 40 + i, np.uint8))
    return path
