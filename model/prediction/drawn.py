"""What is drawn of an image: its bodies over it, each from the side, and their meshes.

overlay/NAME.jpg     every body of the image, the farthest first
side/NAME-K.jpg      a body turned by 90° about the vertical
mesh/NAME.glb        all bodies of the image as they stand before its camera K
mesh/NAME-K.obj      a body at the origin, as that camera sees it
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from pymaf_data.body.mesh_files import glb, obj
from pymaf_data.geometry.affines import CROP_SIZE, compose, crop_affine, resize
from pymaf_data.render import overlay
from pymaf_data.report.panels import PANEL, side_view
from pymaf_data.storage.files import LocalFiles

from .bodies import Bodies, camera_of
from .seen import Image, Seen

_QUALITY = 92
#: Of the bodies on an image in turn: told apart also by who sees few colours.
COLOURS = ((214, 198, 184), (120, 170, 220), (235, 160, 90), (130, 190, 140), (200, 140, 190), (225, 210, 110))


class Drawer:
    """Draws images of a run.

    Args:
        folder: where to.
        faces: (F, 3) of the body.
        save: which of the outputs.
    """

    def __init__(self, folder: Path, faces: np.ndarray, save: Iterable[str]) -> None:
        self._files, self._faces, self._save = LocalFiles(folder), faces, frozenset(save)

    def draw(self, seen: Seen, bodies: Bodies) -> list[list[str]]:
        """Write what was asked for; returns the files that show each person, below the folder."""
        name = seen.name.rpartition(".")[0].replace("/", "__")
        shown: list[list[str]] = [[] for _ in seen.persons]
        content: dict[str, bytes] = {}
        if "overlay" in self._save:
            content[f"overlay/{name}.jpg"] = _jpeg(drawn_over(seen, bodies, self._faces))
        if "glb" in self._save and np.isfinite(bodies.translation).all(1).any():
            content[f"mesh/{name}.glb"] = self._scene(seen, bodies)
        for each in shown:
            each += content
        for k, person in enumerate(seen.persons):
            own = self._of_person(f"{name}-{person.number}", seen, bodies, k)
            shown[k] += own
            content |= own
        if content:
            self._files.write({key: [data] for key, data in content.items()}, temporary="")
        return shown

    def _of_person(self, name: str, seen: Seen, bodies: Bodies, k: int) -> dict[str, bytes]:
        content = {}
        if "side" in self._save:
            to_panel = compose(np.asarray(resize(CROP_SIZE, PANEL)), crop_affine(seen.box[k]))
            matrix = camera_of(bodies, k).warped(to_panel).matrix[0].numpy()
            content[f"side/{name}.jpg"] = _jpeg(side_view(bodies.vertices[k], self._faces, matrix))
        if "obj" in self._save:
            content[f"mesh/{name}.obj"] = obj(bodies.standing[k], self._faces)
        return content

    def _scene(self, seen: Seen, bodies: Bodies) -> bytes:
        standing = bodies.standing + bodies.translation[:, None]
        return glb(
            {
                f"person-{person.number}": standing[k]
                for k, person in enumerate(seen.persons)
                if np.isfinite(bodies.translation[k]).all()
            },
            self._faces,
        )


def drawn_over(seen: Seen, bodies: Bodies, faces: np.ndarray) -> Image:
    """The image with its bodies, the farthest first, so that nearer ones cover them."""
    image = seen.image
    metre = bodies.pi[:, 0] * seen.box[:, 2]  # in the image; the larger, the nearer
    for k in np.argsort(metre).tolist():
        colour = COLOURS[seen.persons[k].number % len(COLOURS)]
        image = overlay(image, bodies.vertices[k], faces, camera_of(bodies, k), colour, alpha=0.9)
    return image


def _jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
