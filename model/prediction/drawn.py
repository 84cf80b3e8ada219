"""What is drawn of an image: its bodies over it, each from the side, and their meshes.

overlay/NAME.jpg     every body of the image, the farthest first
side/NAME-K.jpg      a body turned by 90° about the vertical
mesh/NAME.glb        all bodies of the image as they stand before its camera K
mesh/NAME-K.obj      a body at the origin, as that camera sees it
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pymaf_data.body.mesh_files import glb, obj
from pymaf_data.geometry.affines import CROP_SIZE, compose, crop_affine, resize
from pymaf_data.render import draw_over
from pymaf_data.report.panels import PANEL, side_view
from pymaf_data.report.prediction_page import ShownImage, for_page, packed
from pymaf_data.report.thumbnails import encode_jpeg
from pymaf_data.storage.files import LocalFiles

from .bodies import Bodies, camera_of
from .seen import Image, Seen

_QUALITY = 92
_USUAL = ("jpg", "mp4")
#: Below a run's folder.
FOLDERS = ("overlay", "side", "mesh")
#: Of the bodies on an image in turn: told apart also by who sees few colours.
COLOURS = ((214, 198, 184), (120, 170, 220), (235, 160, 90), (130, 190, 140), (200, 140, 190), (225, 210, 110))


class Drawn(NamedTuple):
    """What was drawn of an image.

    Attributes:
        files: that show each person, below the run's folder.
        overlay: of a frame of a video, whose file is written frame by frame.
        shown: for the page, where it shows the image.
    """

    files: list[list[str]]
    overlay: Image | None
    shown: ShownImage | None


class Drawer:
    """Draws images of a run.

    Args:
        folder: where to.
        faces: (F, 3) of the body.
        save: which of the outputs.
        paged: names of the images that the page shows.
    """

    def __init__(self, folder: Path, faces: np.ndarray, save: Iterable[str], paged: Collection[str]) -> None:
        self._files, self._faces, self._save, self._paged = LocalFiles(folder), faces, frozenset(save), paged

    def draw(self, seen: Seen, bodies: Bodies) -> Drawn:
        """Draw an image, and write what is a file of its own."""
        video, paged = seen.frame >= 0, seen.name in self._paged
        over = drawn_over(seen, bodies, self._faces) if paged or "overlay" in self._save else None
        wanted = paged or ("side" in self._save and not video)
        sides = [self._side(seen, bodies, k) for k in range(len(seen.persons))] if wanted else []
        shown = self._shown(seen, bodies, over, sides) if paged and over is not None else None
        if video:
            name = [overlay_of(seen.file)] * ("overlay" in self._save)
            return Drawn([name] * len(seen.persons), over if name else None, shown)
        return Drawn(self._write(seen, bodies, over, sides), None, shown)

    def _write(self, seen: Seen, bodies: Bodies, over: Image | None, sides: list[Image]) -> list[list[str]]:
        name, content = _plain(seen.name), dict[str, bytes]()
        if over is not None and "overlay" in self._save:
            content[f"overlay/{name}.jpg"] = encode_jpeg(over, _QUALITY)
        if "glb" in self._save and np.isfinite(bodies.translation).all(1).any():
            content[f"mesh/{name}.glb"] = self._scene(seen, bodies)
        files = [[*content] for _ in seen.persons]
        for k, person in enumerate(seen.persons):
            own = dict[str, bytes]()
            if "side" in self._save:
                own[f"side/{name}-{person.number}.jpg"] = encode_jpeg(sides[k], _QUALITY)
            if "obj" in self._save:
                own[f"mesh/{name}-{person.number}.obj"] = obj(bodies.standing[k], self._faces)
            files[k] += own
            content |= own
        if content:
            self._files.write({key: [data] for key, data in content.items()}, temporary="")
        return files

    def _shown(self, seen: Seen, bodies: Bodies, over: Image, sides: list[Image]) -> ShownImage:
        far = np.linalg.norm(bodies.translation, axis=1)
        return ShownImage(
            name=seen.name,
            overlay=for_page(over),
            persons=[
                {"title": f"person {person.number}", "told": [f"{far[k]:.1f} m away"] * bool(np.isfinite(far[k]))}
                for k, person in enumerate(seen.persons)
            ],
            sides=[for_page(side) for side in sides],
            meshes=[packed(vertices) for vertices in bodies.vertices],
        )

    def _side(self, seen: Seen, bodies: Bodies, k: int) -> Image:
        to_panel = compose(np.asarray(resize(CROP_SIZE, PANEL)), crop_affine(seen.box[k]))
        return side_view(bodies.vertices[k], self._faces, camera_of(bodies, k).warped(to_panel).matrix[0].numpy())

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


def overlay_of(video: str) -> str:
    """The annotated video of a video, below the run's folder."""
    return f"overlay/{_plain(video)}.mp4"


def _plain(name: str) -> str:
    """A name without folders, and without its ending where that is usual: a.jpg and a.png are told apart."""
    stem, _, ending = name.rpartition(".")
    return (stem if ending.casefold() in _USUAL else name).replace("/", "__")


def drawn_over(seen: Seen, bodies: Bodies, faces: np.ndarray) -> Image:
    """The image with its bodies, the farthest first, so that nearer ones cover them."""
    image = seen.image.copy()
    metre = bodies.pi[:, 0] * seen.box[:, 2]  # in the image; the larger, the nearer
    for k in np.argsort(metre).tolist():
        colour = COLOURS[seen.persons[k].number % len(COLOURS)]
        draw_over(image, bodies.vertices[k], faces, camera_of(bodies, k), colour, alpha=0.9)
    return image
