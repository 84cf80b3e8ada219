"""Stage: write a generated raw data set in COCO's layout, with exact truth beside it.

Images come first, each with a small file of what is known about it; the truth and then the annotation file, which
makes a split whole, come last. All appear whole or not at all, so a run that was stopped is completed by the same
command, and a split that is whole is not made again. Memory does not grow with the number of people.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import RawDataCorrupt, StoreLocked, UsageError
from pymaf_data.geometry.joints import COCO17
from pymaf_data.progress import Progress
from pymaf_data.stages.workers import ended_pool, starting
from pymaf_data.world.annotate import Annotator
from pymaf_data.world.layout import MARK, SPLITS, WORK, SplitLayout
from pymaf_data.world.options import SampleOptions
from pymaf_data.world.produce import Job, Product, paint_nobody, produce, studio
from pymaf_data.world.sample_files import SplitFiles
from pymaf_data.world.scenery import open_backgrounds
from pymaf_data.world.statistics import Statistics, statistics_of

VERSION = 2
"""Changes with anything that changes the bytes of a sample."""


class SplitReport(StrictModel):
    """What a split holds: images, people, and those of them with all 12 body keypoints."""

    split: str
    pictures: int
    persons: int
    complete: int
    resumed: int
    """Images that an earlier run had finished."""
    statistics: Statistics


class SampleReport(StrictModel):
    """Where the sample lies and what it holds."""

    out: Path
    splits: tuple[SplitReport, ...]

    def lines(self) -> list[str]:
        """The report for a reader."""
        told = []
        for part in self.splits:
            before = f", {part.resumed} images were there already" if part.resumed else ""
            told.append(
                f"{part.split}: {part.pictures} images, {part.persons} people, {part.complete} of them with all 12 "
                f"body keypoints{before}"
            )
            told += [f"  {line}" for line in part.statistics.lines()]
        return [*told, f"sample in {self.out}"]


def write_sample(options: SampleOptions, progress: Progress | None = None) -> SampleReport:
    """Write a sample.

    Args:
        options: what to generate.
        progress: called with (people done, people wanted, remark).

    Returns:
        What was written, per split.

    Raises:
        UsageError: the folder holds something else, or a sample of other options; or images too small or large.
        RawDataMissing: the folder of backgrounds holds no image.
        DiskFull: no room; the same command goes on later.
        NotWritable: this user may not write there.
        StoreLocked: another process is writing it.
    """
    if not (min(options.size) >= 160 and max(options.size) <= 4096):
        raise UsageError(
            f"images of {options.size[0]}x{options.size[1]}.",
            expected="sides from 160 to 4096 px.",
            action="give another --size.",
        )
    wanted = SPLITS if options.split == "both" else (options.split,)
    _claim(options, wanted)
    with _alone(options.out):
        reports = [_write_split(options, split, progress) for split in wanted]
    return SampleReport(out=options.out, splits=tuple(reports))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While this process alone writes a sample: of two, each would take away parts that the other counts on."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(
                f"{folder} is being written by another process.",
                action="let it end, then run the same command again.",
            ) from None
        yield
    finally:
        os.close(handle)


def _claim(options: SampleOptions, splits: tuple[str, ...]) -> None:
    """Mark the folder as a sample with these options, or refuse it."""
    mark = options.out / MARK
    if mark.is_file():
        content = _read_mark(mark)
    elif options.out.exists() and not _is_free(options.out):
        raise UsageError(
            f"{options.out} is there and is no sample of pymaf-data.",
            expected="a new or empty folder.",
            action="name another folder.",
        )
    else:
        content = {"version": VERSION, "body": studio().body.digest, "splits": {}}
    made_by: dict[str, object] = {"version": VERSION, "body": studio().body.digest}
    for key, now in made_by.items():
        if content.get(key) != now:
            raise _changed(options.out, key, content.get(key), now)
    asked = _asked(options)
    new = [split for split in splits if split not in content["splits"]]
    for split in splits:
        before = content["splits"].setdefault(split, asked)
        for key, now in asked.items():
            if before.get(key) != now:
                raise _changed(options.out, f"{key} of {split}", before.get(key), now)
    if new:
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        _files(options, new[0]).write({mark: text.encode()})


def _asked(options: SampleOptions) -> dict[str, object]:
    """What decides a split's bytes."""
    photographs = None
    if options.backgrounds is not None:
        paths = open_backgrounds(options.backgrounds).paths
        photographs = digest_json(
            [[str(path.relative_to(options.backgrounds)), path.stat().st_size] for path in paths]
        )  # fmt: skip
    return {
        "persons": options.persons, "seed": options.seed, "size": list(options.size), "backgrounds": photographs,
        "noise": options.noise, "masks": options.masks,
    }  # fmt: skip


