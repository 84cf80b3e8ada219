"""What a raw data set is to all that follows: a reader of persons, a source of images, both found by name.

    class Mine(ReaderOfStills):                                # datasets/mine.py, with manifests/mine.yaml beside it
        options = MyOptions                                    # a StrictModel: `options` of a split in the manifest
        def read(self, raw, told): ...                         # yields PersonRecord or Dropped, one by one

A reader knows its files and nothing else: counting, sorting, what damage does, licences and the account are shared
(:func:`pymaf_data.datasets.select.select`), and so is everything behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

from numpy.typing import NDArray

from pymaf_data.config import StrictModel
from pymaf_data.datasets.archives import ArchivedImages, warn_of_waiting
from pymaf_data.datasets.images import ImageRef, Images, MissingImage
from pymaf_data.datasets.manifest import Manifest, known_manifests
from pymaf_data.datasets.nearby import elsewhere
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.datasets.splits import FINDER, IMAGES, OPENPOSE, SelectionRule, found
from pymaf_data.datasets.thin import Thin
from pymaf_data.datasets.video import VideoFrames
from pymaf_data.errors import ConfigError, RawDataMissing, UsageError

if TYPE_CHECKING:
    from pymaf_data.datasets.columns import PersonColumns
    from pymaf_data.datasets.records import PersonRecord
    from pymaf_data.datasets.select import Dropped, Told

#: Readers of this package. A script adds its own before it asks for them, a package by an entry point of the group.
READERS: dict[str, str] = {
    "aic": "pymaf_data.datasets.aic:Aic",
    "coco": "pymaf_data.datasets.coco:Coco",
    "h36m": "pymaf_data.datasets.h36m:H36m",
    "lsp": "pymaf_data.datasets.lsp:Lsp",
    "mpii": "pymaf_data.datasets.mpii:Mpii",
    "up-3d": "pymaf_data.datasets.up_3d:Up3d",
    "3dpw": "pymaf_data.datasets.threedpw:ThreeDpw",
    "3doh50k": "pymaf_data.datasets.threedoh50k:ThreeDoh50k",
    "ssp-3d": "pymaf_data.datasets.ssp3d:Ssp3d",
    "mpi-inf-3dhp": "pymaf_data.datasets.mpi_inf_3dhp:MpiInf3dhp",
    "npz": "pymaf_data.datasets.npz:Npz",
    "video": "pymaf_data.datasets.own_video:Video",
    "images": "pymaf_data.datasets.own_images:OwnImages",
}
GROUP = "pymaf_data.datasets"

Options = TypeVar("Options", bound=StrictModel)


class ImageSource(Protocol):
    """Images of a raw data set: stills in a folder or an archive; frames of a video are another class.

    It is a context, open while shards are made: files and cursors that only move forward are closed after.
    Rows are asked for in their order, the frames of one file by one thread. Whoever makes shards is given ranges of
    neighbours, so that a cursor mostly stands where the next shard begins; before a frame behind it, it starts again.
    Pickled, a source leaves its cursors behind: each thread of a worker opens its own.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def place(self, name: str) -> ImageRef:
        """Where an image lies, by its name in the store."""
        ...

    def stamp(self, file: str) -> int:
        """What tells a file from another, −1 where there is none to read; a shard's input digest is made of it.

        Of a still its size, of a video parts of its content too.
        """
        ...

    def decode(self, file: str, frames: Sequence[int], size: tuple[int, int]) -> Iterator[NDArray[Any] | MissingImage]:
        """The images (H, W, 3) uint8 RGB of one file, frames ascending; for each that cannot be had, why.

        Args:
            file: as :meth:`place` names it.
            frames: one after the other, as :meth:`place` counts them.
            size: annotated width and height; (0, 0) where the data set does not say.
        """
        ...


