"""Anyone's own images, with the persons that a detector found on them, or that are found here.

    pymaf-data ingest images photos                                the finder looks for persons (extra finder)
    pymaf-data ingest images photos --detections found.json        forms: pymaf_data.datasets.detections

Images are taken with those of sub-folders, as they are shown. What was found on an image is kept beside the store, so
that a run that was stopped goes on. Rows are numbered by the images' order and each one's persons.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.decoding import STILLS
from pymaf_data.datasets.detected import PERSONS, DetectedOptions, person_of
from pymaf_data.datasets.detections import Detection, is_openpose, read_detections
from pymaf_data.datasets.finding import find_on
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.manifest import Manifest, load_manifest
from pymaf_data.datasets.named import Names
from pymaf_data.datasets.records import MASK_BYTES, PersonRecord
from pymaf_data.datasets.select import Dropped, Told
from pymaf_data.datasets.splits import ANNOTATIONS, FINDER, IMAGES
from pymaf_data.datasets.video import VideoFrames
from pymaf_data.errors import RawDataCorrupt, RawDataMissing
from pymaf_data.finder import require_finder
from pymaf_data.near import absent

#: The data set whose folder is given.
OWN_IMAGES = "images"
#: What is taken for detections where it lies in the folder.
DETECTIONS = "detections.json"
_OTHERWISE = f"name detections with --detections, put {DETECTIONS} into the folder"


class ImagesOptions(DetectedOptions):
    """What a manifest or the user chooses."""

    masks: bool = Field(True, description="keep the masks of persons that are found here")


def of_images(folder: Path, detections: Path | None, finder: Path | None, split: str) -> tuple[Path, Manifest]:
    """Root and manifest of a folder of images.

    Args:
        folder: of the images.
        detections: a file, or a folder of OpenPose's; None: that of the folder, else persons are found here.
        finder: the file of the finder's networks; None: that of the assets.
        split: name of the split.

    Raises:
        RawDataMissing: the folder or the detections are not there.
        AssetError: there are no detections, and no finder.
    """
    root = folder.absolute()
    if not root.is_dir():
        raise RawDataMissing(f"there is no folder {absent(root)}", action="check the path.")
    given = detections or (root / DETECTIONS if finder is None and (root / DETECTIONS).is_file() else None)
    if given and not (given.is_file() or is_openpose(given)):
        raise RawDataMissing(
            f"no detections at {absent(given)}", expected="a JSON, or OpenPose's folder", action="check the path."
        )
    role = (
        {ANNOTATIONS: str(given.absolute())} if given else {FINDER: str(require_finder(finder, _OTHERWISE).absolute())}
    )
    rules = load_manifest(OWN_IMAGES).split("train")
    own = rules.model_copy(update={"files": {IMAGES: "", **role}, "held_out": split.startswith(("val", "test"))})
    return root, load_manifest(OWN_IMAGES).model_copy(update={"splits": {split: own}}).below(root)


class OwnImages(ReaderOfStills):
    """Reader of a folder: of detections (``annotations``), or of the networks that find persons (``finder``)."""

    options = ImagesOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every person that was detected or found.

        Raises:
            RawDataCorrupt: detections of no known form, or all of other images.
            RawDataMissing: there is no image.
        """
        names, options = _names(raw), raw.options(ImagesOptions)
        listed = ANNOTATIONS in raw.manifest.split(raw.split).files
        number, persons = {name: k for k, name in enumerate(names)}, Counter[str]()
        for name, found, more in _listed(raw, names, told) if listed else _found(raw, names, told):
            told.listed = len(names), told.listed[1] + 1
            if not name:
                of = found.image or f"number {found.frame}"
                yield Dropped("malformed" if found.fault else "no_image", f"a person of image {of}", found.fault)
                continue
            who, key = f"person {persons[name]} of {name}", number[name] * PERSONS + persons[name]
            persons[name] += 1
            if persons[name] > PERSONS:
                yield Dropped("malformed", who, f"persons of an image end at {PERSONS}")
                continue
            known = {**more, "mask": more["mask"] if options.masks else b""} if more else {}
            yield person_of(raw, found, who, options.confidence, image_name=name, annotation_id=key, **known)


def _names(raw: Raw) -> list[str]:
    """Images of the folder and its sub-folders, below the root, sorted; what is hidden is not taken."""
    folder, found = raw.root / raw.folder, list[str]()
    for at, below, files in os.walk(folder, followlinks=raw.follow_links):
        below[:] = [name for name in below if name[0] != "."]
        inside = Path(at).relative_to(folder)
        images = (name for name in files if name[0] != "." and name.rpartition(".")[2].casefold() in STILLS)
        found += [image_name(raw.folder, (inside / name).as_posix()) for name in images]
    if not found:
        raise RawDataMissing(
            f"there is no image in {folder}",
            expected=f"files {', '.join(STILLS)}",
            action="check the folder, or convert its images to one of these.",
        )
    return sorted(found)


def _listed(raw: Raw, names: list[str], told: Told) -> Iterator[tuple[str, Detection, dict[str, Any]]]:
    """Detections of a file, and the image that each is of; "" where it is none, or may be several."""
    which, seen, elsewhere = Names(names), set[str](), list[str]()
    for found in read_detections(raw.file(ANNOTATIONS)):
        meant = [] if found.fault else which.meant(found)
        seen.update(meant)
        elsewhere += [found.called] * (not meant and not found.fault and not elsewhere)
        yield meant[0] if len(meant) == 1 else "", found, {}
    if elsewhere and not seen:
        raise RawDataCorrupt(
            f"{raw.origin} has nobody on an image of {raw.root / raw.folder}: it names {elsewhere[0]}, and there is "
            f"{names[0]}",
            expected="images by their names below the folder, by a part of these from the right, or by their numbers",
            action="give the detections of these images, or the folder of those.",
        )
    for name in names:
        if name not in seen:
            told.adjusted.add("nobody", name)


def _found(raw: Raw, names: list[str], told: Told) -> Iterator[tuple[str, Detection, dict[str, Any]]]:
    """Persons that the finder finds, as detections, with their masks and the image's size."""
    turn = raw.manifest.images.orientation
    images = VideoFrames(raw.root, raw.folder, follow_links=raw.follow_links, orientation=turn)
    found = find_on(images, names, raw.file(FINDER), raw.kept)
    for done, (name, seen) in enumerate(zip(names, found, strict=True)):
        if told.progress:
            told.progress(done, len(names), "images, on which persons are looked for")
        if seen.fault:
            told.adjusted.add("not_looked_at", f"{name}: {seen.fault}")
        elif not seen.persons:
            told.adjusted.add("nobody", name)
        for one in seen.persons:
            joints = np.array(one.joints) - (0.5, 0.5, 0)  # pixel indices, as detections have them
            mask = one.mask.encode() if len(one.mask) <= MASK_BYTES else b""
            yield name, Detection(-1, joints, one.box, image=name), {"mask": mask, "image_size": seen.size}
