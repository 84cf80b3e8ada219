"""Manifests: what a data set is, where it comes from, how it lies on disk and in which conventions it speaks.

One YAML file per data set in ``manifests/``. Everything that a reader would otherwise hard-code stands there: paths
below the root, joint convention and pixel origin, box factor, selection rules, expected counts and licences.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from pymaf_data.config import StrictModel, load_yaml, read_yaml
from pymaf_data.datasets.archives import archives_of, is_archive, without_ending
from pymaf_data.datasets.conventions import CONVENTIONS, JointList, find, own_list
from pymaf_data.datasets.images import Orientation, below
from pymaf_data.datasets.records import Licence
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, UsageError
from pymaf_data.geometry.joints import J49
from pymaf_data.paths import as_meant

_PACKAGE = "pymaf_data.manifests"
#: The role of the images' folder.
IMAGES = "images"
#: The role of what says who is on them, where that is one kind of file.
ANNOTATIONS = "annotations"
_ROLES_BEFORE = {"annotations": ANNOTATIONS, "pictures": IMAGES}
#: The role of the folder of OpenPose's detections, which any split may have.
OPENPOSE = "openpose"
_OTHER = ("assets",)  # manifests of things other than data sets


Standing: TypeAlias = Literal["proved", "inferred", "unsure"]
Origin: TypeAlias = Literal["index", "continuous", "index1"]
#: What leads from a data set's coordinates to continuous pixels.
OFFSETS: dict[Origin, float] = {"index": 0.5, "continuous": 0.0, "index1": -0.5}


class Download(StrictModel):
    """One thing to fetch."""

    what: str
    url: str = ""
    bytes: int = Field(default=0, ge=0, description="about; 0: not known")
    into: str = Field(description="folder below the data set's root")


class Whole(StrictModel):
    """What a complete annotation file lists; only then are the expected counts comparable."""

    images: int = Field(gt=0)
    annotations: int = Field(gt=0)


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
        description="role → path or pattern (*) below the root; `images` is the folder that image names begin with, "
        ". the root itself; the other roles are the reader's, such as `annotations`"
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
        named = [path for pattern in self.archives for path in found(root, pattern)]
        return archives_of(root, self.files[IMAGES], named)

    def here(self, root: Path) -> list[str]:
        """The roles of which something lies below a folder."""
        there = [role for role, pattern in self.files.items() if found(root, pattern)]
        return there if IMAGES in there or not self.archived(root) else [*there, IMAGES]

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
    """What lies below ``root`` under a name, or else a pattern, sorted."""
    if (root / pattern).exists():
        return [root / pattern]
    path = root / pattern
    return sorted(Path(path.anchor).glob(str(path)[len(path.anchor) :]))


class ListedJoint(StrictModel):
    """One joint of a data set's own list."""

    name: str = Field(min_length=1, description="what the annotation file calls it")
    joint: str | None = Field(description="the joint of J49 that it is; null: none, it is ignored")

    @field_validator("joint")
    @classmethod
    def _in_j49(cls, joint: str | None) -> str | None:
        if joint is not None and joint not in J49.joints:
            near = difflib.get_close_matches(joint, J49.joints, n=3)
            raise ValueError(f"J49 has no joint {joint!r}; it has {', '.join(near or J49.joints)}")
        return joint


class KeypointRule(StrictModel):
    """In which order and from which origin keypoints are written: a convention by name, or a list of one's own."""

    convention: str | None = Field(default=None, description=", ".join(known.name for known in CONVENTIONS))
    joints: tuple[ListedJoint, ...] = Field(default=(), description="every joint in the file's order")
    origin: Origin = Field(
        description="index: ½ px leads to the centre of the pixel meant; index1: pixels count from 1"
    )

    @property
    def offset(self) -> float:
        """What to add to x and y, in px."""
        return OFFSETS[self.origin]

    @field_validator("convention")
    @classmethod
    def _known_convention(cls, name: str | None) -> str | None:
        found = find(name) if name is not None else None
        if name is not None and found is None:
            known = ", ".join(known.name for known in CONVENTIONS)
            raise ValueError(f"no joint convention {name!r}; known: {known}; or list the joints under `joints`")
        return found.name if found else None

    @model_validator(mode="after")
    def _one_list(self) -> KeypointRule:
        if (self.convention is None) == (not self.joints):
            raise ValueError("either `convention` or `joints` says what the keypoints are, one of both")
        taken = [entry.joint for entry in self.joints if entry.joint]
        if self.joints and (not taken or len(set(taken)) < len(taken)):
            raise ValueError("`joints` names no joint of J49" if not taken else "`joints` names a joint of J49 twice")
        return self

    @property
    def listed(self) -> JointList:
        """The joints in the data set's order."""
        known = find(self.convention) if self.convention else None
        return known or own_list((entry.name, entry.joint) for entry in self.joints)


