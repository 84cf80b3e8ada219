"""Stage: write a generated raw data set in COCO's layout, with exact truth beside it.

Pictures come first, each with a small file of what is known about it; the truth and then the annotation file, which
makes a split whole, come last. All appear whole or not at all, so a run that was stopped is completed by the same
command, and a split that is whole is not made again. Memory does not grow with the number of people but for their
annotations.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.digest import canonical_json
from pymaf_data.errors import RawDataCorrupt, UsageError
from pymaf_data.geometry.joints import COCO17
from pymaf_data.progress import Progress
from pymaf_data.sample.layout import MARK, SPLITS, WORK, SplitLayout
from pymaf_data.sample.produce import Job, Product, produce, studio
from pymaf_data.storage.files import LocalFiles

logger = logging.getLogger(__name__)

VERSION = 1
"""Changes with anything that changes the bytes of a sample."""


class SampleOptions(StrictModel):
    """What to generate.

    Args:
        out: folder to write; new, empty, or a sample that the same options began.
        persons: people with all 12 body keypoints annotated, per split.
        seed: of all chance.
        split: which splits to write.
        size: (width, height) of the pictures.
        workers: processes.
    """

    out: Path
    persons: int = Field(default=200, gt=0, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    split: Literal["train", "val", "both"] = "train"
    size: tuple[int, int] = (640, 480)
    workers: int = Field(default=1, ge=1, le=256)


class SplitReport(StrictModel):
    """What a split holds: pictures, people, and those of them with all 12 body keypoints."""

    split: str
    pictures: int
    persons: int
    complete: int
    resumed: int
    """Pictures that an earlier run had finished."""


class SampleReport(StrictModel):
    """Where the sample lies and what it holds."""

    out: Path
    splits: tuple[SplitReport, ...]


def write_sample(options: SampleOptions, progress: Progress | None = None) -> SampleReport:
    """Write a sample.

    Args:
        options: what to generate.
        progress: called with (people done, people wanted, remark).

    Returns:
        What was written, per split.

    Raises:
        UsageError: the folder holds something else, or a sample of other options; or pictures too small or large.
        DiskFull: no room; the same command goes on later.
        NotWritable: this user may not write there.
    """
    if not (min(options.size) >= 160 and max(options.size) <= 4096):
        raise UsageError(
            f"pictures of {options.size[0]}x{options.size[1]}.",
            expected="sides from 160 to 4096 px.",
            action="give another --size.",
        )
    wanted = SPLITS if options.split == "both" else (options.split,)
    _claim(options, wanted)
    reports = [_write_split(options, SplitLayout(options.out, split), progress) for split in wanted]
    return SampleReport(out=options.out, splits=tuple(reports))


def _claim(options: SampleOptions, splits: tuple[str, ...]) -> None:
    """Mark the folder as a sample with these options, or refuse it."""
    mark = options.out / MARK
    asked: dict[str, object] = {"persons": options.persons, "seed": options.seed, "size": list(options.size)}
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
    new = [split for split in splits if split not in content["splits"]]
    for split in splits:
        before = content["splits"].setdefault(split, asked)
        for key, now in asked.items():
            if before.get(key) != now:
                raise _changed(options.out, f"{key} of {split}", before.get(key), now)
    if new:
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        _write(SplitLayout(options.out, new[0]), {mark: text.encode()})


def _is_free(out: Path) -> bool:
    """Whether nothing is there but what a run leaves that was stopped before its mark."""
    return out.is_dir() and all(path.name == WORK for path in out.iterdir())


def _read_mark(mark: Path) -> dict[str, Any]:
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
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


def _write_split(options: SampleOptions, layout: SplitLayout, progress: Progress | None) -> SplitReport:
    if layout.annotations.is_file():
        return _report_of_whole(layout, options)
    products: list[Product] = []
    complete = resumed = 0
    for number, product in _products(options, layout):
        left = options.persons - complete
        if product.complete > left:  # the last picture would bring more people than were asked for
            product = produce(_job(options, layout.split, number, left))
        if product.jpeg:
            _keep(layout, number, product)
        else:
            resumed += 1
        complete += product.complete
        products.append(Product(b"", product.annotations, product.complete, product.truth))
        if progress is not None:
            progress(complete, options.persons, f"{layout.split}: {len(products)} pictures")
        if complete >= options.persons:
            break
    _finish(options, layout, products)
    persons = sum(len(product.annotations) for product in products)
    return SplitReport(split=layout.split, pictures=len(products), persons=persons, complete=complete, resumed=resumed)


def _job(options: SampleOptions, split: str, number: int, limit: int | None = None) -> Job:
    return Job(options.seed, split, number, options.size, limit)


def _products(options: SampleOptions, layout: SplitLayout) -> Iterator[tuple[int, Product]]:
    """Pictures by number without end: kept ones first, then new ones, a few ahead when there are workers."""
    numbers = count()
    for number in numbers:
        kept = _read_kept(layout, number)
        if kept is None:
            break
        yield number, kept
    if options.workers == 1:
        yield number, produce(_job(options, layout.split, number))
        for number in numbers:
            yield number, produce(_job(options, layout.split, number))
    pool = ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"))
    try:
        waiting: list[tuple[int, Future[Product]]] = []
        ahead = range(number, number + 3 * options.workers)
        waiting = [(n, pool.submit(produce, _job(options, layout.split, n))) for n in ahead]
        for number in count(ahead.stop):
            done, future = waiting.pop(0)
            waiting.append((number, pool.submit(produce, _job(options, layout.split, number))))
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _keep(layout: SplitLayout, number: int, product: Product) -> None:
    """Write the picture, then what is known of it: the second says that the first is whole."""
    picture = layout.pictures / layout.file_name(number)
    _write(layout, {picture: product.jpeg, layout.part(number): _packed(product.kept())})


def _read_kept(layout: SplitLayout, number: int) -> Product | None:
    """What an earlier run finished of a picture, or none; damaged remains are made again."""
    part = layout.part(number)
    if not part.is_file() or not (layout.pictures / layout.file_name(number)).is_file():
        return None
    try:
        with np.load(part, allow_pickle=False) as arrays:
            return Product.of_kept(dict(arrays))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        logger.warning("%s cannot be read (%s); its picture is made again", part, error)
        return None


def _finish(options: SampleOptions, layout: SplitLayout, products: list[Product]) -> None:
    """Truth, then annotations; then the remains go."""
    first = layout.image_id(0) * 10
    ids: list[int] = []
    image_ids: list[int] = []
    annotations: list[dict[str, Any]] = []
    for number, product in enumerate(products):
        for entry in product.annotations:
            ids.append(first + len(ids))
            image_ids.append(layout.image_id(number))
            annotations.append(entry | {"id": ids[-1], "image_id": image_ids[-1]})
    body = studio().body
    truth = {key: np.concatenate([product.truth[key] for product in products]) for key in products[0].truth}
    truth |= {"annotation_id": np.array(ids, np.int64), "image_id": np.array(image_ids, np.int64)}
    truth |= {"body": np.array(body.name), "body_fingerprint": np.array(body.fingerprint)}
    width, height = options.size
    images = [
        {"id": layout.image_id(n), "file_name": layout.file_name(n), "width": width, "height": height, "license": 1}
        for n in range(len(products))
    ]
    content = _header() | {"images": images, "annotations": annotations}
    _write(layout, {layout.truth: _packed(truth), layout.annotations: canonical_json(content).encode("ascii")})
    shutil.rmtree(layout.work)
    if not any(layout.work.parent.iterdir()):
        layout.work.parent.rmdir()


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


def _report_of_whole(layout: SplitLayout, options: SampleOptions) -> SplitReport:
    content = json.loads(layout.annotations.read_text(encoding="ascii"))
    pictures = len(content["images"])
    return SplitReport(
        split=layout.split,
        pictures=pictures,
        persons=len(content["annotations"]),
        complete=options.persons,
        resumed=pictures,
    )


def _write(layout: SplitLayout, contents: dict[Path, bytes]) -> None:
    """Write files, each whole, in this order; what a killed run leaves of them goes with the split's remains."""
    items = {str(path.relative_to(layout.root)): [data] for path, data in contents.items()}
    LocalFiles(layout.root).write(items, str(layout.work.relative_to(layout.root)))


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