@dataclass(frozen=True)
class Raw:
    """One split of a raw data set on this machine, and who of it is wanted.

    Attributes:
        root: the data set's folder.
        manifest: what it is; its paths are made relative to the root.
        split: name of the split.
        select: a selection of the manifest; None: its default.
        follow_links: take images that are links out of the folder.
        thin: which frames of a sequence are wanted; None: those that the published preprocessing takes.
        kept: a folder for what readers find slow to read, see :func:`~pymaf_data.datasets.kept.kept`.

    Raises:
        ConfigError, UsageError: no such split or selection; an image folder outside the root.
    """

    root: Path
    manifest: Manifest
    split: str
    select: str | None = None
    follow_links: bool = False
    thin: Thin | None = None
    kept: Path | None = None

    def __post_init__(self) -> None:
        self.manifest.split(self.split)
        self.manifest.selection(self.select, self.split)
        object.__setattr__(self, "manifest", self.manifest.below(self.root))

    @property
    def folder(self) -> str:
        """The folder that image names begin with, below the root; "" is the root itself."""
        return self.manifest.split(self.split).files[IMAGES]

    @property
    def selection(self) -> str:
        """The name of the selection."""
        return self.manifest.selection(self.select, self.split)[0]

    @property
    def archives(self) -> list[Path]:
        """The archives that stand for that folder; none where it is there."""
        return self.manifest.split(self.split).archived(self.root.absolute())

    @property
    def passed_over(self) -> list[Path]:
        """The archives beside that folder which are not read, since it is there."""
        return self.manifest.split(self.split).passed_over(self.root.absolute())

    @property
    def rule(self) -> SelectionRule:
        """Whom to keep."""
        return self.manifest.selection(self.select, self.split)[1]

    @property
    def offsets(self) -> tuple[float, float]:
        """What leads keypoints and boxes to continuous px: options ``origin`` and ``box_origin``, else the manifest."""
        own, manifest = self.manifest.split(self.split).options, self.manifest
        origin = own.get("origin")
        keypoints, box = origin or manifest.keypoints.origin, own.get("box_origin") or origin or manifest.box.origin
        return OFFSETS[keypoints], OFFSETS[box]

    def options(self, kind: type[Options]) -> Options:
        """The reader's own options of this split.

        Raises:
            ConfigError: a key is unknown or has a value that does not fit.
        """
        try:
            return kind.parse(self.manifest.split(self.split).options, f"options of {self.manifest.name} {self.split}")
        except ConfigError as error:
            known = "\n  ".join(f"{name}: {field.description}" for name, field in kind.model_fields.items())
            raise ConfigError(error.found, expected=known or "no options", action="correct what is named.") from None

    def files(self, role: str) -> list[Path]:
        """The files of a role, sorted, one at least unless it is optional.

        Raises:
            ConfigError: the manifest names no such role.
            RawDataMissing: there is none; the message says where it was looked for, what belongs there, what helps.
        """
        split = self.manifest.split(self.split)
        patterns = split.files
        if role not in patterns:
            raise ConfigError(
                f"the manifest of {self.manifest.name} names no files for {role!r} of split {self.split}",
                expected=f"`files: {{{role}: a path or pattern below the root, …}}` (it has {', '.join(patterns)})",
            )
        return found(self.root, patterns[role]) or ([] if role in split.optional else self._missing([role]))

    def file(self, role: str) -> Path:
        """The one file of a role.

        Raises:
            ConfigError, RawDataMissing: as :meth:`files`; or there are several.
        """
        files = self.files(role)
        if len(files) > 1:
            raise ConfigError(
                f"{len(files)} files are {role} of {self.manifest.name} {self.split}, the first two "
                f"{files[0].name} and {files[1].name}",
                expected="one file",
                action="name the one that is meant in a manifest of your own.",
            )
        return files[0]

    def inputs(self) -> dict[str, Path]:
        """Every file but the images, by its name below the root; of those elsewhere, by role and name alone."""
        named: dict[str, Path] = {}
        for role in (role for role in self.manifest.split(self.split).files if role != IMAGES):
            files = self.files(role)
            folder = os.path.commonpath([path.parent for path in files] or [self.root])
            for path in files:
                inside = path.is_relative_to(self.root)
                name = path.relative_to(self.root if inside else folder).as_posix()
                named[name if inside else f"{role}: {name}"] = path
        return named

    @property
    def origin(self) -> Path:
        """What messages call the annotations: their file, or the folder where they are several."""
        roles = [role for role in self.manifest.split(self.split).files if role not in (IMAGES, OPENPOSE, FINDER)]
        files = {path for role in roles for path in self.files(role)}
        return files.pop() if len(files) == 1 else self.root

    @property
    def of_everyone(self) -> Raw:
        """The same, with whoever has a joint that is labelled wanted."""
        everyone = {"everyone": SelectionRule(title="everyone", requires=())}
        manifest = self.manifest.model_copy(update={"selections": everyone, "default_selection": "everyone"})
        return replace(self, manifest=manifest, select="everyone")

    def refusal(self, labelled: Iterable[str]) -> str | None:
        """The reason why the selection does not want a person with these labelled joints; None where it does."""
        joints = set(labelled)
        if not joints:
            return "no_keypoints"
        return "incomplete" if not joints.issuperset(self.rule.requires) else None

    def require(self) -> None:
        """Look whether everything is there that the split needs; cheap enough to ask before anything is started.

        Raises:
            ConfigError: there is no such reader, or the split's options are not its.
            UsageError: it is to be thinned and has no sequences.
            RawDataMissing: as :meth:`files`.
        """
        reader = find_reader(self.manifest.reader)
        self.options(reader.options)
        if self.thin and not getattr(reader, "thins", False):
            raise UsageError(
                f"--thin, and {self.manifest.title} has no sequences whose frames could be thinned",
                expected="a data set from video, such as h36m, mpi-inf-3dhp or 3dpw",
                action="leave out --thin.",
            )
        absent = self.manifest.split(self.split).absent(self.root)
        if absent:
            self._missing(absent)

    def _missing(self, roles: Sequence[str]) -> list[Path]:
        split, name = self.manifest.split(self.split), self.manifest.name
        patterns, known = split.files, name in known_manifests()
        others = [pattern for role, pattern in patterns.items() if role not in (IMAGES, *split.optional)]
        raise RawDataMissing(
            f"no raw data of {self.manifest.title}, split {self.split}: "
            f"looked for {' and '.join(str(self.root / patterns[role]) for role in roles)}",
            expected=f"below {self.root}: {', '.join(others)} and, in {self.folder or '.'}/ or an archive, the images",
            action="\n  ".join(
                [
                    *filter(None, [elsewhere(self.root, split)]),
                    *([f"`pymaf-data datasets {name} --root {self.root}` says what lies there;"] if known else []),
                    "give the folder that holds them with --root, or get them:",
                    *(f"{item.into:<13} {item.what}{': ' * bool(item.url)}{item.url}" for item in self.manifest.get),
                    "With no raw data at all, `pymaf-data sample OUT` writes a stand-in in COCO's layout;",
                    "`pymaf-data ingest sample --root OUT` takes it in.",
                ]
            ),
        )


