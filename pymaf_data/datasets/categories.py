"""Which categories of an annotation file are persons, and whether their joints are those of the manifest.

    {"categories": [{"id": 1, "name": "person", "keypoints": ["nose", "left_eye", …]}]}

Names of categories are the annotators' own: the categories that annotations with keypoints use decide, by their joints.
One whose joints are the manifest's is persons. One that lists none, or only numbers them, is persons where its name
says so or where it is the only one. An animal never is, whatever its joints are called.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Set
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from pymaf_data.datasets.conventions import JointList, numbered, way_out
from pymaf_data.datasets.rules import KeypointRule
from pymaf_data.errors import RawDataCorrupt

logger = logging.getLogger(__name__)

Key = int | str | None

_PERSONS = {
    *("person", "persons", "people", "human", "humans", "pedestrian", "pedestrians", "body", "skeleton", "pose"),
    *("man", "woman", "men", "women", "boy", "girl", "child", "adult"),
    *("player", "athlete", "runner", "skier", "dancer"),
}
_SHOWN = 30


def entry_key(value: Any) -> Key:
    """What an id that only has to be found again is compared by: 3, 3.0 and "3" are one; None for what is no id."""
    if type(value) is int and abs(value) < 2**63:
        return value
    if isinstance(value, str):
        text = value.strip()
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text.casefold() or None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) >= 2**63:
        return None
    return int(value) if value == int(value) else None


@dataclass(frozen=True)
class Category:
    """One category as the file has it."""

    name: str = ""
    names: tuple[str, ...] = ()
    group: str = ""

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Category:
        """An entry's name, its joints' names (none where they are absent or only numbers) and its group."""
        listed = entry.get("keypoints")
        names = tuple(map(str, listed)) if isinstance(listed, list) else ()
        return cls(
            str(entry.get("name") or ""), () if numbered(names) else names, str(entry.get("supercategory") or "")
        )

    @property
    def called_person(self) -> bool:
        """Whether its name says that it is persons."""
        return bool(_PERSONS & set(re.findall(r"[^\W\d_]+", self.name.casefold())))

    def fits(self, joints: JointList) -> bool:
        """Whether it lists the joints of the manifest, and is no animal."""
        return not self.animal and bool(self.names) and joints.fits(self.names)

    @property
    def animal(self) -> bool:
        """Whether the file says that it is one."""
        return "animal" in self.group.casefold() and not self.called_person


@dataclass(frozen=True)
class Persons:
    """Which categories are persons, and how many joints their annotations may have.

    Args:
        joints: the manifest's list.
        categories: by id, as :func:`entry_key` gives it.
        used: ids that annotations with keypoints have.
    """

    joints: JointList
    categories: dict[Key, Category]
    used: Set[Key] = frozenset()
    _known: dict[Key, bool] = field(default_factory=dict, init=False)

    def category(self, value: Key) -> Category:
        """The category of an annotation. A single one that no annotation names is meant by all of them."""
        if value not in self.categories and len(self.categories) == 1 and not self.used & self.categories.keys():
            return next(iter(self.categories.values()))
        return self.categories.get(value, Category())

    def includes(self, value: Key) -> bool:
        """Whether an annotation of this category is a person."""
        if value not in self._known:
            self._known[value] = self._decide(value)
        return self._known[value]

    def counts(self, value: Key) -> frozenset[int]:
        """How many joints an annotation of this category may have: of a longer list, the first are the manifest's."""
        return self.joints.counts | ({len(names)} if (names := self.category(value).names) else set())

    def strangers(self) -> list[Category]:
        """Categories in use whose joints are not the manifest's, though they are persons or there are no others."""
        unnamed = self.used - self.categories.keys()
        in_use = [*map(self.category, self.used), *(self.categories.values() if unnamed else ())]
        others = [one for one in in_use if one.names and not one.animal and not one.fits(self.joints)]
        persons = any(self.includes(value) for value in self.used)
        return [one for one in dict.fromkeys(others) if one.called_person or not persons]

    def guessed(self) -> list[Category]:
        """Categories taken as persons though neither their name nor their joints say so."""
        found = [self.category(value) for value in self.used if value in self.categories and self.includes(value)]
        return [one for one in found if not one.called_person and not one.names]

    def _decide(self, value: Key) -> bool:
        one = self.category(value)
        if one.animal:
            return False
        if one.names:
            return one.fits(self.joints) or (one.called_person and value not in self.used)
        if one.called_person or not self.categories:
            return True
        if value not in self.categories and not any(other.fits(self.joints) for other in self.categories.values()):
            return not any(other.names for other in self.categories.values())
        return value is None or self.used == {value}


def find_persons(listed: Any, used: Set[Key], rule: KeypointRule, path: Path) -> Persons:
    """The persons of an annotation file.

    Args:
        listed: its ``categories``; anything but a list lists none.
        used: category ids of annotations with keypoints.
        rule: the manifest's joints.
        path: the file, for messages.

    Raises:
        RawDataCorrupt: the joints of persons are not the manifest's; the message says what to write instead.
    """
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    categories = {entry_key(entry.get("id")): Category.of(entry) for entry in reversed(entries)}
    joints = rule.listed
    persons = Persons(joints, categories, used)
    strangers = persons.strangers()
    if strangers:
        first = strangers[0]
        more = f" (one of {len(strangers)} such)" * (len(strangers) > 1)
        raise RawDataCorrupt(
            f"{path}: category {first.name!r}{more} has the joints {_few(first.names)}",
            expected=f"{joints.name}: {_few(joints.names)}",
            action="if these are people, give a manifest of your own (*.yaml; a copy of "
            f"{files('pymaf_data.manifests')}/coco.yaml will do) in which stands\n"
            f"  {way_out(first.names, rule.origin)}",
        )
    for one in persons.guessed():
        logger.warning(
            "%s: category %r lists no joints and is taken as persons: no other has keypoints", path, one.name
        )
    return persons


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + f" … ({len(names)} in all)" * (len(names) > _SHOWN)