def _is_free(out: Path) -> bool:
    """Whether nothing is there but what a run leaves that was stopped before its mark."""
    return out.is_dir() and all(path.name == WORK for path in out.iterdir())


def _read_mark(mark: Path) -> dict[str, Any]:
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("splits"), dict):
        raise RawDataCorrupt(f"{mark} is damaged.", action="remove the folder and make the sample again.")
    return content


def _changed(out: Path, what: str, before: object, now: object) -> UsageError:
    return UsageError(
        f"{out} is a sample with another {what}: {before}.",
        expected=f"{now}.",
        action="name another folder, or remove this one first.",
    )


def _files(options: SampleOptions, split: str) -> SplitFiles:
    body = studio().body
    constants = {"body": np.array(body.name), "body_fingerprint": np.array(body.fingerprint)}
    constants |= {"annotation_noise": np.array(options.noise)}
    return SplitFiles(SplitLayout(options.out, split), constants, _header(), options.size)


def _write_split(options: SampleOptions, split: str, progress: Progress | None) -> SplitReport:
    files = _files(options, split)
    if files.layout.annotations.is_file():
        files.clear()
        images, persons = files.counts()
        counts = {"pictures": images, "persons": persons, "complete": options.persons, "resumed": images}
        return SplitReport(split=split, **counts, statistics=statistics_of(files.statistics_columns()))
    images = persons = complete = resumed = 0
    if progress is not None:
        progress(0, options.persons, f"{split}: the first image; on a new machine it waits for kernels, a minute")
    try:
        for number, product in _products(options, files):
            left = options.persons - complete
            if product.complete > left:  # the last image would bring more people than were asked for
                product = produce(_job(options, split, number, left))
            if product.jpeg:
                files.keep(number, product)
            else:
                resumed += 1
            complete, images = complete + product.complete, images + 1
            persons += len(product.annotations)
            if progress is not None:
                progress(complete, options.persons, f"{split}: {images} images")
            if complete >= options.persons:
                break
    finally:
        files.flush()  # Ctrl-C loses nothing that is finished
    statistics = statistics_of(files.finish(images))
    counts = {"pictures": images, "persons": persons, "complete": complete, "resumed": resumed}
    return SplitReport(split=split, **counts, statistics=statistics)


def _job(options: SampleOptions, split: str, number: int, limit: int | None = None) -> Job:
    annotator = Annotator(options.noise, options.masks)
    return Job(options.seed, split, number, options.size, limit, annotator, options.backgrounds)


def _products(options: SampleOptions, files: SplitFiles) -> Iterator[tuple[int, Product]]:
    """Images by number without end: kept ones first, then new ones, a few ahead when there are workers."""
    split, numbers = files.layout.split, count()
    for number in numbers:
        kept = files.kept(number)
        if kept is None:
            break
        yield number, kept
    if options.workers == 1:
        yield number, produce(_job(options, split, number))
        for number in numbers:
            yield number, produce(_job(options, split, number))
    # What is begun at the end is of no use: it is not waited for.
    with ended_pool(options.workers) as pool:
        waiting: list[tuple[int, Future[Product]]] = []
        ahead = range(number, number + 3 * options.workers)
        with starting():
            pool.submit(paint_nobody)  # what fails there fails in every image, and is told of that
            waiting = [(n, pool.submit(produce, _job(options, split, n))) for n in ahead]
        for number in count(ahead.stop):
            done, future = waiting.pop(0)
            waiting.append((number, pool.submit(produce, _job(options, split, number))))
            yield done, future.result()


def _header() -> dict[str, Any]:
    return {
        "info": {"description": "pymaf-data generated sample of the free body", "version": str(VERSION)},
        "licenses": [
            {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"},
        ],
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO17.joints),
                "skeleton": (COCO17.edge_indices + 1).tolist(),
            }
        ],
    }