class ImageRule(StrictModel):
    """How the images are to be read."""

    orientation: Orientation = Field(
        default="ignore", description="of EXIF: ignore where the annotations' coordinates ignore it, as COCO's do"
    )


class BoxRule(StrictModel):
    """How the square box follows from the annotated one."""

    origin: Origin = "continuous"
    factor: float = Field(gt=0, description="side of the square per longer side of the annotated box")
    missing: Literal["keypoints", "drop"] = Field(
        default="keypoints",
        description="a person without a box, or with one without area: the box of the labelled keypoints, or none",
    )


class Manifest(StrictModel):
    """One data set."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    reader: str = Field(description="what reads its files: `pymaf-data datasets` names the known")
    homepage: str = ""
    citation: str = ""
    licences: tuple[Licence, ...] = Field(min_length=1)
    get: tuple[Download, ...] = ()
    brings: tuple[str, ...] = Field(default=(), description="in words, what persons have beside 2D joints and a box")
    splits: dict[str, Split] = Field(min_length=1)
    keypoints: KeypointRule
    box: BoxRule
    images: ImageRule = ImageRule()
    selections: dict[str, SelectionRule] = Field(min_length=1)
    default_selection: str
    departures: dict[str, str] = Field(
        default_factory=dict, description="kind of difference that `--against` finds → why it is to be expected"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for default, selections in (
            (self.default_selection, self.selections),
            *((split.default_selection, self.selections | split.selections) for split in self.splits.values()),
        ):
            if default and default not in selections:
                raise ValueError(f"default_selection {default!r} is not among the selections")
        splits = (item for split in self.splits.values() for item in split.selections.items())
        for name, rule in (*self.selections.items(), *splits):
            unknown = sorted(set(rule.requires) - set(self.keypoints.listed.joints))
            if unknown:
                raise ValueError(f"selection {name} requires {unknown}, not in {self.keypoints.listed.name}")
        return self

    def rules_digest(self, split: str, select: str | None = None) -> str:
        """SHA-256 of what decides over rows and arrays of a split; titles, addresses and licences do not."""
        rules = self.model_dump(mode="json", include={"name", "reader", "keypoints", "box", "selections"})
        name, chosen = self.selection(select, split)
        rules["selections"][name] = chosen.model_dump(mode="json")  # of the split's own, none but this counts
        for selection in rules["selections"].values():
            del selection["title"]
            if not selection["area"]:
                del selection["area"]
        # Rules that came later than the first stores, at their defaults, are no change of what those were made by.
        if not self.keypoints.joints:
            del rules["keypoints"]["joints"]
        if self.box.missing == "keypoints":
            del rules["box"]["missing"]
        if self.images != ImageRule():  # what is as before counts as before: stores made then go on
            rules["images"] = self.images.model_dump(mode="json")
        if self.split(split).options:
            rules["options"] = self.split(split).options
        return digest_json({**rules, "pictures": self.split(split).files[IMAGES]})

    def below(self, root: Path) -> Manifest:
        """The manifest with every path relative to the data set's folder.

        Raises:
            ConfigError: an absolute image folder outside it.
        """
        return self.model_copy(update={"splits": {name: split.relative(root) for name, split in self.splits.items()}})

    def with_options(self, split: str, given: Sequence[str]) -> Manifest:
        """The manifest with some of a split's options said otherwise.

        Args:
            split: name of the split.
            given: each ``key=value``, the value in YAML.

        Raises:
            UsageError: no such split, or one that is not of that form.
            ConfigError: a value is not YAML. Whether it fits is for the reader to say.
        """
        if not given:
            return self
        changed = dict(self.split(split).options)
        for text in given:
            key, equals, value = text.partition("=")
            if not (key and equals):
                raise UsageError(f"--option {text!r}", expected="KEY=VALUE, as in --option box=raw")
            changed[key] = read_yaml(value, f"--option {key}")
        splits = {**self.splits, split: self.split(split).model_copy(update={"options": changed})}
        return self.model_copy(update={"splits": splits})

    def of_file(self, path: Path, split: str) -> tuple[Manifest, str]:
        """The manifest with a split for one annotation file, wherever that lies, and the split's name: the file's.

        Args:
            path: the file.
            split: whose rules hold for it; "train": those of the first split among whose files one could be called so.

        Raises:
            UsageError: no such split, or none whose annotations are such files.
        """
        fitting = [one for one in self.splits.values() if fnmatch(path.name, one.files.get(ANNOTATIONS, ""))]
        if not fitting:
            raise UsageError(
                f"{path.name} is none of the files of {self.name}",
                expected=f"a name such as {next(iter(self.splits.values())).files.get(ANNOTATIONS, '')}",
                action="`pymaf-data ingest npz --npz FILE --images ROOT` takes an npz of SPIN's or PyMAF's.",
            )
        rules = self.split(split) if split != "train" else fitting[0]
        name = re.sub(r"[^\w.-]+", "_", path.stem)
        own = rules.model_copy(update={"files": {**rules.files, ANNOTATIONS: str(path.absolute())}})
        return self.model_copy(update={"splits": {**self.splits, name: own}}), name

    def with_files(self, split: str, **files: str) -> Manifest:
        """The manifest with some of a split's files elsewhere, or with roles that it does not have.

        Raises:
            UsageError: no such split.
        """
        own = self.split(split)
        changed = own.model_copy(update={"files": {**own.files, **files}})
        return self.model_copy(update={"splits": {**self.splits, split: changed}})

    def split(self, name: str) -> Split:
        """A split by name.

        Raises:
            UsageError: the data set has no such split.
        """
        if name not in self.splits:
            raise UsageError(
                f"{self.name} has no split {name!r}",
                expected=f"one of {', '.join(self.splits)}",
                action="give one with --split.",
            )
        return self.splits[name]

    def selection(self, name: str | None, split: str | None = None) -> tuple[str, SelectionRule]:
        """A selection rule with its name; the default, of a split if one is named, where ``name`` is None.

        Raises:
            UsageError: the data set has no such selection.
        """
        own = self.split(split) if split else None
        selections = self.selections | (own.selections if own else {})
        chosen = name or (own and own.default_selection) or self.default_selection
        if chosen not in selections:
            choices = "; ".join(f"{key}: {rule.title}" for key, rule in selections.items())
            raise UsageError(
                f"{self.name} has no selection {chosen!r}",
                expected=f"one of {choices}",
                action="give one with --select, or leave it out.",
            )
        return chosen, selections[chosen]


def known_manifests() -> list[str]:
    """Names of the data sets that come with the package."""
    names = (Path(entry.name) for entry in files(_PACKAGE).iterdir())
    return sorted(name.stem for name in names if name.suffix == ".yaml" and name.stem not in _OTHER)


def load_manifest(name_or_path: str | Path) -> Manifest:
    """Load the manifest of a known data set, or a YAML file of your own.

    Raises:
        ConfigError: no such data set, or a manifest that does not validate.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return Manifest.parse(load_yaml(as_meant(Path(text))), text)
    known = known_manifests()
    if text not in known:
        raise ConfigError(
            f"no manifest for data set {text!r}",
            expected=f"one of {', '.join(known)}",
            action="check the name, or give the path of a manifest of your own (*.yaml).",
        )
    return Manifest.parse(read_yaml((files(_PACKAGE) / f"{text}.yaml").read_text("utf-8"), f"manifest {text}"), text)


def is_held_out(head: dict[str, Any]) -> bool:
    """Whether the split of a store is one to measure on, by the manifest that it was made from.

    A store of a version that did not record it is judged by the manifest that ships under its data set's name.

    Args:
        head: the store's head, with its ``dataset``, ``split`` and ``provenance``.
    """
    recorded = head["provenance"]["attributes"].get("held_out")
    if recorded is not None or head["dataset"] not in known_manifests():
        return bool(recorded)
    split = load_manifest(head["dataset"]).splits.get(head["split"])
    return split is not None and split.held_out
