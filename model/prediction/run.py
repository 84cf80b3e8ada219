"""``predict``: a checkpoint, images, and whom to look at in them → predictions and drawings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from pymaf_data.datasets.video import VideoFrames, frame_of
from pymaf_data.errors import RawDataError, UsageError
from pymaf_data.finder import open_finder
from pymaf_data.geometry.affines import Floats
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.storage.files import LocalFiles

from ..checkpoint import checkpoint_path, load_checkpoint
from ..evaluation.whom import about_checkpoint
from ..inference import for_inference
from ..memory import keep_freed_memory
from ..networks.network import Network
from ..precision import autocast_dtype, choose_device
from .bodies import Bodies, bodies_of
from .drawn import FOLDERS, Drawer
from .found import found_persons
from .gathered import PAGE, Drawing, Gathered
from .inputs import Inputs, gather
from .options import PredictOptions
from .persons import NOT_HERE, Plan, plan
from .seen import Cut, Seen, Unseen, look, source
from .smoothing import Smoother
from .tracks import follow
from .videos import rate_of
from .written import JSON, NPZ, Counts

logger = logging.getLogger(__name__)

_MOST_BYTES = 1 << 27  # of images that wait for a whole batch of persons


class PredictReport(Counts):
    """What was predicted."""

    files: tuple[Path, ...]
    """Page, table and JSON."""
    folders: tuple[Path, ...] = ()
    """What was drawn."""
    skipped: dict[str, str]
    """Image → why nobody of it was looked at."""
    told: dict[str, int]
    """What was found besides → how often."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        said = [self.said(), *(f"written: {path}" for path in self.files)]
        said += [f"written: {path}/" for path in self.folders]
        said += [f"skipped: {name}: {why}" for name, why in _in_spans(self.skipped)]
        return said + [f"{count:,} {what}" for what, count in self.told.items() if count]


def predict(options: PredictOptions, progress: Progress | None = None) -> PredictReport:
    """Look at everybody, write what the network makes of them.

    Raises:
        RawDataError: there is nothing to look at.
        AssetError: nobody says who is where, and there is no finder.
        CheckpointError: no checkpoint, or one of another network or body.
        UsageError: there are predictions already, or they would lie among the inputs.
        DiskFull, NotWritable: it cannot be written.
    """
    keep_freed_memory()
    root = DataRoot.default()
    inputs = gather(options.inputs)
    _require_videos(inputs, options)
    finder = (
        open_finder(options.finder, "name detections with --persons, take --whole images") if options.finds else None
    )
    whom = plan(inputs, options) if finder is None else Plan()
    path = checkpoint_path(options.subject, root)
    model = load_checkpoint(path, root.assets, network=options.network)
    about = about_checkpoint(path, model)
    folder = options.out or root.predictions / str(about["name"])
    _require_apart(folder, options.inputs)
    _clear(folder, options.overwrite)
    network, skipped = _ready(model, options), dict[str, str]()
    every = options.every if "overlay" in options.save else 0
    with (
        source(inputs) as images,
        ThreadPoolExecutor(options.workers, thread_name_prefix="pymaf-drawn") as pool,
        Gathered(folder, images, options.every) as gathered,
    ):
        if finder is not None:
            whom = found_persons(inputs, images, finder, options.every, options.workers, progress)
        follow(whom, images, options.every)
        drawer = Drawer(folder, model.body.faces.numpy(), options.save, whom.spread(options.shown))
        looked = look(images, whom, Cut(model.view_size), options.workers, every)
        drawing: list[Drawing] = []
        for batch in _predicted(network, _told(looked, skipped, whom.images, progress), options, images):
            before, drawing = drawing, [(one, body, pool.submit(drawer.draw, one, body)) for one, body in batch]
            gathered.add(before)  # drawn while the network was at work
        gathered.add(drawing)
        if not len(gathered):
            _refuse(skipped, whom.told)
        files = gathered.write(model, about)
        counts = gathered.counts().model_dump()
    folders = tuple(folder / name for name in FOLDERS if (folder / name).is_dir())
    return PredictReport(files=tuple(files), folders=folders, skipped=skipped, told=dict(whom.told), **counts)


def _require_videos(inputs: Inputs, options: PredictOptions) -> None:
    """Refuse what is without effect where there is no video.

    Raises:
        UsageError: something is.
    """
    asked = ["--smooth"] * options.smooth + ["--every"] * (options.every > 1)
    if asked and (options.whole or not inputs.videos):
        raise UsageError(
            f"{' and '.join(asked)} of images, and there is no video to look at",
            expected="a video, without --whole",
            action="leave that out, or name a video.",
        )


