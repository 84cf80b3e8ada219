"""UP-3D in small: a flat folder of images, joints, renderings and fits, the fits as Python 2 pickled them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def _text(data: bytes) -> bytes:
    """A string as protocol 0 of Python 2 writes it."""
    return b"S'" + "".join(f"\\x{byte:02x}" for byte in data).encode() + b"'\n"


def _array(array: np.ndarray) -> bytes:
    array = np.ascontiguousarray(array, "<f8")
    shape = b"(" + b"".join(b"I%d\n" % length for length in array.shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n" + shape
        + b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n" + _text(array.tobytes()) + b"tb"
    )  # fmt: skip


def save_body(root: Path, number: int, pose: Any, betas: Any, t: Any, focal: float = 5000.0, **other: Any) -> Path:
    """NUMBER_body.pkl; ``other`` replaces trans and rt, or leaves a key out where it is None."""
    values = {"j2d": np.zeros((25, 2)), "pose": pose, "betas": betas, "t": t, "trans": np.zeros(3), "rt": np.zeros(3)}
    content = b"(dS'f'\nF%r\ns" % focal
    for key, value in (values | other).items():
        if value is not None:
            content += b"S'%s'\n" % key.encode() + _array(np.asarray(value)) + b"s"
    path = root / f"{number:05d}_body.pkl"
    path.write_bytes(content + b".")
    return path


def save_crop(root: Path, number: int, h: int, w: int, y: tuple[int, int], x: tuple[int, int]) -> None:
    """NUMBER_fit_crop_info.txt: the crop's size in the fit, and its rows and columns of the image."""
    (root / f"{number:05d}_fit_crop_info.txt").write_text(f"{h} {w} {y[0]} {y[1]} {x[0]} {x[1]}\n")


def save_person(root: Path, number: int, joints: np.ndarray, body: tuple[int, int, int, int] | None, size: Any) -> None:
    """An image (w, h), its joints (3, 14), and a rendering whose body fills columns and rows x0, y0, x1, y1."""
    root.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert cv2.imwrite(str(root / f"{number:05d}_image.png"), image)
    np.save(root / f"{number:05d}_joints.npy", joints)
    render = np.full_like(image, 255)
    if body is not None:
        x0, y0, x1, y1 = body
        # Pale in one channel alone at its corners, dark within.
        render[y0, x0], render[y1 - 1, x1 - 1] = (255, 254, 255), (254, 255, 255)
        render[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = 90
    assert cv2.imwrite(str(root / f"{number:05d}_render_light.png"), render)


def save_list(root: Path, name: str, numbers: Sequence[int | str]) -> None:
    """train.txt, …: a line for each image; text stands as it is."""
    lines = [number if isinstance(number, str) else f"/{number:05d}_image.png" for number in numbers]
    (root / name).write_text("\n".join(lines) + "\n")
