"""Find the persons of a store in a table of fits: by annotation id, or by image and box, one to one.

A person that several rows name has a fit only if they say the same. Nobody is matched by the order of rows alone, and
whether a match is right is proved afterwards (:mod:`pymaf_data.fits.proof`).
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError
from pymaf_data.fits.evidence import other_scale_of_boxes
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitTable
from pymaf_data.fits.standing import stand
from pymaf_data.fits.table import CAMERA, Fits

logger = logging.getLogger(__name__)

NONE = -1
_FARTHEST = 0.25
"""Box sides that the centres of a file's box and of a person's may lie apart, since boxes are drawn in many ways."""
_ENDING = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
_NEAR, _COMMON = 3.0, 3
"""Pixels within which joints are alike, and how many two persons must share to be told apart, or known, by them."""


def join(
    table: FitTable, persons: Persons, origin: str, body: str | None = None, model: BodyModel | None = None
) -> Fits:
    """The fits of N persons.

    Args:
        table: what a file says.
        persons: all persons of a store, since a row that belongs to one of them is nobody else's.
        origin: what to call the file in messages.
        body: take fits of this body alone.
        model: that body, which tells where fits stand that come with points instead of a translation; ``None``: not
            there, so they stand nowhere.

    Raises:
        FitError: the file has a fit of none of them.
    """
    return take(table, match(table, persons, origin, body), persons, model)


def take(table: FitTable, row: np.ndarray, persons: Persons, model: BodyModel | None = None) -> Fits:
    """The fits of N persons whose rows (N,) are known, −1 where there is none; ``model`` as :func:`join`'s."""
    fits = Fits.empty(len(persons), "no fit in the source", CAMERA)
    found, of = row != NONE, row[row != NONE]
    fits.pose[found], fits.betas[found], fits.frame[found] = table.pose[of], table.betas[of], table.frame[of]
    if table.camera is not None:
        fits.native[found] = table.camera[of]
        if table.origin == "centre":
            fits.native[found, :2] += persons.image_size[found, :, None] / 2 * fits.native[found, 2:]
    fits.reason[found] = 0
    finite = [np.isfinite(part.reshape(len(row), -1)).all(1) for part in (fits.pose, fits.betas, fits.native)]
    fits = fits.without(~np.logical_and.reduce(finite), "coordinates not finite").without(
        ~persons.present, "picture not present"
    )
    if table.points is None:
        return fits
    lost, standing = fits.valid, np.flatnonzero(fits.valid)
    if model is not None:
        lost[standing[stand(model, fits, standing, table.points[row[standing]])]] = False
    return fits.without(lost, "camera not solvable")


def match(table: FitTable, persons: Persons, origin: str, body: str | None = None) -> np.ndarray:
    """(N,) the row of the table that is each person's, −1 where there is none; ``body`` as :func:`join`'s.

    Raises:
        FitError: it has a row for none of them.
    """
    single = np.flatnonzero(_single(table, origin))
    keys = table.keys
    if isinstance(keys, ByAnnotation):
        row = _by_annotation(keys.ids[single], persons)
    else:
        row = by_image(ByImage(keys.names[single], keys.centres[single]), persons.names, persons.box)
    found = row != NONE
    if isinstance(keys, ByImage) and 2 * found.sum() < min(len(single), len(persons)):
        _refuse_other_sizes(ByImage(keys.names[single], keys.centres[single]), persons, origin)
    if not found.any():
        ours = f"{persons.names[0]} #{persons.annotation_id[0]}" if len(persons) else "nobody"
        raise FitError(
            f"{origin} holds none of the persons of this store",
            expected=f"fits of persons such as {ours}; it has fits of {', '.join(keys.labels()[:2]) or 'nobody'}",
            action="give the file of this data set and split.",
        )
    logger.info("%s: %d of %d fits belong to persons of this store", origin, found.sum(), len(table))
    row[found] = single[row[found]]
    if body is not None:
        row[found] = np.where(table.body[row[found]] == body, row[found], NONE)
    return row


def _refuse_other_sizes(keys: ByImage, persons: Persons, origin: str) -> None:
    """Refuse rows whose images are here, and in most of which the one person stands where another size would put them.

    Raises:
        FitError: that is so.
    """
    images, image_of = np.unique(persons.names, return_inverse=True)
    theirs = np.array(_image_numbers(keys.names.tolist(), images.tolist()), int)
    known, place = np.flatnonzero(theirs != NONE), np.zeros((2, len(images)), int)
    place[0, theirs[known]], place[1, image_of] = known, np.arange(len(persons))
    alone = [np.bincount(of, minlength=len(images)) == 1 for of in (theirs[known], image_of)]
    row, person = place[:, alone[0] & alone[1]]
    scale = other_scale_of_boxes(keys.centres[row], persons.box[person])
    if scale is not None:
        raise FitError(
            f"{origin} was made for images of another size: those of this store look scaled by {scale:.2f}",
            expected="boxes in pixels of the images that the store was made from",
            action="ingest the images that the fits were made for, or scale the file's boxes and cameras.",
        )


