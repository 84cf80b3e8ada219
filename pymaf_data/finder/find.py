"""Image → the persons on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pymaf_data.crop import Image
from pymaf_data.finder.detector import detect
from pymaf_data.finder.doubles import singles
from pymaf_data.finder.interpreter import Network
from pymaf_data.finder.landmarks import SIZE, Landmarks, look, region_of
from pymaf_data.finder.package import networks, require_finder
from pymaf_data.finder.regions import Region
from pymaf_data.geometry.affines import Floats, apply, compose, invert, to_cv2
from pymaf_data.geometry.rle import encode_patch

#: Of what the same image leads to; another one where that changes.
VERSION = 1
_LEVELS = 3  # of tiles: the image, halves of it, quarters
_CANDIDATE = 0.2  # of the detector: whoever is less sure is not looked at
_PERHAPS = 0.3  # of the landmarks at first sight, which is of a region that the detector guessed
_PERSON = 0.9  # of the landmarks: whoever is less sure is nobody
_AGREED = 0.4  # of what all looks at a person add up to
_SMALLEST, _LARGEST = 12.0, 4.0  # px of a region; times that region
_COARSE = 160  # px of the longer side: masks that are compared
_NOBODY = -100.0  # a logit
_SEEN = 0.5  # of a joint: less sure ones say nothing about the box


class Found(NamedTuple):
    """Somebody on an image.

    Attributes:
        score: how sure it is that somebody is there.
        box: left, top, width, height, continuous px: of the mask and of the joints that are seen.
        joints: (17, 3) of COCO17: x, y in continuous px, and confidence, 0 outside the image.
        mask: run lengths of the person's pixels (:mod:`pymaf_data.geometry.rle`); empty where there are none.
    """

    score: float
    box: tuple[float, float, float, float]
    joints: Floats
    mask: bytes


class Finder:
    """Finds persons; called by several threads at once, it uses as many cores."""

    def __init__(self, detector: Network, landmarks: Network) -> None:
        self._detector, self._landmarks = detector, landmarks

    def __call__(self, image: Image) -> list[Found]:
        """Everybody on an image (H, W, 3) uint8 RGB; those first on whom most looks agree."""
        candidates = detect(self._detector, image, _LEVELS, _CANDIDATE)
        seen, sure = list[Landmarks](), list[float]()
        for k in np.argsort(-candidates.score, kind="stable").tolist():
            region = region_of(candidates.points[k])
            known = next((number for number, one in enumerate(seen) if one.region.is_close(region)), None)
            if known is None:
                one = self._twice(image, region)
                if one is None:
                    continue
                known = len(seen)
                seen.append(one)
                sure.append(0.0)
            sure[known] += float(candidates.score[k]) * seen[known].score
        if not seen:
            return []
        size = image.shape[1], image.shape[0]
        joints = np.stack([one.joints[:, :2] for one in seen])
        masks = np.stack([_coarse(one, size) for one in seen])
        single = singles(joints, masks, np.array(sure), _AGREED)
        return [found for found in (_found(seen[k], size) for k in single) if found is not None]

    def _twice(self, image: Image, region: Region) -> Landmarks | None:
        """What is seen in the region that a first look there leads to; None where nobody was there, or is too small."""
        if not region.side >= _SMALLEST:
            return None
        first = look(self._landmarks, image, region)
        if first.score < _PERHAPS or not _SMALLEST <= first.again.side <= _LARGEST * region.side:
            return None
        second = look(self._landmarks, image, first.again)
        return second if second.score >= _PERSON else None


def open_finder(
    path: Path | None = None, otherwise: str = "bring detections", landmarks: Literal["lite", "full", "heavy"] = "full"
) -> Finder:
    """A finder by the file of :mod:`pymaf_data.finder.package`; None: that of the assets folder.

    Args:
        path: the file.
        otherwise: see :func:`~pymaf_data.finder.package.require_finder`.
        landmarks: which network sees joints; the heavy one takes four times as long.

    Raises:
        AssetMissing, AssetMismatch: as of :func:`~pymaf_data.finder.package.require_finder`.
    """
    detector, network = networks(require_finder(path, otherwise), landmarks)
    return Finder(Network(detector, "the detector"), Network(network, "the landmarks"))


def _coarse(seen: Landmarks, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The person's mask on the whole image, made small."""
    shrink = _COARSE / max(size)
    small = np.array([[shrink, 0.0, 0.0], [0.0, shrink, 0.0]])
    width, height = (math.ceil(side * shrink) for side in size)
    return _drawn(seen, compose(small, invert(seen.region.affine(SIZE))), (width, height))


def _drawn(seen: Landmarks, affine: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The person's mask on a plane of this width and height that an affine leads to from the region."""
    logits = cv2.warpAffine(seen.mask, to_cv2(affine), size, borderValue=_NOBODY)
    return np.asarray(logits > 0)


def _found(seen: Landmarks, size: tuple[int, int]) -> Found | None:
    """A person as users see them; None where nothing of them is on the image."""
    joints = seen.joints.copy()
    joints[(joints[:, :2] < 0).any(1) | (joints[:, :2] > size).any(1), 2] = 0
    patch, corner = _mask(seen, size)
    ends = [joints[joints[:, 2] >= _SEEN, :2]]
    rows, columns = (np.flatnonzero(patch.any(axis)) for axis in (1, 0))
    if rows.size:
        ends.append(np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]]) + corner)
    corners = np.concatenate(ends)
    low, high = (corners.min(0), corners.max(0)) if len(corners) else (np.zeros(2), np.zeros(2))
    if not (high > low).all():
        return None
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    mask = encode_patch(patch, corner, size) if rows.size else b""
    return Found(seen.score, (left, top, width, height), joints, mask)


def _mask(seen: Landmarks, size: tuple[int, int]) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The person's pixels within the part of the image that the region covers, and that part's left and top."""
    to_image = invert(seen.region.affine(SIZE))
    ends = apply(to_image, np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]]))
    left, top = np.clip(np.floor(ends.min(0)), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(ends.max(0)), 0, size).astype(int).tolist()
    if right <= left or bottom <= top:
        return np.zeros((0, 0), bool), (left, top)
    to_image[:, 2] -= left, top
    return _drawn(seen, to_image, (right - left, bottom - top)), (left, top)
