"""Images out of archives against images in a folder: read and decoded, per second of one core.

    .venv/bin/python benchmarks/archives.py [--images 1024] [--rounds 9]

The images are those of `benchmarks/ingest.py`, 640 × 427 pixels and 160 KB; they are asked for in the order of their
names, and lie in the archives in another. The files are in the system's cache: what is compared is the work, not a
disk. The goal is 0.95 of a folder's rate for a zip. Of a `tar.gz`, each image costs the unpacking of half the way
between two marks where reading may begin.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from _measure import machine, ratio, rounds_of, summary, write
from ingest import HEIGHT, WIDTH, draw

from pymaf_data.datasets.archives import ArchivedImages
from pymaf_data.datasets.dataset import ImageSource, one_image
from pymaf_data.datasets.images import Images, MissingImage

FOLDER = "train2014"


def pack(root: Path) -> dict[str, Path]:
    """Archives of the folder, by their kind."""
    files = sorted((root / FOLDER).iterdir())
    random.Random(0).shuffle(files)
    found = {"zip": root / "stored.zip", "zip_deflated": root / "deflated.zip"}
    for path, method in zip(found.values(), (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), strict=True):
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in files:
                archive.write(file, f"{FOLDER}/{file.name}")
    for kind, mode in (("tar", "w"), ("tar.gz", "w:gz")):
        found[kind] = root / f"images.{kind}"
        with tarfile.open(found[kind], mode) as archive:  # type: ignore[call-overload]
            for file in files:
                archive.add(file, f"{FOLDER}/{file.name}")
    return found


def reading(source: ImageSource, names: list[str]) -> Callable[[], int]:
    """Reads and decodes every image."""

    def run() -> int:
        for name in names:
            assert not isinstance(one_image(source, name, (WIDTH, HEIGHT)), MissingImage)
        return len(names)

    return run


def seconds_to_list(path: Path, name: str) -> float:
    """Until the first image is known."""
    start = time.perf_counter()
    assert ArchivedImages([path], FOLDER).stamp(name) > 0
    return round(time.perf_counter() - start, 3)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    before, root = machine(), Path(tempfile.mkdtemp(prefix="bench-archives-"))
    try:
        draw(root, options.images)
        names = sorted(f"{FOLDER}/{path.name}" for path in (root / FOLDER).iterdir())
        packed = pack(root)
        listed = {kind: seconds_to_list(path, names[0]) for kind, path in packed.items()}
        sources: dict[str, ImageSource] = {"folder": Images(root, FOLDER)}
        sources |= {kind: ArchivedImages([path], FOLDER) for kind, path in packed.items()}
        work = {kind: reading(source, names) for kind, source in sources.items()}
        rates = rounds_of(work, options.rounds, clock=time.process_time)
    finally:
        shutil.rmtree(root)
    write(
        "archives",
        {
            "what": "images per processor second, read and decoded, 640 × 427 px, files in the system's cache",
            "goal": {"zip_of_folder": 0.95},
            "images": options.images,
            "rounds": options.rounds,
            "images_per_processor_second": {kind: summary(values) for kind, values in rates.items()},
            "of_folder": {kind: ratio(rates, kind, "folder") for kind in packed},
            "seconds_to_list": listed,
            "machine": before,
        },
    )


if __name__ == "__main__":
    main()
