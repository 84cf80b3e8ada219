"""Images, in a folder and in archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .reader import Reader


def _write_images(folder: Path) -> Iterator[Path]:
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    for name in ("a.jpg", "b.png", "c.webp"):
        path = folder / name
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
        yield path


def _read_images(folder: Path) -> Any:
    from pymaf_data.datasets.images import Images

    images = Images(folder, ".")
    return [images.load(name, (32, 24)) for name in ("a.jpg", "b.png", "c.webp")]


def _write_archives(folder: Path) -> Iterator[Path]:
    import tarfile
    import zipfile

    image = folder / "image.png"
    list(_write_images(folder))
    (folder / "b.png").rename(image)
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / name, "w", method) as archive:
            for number in range(3):
                archive.write(image, f"images/{number}.png")
        yield folder / name
    forms = (("gnu.tar", "w", tarfile.GNU_FORMAT), ("pax.tar.gz", "w:gz", tarfile.PAX_FORMAT))
    for name, mode, form in forms:
        with tarfile.open(folder / name, mode, format=form) as archive:  # type: ignore[call-overload]
            for number in range(3):
                archive.add(image, f"images/{number}{'é' * 60}.png" if number == 1 else f"images/{number}.png")
        yield folder / name


def _read_archives(folder: Path) -> Any:
    from pymaf_data.datasets.archives import ArchivedImages, archives_of

    source = ArchivedImages(archives_of(folder, "none", sorted(folder.glob("*.[tz]*"))), "images")
    return [(source.stamp(f"images/{n}.png"), *source.decode(f"images/{n}.png", [-1], (32, 24))) for n in range(4)]


READERS = {
    "images": Reader(_write_images, _read_images),
    "archives": Reader(_write_archives, _read_archives),
}
