"""Splits of a data set: where each lies below the root, in files by their role, whom it keeps, and how many."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from pymaf_data.config import StrictModel
from pymaf_data.datasets.archives import archives_at, archives_of, is_archive, without_ending
from pymaf_data.datasets.images import below
from pymaf_data.errors import ConfigError

#: The role of the images' folder.
IMAGES = "images"
#: The role of what says who is on them, where that is one kind of file.
ANNOTATIONS = "annotations"
#: The role of the folder of OpenPose's detections, which any split may have.
OPENPOSE = "openpose"
#: The role of the networks that find persons on images of which nothing says who is there.
FINDER = "finder"
_ROLES_BEFORE = {"annotations": ANNOTATIONS, "pictures": IMAGES}

Standing: TypeAlias = Literal["proved", "inferred", "unsure"]


class Whole(StrictModel):
    """What complete annotations list, or how many files they are; only then are the expected counts comparable."""

    images: int | None = Field(default=None, gt=0)
    annotations: int | None = Field(default=None, gt=0)
    files: int | None = Field(default=None, gt=0, description="of the role annotations")

    @model_validator(mode="after")
    def _something(self) -> Whole:
        if not self.model_dump(exclude_none=True):
            raise ValueError("whole: says neither images, annotations nor files")
        return self

    def fits(self, images: int, annotations: int, files: int) -> bool:
        """Whether as many are there as are stated."""
        stated = (self.images, images), (self.annotations, annotations), (self.files, files)
        return all(wanted in (None, there) for wanted, there in stated)


class Expected(StrictModel):
    """How many persons a selection keeps of a whole split, and how that is known. A number alone is unsure."""

    count: int = Field(gt=0)
    source: str = ""
    standing: Standing = Field(
        default="unsure",
        description="proved: counted on the release by this rule; inferred: published by those whose rule it is; "
        "unsure: the rule or the file may have been another",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, data: Any) -> Any:
        return {"count": data} if isinstance(data, int) else data

    @property
    def known(self) -> str:
        """How, in words."""
        return f"{self.standing}{': ' * bool(self.source)}{self.source}"


class SelectionRule(StrictModel):
    """Which annotated persons are kept; crowds and persons without a labelled keypoint never are."""

    title: str
    requires: tuple[str, ...] = Field(description="joints that must be labelled, visible or hidden")
    area: bool = Field(
        default=False, description="an annotated area above 0 and a box within the image, as COCO is measured on"
    )


class Split(StrictModel):
    """Where one split lies below the root, in files by their role.

    Manifests of before name two roles by keys of their own: ``annotations`` and, for the images' folder, ``pictures``.
    """

    files: dict[str, str] = Field(
        description="role → path or pattern (*, {one,other}) below the root; `images` is the folder that image names "
        "begin with, . the root itself; the other roles are the reader's, such as `annotations`"
    )
    optional: tuple[str, ...] = Field(default=(), description="roles whose files need not be there")
    archives: tuple[str, ...] = Field(
        default=(),
        description="path or pattern of zips and tars that hold the images where their folder is not there; those that "
        "are called as the folder is need no naming",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="the reader's own")
    held_out: bool = Field(default=False, description="to measure on: never learned from unless named")
    whole: Whole | None = None
    expected: dict[str, Expected] = Field(
        default_factory=dict, description="selection → persons kept of the whole split: a number, or with its source"
    )
    selections: dict[str, SelectionRule] = Field(default_factory=dict, description="that this split alone has")
    default_selection: str = Field(default="", description="of this split, where it is not the data set's")

    @model_validator(mode="before")
    @classmethod
    def _in_archive(cls, data: Any) -> Any:
        """An archive in place of the images' folder is that folder, packed: names of images are those of the folder."""
        files = data.get("files") if isinstance(data, dict) else None
        named = files.get(IMAGES) if isinstance(files, dict) else None
        if not isinstance(files, dict) or not isinstance(named, str) or not is_archive(named):
            return data
        return data | {
            "files": files | {IMAGES: without_ending(named)},
            "archives": [named, *data.get("archives", ())],
        }

    @model_validator(mode="before")
    @classmethod
    def _by_role(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "files" in data:
            return data
        files = {role: data[key] for key, role in _ROLES_BEFORE.items() if key in data}
        return {"files": files, **{key: value for key, value in data.items() if key not in _ROLES_BEFORE}}

    @field_validator("files")
    @classmethod
    def _plain(cls, files: dict[str, str]) -> dict[str, str]:
        """``./images/`` and ``a//images`` are ``images`` and ``a/images``; the root itself is ""."""
        if IMAGES not in files or len(files) < 2:
            raise ValueError(f"needs the role {IMAGES}, and one of what is annotated (annotations); has {list(files)}")
        return {role: _plain_path(path) for role, path in files.items()}

    @model_validator(mode="after")
    def _optional_roles(self) -> Split:
        unknown = sorted(set(self.optional) - (set(self.files) - {IMAGES}))
        if unknown:
            raise ValueError(f"optional: no such role but {IMAGES} can be: {', '.join(unknown)}")
        return self

    @field_validator("archives")
    @classmethod
    def _below(cls, archives: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_plain_path, archives))

    def archived(self, root: Path) -> list[Path]:
        """The archives that stand for the images' folder below ``root``; none where that is there."""
        folder = self.files[IMAGES]
        own = [path.rpartition("/")[2] for path in self.files.values() if path.rpartition("/")[0] == folder]
        return archives_of(root, folder, self._named(root), own)

    def passed_over(self, root: Path) -> list[Path]:
        """The archives that would stand for the images' folder below ``root``, were that not there."""
        there = archives_at(root, self.files[IMAGES], self._named(root))
        return [] if self.archived(root) else there

    def _named(self, root: Path) -> list[Path]:
        return [path for pattern in self.archives for path in found(root, pattern)]

    def here(self, root: Path) -> list[str]:
        """The roles of which something lies below a folder."""
        there = [role for role, pattern in self.files.items() if found(root, pattern)]
        return there if IMAGES in there or not self.archived(root) else [*there, IMAGES]

    def inside(self, root: Path) -> Split:
        """The split without the one folder that all of it lies in, where ``root`` is that folder itself."""
        tops = {path.partition("/")[0] for role, path in self.files.items() if role not in self.optional}
        if len(tops) != 1 or not self.absent(root):
            return self
        start = f"{tops.pop()}/"
        files = {role: f"{path}/".removeprefix(start).removesuffix("/") for role, path in self.files.items()}
        found = self.model_copy(update={"files": files})
        return self if found.absent(root) or "" in {**files, IMAGES: "."}.values() else found

    def absent(self, root: Path) -> list[str]:
        """The roles of which nothing lies below a folder, though something must."""
        here = {*self.here(root), *self.optional}
        return [role for role in self.files if role not in here]

    def relative(self, root: Path) -> Split:
        """The same with absolute paths inside ``root`` made relative to it; stores hold no path of a machine.

        Raises:
            ConfigError: an absolute image folder outside the root.
        """
        meant = dict(zip(self.files, map(os.path.expanduser, self.files.values()), strict=True))
        inside = {role: below(root, path) if path.startswith("/") else path for role, path in meant.items()}
        if inside[IMAGES] is None:
            raise ConfigError(
                f"the manifest's image folder {self.files[IMAGES]} is not inside {root}",
                expected="a folder below the data set's root",
                action="give the folder that holds annotations and images with --root, or link the images into it.",
            )
        return self.model_copy(
            update={"files": {role: meant[role] if path is None else path for role, path in inside.items()}}
        )


def _plain_path(path: str) -> str:
    plain = posixpath.normpath(re.sub(r"[/\\]+", "/", path)) if path else ""
    if plain.split("/")[0] == "..":
        raise ValueError("leaves the data set's folder; give the folder that holds all of it with --root")
    return "" if plain == "." else plain


def found(root: Path, pattern: str) -> list[Path]:
    """What lies below ``root`` under a name, or else a pattern with ``*`` and ``{one,other}``, sorted."""
    if (root / pattern).exists():
        return [root / pattern]
    paths = map(root.joinpath, spelled_out(pattern))
    return sorted({hit for path in paths for hit in Path(path.anchor).glob(str(path)[len(path.anchor) :])})


def spelled_out(pattern: str) -> list[str]:
    """The patterns that one with ``{one,other}`` stands for."""
    head, opened, rest = pattern.partition("{")
    choices, closed, tail = rest.partition("}")
    if not (opened and closed):
        return [pattern]
    return [f"{head}{choice}{end}" for choice in choices.split(",") for end in spelled_out(tail)]
