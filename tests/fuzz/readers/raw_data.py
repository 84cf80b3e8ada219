"""Persons of raw data sets, and their own fits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .fits import read_fits
from .reader import Reader, factory


def _write_annotations(folder: Path) -> Iterator[Path]:
    yield factory("coco").small_set(folder / "raw", pictures=2).file


def _read(name: str, split: str) -> Callable[[Path], Any]:
    return lambda folder: _selection(folder, name, split)


def _write_mpii(folder: Path) -> Iterator[Path]:
    mpii = factory("mpii")
    person = mpii.rect(mpii.points([(10.0 + i, 20.0 + i) for i in range(16)]))
    image = mpii.image("1.jpg", mpii.struct(person, mpii.rect(mpii.NOTHING)))
    yield mpii.save(folder / "raw", [image, mpii.image("2.jpg", mpii.NOTHING)], [1, 0], compress=False)


def _write_lsp(folder: Path) -> Iterator[Path]:
    leeds = factory("lsp")
    yield leeds.lsp(folder / "raw", leeds.people(1002), np.zeros((1002, 14), bool), "lsp_dataset")
    leeds.save_image(folder / "raw" / "lsp_dataset" / "images" / "im1001.jpg")
    leeds.upi_s1h(folder / "raw", 1001, *leeds.outlines())
    yield from (folder / "raw").glob("upi-s1h/**/*.png")
    yield leeds.hr_lspet(folder / "raw", leeds.people(3), np.ones((3, 14), bool), [1, 3, 4])


def _read_lsp(folder: Path) -> Any:
    return _selection(folder, "lsp", "test"), _selection(folder, "lspet", "train")


def _write_up_3d(folder: Path) -> Iterator[Path]:
    up_3d = factory("up_3d")
    for number in (1, 2):
        up_3d.save_person(folder / "raw", number, np.ones((3, 14)) * [[5], [9], [1]], (2, 3, 20, 30), (24, 32))
        up_3d.save_body(folder / "raw", number, np.zeros(72), np.zeros(10), np.ones(3))
        up_3d.save_crop(folder / "raw", number, 32, 24, (0, 32), (0, 24))
    up_3d.save_list(folder / "raw", "train.txt", [1, 2])
    yield folder / "raw" / "train.txt"
    yield from sorted((folder / "raw").glob("00001_[!i]*"))  # all but the image


def _read_up_3d(folder: Path) -> Any:
    fits = read_fits("up-3d:{}/raw")
    return _selection(folder, "up-3d", "train"), fits(folder)


def _selection(folder: Path, name: str, split: str) -> Any:
    from pymaf_data.datasets import Raw, select

    return select(Raw(folder / "raw", _manifest(name), split))


def _write_threedpw(folder: Path) -> Iterator[Path]:
    threedpw = factory("threedpw")
    yield threedpw.save(folder / "raw", "test", threedpw.sequence("walk_00", 2, "mf"))


def _write_threedoh50k(folder: Path) -> Iterator[Path]:
    threedoh50k, random = factory("threedoh50k"), np.random.default_rng(0)
    entries = {f"{number:05d}": threedoh50k.entry(number, random) for number in (1, 0)}
    yield threedoh50k.save(folder / "raw", "test", entries)
    yield folder / "raw" / "testset" / "masks" / "00001.png"


def _write_ssp3d(folder: Path) -> Iterator[Path]:
    ssp3d = factory("ssp3d")
    yield ssp3d.save(folder / "raw", ssp3d.labels(3))


def _read_test_split(name: str, fits: str) -> Callable[[Path], Any]:
    """A data set's own fits, in a file or folder below ``raw``, and the persons of its test split."""

    def read(folder: Path) -> Any:
        from pymaf_data.errors import PymafDataError
        from pymaf_data.fits.readers import find_reader

        with contextlib.suppress(PymafDataError):  # what one refuses, the other may take
            find_reader(name).read(folder / "raw" / fits, None)
        return _selection(folder, name, "test")

    return read


@cache
def _manifest(name: str) -> Any:
    from pymaf_data.datasets import load_manifest

    return load_manifest(name)


def _write_npz(folder: Path) -> Iterator[Path]:
    npz = factory("npz")
    more = {"S": np.ones((24, 4)), "openpose": np.ones((25, 3)), "gender": "m", "pose": np.zeros(72)}
    more |= {"shape": np.zeros(10), "has_smpl": 1}
    rows = [npz.person("a.jpg", (9, 9), 0.1 + i, np.ones((24, 3)), **more) for i in range(3)]
    yield npz.save(folder / "mpii_train.npz", rows)
    yield npz.save(folder / "objects.npz", rows, imgname=np.array(["a.jpg", b"a.jpg", None], object), gender=None)


def _read_npz(folder: Path) -> Any:
    """Its persons, compared with themselves, and its fits; the second file also where the first is refused."""
    from pymaf_data.datasets import Raw, select
    from pymaf_data.errors import PymafDataError
    from pymaf_data.fits.readers.npz import READER
    from pymaf_data.stages.against import compare

    found, refused = [], []
    for path in (folder / "mpii_train.npz", folder / "objects.npz"):
        try:
            raw = Raw(folder, *_manifest("npz").of_file(path, "train"))
            found.append((READER.read(path, None), compare(path, select(raw).records, raw)))
        except PymafDataError as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return found


def _write_own(folder: Path) -> Iterator[Path]:
    made = factory("coco").small_set(folder, pictures=2, persons=1)
    made.annotations[1]["segmentation"] = {"size": [72, 96], "counts": [700, 20, 72 * 96 - 720]}
    made.annotations[0]["segmentation"] = [[10.5, 8, 50, 8, 50, 64.25], [1, 2, 30, 2, 3, 40]]
    yield made.save().file
    openpose = factory("openpose")
    yield openpose.write(folder / "op", f"{1:012d}", [openpose.detection(made.annotations[0]["keypoints"])])


def _read_own(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, select
    from pymaf_data.datasets.own import own_data

    file = folder / "annotations" / "person_keypoints_train2014.json"
    root, manifest = own_data(file, folder / "train2014", None, "train")
    manifest = manifest.with_options("train", ["masks=true"]).with_files("train", openpose="op")
    return select(Raw(root, manifest, "train"))


def _write_aic(folder: Path) -> Iterator[Path]:
    factory("keypoint_sets").aic(folder / "raw")
    yield from (folder / "raw").rglob("*.json")


READERS = {
    "annotations": Reader(_write_annotations, _read("coco", "train")),
    "mpii": Reader(_write_mpii, _read("mpii", "train")),
    "LSP": Reader(_write_lsp, _read_lsp),
    "UP-3D": Reader(_write_up_3d, _read_up_3d),
    "3dpw": Reader(_write_threedpw, _read_test_split("3dpw", ".")),
    "3doh50k": Reader(_write_threedoh50k, _read_test_split("3doh50k", "testset")),
    "ssp-3d": Reader(_write_ssp3d, _read_test_split("ssp-3d", ".")),
    "persons' npz": Reader(_write_npz, _read_npz),
    "own data": Reader(_write_own, _read_own),
    "aic": Reader(_write_aic, _read("aic", "train")),
}