def _single(table: FitTable, origin: str) -> np.ndarray:
    """(M,) the rows to match: of rows of one key the first where all say the same, none where they differ."""
    keep = np.ones(len(table), bool)
    labels, number, count = np.unique(table.keys.labels(), return_inverse=True, return_counts=True)
    parts = (table.pose, table.betas, table.camera, table.points)
    content = [part.reshape(len(table), -1) for part in parts if part is not None]
    differing = []
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(count[number] > 1).tolist():
        groups[int(number[row])].append(row)
    for group, rows in groups.items():
        same = all(np.array_equal(part[rows], part[rows[:1]].repeat(len(rows), 0), equal_nan=True) for part in content)
        keep[rows[1:] if same else rows] = False
        differing += [] if same else [str(labels[group])]
    if differing:
        named = ", ".join(differing[:5])
        logger.warning("%s: %d persons have several fits that differ; none is taken: %s", origin, len(differing), named)
    return keep


def _by_annotation(ids: np.ndarray, persons: Persons) -> np.ndarray:
    row = np.full(len(persons), NONE)
    if not len(ids):
        return row
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], persons.annotation_id).clip(max=len(ids) - 1)
    found = ids[order][place] == persons.annotation_id
    row[found] = order[place[found]]
    return row


def by_image(
    keys: ByImage, names: np.ndarray, boxes: np.ndarray, like: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """(N,) the row of M keys that is each person's, one to one: image by image those whose boxes are closest.

    Args:
        keys: of the rows.
        names: (N,) image names of the persons.
        boxes: (N, 3) their boxes.
        like: keypoints of persons (N, J, 3) and rows (M, J, 3): who has the same joints is the same person, wherever
            the boxes are.
    """
    row = np.full(len(names), NONE)
    images, image_of = np.unique(names, return_inverse=True)
    theirs = _grouped(_image_numbers(keys.names.tolist(), images.tolist()))
    ours = _grouped(image_of.tolist())
    for image, fits in theirs.items():
        people = np.array(ours.get(image, []), int)
        unlike = _unlike(like[0][people], like[1][fits]) if like else None
        for person, fit in _pairs(boxes[people], keys.centres[fits], unlike):
            row[people[person]] = fits[fit]
    return row


def _unlike(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(P, F) from 0, where the joints that both have are in one place, to 1, where they are not or are too few."""
    both = (ours[:, None, :, 2] > 0) & (theirs[None, :, :, 2] > 0)
    with np.errstate(invalid="ignore", over="ignore"):  # a file's numbers may be anything
        apart = np.linalg.norm(ours[:, None, :, :2] - theirs[None, :, :, :2], axis=-1)
        far = np.where(both, np.nan_to_num(apart / (apart + _NEAR), nan=1.0), 0.0)
    count = both.sum(-1)
    return np.where(count >= _COMMON, far.sum(-1) / np.maximum(count, 1), 1.0)


def _pairs(boxes: np.ndarray, centres: np.ndarray, unlike: np.ndarray | None) -> Iterator[tuple[int, int]]:
    """(person, fit) of boxes (P, 3) and centres (F, 2) on one image: the least sum of distances in box sides."""
    apart = np.linalg.norm(boxes[:, None, :2] - centres[None], axis=-1) / boxes[:, 2:]
    if unlike is not None:  # who is alike is near; a hundredth of a box's side decides where places do not
        apart = np.where(unlike < 0.5, 0.0, apart) + 0.01 * unlike
    # Beyond the limit all are alike, lest a pair far apart outweigh one that fits.
    cost = np.minimum(np.nan_to_num(apart, nan=np.inf), 2 * _FARTHEST)
    for person, fit in zip(*linear_sum_assignment(cost), strict=True):
        if cost[person, fit] <= _FARTHEST:
            yield int(person), int(fit)


def _grouped(numbers: Iterable[int]) -> dict[int, list[int]]:
    """Number → where it stands."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(numbers):
        groups[number].append(place)
    return groups


def _image_numbers(names: list[str], images: list[str]) -> list[int]:
    """The image that each name means: one is the other's end, folder by folder. −1: none, or more than one.

    Names without an ending mean the one image that is called so but for its own.
    """
    whole: dict[tuple[str, ...], int] = {}
    for number, image in enumerate(images):
        parts = tuple(_parts(image))
        whole[parts] = NONE if parts in whole else number
    ends: dict[tuple[str, ...], int] = {}
    for parts, number in whole.items():
        for first in range(1, len(parts)):
            ends[parts[first:]] = NONE if parts[first:] in ends else number
    known: dict[str, int] = {}
    for name in names:
        if name not in known:
            parts = tuple(_parts(name))
            longer = (whole[parts[first:]] for first in range(len(parts)) if parts[first:] in whole)
            known[name] = next(longer, ends.get(parts, NONE))
    bare = [name for name, number in known.items() if number == NONE and not _ENDING.search(name)]
    stems = [_ENDING.sub("", image) for image in images] if bare else images
    if stems != images:
        known |= zip(bare, _image_numbers(bare, stems), strict=True)
    return [known[name] for name in names]


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
