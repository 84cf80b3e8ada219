"""``predict``: a checkpoint, images, and whom to look at in them → predictions and drawings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.errors import RawDataError, UsageError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress

from ..checkpoint import load_checkpoint
from ..evaluation.whom import about_checkpoint, checkpoint_path
from ..inference import for_inference
from ..networks.network import Network
from ..precision import autocast_dtype, channels_last, choose_device
from .bodies import Bodies, bodies_of
from .drawn import Drawer
from .inputs import gather
from .options import PredictOptions
from .persons import plan
from .seen import Cut, Seen, Unseen, look, source
from .written import JSON, Table

logger = logging.getLogger(__name__)


class PredictReport(StrictModel):
    """What was predicted."""

    folder: Path
    images: int
    persons: int
    skipped: dict[str, str]
    """Image → why nobody of it was looked at."""
    told: dict[str, int]
    """What was found besides → how often."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        said = [f"{self.persons:,} persons on {self.images:,} images: {self.folder / JSON}"]
        said += [f"skipped: {name}: {why}" for name, why in self.skipped.items()]
        return said + [f"{count:,} {what}" for what, count in self.told.items() if count]


def predict(options: PredictOptions, progress: Progress | None = None) -> PredictReport:
    """Look at everybody, write what the network makes of them.

    Raises:
        RawDataError: there is nothing to look at, or nobody says who is where.
        CheckpointError: no checkpoint, or one of another network or body.
        UsageError: there are predictions already.
        DiskFull, NotWritable: it cannot be written.
    """
    root = DataRoot.default()
    inputs = gather(options.inputs)
    whom = plan(inputs, options)
    path = checkpoint_path(options.subject, root)
    model = load_checkpoint(path, root.assets, network=options.network)
    about = about_checkpoint(path, model)
    folder = _folder(options, root, str(about["name"]))
    table, skipped = Table(), dict[str, str]()
    network = _ready(model, options)
    drawer = Drawer(folder, model.body.faces.numpy(), options.save)
    with source(inputs) as images, ThreadPoolExecutor(options.workers, thread_name_prefix="pymaf-drawn") as pool:
        looked = _told(look(images, whom, Cut(model.view_size), options.workers), skipped, whom.images, progress)
        drawn: list[tuple[Seen, Bodies, Future[list[list[str]]]]] = []
        for batch in _predicted(network, looked, options):
            before, drawn = drawn, [(one, body, pool.submit(drawer.draw, one, body)) for one, body in batch]
            _gather(before, table)  # drawn while the network was at work
        _gather(drawn, table)
    if not len(table):
        _refuse(skipped, whom.told)
    table.write(folder, model, about)
    done = whom.images - len(skipped)
    return PredictReport(folder=folder, images=done, persons=len(table), skipped=skipped, told=dict(whom.told))


def _gather(drawn: list[tuple[Seen, Bodies, Future[list[list[str]]]]], table: Table) -> None:
    for one, body, files in drawn:
        table.add(one, body, files.result())


def _ready(model: Network, options: PredictOptions) -> Network:
    dtype = autocast_dtype(options.precision)
    return channels_last(for_inference(model.to(choose_device(options.device)), dtype))


def _folder(options: PredictOptions, root: DataRoot, name: str) -> Path:
    folder = options.out or root.predictions / name
    if (folder / JSON).exists() and not options.overwrite:
        raise UsageError(
            f"{folder} holds predictions already",
            expected="a folder of its own for each call",
            action="name another with --out, or replace them with --overwrite.",
        )
    return folder


def _told(
    looked: Iterator[Seen | Unseen], skipped: dict[str, str], images: int, progress: Progress | None
) -> Iterator[Seen]:
    """Those images on which somebody can be seen; of the others, why not."""
    for done, one in enumerate(looked, 1):
        if isinstance(one, Unseen):
            skipped[one.name] = one.why
        else:
            yield one
        if progress:
            progress(done, images, "")


def _predicted(model: Network, looked: Iterator[Seen], options: PredictOptions) -> Iterator[list[tuple[Seen, Bodies]]]:
    """Images and their bodies, some images at a time: so many that the network sees a whole batch of persons."""
    waiting: list[Seen] = []
    for one in looked:
        waiting.append(one)
        if sum(len(each.persons) for each in waiting) >= options.batch_size:
            yield _bodies(model, waiting, options)
            waiting = []
    if waiting:
        yield _bodies(model, waiting, options)


def _bodies(model: Network, seen: list[Seen], options: PredictOptions) -> list[tuple[Seen, Bodies]]:
    return list(zip(seen, bodies_of(model, seen, options.batch_size, options.focal), strict=True))


def _refuse(skipped: dict[str, str], told: Counter[str]) -> None:
    """Raise where nobody was predicted, with the first reasons.

    Raises:
        RawDataError: always.
    """
    found = [f"{name}: {why}" for name, why in skipped.items()] + [f"{n:,} {what}" for what, n in told.items() if n]
    raise RawDataError(
        f"nobody to look at: {'; '.join(found[:3]) or 'the detections hold nobody'}",
        expected="an image that opens, with a person's box on it",
        action="see docs/prediction.md for the forms of detections.",
    )
