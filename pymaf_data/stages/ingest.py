"""Stage ``ingest``: raw data set → store of cropped persons.

    manifest, annotation file → selection → plan (rows, fixed) → store → shard by shard: decode, crop, encode, commit

The plan is made before any image is opened, so an image that cannot be used shifts nobody. A shard
exists when it is committed; running again makes those that are missing, after checking that options, annotations and
the images of finished shards are still what they were. Memory holds the records, and the encoded crops of two shards.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import cv2
from pydantic import Field

import pymaf_data
from pymaf_data.config import StrictModel
from pymaf_data.datasets import ImageSource, Manifest, Raw, Selection, find_reader, load_manifest, one_image, select
from pymaf_data.datasets.images import MISSING, REASONS, WITHOUT_FILE, MissingImage
from pymaf_data.datasets.own import SUFFIX, own_data
from pymaf_data.datasets.own_images import OWN_IMAGES, of_images
from pymaf_data.datasets.own_video import VIDEO, of_videos
from pymaf_data.datasets.thin import Thin
from pymaf_data.digest import digest_path
from pymaf_data.errors import RawDataCorrupt, RawDataMissing, StoreChanged, UsageError
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.progress import Progress
from pymaf_data.stages.against import Against, compare
from pymaf_data.stages.held import Opened
from pymaf_data.stages.ingest_shard import IngestTask, all_beside, array_specs, input_digest, warn
from pymaf_data.stages.options import IngestOptions
from pymaf_data.stages.shards import run_shards
from pymaf_data.storage import ArraySpec, Plan, Provenance, StageWriter, Store, create_store, open_store
from pymaf_data.storage.records import has_markers

logger = logging.getLogger(__name__)

STAGE = "ingest"
_FEW = 64  # shards, up to which those of videos are made smaller
_NAMED = 100  # damaged annotations named in a store; the report names all


class MissingImages(StrictModel):
    """Persons whose image could not be used: their rows stay, marked with the reason."""

    counts: dict[str, int] = Field(default_factory=dict, description="reason → persons")
    pictures: dict[str, str] = Field(default_factory=dict, description="image name → reason")
    cause: str = Field(default="", description="of the first, where there is not one image")


class IngestReport(StrictModel):
    """What the stage found and did."""

    dataset: str
    split: str
    store: Path
    selection: str
    counts: dict[str, int] = Field(description="annotations: total, kept, dropped, and dropped by reason")
    expected: int | None = Field(description="persons that the manifest expects of the whole split")
    expected_known: str = Field(default="", description="how that number is known: its standing and source")
    whole: bool = Field(description="whether the annotation file is the whole split, so that counts compare")
    whole_stated: bool = Field(default=True, description="whether the manifest says what a whole split lists")
    listed: tuple[int, int] = Field(description="images and annotations that the file lists")
    damaged: tuple[str, ...] = Field(description="every damaged annotation, and what is wrong with it")
    adjusted: dict[str, int] = Field(
        default_factory=dict, description="what was taken otherwise than annotated: joints and boxes by reason"
    )
    holes: MissingImages
    against: Against | None = Field(default=None, description="how the persons differ from those of a release")
    shards: int
    shards_written: int
    licences: dict[str, str]

    def require_images(self) -> None:
        """Refuse a store in which not one person has an image.

        Raises:
            RawDataCorrupt: naming the reasons and the first image.
        """
        kept, missing = self.counts["kept"], sum(self.holes.counts.values())
        if missing < kept:
            return
        reasons = "; ".join(f"{count:,} × {MISSING[reason]}" for reason, count in self.holes.counts.items())
        raise RawDataCorrupt(
            f"not one of the {kept:,} persons of {self.dataset} {self.split} has an image: {reasons}. "
            f"The first, {next(iter(self.holes.pictures))}: {self.holes.cause}",
            expected="intact images of the annotated size",
            action=f"bring such images and run again with --overwrite: {self.store} holds nothing to learn from.",
        )


def ingest(options: IngestOptions, progress: Progress | None = None) -> IngestReport:
    """Run the stage. Calling it again does only what is missing.

    Args:
        options: see :class:`IngestOptions`.
        progress: called with (persons done, persons in all, remark).

    Raises:
        ConfigError, UsageError: no such data set, split or selection.
        RawDataMissing: the raw data is not there; the message says what belongs where and how to get it.
        RawDataCorrupt: the annotation file cannot be used, or something is damaged and ``on_error`` is "stop".
        StoreChanged: the store was begun with other options, annotations, images or library versions.
        StoreLocked, NotAStore, DiskFull: see :mod:`pymaf_data.storage`.
    """
    executor = options.executor()
    raw = require_raw_data(options)
    path = options.out or DataRoot.default().store(raw.manifest.name, raw.split)
    raw = replace(raw, kept=path.parent / f".{path.name}.kept")
    manifest, name = raw.manifest, raw.selection
    expected = manifest.split(raw.split).expected.get(name)
    selection = select(raw, options.on_error == "stop", progress)
    _require_persons(selection, raw)
    against = compare(options.against, selection.records, raw) if options.against else None
    with find_reader(manifest.reader).images(raw) as pictures:
        _require_some_image(selection, pictures, " and ".join(map(str, raw.archives or [raw.root / raw.folder])))
        plan = _plan(options, raw, selection, pictures)
        name_bytes = max(len(row.encode()) for row, _ in plan.rows)
        job = IngestJob(raw, selection, Opened(pictures), options, plan, name_bytes)
        provenance = _provenance(raw, selection)
        store = create_store(path, plan, job.specs, provenance, options.overwrite)
        job = replace(job, markers=has_markers(store.head))
        done = run_shards(store, job, executor, progress, break_lock=options.break_lock)
        warn(done.notes)
        missing = _missing_images(open_store(done.path), selection, pictures)
    if missing.counts.get("missing_picture") and raw.passed_over:
        logger.warning(
            "%s: not read, since the folder %s is there: unpack all of it, or move the folder away",
            " and ".join(map(str, raw.passed_over)),
            raw.root / raw.folder,
        )
    return IngestReport(
        dataset=manifest.name,
        split=raw.split,
        store=done.path,
        selection=name,
        counts=selection.account(),
        expected=expected.count if expected else None,
        expected_known=expected.known if expected else "",
        whole=selection.whole,
        whole_stated=manifest.split(raw.split).whole is not None,
        listed=selection.listed,
        damaged=tuple(map(str, selection.damaged)),
        adjusted=selection.adjusted,
        holes=missing,
        against=against,
        shards=done.writer.shards,
        shards_written=len(done.written),
        licences=provenance.licences,
    )


def require_raw_data(options: IngestOptions) -> Raw:
    """The split that these options read, and that it is there; cheap enough to ask before anything is started.

    Raises:
        ConfigError, UsageError, RawDataMissing: as :func:`ingest`.
    """
    root, manifest, split = _root_and_manifest(options)
    manifest = manifest.inside(root, split).with_options(split, options.option)
    if options.openpose:
        manifest = manifest.with_files(split, openpose=str(options.openpose.absolute()))
    thin = Thin.parse(options.thin) if options.thin else None
    raw = Raw(root, manifest, split, options.select, options.follow_links, thin)
    raw.require()
    return raw


def _root_and_manifest(options: IngestOptions) -> tuple[Path, Manifest, str]:
    """The data set's folder, its manifest, and the split: those of a name, or made for a file of one's own."""
    if options.dataset.casefold().endswith(SUFFIX):
        file = as_meant(Path(options.dataset))
        return *own_data(file, options.images, options.root, options.split), options.split
    if options.dataset == VIDEO and options.files:
        return *of_videos(options.files, options.detections, options.split), options.split
    if options.dataset == OWN_IMAGES and len(options.files) < 2:
        folder = options.files[0] if options.files else options.root or DataRoot.default().raw(OWN_IMAGES)
        return *of_images(folder, options.detections, options.finder, options.split), options.split
    if given := [name for name in ("files", "detections", "finder") if getattr(options, name)]:
        raise UsageError(
            f"{' and '.join(given)} with the data set {options.dataset}",
            expected="pymaf-data ingest video FILE… --detections JSON, or ingest images FOLDER",
            action="name the data set video, or images and one folder, or leave them out.",
        )
    manifest, split = load_manifest(options.dataset), options.split
    if options.npz:
        manifest, split = manifest.of_file(options.npz, split)
    elif options.images:
        raise UsageError(
            f"--images {options.images} with the data set {options.dataset}",
            expected="an annotation file (*.json) instead of a data set's name, or --npz FILE",
            action="give the folder that holds a data set's files with --root.",
        )
    root = options.images or options.root or DataRoot.default().raw(manifest.name)
    if options.npz and not root.exists():
        raise RawDataMissing(
            f"no folder {root}, which the names of images in {options.npz} should begin in",
            expected="the folder of the data set's images",
            action="give it with --images.",
        )
    return root, manifest, split


def _require_persons(selection: Selection, raw: Raw) -> None:
    if not selection.kept:
        first = {dropped.reason: f" ({dropped})" for dropped in reversed(selection.damaged)}
        reasons = ", ".join(f"{count} {reason}{first.get(reason, '')}" for reason, count in selection.counts.items())
        raise RawDataCorrupt(
            f"{raw.origin} has no person to keep: {selection.total} annotations ({reasons or 'none at all'})",
            expected=f"persons with {raw.rule.title}",
            action=_advice(selection, raw),
        )


def _advice(selection: Selection, raw: Raw) -> str:
    """What to do where nobody is kept."""
    if {*selection.counts} == {"no_image"}:
        return "name images with more of their folders: several that are there have the name that is given."
    others = [name for name in raw.manifest.selections if name != raw.selection]
    more = f", or select others with --select {' or '.join(others)}" * bool(others)
    return f"check that it is the keypoint annotation file{more}."


def _require_some_image(selection: Selection, pictures: ImageSource, where: str) -> None:
    """Refuse to begin where not one image is there: the folder is not the right one, and a store would hold nothing.

    The first image that is there ends the search.
    """
    names = selection.records.names
    if any(pictures.stamp(pictures.place(name).file) >= 0 for name in names):
        return
    first = selection.records[0]
    raise RawDataMissing(
        f"not one of the {len(names):,} images is where it was looked for, in {where}. "
        f"The first: {one_image(pictures, first.image_name, first.image_size)}",
        expected=f"the images that the annotation file lists, in {where}",
        action="bring them there, give the folder that holds them with --root, or name it in a manifest of your own; "
        "links out of the folder are taken with --follow-links. Nothing was written: the same command then goes on.",
    )


def _plan(options: IngestOptions, raw: Raw, selection: Selection, pictures: ImageSource) -> Plan:
    made = {"select": raw.selection, "crop_size": options.crop_size}
    brought = selection.records.brought
    return Plan(
        dataset=raw.manifest.name,
        split=raw.split,
        rows=tuple(selection.records.row_keys()),
        manifest_digest=raw.manifest.rules_digest(raw.split, raw.select),
        inputs={name: digest_path(path) for name, path in raw.inputs().items()},
        options=made
        | ({"columns": list(brought)} if brought else {})
        | ({"thin": options.thin} if options.thin else {}),
        shard=_shard(options, selection, pictures),
    )


def _shard(options: IngestOptions, selection: Selection, pictures: ImageSource) -> int:
    """Persons per shard: of a few videos fewer, as a worker that begins in the middle of one decodes all before it."""
    few = len(selection.records) < _FEW * options.shard and pictures.place(selection.records[0].image_name).frame >= 0
    return options.shard if "shard" in options.model_fields_set or not few else options.shard // 8


def _provenance(raw: Raw, selection: Selection) -> Provenance:
    """Counts, expectations, versions and licences: those of the data set, then of each set of photographs."""
    manifest, split = raw.manifest, raw.manifest.split(raw.split)
    expected = split.expected.get(raw.selection)
    licences = {licence.part: licence.sentence() for licence in (*manifest.licences, *selection.licences)}
    return Provenance(
        counts=selection.account(),
        expected={} if expected is None else {"kept": expected.count},
        versions={
            "pymaf-data": pymaf_data.__version__,
            "opencv": cv2.__version__,
            **{package: version(package) for package in ("simplejpeg", "zstandard")},
        },
        licences=licences,
        attributes={
            "title": manifest.title,
            "homepage": manifest.homepage,
            "citation": manifest.citation,
            "reasons": list(REASONS),
            "held_out": split.held_out,
            "orientation": manifest.images.orientation,
            "whole_split": selection.whole,
            "damaged_annotations": [str(dropped) for dropped in selection.damaged[:_NAMED]],
            "adjusted": selection.adjusted,
        },
    )


@dataclass(frozen=True)
class IngestJob:
    """The stage as :func:`run_shards` takes it."""

    raw: Raw
    selection: Selection
    pictures: Opened[ImageSource]
    options: IngestOptions
    plan: Plan
    name_bytes: int
    markers: bool = True
    stage: str = STAGE
    remark: str = ""

    @property
    def specs(self) -> tuple[ArraySpec, ...]:
        """The arrays of the store."""
        options = self.options
        return array_specs(options.crop_size, self.name_bytes, self.plan.shard, self.selection.records.brought)

    @property
    def files(self) -> list[Path]:
        """See :class:`ShardJob`: the images' archives, or the first image that is there."""
        if self.raw.archives:
            return self.raw.archives
        files = (self.pictures.get().place(name).file for name, _ in self.plan.rows)
        return [self.raw.root / next(file for file in files if self.pictures.get().stamp(file) >= 0)]

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`; refuses to go on with other images."""
        writer = store.stage(STAGE, self.plan.digest, self.specs)
        _require_same_images(writer, self.selection, self.pictures.get())
        return writer

    def task(self, shard: int, rows: slice) -> IngestTask:
        """See :class:`ShardJob`."""
        records = self.selection.records[rows]
        digest, stop = input_digest(records, self.pictures.get()), self.options.on_error == "stop"
        return IngestTask(records, digest, self.pictures, self.options.crop_size, self.name_bytes, stop, self.markers)

    def again(self, shard: int) -> float:
        """See :func:`ranges_of`: frames of a video that lie before the first of a shard, in shards."""
        rows = self.plan.rows[shard * self.plan.shard : (shard + 1) * self.plan.shard]
        places = [self.pictures.get().place(name) for name, _ in rows]
        steps = [after.frame - before.frame for before, after in pairwise(places) if after.file == before.file]
        return max(places[0].frame, 0) / (self.plan.shard * max(fmean(steps or [1]), 1))


def _require_same_images(writer: StageWriter, selection: Selection, pictures: ImageSource) -> None:
    """Refuse to go on when images of finished shards came, went or changed size since they were read."""
    for k, commit in sorted(writer.committed().items()):
        span = writer.rows(k)
        records = selection.records[span]
        if input_digest(records, pictures) == commit.input_digest:
            continue
        reason = open_store(writer.root).array("reason")[span]
        changes = {
            record.image_name: "is gone"
            if pictures.stamp(pictures.place(record.image_name).file) < 0
            else "is there now"
            for record, code in zip(records, reason.tolist(), strict=True)
            if (pictures.stamp(pictures.place(record.image_name).file) < 0) != (REASONS[code] in WITHOUT_FILE)
        }
        named = ", ".join(f"{name} {what}" for name, what in list(changes.items())[:5])
        raise StoreChanged(
            f"images of rows {span.start} to {span.stop - 1} are not those that shard {k} was made from: "
            + (f"{named}{' …' * (len(changes) > 5)}" if named else "a file has another size, or a video other content"),
            expected="the raw data that the store was begun with",
            action="restore it, write to another store with --out, or make this one again with --overwrite.",
        )


def _missing_images(store: Store, selection: Selection, pictures: ImageSource) -> MissingImages:
    """Every missing image of a store, whichever run left it."""
    reasons = [REASONS[code] for code in store.array("reason")[:].tolist()]
    named = {name: reason for (name, _), reason in zip(store.rows, reasons, strict=True) if reason}
    counted = Counter(reason for reason in reasons if reason)
    first = selection.records[0]
    cause = ""
    if "" not in reasons:
        image = one_image(pictures, first.image_name, first.image_size)
        cause = str(image if isinstance(image, MissingImage) else all_beside(image))
    counts = {reason: counted[reason] for reason in REASONS if counted[reason]}
    return MissingImages(counts=counts, pictures=named, cause=cause)
