"""UP-3D: people of LSP, its extended set, MPII and FashionPose with SMPL fits → records.

    train.txt, …            a line "/00022_image.png" for each person, one an image
    00022_joints.npy        3 × 14: x, y and confidence in LSP's order; joints with a 0 are not labelled
    00022_render_light.png  the fitted body on white, of the image's size

The fits (``00022_body.pkl``) are a source of their own (``attach-fits --fits up-3d:FOLDER``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.dataset import ImageSource, Raw, ReaderOfStills, one_image
from pymaf_data.datasets.images import UNKNOWN_SIZE, MissingImage, image_name
from pymaf_data.datasets.records import BoxSource, PersonRecord
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import square
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.npz import read_npy

_LONGEST = 1 << 24  # bytes of a list
_LINE = re.compile(r"/?(\d{1,18})_image\.png")


class Up3dOptions(StrictModel):
    """What a manifest chooses."""

    box: Literal["render", "joints"] = Field("render", description="the box is that of the rendered body, or of joints")


class Up3d(ReaderOfStills):
    """Reader of a list (role ``persons``) and of what lies beside the images, by their names."""

    options = Up3dOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every line of the list."""
        options, path = raw.options(Up3dOptions), raw.file("persons")
        try:
            lines = [line.split()[0] for line in read_whole(path, _LONGEST).decode().splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            fault = f"{path} is no text: {error.reason} at byte {error.start}"
            raise RawDataCorrupt(fault, expected="a line for each image", action="fetch the data set again.") from None
        told.listed, taken = (len(lines), len(lines)), set[str]()
        with self.images(raw) as images:
            for line in lines:
                match = _LINE.fullmatch(line)
                if match is None or match[1] in taken:
                    yield Dropped(
                        "malformed", line[:40], "it is there twice" if match else "no line such as /00022_image.png"
                    )
                    continue
                taken.add(match[1])
                yield _outcome(raw, told, options, match[1], images)


def _outcome(raw: Raw, told: Told, options: Up3dOptions, number: str, images: ImageSource) -> PersonRecord | Dropped:
    try:
        keypoints, confidence = _joints(raw, told, number)
        refusal = raw.refusal(keypoints)
        if refusal:
            return Dropped(refusal, number)
        found = _joints_extent(keypoints) if options.box == "joints" else _rendered(raw, number, images)
        if isinstance(found, MissingImage) or not max(found[2:]):
            fault = (
                str(found) if isinstance(found, MissingImage) else "nothing is rendered, or all joints are one point"
            )
            return Dropped("bad_box", number, fault)
        source: BoxSource = "keypoints" if options.box == "joints" else "silhouette"
        return PersonRecord(
            image_name=image_name(raw.folder, f"{number}_image.png", raw.root),
            annotation_id=int(number),
            box=square(*found, raw.manifest.box.factor),
            keypoints=keypoints,
            confidence=confidence,
            box_source=source,
        )
    except ValueError as error:
        return damage(number, error)
    except RawDataCorrupt as error:
        return Dropped("malformed", number, error.found.replace(f"{raw.root}/", ""))


def _joints(raw: Raw, told: Told, number: str) -> tuple[dict[str, tuple[float, float, int]], dict[str, float]]:
    """Joints in continuous px, and the confidence of those below 1."""
    listed, shift = raw.manifest.keypoints.listed.joints, raw.manifest.keypoints.offset
    joints = read_npy(raw.root / raw.folder / f"{number}_joints.npy")
    if joints.shape != (3, len(listed)) or joints.dtype.kind not in "biuf":
        raise ValueError(f"joints of {joints.dtype} {joints.shape}, not numbers of shape {(3, len(listed))}")
    found, unsure = {}, {}
    for joint, (x, y, sure) in zip(listed, joints.T.astype(float).tolist(), strict=True):
        if not 0 <= sure < np.inf:
            raise ValueError(f"the confidence of {joint} is {sure:g}")
        if sure and joint and min(x, y) <= 0:
            told.adjusted.add("joint_outside", f"{number}: {joint} at ({x:g}, {y:g})")
        elif sure and joint:
            found[joint] = x + shift, y + shift, 2
            if sure < 1:
                unsure[joint] = sure
    return found, unsure


def _joints_extent(keypoints: dict[str, tuple[float, float, int]]) -> tuple[float, float, float, float]:
    """Left, top, width and height of joints."""
    xs, ys, _ = zip(*keypoints.values(), strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _rendered(raw: Raw, number: str, images: ImageSource) -> tuple[float, float, float, float] | MissingImage:
    """The same of the body, which is all that is not white."""
    name = image_name(raw.folder, f"{number}_render_light.png", raw.root)
    pixels = one_image(images, name, UNKNOWN_SIZE)
    if isinstance(pixels, MissingImage):
        return pixels
    red, green, blue = np.moveaxis(pixels, 2, 0)
    body = (red & green & blue) < 255  # white alone has every bit in every channel
    columns, rows = np.flatnonzero(body.any(0)), np.flatnonzero(body.any(1))
    if not columns.size:
        return 0.0, 0.0, 0.0, 0.0
    left, top = float(columns[0]), float(rows[0])
    return left, top, columns[-1] + 1 - left, rows[-1] + 1 - top
