"""Files of SPIN and PyMAF (``dataset_extras``, for training and for evaluation): :mod:`pymaf_data.datasets.npz_rows`.

A person's annotation id is the row. Rows with 3D joints and without may stand in one file: of the latter S is all zero,
whatever its flags. Pixels count as in the set's own files, since SPIN carries them over; the manifest's splits know
that by the files' names. Fits of the file are taken by ``attach-fits --fits npz:FILE``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from pymaf_data.config import StrictModel
from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.images import Images, image_name
from pymaf_data.datasets.masks import mask_of, parts_of
from pymaf_data.datasets.npz_rows import NpzRows
from pymaf_data.datasets.records import FAR, SMALLEST_SIDE, PersonRecord
from pymaf_data.datasets.rules import OFFSETS, Origin
from pymaf_data.datasets.select import Dropped, Told, damage
from pymaf_data.geometry.boxes import crop_side
from pymaf_data.geometry.joints import J24, J49

logger = logging.getLogger(__name__)

_BLOCK = 4096  # rows that are looked at together


class NpzOptions(StrictModel):
    """What a split or ``--option`` says of a file."""

    origin: Origin | None = Field(None, description="of part, and of center; none: the manifest's")
    box_origin: Origin | None = Field(None, description="of center, where it has another than part")
    masks: str = Field(
        "", description="folder, from the images' root on, that maskname and partname are in: ../upi-s1h"
    )


class Npz(ReaderOfStills):
    """Reader of one file (role ``annotations``); names in it are relative to the images' folder."""

    options = NpzOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every row, in the file's order.

        Raises:
            RawDataCorrupt, UntrustedData: as :meth:`NpzRows.of`.
        """
        path = raw.file("annotations")
        rows = NpzRows.of(path)
        if rows.other:
            logger.warning("%s: keys that are not known and not read: %s", path, ", ".join(rows.other)[:300])
        if not {"part", "openpose"} & {*rows.numbers}:
            logger.warning(
                "%s has no keypoints: its fits can neither be seen in the images nor proved, and are attached as not "
                "valid; the raw data set has both (as `pymaf-data ingest 3dpw` and `attach-fits --fits 3dpw`)",
                path,
            )
        told.listed = len({*rows.texts["imgname"]}), len(rows)
        folders = (raw.root.absolute(), raw.root.absolute() / raw.options(NpzOptions).masks)
        images, masks = (Images(folder, "", follow_links=raw.follow_links) for folder in folders)
        for number, block in enumerate(rows.let_go(_BLOCK)):
            with np.errstate(invalid="ignore", over="ignore"):  # numbers may be anything
                people = _People(raw, told, images, masks, number * _BLOCK, block)
            yield from map(people.outcome, range(len(people.rows)))


class _People:
    """Turns rows into records."""

    def __init__(self, raw: Raw, told: Told, images: Images, masks: Images, first: int, rows: NpzRows) -> None:
        self.raw, self.told, self.images, self.masks, self.first, self.rows = raw, told, images, masks, first, rows
        self.every = raw.selection == "all"
        numbers, (shift, of_box) = rows.numbers, raw.offsets
        self.box = np.column_stack([numbers["center"] + of_box, 200 * numbers["scale"] * raw.manifest.box.factor])
        # OpenPose counts pixel indices, whatever the set does.
        halves = [(numbers.get("openpose"), 25, OFFSETS["index"]), (numbers.get("part"), 24, shift)]
        parts = [np.zeros((len(rows), n, 3), np.float32) if half is None else half for half, n, _ in halves]
        self.points = np.concatenate(parts, 1)
        at, confidence = self.points[..., :2], self.points[..., 2]
        self.labelled, none = confidence > 0, (at == 0).all(2) | (at == -1).all(2)
        at += np.repeat([offset for _, _, offset in halves], [25, 24]).astype(np.float32)[:, None]
        beyond = (np.abs(at - self.box[:, None, :2]) > crop_side(self.box[:, None, 2:]) / 2).any(2)
        self.odd = {
            "joint_at_origin": self.labelled & none,
            "joint_far_outside": self.labelled & ~none & (at < 0).any(2) & beyond,
        }
        self.solid = numbers.get("S", np.zeros((len(rows), 24, 4), np.float32))
        self.known = (self.solid[..., 3] > 0) & (np.abs(self.solid[..., :3]).max((1, 2)) != 0)[:, None]
        largest = [np.abs(self.box).max(1), np.where(self.labelled, np.abs(at).max(2), 0).max(1)]
        largest += [np.where(self.known, np.abs(self.solid[..., :3]).max(2), 0).max(1)]
        self.finite = np.isfinite(np.stack([*largest, confidence.sum(1), self.solid[..., 3].sum(1)])).all(0)
        self.ordinary = (np.max(largest, 0) < FAR / 8) & (self.box[:, 2] >= SMALLEST_SIDE)

    def outcome(self, row: int) -> PersonRecord | Dropped:
        """The person of a row, or why there is none."""
        name = self.rows.texts["imgname"][row]
        who = f"row {self.first + row} ({name})"
        if not name or not self.finite[row]:
            return Dropped("not_finite", who) if name else Dropped("malformed", who, "imgname: no text in UTF-8")
        x, y, side = self.box[row].tolist()
        if side <= 0:
            return Dropped("bad_box", who, f"scale: {side / 200:g}")
        joints = self._joints(row, who)
        places = list(zip((J49.joints[joint] for joint in joints), self.points[row, joints].tolist(), strict=True))
        keypoints = {joint: (*at, 2) for joint, (*at, _) in places}
        reason = None if self.every else self.raw.refusal(keypoints)
        if reason:
            return Dropped(reason, who)
        solid = self.known[row].nonzero()[0].tolist()
        values: dict[str, Any] = {
            "image_name": image_name(self.raw.folder, name, self.raw.root),
            "annotation_id": self.first + row,
            "box": (x, y, side),
            "keypoints": keypoints,
            "confidence": {joint: sure for joint, (_, _, sure) in places if sure < 1},
            "joints3d": {J24.joints[joint]: tuple(self.solid[row, joint, :3].tolist()) for joint in solid},
            "gender": self.rows.gender(row),
        }
        masks = self._masks(row, who, values["image_name"])
        try:
            sound = self.ordinary[row] and not masks and len(name) < 250 and "\0" not in name
            return PersonRecord.sound(**values) if sound else PersonRecord.model_validate(values | masks)
        except ValidationError as error:
            return damage(who, error)

    def _joints(self, row: int, who: str) -> list[int]:
        """Which of J49 are labelled, where they can be meant."""
        labelled = self.labelled[row]
        for reason, odd in self.odd.items():
            for joint in odd[row].nonzero()[0].tolist():
                self.told.adjusted.add(reason, f"{who}: {J49.joints[joint]}")
            labelled = labelled & ~odd[row]
        return labelled.nonzero()[0].tolist()

    def _masks(self, row: int, who: str, image: str) -> dict[str, Any]:
        """Mask and parts as far as their files are there and of the image's size; with them, that size."""
        found: dict[str, Any] = {}
        for column, key, read in (("mask", "maskname", mask_of), ("parts", "partname", parts_of)):
            name = self.rows.texts[key][row] if key in self.rows.texts else None
            if not name:
                continue
            try:
                size = self.images.size(image)
                found[column], found["image_size"] = read(self.masks, name, size), size
            except ValueError as error:
                self.told.adjusted.add("mask_unusable", f"{who}: {name}: {error}")
        return found
