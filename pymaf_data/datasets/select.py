"""Which annotated persons become rows, and an account of all the others.

Every annotation ends as a kept record or is counted under one reason; the counts add up to the total. Two kinds of
reasons exist: the selection did not want the person, or the annotation is damaged. Damage is also named, person by
person, and stops the run when the user said so.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import ValidationError

from pymaf_data.datasets.categories import Key
from pymaf_data.datasets.columns import PersonColumns
from pymaf_data.datasets.dataset import Raw, find_reader
from pymaf_data.datasets.entries import what_is_wrong
from pymaf_data.datasets.records import Licence, PersonRecord
from pymaf_data.datasets.splits import ANNOTATIONS, OPENPOSE
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.plain import clean
from pymaf_data.progress import Progress

logger = logging.getLogger(__name__)

#: Reason → what it says about one or many annotations, in the order of reports.
UNWANTED = {
    "crowd": "a crowd, not one person",
    "no_keypoints": "without keypoints",
    "incomplete": "incomplete: a required joint is not labelled",
    "other_category": "not a person",
    "no_box": "without a box",
    "no_area": "without an annotated area, or with a box outside the image",
    "held_out": "on an image that is held out to measure on",
    "no_camera": "on a frame whose camera is not known",
    "no_frame": "without an image: their video is shorter, or not there",
    "not_valid": "on a frame that is marked as not to be measured on",
    "thinned": "on a frame between those that are taken of its sequence",
    "known_bad": "of a sequence that is known to be bad",
    "no_image": "on an image that is not in the folder, or of whose name there are several",
}
DAMAGED = {
    "malformed": "malformed: a value of the wrong type, length or range",
    "not_finite": "with a value that is not a finite number",
    "unknown_image": "on an image that the annotation file does not list",
    "malformed_image": "on an image whose entry in the annotation file is malformed",
    "bad_box": "with a box without area",
    "box_outside": "with a box that lies wholly outside the image",
}
REASONS = UNWANTED | DAMAGED
#: What is taken otherwise than annotated, as it cannot be meant: of joints, and of persons.
ADJUSTED = {
    "joint_at_origin": "joints labelled at (0, 0) or (-1, -1), which stand for none: taken as not labelled",
    "joint_outside": "joints labelled outside the image: taken as not labelled",
    "joint_far_outside": "joints labelled outside the image and the person's crop: taken as not labelled",
    "joint_placeholder": "joints marked as not seen, whose places are placeholders: taken as not labelled",
    "box_from_keypoints": "persons without a box: the box of their labelled joints taken",
    "keypoints_projected": "persons without 2D joints: their 3D joints as the camera sees them taken",
    "mask_unusable": "masks that are not there, not intact, or not of the image's size: not taken",
    "openpose_absent": "persons on images without a file of OpenPose's: taken without its joints",
    "openpose_apart": "persons near whom OpenPose detected nobody: taken without its joints",
    "openpose_damaged": "detections of OpenPose's that are damaged or not BODY_25's: not taken",
    "nobody": "images on which nobody was found: nobody is taken of them",
    "not_looked_at": "images that cannot be read: nobody was looked for on them",
}
_NAMED = 3  # in a warning; the report names all that is damaged


@dataclass(frozen=True)
class Dropped:
    """An annotation that does not become a row."""

    reason: str
    annotation: str
    detail: str = ""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:  # it would be in no count
            raise ValueError(f"no reason to drop a person is called {self.reason!r}: {', '.join(REASONS)}")

    @property
    def damaged(self) -> bool:
        """Whether the data is at fault, not the selection."""
        return self.reason in DAMAGED

    def __str__(self) -> str:
        return clean(f"{self.annotation}: {self.detail or REASONS[self.reason]}")


def damage(annotation: str, error: Exception) -> Dropped:
    """An annotation that an error stopped: the first thing that is wrong, with its field where that is known."""
    if not isinstance(error, ValidationError):
        return Dropped("malformed", annotation, clean(f"{type(error).__name__}: {str(error)[:80]}"))
    finite = error.errors()[0]["type"] != "finite_number"
    return Dropped("malformed" if finite else "not_finite", annotation, what_is_wrong(error))


@dataclass(frozen=True)
class Selection:
    """The persons kept, in row order, and the count of all others by reason."""

    records: PersonColumns
    counts: dict[str, int]
    damaged: tuple[Dropped, ...] = ()
    adjusted: dict[str, int] = field(default_factory=dict)
    licences: tuple[Licence, ...] = ()
    whole: bool = False
    listed: tuple[int, int] = field(default=(0, 0))

    @property
    def kept(self) -> int:
        """Number of rows."""
        return len(self.records)

    @property
    def dropped(self) -> int:
        """Number of annotations that are no row."""
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        """Number of annotations."""
        return self.kept + self.dropped

    def account(self) -> dict[str, int]:
        """Total, kept and dropped by reason, as provenance stores them."""
        return {"total": self.total, "kept": self.kept, "dropped": self.dropped, **self.counts}


class Tally:
    """Counts by reason, with the first few cases in words: what a warning says of thousands."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def add(self, reason: str, case: str) -> None:
        """Count one case."""
        self.counts[reason] += 1
        first = self._first.setdefault(reason, [])
        if len(first) < _NAMED:
            first.append(clean(case))

    def warn(self, sentences: dict[str, str], origin: str) -> None:
        """One warning for each reason, in the order of ``sentences``; ``origin`` is where the cases stand."""
        for reason in (reason for reason in sentences if self.counts[reason]):
            more = self.counts[reason] - len(self._first[reason])
            cases = "; ".join(self._first[reason]) + f"; and {more:,} more" * bool(more)
            logger.warning("%s: %s %s (%s)", origin, f"{self.counts[reason]:,}", sentences[reason], cases)


