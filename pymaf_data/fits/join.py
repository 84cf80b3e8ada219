"""Find the persons of a store in a table of fits: by annotation id, or by image and box, one to one.

A person that several rows name has a fit only if they say the same. Nobody is matched by the order of rows alone, and
whether a match is right is proved afterwards (:mod:`pymaf_data.fits.proof`).
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np
from scipy.optimize import linear_sum_assignment

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError
from pymaf_data.fits.evidence import other_scale_of_boxes
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitTable
from pymaf_data.fits.standing import stand
from pymaf_data.fits.table import CAMERA, Fits, reason

logger = logging.getLogger(__name__)

NONE = -1
_FARTHEST = 0.25
"""Box sides that the centres of a file's box and of a person's may lie apart, since boxes are drawn in many ways."""
_ENDING = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
_TOGETHER = 1 << 16  # rows, or pairs of a person and a row, at a time
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
    fits, everybody = none_of(persons), np.flatnonzero(row != NONE)
    for some in np.array_split(everybody, len(everybody) // _TOGETHER + 1):  # a copy of all of them would be large
        put(fits, some, table, row[some], persons)
    if table.points is not None:
        put_on_points(fits, table.points, row, model)
    return fits


def none_of(persons: Persons) -> Fits:
    """No fit of any of N persons, before those of a file are put."""
    return Fits.empty(len(persons), "no fit in the source", CAMERA)


def put(fits: Fits, some: np.ndarray, table: FitTable, of: np.ndarray, persons: Persons) -> None:
    """Into the fits of N persons those of some (K,), which are the rows ``of`` (K,) of a table."""
    pose, betas, native = table.pose[of], table.betas[of], fits.native[some]
    if table.camera is not None:
        native = table.camera[of].astype(np.float64)
        if table.origin == "centre":
            native[:, :2] += persons.image_size[some, :, None] / 2 * native[:, 2:]
    finite = np.isfinite(pose).all(1) & np.isfinite(betas).all(1) & np.isfinite(native).all((1, 2))
    why = np.where(finite, reason("picture not present"), reason("coordinates not finite"))
    good = finite & persons.present[some]
    fits.frame[some], fits.reason[some] = table.frame[of], np.where(good, 0, why)
    kept = some[good]
    fits.pose[kept], fits.betas[kept], fits.native[kept] = pose[good], betas[good], native[good]


def put_on_points(fits: Fits, points: np.ndarray, row: np.ndarray, model: BodyModel | None) -> None:
    """Put the fits of N persons where they meet the points of their rows (N,), drop those that nowhere do."""
    lost, standing = fits.valid, np.flatnonzero(fits.valid)
    if model is not None:
        for some in np.array_split(standing, len(standing) // _TOGETHER + 1):
            lost[some[stand(model, fits, some, points[row[some]])]] = False
    fits.drop(lost, "camera not solvable")


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
        theirs = ", ".join(islice(keys.labels(), 2)) or "nobody"
        raise FitError(
            f"{origin} holds none of the persons of this store",
            expected=f"fits of persons such as {ours}; it has fits of {theirs}",
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
    parts = (table.pose, table.betas, table.camera, table.points)
    content = [part.reshape(len(table), -1) for part in parts if part is not None]
    differing = []
    first: dict[str, int] = {}
    several: defaultdict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(table.keys.labels()):
        if first.setdefault(label, row) != row:
            several[label].append(row)
    for label in sorted(several, key=first.__getitem__):
        rows = [first[label], *several[label]]
        same = all(np.array_equal(part[rows], part[rows[:1]].repeat(len(rows), 0), equal_nan=True) for part in content)
        keep[rows[1:] if same else rows] = False
        differing += [] if same else [label]
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
    theirs = np.array(_image_numbers(keys.names.tolist(), images.tolist()), int)
    for image, person, fit in _together(image_of, theirs, len(images)):
        unlike = _unlike(like[0][person], like[1][fit]) if like else None
        cost = _costs(boxes[person], keys.centres[fit], unlike)
        # Who is near one fit alone, which is near nobody else, is its person, as the least sum over an image has it.
        near = np.flatnonzero(cost < 2 * _FARTHEST)
        rivals = (np.bincount(of[near])[of[near]] > 1 for of in (person, fit))
        crowded = np.isin(image, image[near[np.logical_or(*rivals)]])
        sure = np.flatnonzero(~crowded & (cost <= _FARTHEST))
        row[person[sure]] = fit[sure]
        hard = np.flatnonzero(crowded)
        for of in np.split(hard, np.flatnonzero(np.diff(image[hard])) + 1) if len(hard) else ():
            chosen = of[_least(cost[of].reshape(-1, int((person[of] == person[of[0]]).sum())))]
            row[person[chosen]] = fit[chosen]
    return row


def _together(ours: np.ndarray, theirs: np.ndarray, images: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every person beside every row of the same image, as (image, person, row), (K,) each; some whole images at a time.

    Args:
        ours: (N,) image of each person.
        theirs: (M,) of each row, −1 for none.
        images: how many there are.
    """
    people, fits = (np.argsort(numbers, kind="stable")[(numbers < 0).sum() :] for numbers in (ours, theirs))
    of_people, of_fits = (np.bincount(numbers[numbers >= 0], minlength=images) for numbers in (ours, theirs))
    first_person, first_fit = np.cumsum(of_people) - of_people, np.cumsum(of_fits) - of_fits
    pairs = of_people * of_fits
    shared = np.flatnonzero(pairs)
    for some in np.split(shared, np.flatnonzero(np.diff(np.cumsum(pairs[shared]) // _TOGETHER)) + 1):
        image, before = np.repeat(some, pairs[some]), np.cumsum(pairs[some]) - pairs[some]
        person, fit = np.divmod(np.arange(len(image)) - np.repeat(before, pairs[some]), of_fits[image])
        yield image, people[first_person[image] + person], fits[first_fit[image] + fit]


def _unlike(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(K,) from 0, where the joints that both have are in one place, to 1, where they are not or are too few."""
    both = (ours[..., 2] > 0) & (theirs[..., 2] > 0)
    with np.errstate(invalid="ignore", over="ignore"):  # a file's numbers may be anything
        apart = np.linalg.norm(ours[..., :2] - theirs[..., :2], axis=-1)
        far = np.where(both, np.nan_to_num(apart / (apart + _NEAR), nan=1.0), 0.0)
    count = both.sum(-1)
    return np.where(count >= _COMMON, far.sum(-1) / np.maximum(count, 1), 1.0)


def _costs(boxes: np.ndarray, centres: np.ndarray, unlike: np.ndarray | None) -> np.ndarray:
    """(K,) of pairing boxes (K, 3) with centres (K, 2): how far these lie apart, in box sides."""
    apart = np.linalg.norm(boxes[:, :2] - centres, axis=-1) / boxes[:, 2]
    if unlike is not None:  # who is alike is near; a hundredth of a box's side decides where places do not
        apart = np.where(unlike < 0.5, 0.0, apart) + 0.01 * unlike
    # Beyond the limit all are alike, lest a pair far apart outweigh one that fits.
    return np.minimum(np.nan_to_num(apart, nan=np.inf), 2 * _FARTHEST)


def _least(cost: np.ndarray) -> np.ndarray:
    """Places in a flat (P, F) cost of the pairs of the least sum, those left out that are too far apart."""
    person, fit = linear_sum_assignment(cost)
    near = cost[person, fit] <= _FARTHEST
    return person[near] * cost.shape[1] + fit[near]


def _image_numbers(names: list[str], images: list[str]) -> list[int]:
    """The image that each name means: one is the other's end, folder by folder. −1: none, or more than one.

    Names that are none, as they have no ending or another (a set that was turned from .png to .jpg), mean the one image
    that is called so but for its ending.
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
    left = [name for name, number in known.items() if number == NONE]
    stems = [_ENDING.sub("", image) for image in images] if left else images
    if stems != images:
        known |= zip(left, _image_numbers([_ENDING.sub("", name) for name in left], stems), strict=True)
    return [known[name] for name in names]


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