def _require_apart(folder: Path, given: Sequence[Path]) -> None:
    """Refuse to write where it was said to look: what is drawn would be looked at next time, or replace an input.

    Raises:
        UsageError: an input is the folder, or lies where images are written in it.
    """
    whole = folder.resolve()
    drawn = [whole / name for name in FOLDERS]
    for place in (path.resolve() for path in given):
        if place == whole or any(place.is_relative_to(one) for one in drawn):
            raise UsageError(
                f"predictions would be written into {folder}, and {place} is to be looked at",
                expected="a folder for them beside the images",
                action="name another with --out.",
            )


def _ready(model: Network, options: PredictOptions) -> Network:
    dtype = autocast_dtype(options.precision)
    return for_inference(model.to(choose_device(options.device)), dtype)


def _clear(folder: Path, overwrite: bool) -> None:
    """Remove what was predicted before, so that nothing of it stands beside what is new.

    Raises:
        UsageError: there is something, and it was not said that it may go.
    """
    if not (folder / JSON).exists():
        return
    if not overwrite:
        raise UsageError(
            f"{folder} holds predictions already",
            expected="a folder of its own for each call",
            action="name another with --out, or replace them with --overwrite.",
        )
    for name in (JSON, NPZ, PAGE, *FOLDERS):
        LocalFiles(folder).remove(name)


def _told(
    looked: Iterator[Seen | Unseen], skipped: dict[str, str], images: int, progress: Progress | None
) -> Iterator[Seen]:
    """Those images that can be seen; of the others, why not."""
    done = 0
    for one in looked:
        if isinstance(one, Unseen):
            skipped[one.name] = one.why
        else:
            yield one
        done += isinstance(one, Unseen) or bool(one.persons)
        if progress:
            progress(done, images, "")


def _predicted(
    model: Network, looked: Iterator[Seen], options: PredictOptions, images: VideoFrames
) -> Iterator[list[tuple[Seen, Bodies]]]:
    """Images and their bodies, some images at a time: so many that the network sees a whole batch of persons."""
    smooth = _Smooth(images) if options.smooth else None
    waiting: list[Seen] = []

    def bodies() -> list[tuple[Seen, Bodies]]:
        found = bodies_of(model, waiting, options.batch_size, options.focal, smooth)
        return list(zip(waiting, found, strict=True))

    for one in looked:
        waiting.append(one)
        persons, held = sum(len(each.persons) for each in waiting), sum(each.image.nbytes for each in waiting)
        if max(len(waiting), persons) >= options.batch_size or held > _MOST_BYTES:
            yield bodies()
            waiting = []
    if waiting:
        yield bodies()


class _Smooth:
    """A smoother for each video; a still stays as it is."""

    def __init__(self, images: VideoFrames) -> None:
        self._images, self._file, self._smoother = images, "", Smoother(1.0)

    def __call__(self, seen: Seen, rotation: Floats, betas: Floats, pi: Floats) -> tuple[Floats, Floats, Floats]:
        if seen.frame < 0:
            return rotation, betas, pi
        if seen.file != self._file:
            self._file, self._smoother = seen.file, Smoother(rate_of(self._images, seen.file))
        return self._smoother(seen, rotation, betas, pi)


def _in_spans(skipped: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What was skipped and why; frames of a video that one reason keeps out stand together."""
    for (file, why), each in groupby(skipped.items(), lambda one: (frame_of(one[0]).file, one[1])):
        names = [name for name, _ in each]
        yield names[0] if len(names) == 1 else f"{len(names):,} frames of {file}", why


def _refuse(skipped: dict[str, str], told: Counter[str]) -> None:
    """Raise where nobody was predicted, with the first reasons.

    Raises:
        RawDataError: always.
    """
    found = [f"{name}: {why}" for name, why in _in_spans(skipped)] + [f"{n:,} {what}" for what, n in told.items() if n]
    elsewhere = any(what.startswith(NOT_HERE) for what in told)
    raise RawDataError(
        f"nobody to look at: {'; '.join(found[:3]) or 'the detections hold nobody'}",
        expected="an image that opens, with a person's box on it",
        action="give the detections of these images: names, or the numbers they end with, have to agree."
        if elsewhere
        else "see docs/prediction.md for the forms of detections.",
    )