@dataclass
class Told:
    """What a reader says beside its persons, filled while it reads.

    Attributes:
        listed: images and annotations in the files, whoever is wanted; (0, 0): not counted.
        adjusted: joints and boxes taken otherwise than annotated, by a reason of :data:`ADJUSTED`.
        unwanted: persons of whom nothing was made, too many to be dropped one by one, by a reason of :data:`UNWANTED`.
        licences: of the photographs, by key: name and address, None where neither is stated; None: nothing is known.
        licence_of: image name → key.
        progress: of a reader that takes long, what it tells how far it is.
    """

    listed: tuple[int, int] = (0, 0)
    adjusted: Tally = field(default_factory=Tally)
    unwanted: Counter[str] = field(default_factory=Counter)
    licences: dict[Key, tuple[str, str] | None] | None = None
    licence_of: dict[str, Key] = field(default_factory=dict)
    progress: Progress | None = None

    def photographs(self, images: Sequence[str]) -> tuple[Licence, ...]:
        """Each licence under which a kept person's photograph stands, with its counts; ``images`` has each person's."""
        if self.licences is None:
            return ()
        persons = Counter(self.licence_of[name] for name in images)
        photographs = Counter(self.licence_of[name] for name in set(images))
        merged: dict[tuple[str, str], list[int]] = {}
        for key in sorted(persons, key=lambda key: (key is not None, isinstance(key, str), key)):
            licence = self.licences.get(key) if key is not None else None
            entry = merged.setdefault(licence or ("not stated in the annotation file", ""), [0, 0])
            entry[0] += photographs[key]
            entry[1] += persons[key]
        return tuple(
            Licence(covers="photographs", name=name, url=url, photographs=images, persons=people)
            for (name, url), (images, people) in merged.items()
        )


def select(raw: Raw, stop: bool = False, progress: Progress | None = None) -> Selection:
    """Read a split: the persons that its selection wants, in row order, and an account of all others.

    Args:
        raw: the split.
        stop: raise at the first damaged annotation instead of counting it.
        progress: called by readers that take long.

    Raises:
        ConfigError, RawDataMissing: as :meth:`Raw.require`.
        RawDataCorrupt: a file cannot be used, or an annotation is damaged and ``stop`` is set.
    """
    raw.require()
    told, origin = Told(progress=progress), raw.origin.name
    with _uncollected():
        records, sorted_out, damaged = sort_out(find_reader(raw.manifest.reader).read(raw, told), origin, stop)
    counts = Counter(sorted_out) + told.unwanted
    if len(records) and OPENPOSE in raw.manifest.split(raw.split).files:
        _detect(records, raw, told)
    told.adjusted.warn(ADJUSTED, origin)
    whole = raw.manifest.split(raw.split).whole
    return Selection(
        records,
        {reason: counts[reason] for reason in REASONS if counts[reason]},
        damaged,
        adjusted={reason: told.adjusted.counts[reason] for reason in ADJUSTED if told.adjusted.counts[reason]},
        licences=told.photographs([name for name, _ in records.row_keys()]),
        whole=whole is not None and whole.fits(*told.listed, len(raw.files(ANNOTATIONS)) if whole.files else 0),
        listed=told.listed,
    )


def _detect(records: PersonColumns, raw: Raw, told: Told) -> None:
    """Fill the joints that OpenPose detects; who is not kept is read too, lest a kept neighbour be taken for them."""
    from pymaf_data.datasets.openpose import add_openpose

    everyone, reader = records, find_reader(raw.manifest.reader)
    # Of a sequence other frames are taken where everyone is wanted; nobody else is on those that are.
    if (raw.rule.requires or raw.rule.area) and not getattr(reader, "thins", False):
        with _uncollected():
            read = reader.read(raw.of_everyone, Told())
            everyone = PersonColumns.of(one for one in read if not isinstance(one, Dropped))
    add_openpose(records, everyone, raw.file(OPENPOSE), raw.folder, told.adjusted)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: annotations have none, and it would look at all of them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def sort_out(
    outcomes: Iterable[PersonRecord | PersonColumns | Dropped], origin: str, stop: bool
) -> tuple[PersonColumns, dict[str, int], tuple[Dropped, ...]]:
    """Separate records from the dropped: records in row order, counts by reason, and what was damaged.

    Args:
        outcomes: one per annotation; or the columns of many.
        origin: the annotation file, for messages.
        stop: raise at the first damaged annotation instead of counting it.

    Raises:
        RawDataCorrupt: an annotation is damaged and ``stop`` is set.
    """
    counts: Counter[str] = Counter()
    damaged: list[Dropped] = []
    tally = Tally()

    def kept() -> Iterator[PersonRecord | PersonColumns]:
        for outcome in outcomes:
            if not isinstance(outcome, Dropped):
                yield outcome
                continue
            counts[outcome.reason] += 1
            if outcome.damaged:
                if stop:
                    raise RawDataCorrupt(
                        f"{origin}, {outcome}",
                        expected="an annotation as the data set's own files have them",
                        action="fetch the annotations again, or drop and count such persons with --on-error skip.",
                    )
                tally.add(outcome.reason, str(outcome))
                damaged.append(outcome)

    records = PersonColumns.of(kept())
    tally.warn(DAMAGED, f"{origin}, annotations dropped")
    return records, {reason: counts[reason] for reason in REASONS if counts[reason]}, tuple(damaged)
