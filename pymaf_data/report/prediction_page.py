"""The page of predictions: images with their bodies over them, and each body to be turned by hand.

Bodies go into the page as vertices of 16 bits each, a fifteenth of a millimetre of a body two metres high: 41 kB a
person. The faces, which all share, go in once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pymaf_data import __version__
from pymaf_data.digest import digest_json
from pymaf_data.report.html import Page, design
from pymaf_data.report.panels import Image
from pymaf_data.report.thumbnails import encode_jpeg

_LARGEST = 960  # px, the longer side of an image in the page
_QUALITY = 85
_LEVELS = 65535


@dataclass(frozen=True)
class ShownImage:
    """An image of the page.

    Attributes:
        name: below the inputs' folder.
        overlay: JPEG.
        persons: what is known of each, in words.
        sides: JPEG of each from the side.
        meshes: of each :func:`packed` vertices.
    """

    name: str
    overlay: bytes
    persons: Sequence[Mapping[str, Any]]
    sides: Sequence[bytes]
    meshes: Sequence[tuple[bytes, list[float], float]]


def for_page(image: Image) -> bytes:
    """An image as the page holds it."""
    scale = _LARGEST / max(image.shape[:2])
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        # Down to a half every pixel is still looked at by the linear one, in a fifth of the time.
        way = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
    return encode_jpeg(image, _QUALITY)


def packed(vertices: NDArray[np.floating]) -> tuple[bytes, list[float], float]:
    """Vertices (V, 3) as uint16, with what they are to be scaled by: lowest corner, and metres per level."""
    low = vertices.min(0)
    step = float((vertices.max(0) - low).max()) / _LEVELS or 1.0
    levels = np.round((vertices - low) / step).astype("<u2")
    return levels.tobytes(), low.tolist(), step


def prediction_page(
    title: str,
    about: Mapping[str, Any],
    images: Sequence[ShownImage],
    faces: NDArray[np.integer],
    counted: str,
    persons: int,
) -> Page:
    """A page of some images.

    Args:
        title: its heading.
        about: what is known of the network, by name.
        images: those that are shown.
        faces: (F, 3) of every mesh.
        counted: how many images and persons there are in all, in words.
        persons: in all.
    """
    meta = {
        "kind": "prediction",
        "version": __version__,
        "about": dict(about),
        "counted": counted,
        "persons": persons,
        "images": [
            {
                "name": image.name,
                "persons": [
                    {**person, "low": low, "step": step}
                    for person, (_, low, step) in zip(image.persons, image.meshes, strict=True)
                ],
            }
            for image in images
        ],
    }
    shows = digest_json([design(), __version__, meta])
    return Page(title, shows, meta, {"faces": np.asarray(faces).astype("<u2").tobytes()}, _panels(images))


def _panels(images: Sequence[ShownImage]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    for k, image in enumerate(images):
        yield f"i{k}", {"overlay": image.overlay}
        for n, (side, mesh) in enumerate(zip(image.sides, image.meshes, strict=True)):
            yield f"i{k}p{n}", {"side": side, "mesh": mesh[0]}