def one_image(source: ImageSource, name: str, size: tuple[int, int]) -> NDArray[Any] | MissingImage:
    """An image (H, W, 3) uint8 RGB by its name in the store, or why it is missing; see :meth:`ImageSource.decode`."""
    file, frame = source.place(name)
    return next(iter(source.decode(file, [frame], size)))


class NoOptions(StrictModel):
    """Of a reader that has none."""


class DatasetReader(Protocol):
    """One kind of raw data set."""

    options: ClassVar[type[StrictModel]]
    #: Whether it asks :attr:`Raw.thin` which frames are wanted; without it, it does not.
    thins: ClassVar[bool]

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | PersonColumns | Dropped]:
        """Every annotated person, or why there is none, in the files' order; of many who are sound, their columns.

        Args:
            raw: where the files are, and whom :meth:`Raw.refusal` wants.
            told: to be filled on the way.

        Raises:
            RawDataCorrupt: a file as a whole cannot be used. One damaged person is a :class:`Dropped`.
        """
        ...

    def images(self, raw: Raw) -> ImageSource:
        """Where the images are read."""
        ...


class ReaderOfStills:
    """What readers share whose images are files of their own, or frames named after their video."""

    options: ClassVar[type[StrictModel]] = NoOptions
    thins: ClassVar[bool] = False

    def images(self, raw: Raw) -> Images | ArchivedImages:
        """Image files and frames of videos below the root, or else image files in archives there."""
        turn, archives = raw.manifest.images.orientation, raw.archives
        if archives:
            warn_of_waiting(archives)
            return ArchivedImages(archives, raw.folder, turn)
        return VideoFrames(raw.root.absolute(), raw.folder, follow_links=raw.follow_links, orientation=turn)


def find_reader(name: str) -> DatasetReader:
    """The reader of a name.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    known = dict(READERS)
    if name not in known:  # to ask takes the metadata of every package that is installed
        known |= {entry.name: entry.value for entry in entry_points(group=GROUP)}
    if name not in known:
        raise ConfigError(
            f"no reader {name!r} of raw data sets",
            expected=f"one of {', '.join(sorted(known))}",
            action=f"check `reader` in the manifest, or install the package that brings it (entry point {GROUP}).",
        )
    module, _, attribute = known[name].partition(":")
    try:
        reader: DatasetReader = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"the reader {name!r} ({known[name]}) cannot be had: {error}",
            action="mend or reinstall the package that names it.",
        ) from None
    return reader
