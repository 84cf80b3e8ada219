"""Leeds Sports Pose and its extended set: ``joints.mat`` and, for LSP, the masks of UPi-S1h → records.

    joints                        3 × 14 × N or 14 × 3 × N: x, y, flag; one person an image
    im%04d_segmentation.png       UPi-S1h, of the small release: not 0 is the person
    im%04d_part_segmentation.png  1 … 6 are parts, 255 is not to be measured

LSP's flag marks hidden joints, which have a place; the extended set's marks seen ones, and the others have placeholders
left of and above the image. Of the extended set in full size (``im*.png``) numbers are missing, and their columns with
them: column i is of the i-th image that is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.archives import ArchivedImages
from pymaf_data.datasets.dataset import ImageSource, Raw, ReaderOfStills, one_image
from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage, image_name
from pymaf_data.datasets.masks import mask_of, parts_of
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.rules import OFFSETS, Origin
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import square
from pymaf_data.untrusted.mat import read_mat

_NO_JOINT = ((0, 0), (-1, -1))  # but for placeholders that are asked for
_AGAIN = "fetch the data set again."
_Number = Annotated[int, Field(gt=0)]


class LspOptions(StrictModel):
    """What a manifest chooses."""

    columns: Literal["numbered", "sorted"] = Field(
        "numbered",
        description="column i is of numbered: im(i).jpg, whether it is there or not; sorted: the i-th im*.png",
    )
    digits: int = Field(4, ge=1, le=9, description="of an image's number, where columns are numbered")
    persons: tuple[_Number, _Number] | None = Field(None, description="first and last column taken; all")
    flag: Literal["hidden", "seen"] = Field("hidden", description="what 1 says of a joint")
    hidden: Literal["labelled", "placeholder"] = Field(
        "labelled", description="joints not seen are labelled: taken, marked as hidden; placeholder: not taken"
    )
    origin: Origin | None = Field(None, description="of pixels, instead of the manifest's")


class Lsp(ReaderOfStills):
    """Reader of the release's file (role ``annotations``), and of a folder of masks (``masks``) where one is named."""

    options = LspOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every column of the split."""
        options, path = raw.options(LspOptions), raw.file("annotations")
        joints = _joints(path, len(raw.manifest.keypoints.listed.joints))
        first, last = options.persons or (1, len(joints))
        folders = raw.files("masks") if "masks" in raw.manifest.split(raw.split).files else []
        masks = [Images(folder.absolute(), "") for folder in folders[:1]]
        with self.images(raw) as images:
            names = _names(raw, options, len(joints), images)
            told.listed = len(joints), len(names[first - 1 : last])
            for name, person in zip(names[first - 1 : last], joints[first - 1 : last].tolist(), strict=True):
                outcome = _outcome(raw, told, options, name, person)
                if masks and isinstance(outcome, PersonRecord):
                    outcome = _with_masks(told, outcome, masks[0], images)
                yield outcome


def _joints(path: Path, count: int) -> NDArray[np.float64]:
    """(N, J, 3) x, y and flag."""
    joints = read_mat(path, ["joints"])["joints"]
    if isinstance(joints, np.ndarray) and joints.dtype.kind in "biuf" and joints.ndim == 3:
        if joints.shape[:2] == (3, count):
            return joints.transpose(2, 1, 0).astype(np.float64)
        if joints.shape[:2] == (count, 3):
            return joints.transpose(2, 0, 1).astype(np.float64)
    found = f"joints of {getattr(joints, 'dtype', type(joints).__name__)} {getattr(joints, 'shape', '')} in {path}"
    raise RawDataCorrupt(found, expected=f"numbers of shape (3, {count}, N) or ({count}, 3, N)", action=_AGAIN)


def _names(raw: Raw, options: LspOptions, count: int, images: Images | ArchivedImages) -> list[str]:
    """The image of each column."""
    if options.columns == "numbered":
        return [f"im{number:0{options.digits}d}.jpg" for number in range(1, count + 1)]
    start = f"{raw.folder}/" if raw.folder else ""
    there = (name.removeprefix(start) for name in images.names())
    names = sorted(name for name in there if re.fullmatch(r"im\d{1,18}\.png", name, re.IGNORECASE))
    if len(names) != count:
        where = " and ".join(map(str, raw.archives or [raw.root / raw.folder]))
        raise RawDataCorrupt(
            f"{len(names):,} images im*.png in {where} for {count:,} columns of joints",
            expected="an image for each: column i is of the i-th that is there, so that one image that is missing "
            "gives every person after it the joints of another",
            action="unpack the data set again, or fetch it again.",
        )
    return names


def _outcome(raw: Raw, told: Told, options: LspOptions, name: str, person: list[list[float]]) -> PersonRecord | Dropped:
    try:
        keypoints = _keypoints(raw, told, options, name, person)
        refusal = raw.refusal(keypoints)
        if refusal:
            return Dropped(refusal, name)
        xs, ys, _ = zip(*keypoints.values(), strict=True)
        left, top, width, height = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
        if max(width, height) == 0:
            return Dropped("bad_box", name, f"all its joints are at ({left:g}, {top:g})")
        return PersonRecord(
            image_name=image_name(raw.folder, name, raw.root),
            annotation_id=int(re.sub(r"\D", "", name)),
            box=square(left, top, width, height, raw.manifest.box.factor),
            keypoints=keypoints,
        )
    except ValueError as error:
        return damage(name, error)


def _keypoints(
    raw: Raw, told: Told, options: LspOptions, name: str, person: list[list[float]]
) -> dict[str, tuple[float, float, int]]:
    """Joints in continuous px."""
    shift = OFFSETS[options.origin or raw.manifest.keypoints.origin]
    found = {}
    for joint, (x, y, flag) in zip(raw.manifest.keypoints.listed.joints, person, strict=True):
        if flag not in (0, 1):
            raise ValueError(f"the flag of {joint} is {flag:g}")
        seen = (flag == 1) == (options.flag == "seen")
        if not seen and options.hidden == "placeholder":
            told.adjusted.add("joint_placeholder", f"{name}: {joint} at ({x:g}, {y:g})")
        elif (x, y) in _NO_JOINT and (seen or options.flag == "hidden"):
            told.adjusted.add("joint_at_origin", f"{name}: {joint} at ({x:g}, {y:g})")
        elif joint:
            found[joint] = x + shift, y + shift, 2 if seen else 1
    return found


def _with_masks(told: Told, record: PersonRecord, masks: Images, images: ImageSource) -> PersonRecord:
    """The person with mask and parts, those that are of the image's size."""
    found: dict[str, Any] = {}
    image = one_image(images, record.image_name, UNKNOWN_SIZE)
    stem = Path(record.image_name).stem
    for column, kind, read in (("mask", "segmentation", mask_of), ("parts", "part_segmentation", parts_of)):
        try:
            if isinstance(image, MissingImage):
                raise ValueError(f"of an image that cannot be compared: {image}")
            found["image_size"] = image.shape[1], image.shape[0]
            found[column] = read(masks, f"{stem}_{kind}.png", found["image_size"])
        except ValueError as error:
            told.adjusted.add("mask_unusable", f"{stem}_{kind}.png: {error}")
    return record.model_copy(update=found)
