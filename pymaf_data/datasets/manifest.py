"""Manifests: what a data set is, where it comes from, how it lies on disk and in which conventions it speaks.

One YAML file per data set in ``manifests/``. Everything that a reader would otherwise hard-code stands there: paths
below the root, joint convention and pixel origin, box factor, selection rules, expected counts and licences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pymaf_data.config import StrictModel, load_yaml, read_assignment, read_yaml
from pymaf_data.datasets.records import Licence
from pymaf_data.datasets.rules import BoxRule, ImageRule, KeypointRule
from pymaf_data.datasets.splits import ANNOTATIONS, IMAGES, SelectionRule, Split
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, UsageError
from pymaf_data.paths import as_meant

_PACKAGE = "pymaf_data.manifests"
_OTHER = ("assets",)  # manifests of things other than data sets


class Download(StrictModel):
    """One thing to fetch."""

    what: str
    url: str = ""
    bytes: int = Field(default=0, ge=0, description="about; 0: not known")
    into: str = Field(description="folder below the data set's root")


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
            key, value = read_assignment(text, "--option")
            changed[key] = value
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
        name = split_of(path)
        own = rules.model_copy(update={"files": {**rules.files, ANNOTATIONS: str(path.absolute())}})
        return self.model_copy(update={"splits": {**self.splits, name: own}}), name

    def inside(self, root: Path, split: str) -> Manifest:
        """The manifest as a split lies below ``root``, which may be the one folder that it lies in itself.

        Raises:
            UsageError: no such split.
        """
        own = self.split(split).inside(root)
        return self if own is self.splits[split] else self.model_copy(update={"splits": {**self.splits, split: own}})

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


def split_of(path: Path) -> str:
    """What the split of a file is called: as the file, without what no store's name can have."""
    return re.sub(r"[^\w.-]+", "_", path.stem)


def known_manifests() -> list[str]:
    """Names of the data sets that come with the package."""
    return list(_known())


@cache
def _known() -> tuple[str, ...]:
    names = (Path(entry.name) for entry in files(_PACKAGE).iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".yaml" and name.stem not in _OTHER))


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
            action="`pymaf-data ingest npz --npz FILE --images ROOT` takes a file of SPIN's or PyMAF's."
            if text.endswith(".npz")
            else "check the name, or give the path of a manifest of your own (*.yaml).",
        )
    return _shipped(text)


@cache  # to parse one takes ten milliseconds, longer than a small file of annotations
def _shipped(name: str) -> Manifest:
    return Manifest.parse(read_yaml((files(_PACKAGE) / f"{name}.yaml").read_text("utf-8"), f"manifest {name}"), name)


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
