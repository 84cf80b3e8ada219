"""``metadata.xml`` of Human3.6M: which file is which action, and the cameras.

    mapping  rows of cells: a head ("", "", S1, … S11), then for each action and subaction the files' name by subject
    dbcameras/index2id  names of the four cameras, in the order of w0
    w0       "[…]" of 4 · 11 · 6 + 4 · 9 numbers: for each camera and subject three angles and the centre in mm, then
             for each camera fx fy cx cy k1 k2 k3 p1 p2

World to camera: Xc = R·(Xw − C) with R = Rx·Ry·Rz of the angles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.xml_text import read_xml

Floats = NDArray[np.float64]

#: Camera → width and height of its images. Their order numbers them from 0.
CAMERAS = {54138969: (1000, 1002), 55011271: (1000, 1000), 58860488: (1000, 1000), 60457274: (1000, 1002)}
_ACTIONS = 33  # rows of the mapping, the head among them; what follows are no actions
_ANGLES, _LENSES = 6, 9


@dataclass(frozen=True)
class Camera:
    """A camera as it stood for one subject.

    Attributes:
        R: (3, 3) world → camera. centre: (3,) in the world, metres.
        lens: (9,) fx fy cx cy in px, k1 k2 k3 p1 p2.
    """

    R: Floats
    centre: Floats
    lens: Floats

    @property
    def intrinsics(self) -> Floats:
        """(3, 3) without the distortion: up to 2.4 px off where the subjects move."""
        fx, fy, cx, cy = self.lens[:4]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def project(points: Floats, lens: Floats) -> Floats:
    """Pixels (…, 2) of points (…, 3) in camera space, as the data set's own toolbox distorts them.

    Its tangential terms stand without OpenCV's factors of 2 on the mixed products: OpenCV is up to 0.2 px off.

    Args:
        points: metres, x right, y down, z forward.
        lens: as :class:`Camera` has it.
    """
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = lens
    with np.errstate(all="ignore"):  # of points that are not finite, or none of a camera's, nothing finite
        x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
        r2 = x * x + y * y
        along = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
        return np.stack([fx * (along * x + p2 * r2) + cx, fy * (along * y + p1 * r2) + cy], -1)


@dataclass(frozen=True)
class Metadata:
    """What the file says.

    Attributes:
        actions: (subject, name) → action from 1 and subaction; a name is that of files, without camera.
        cameras: (subject, camera) → where it stood.
    """

    actions: dict[tuple[int, str], tuple[int, int]]
    cameras: dict[tuple[int, int], Camera]


def read_metadata(path: Path) -> Metadata:
    """Read a file.

    Raises:
        RawDataCorrupt: it is none.
    """
    root = read_xml(path)
    try:
        table = [[(cell.text or "").strip() for cell in row] for row in _found(root, "mapping")][:_ACTIONS]
        subjects = [int(re.fullmatch(r"S(\d{1,2})", text)[1]) for text in table[0][2:]]  # type: ignore[index]
        actions = {
            (subject, name): (_small(action, 99), _small(subaction, 9))
            for action, subaction, *names in reversed(table[1:])  # of two with one name, the first
            for subject, name in zip(subjects, names, strict=False)
            if name
        }
        return Metadata(actions, dict(_cameras(root, subjects)))
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise RawDataCorrupt(
            f"{path} is XML but not Human3.6M's: {type(error).__name__}: {str(error)[:200]}",
            expected="metadata.xml of the data set's toolbox, with mapping, dbcameras and w0",
            action="fetch it again.",
        ) from None


def _small(text: str, most: int) -> int:
    if not 0 < int(text) <= most:
        raise ValueError(f"an action or subaction {text[:20]!r}")
    return int(text)


def _found(root: Element, where: str) -> Element:
    found = root.find(where)
    if found is None:
        raise ValueError(f"it has no {where}")
    return found


def _cameras(root: Element, subjects: list[int]) -> Iterator[tuple[tuple[int, int], Camera]]:
    names = [int((cell.text or "").strip()) for cell in _found(root, "dbcameras/index2id")]
    numbers = np.array([float(text) for text in (_found(root, "w0").text or "").strip(" \t\r\n[]").split()])
    count = len(names) * (len(subjects) * _ANGLES + _LENSES)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"w0 has {len(numbers)} numbers, not {count} that are finite")
    lenses = numbers[-len(names) * _LENSES :].reshape(len(names), _LENSES)
    places = numbers[: -len(names) * _LENSES].reshape(len(names), len(subjects), _ANGLES)
    if not (lenses[:, :2] > 0).all():
        raise ValueError("a focal length that is not above 0")
    for name, lens, stood in zip(names, lenses, places, strict=True):
        for subject, place in zip(subjects, stood, strict=True):
            yield (subject, name), Camera(_rotation(*place[:3]), place[3:] / 1000, lens)


def _rotation(a: float, b: float, c: float) -> Floats:
    (sa, sb, sc), (ca, cb, cc) = np.sin([a, b, c]), np.cos([a, b, c])
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    turn: Floats = about_x @ about_y @ about_z
    return turn
