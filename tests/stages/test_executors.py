"""Who makes the shards leaves no trace: threads, processes, a cluster that loses a worker in the middle."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaf_data.body import load_body
from pymaf_data.errors import AssetMismatch, RawDataCorrupt, UsageError, WorkerError
from pymaf_data.fits.fitter.options import KeypointOptions, SearchOptions
from pymaf_data.render import atlas_of_body
from pymaf_data.stages import executors
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.executors import ExecutorOptions, Order, Processes, lanes_of, make_shard, orders_of, ranges_of
from pymaf_data.stages.held import Held, Opened
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.stages.iuv_plan import prepare
from pymaf_data.stages.render_iuv import RenderOptions, render_iuv_stage
from pymaf_data.stages.shards import Made, run_shards
from pymaf_data.stages.workers import ended_pool, starting
from pymaf_data.storage import StageWriter, Store, open_store

# What is made is tested elsewhere: few starts, few steps, small maps, and invented keypoints that no body fits.
QUICK = KeypointOptions(
    worst_reprojection=1e6,
    search=SearchOptions(start_steps=3, survivors=1, rival_steps=1, finalists=1, flip_rounds=0, final_steps=3),
)
Told = Callable[[int, int, str], None]


def content(store: Path) -> dict[str, bytes]:
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def pipeline(raw: Path, out: Path, told: Told | None = None, **who: Any) -> dict[str, bytes]:
    """Ingest, keypoint fits and maps of a store of 6 shards, made by whom it is told."""
    workers = {} if who else {"workers": 1}
    ingest(IngestOptions(root=raw, out=out, crop_size=64, shard=4, **workers, **who), told)
    attach_fits(AttachOptions(store=out, fits=("keypoints",), keypoints=QUICK, **who), told)
    render_iuv_stage(RenderOptions(stores=(out,), size=48, **workers, **who), told)
    return content(out)


@pytest.fixture(scope="module")
def made(coco: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw data, and the store that threads make of it."""
    folder = tmp_path_factory.mktemp("made")
    coco.small_set(folder / "raw", pictures=12, persons=2)
    pipeline(folder / "raw", folder / "threads.zarr", lambda *report: told_by_threads.append(report))
    return folder


@pytest.fixture
def raw(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "raw", tmp_path / "raw")


@pytest.fixture
def whole(made: Path) -> dict[str, bytes]:
    return content(made / "threads.zarr")


told_by_threads: list[tuple[int, int, str]] = []


@pytest.mark.slow
def test_processes_leave_no_trace(raw: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    assert pipeline(raw, tmp_path / "processes.zarr", lambda *report: told.append(report), processes=2) == whole
    assert [report[:2] for report in told] == [(done, 24) for done in range(0, 25, 4)] * 3


@pytest.mark.slow
def test_a_cluster_that_loses_workers_in_the_middle_leaves_no_trace(
    raw: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    started: dict[str, Any] = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    killed: list[str] = []

    with distributed.LocalCluster(n_workers=2, **started) as cluster, distributed.Client(cluster) as client:

        def kill_one(done: int, total: int, remark: str) -> None:
            """After the first shard of a stage: a worker that is at work on another."""
            if done != 4:
                return
            busy = [worker for worker, shards in client.processing().items() if shards]
            os.kill(client.run(os.getpid, workers=busy[:1])[busy[0]], signal.SIGKILL)
            killed.append(remark)

        assert pipeline(raw, tmp_path / "cluster.zarr", kill_one, cluster=cluster.scheduler_address) == whole
    assert len(killed) == 3


@pytest.mark.slow
def test_a_killed_process_is_told_and_the_same_command_goes_on(raw: Path, tmp_path: Path) -> None:
    import multiprocessing

    options = IngestOptions(root=raw, out=tmp_path / "s.zarr", crop_size=64, shard=1)

    def kill_one(done: int, *_: object) -> None:
        if done == 2:
            multiprocessing.active_children()[0].kill()

    with pytest.raises(WorkerError, match="the same command again"):
        ingest(options.model_copy(update={"processes": 1}), kill_one)
    assert multiprocessing.active_children() == []
    report = ingest(options)
    assert 0 < report.shards_written <= report.shards - 2
    assert content(report.store) == content(ingest(options.model_copy(update={"out": tmp_path / "w.zarr"})).store)


def test_an_error_waits_for_no_worker() -> None:
    with pytest.raises(KeyboardInterrupt), ended_pool(1) as pool:
        with starting():
            running = pool.submit(time.sleep, 600)
        while not running.running():
            time.sleep(0.01)
        started = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - started < 60


@pytest.mark.slow
def test_what_stops_a_worker_is_told_here(raw: Path, tmp_path: Path) -> None:
    broken = sorted((raw / "train2014").iterdir())[5]
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(RawDataCorrupt, match=broken.name):
        ingest(IngestOptions(root=raw, out=tmp_path / "s.zarr", crop_size=64, shard=4, on_error="stop", processes=2))


def test_tasks_carry_their_shard_and_no_body(made: Path) -> None:
    """What travels to a worker does not grow with the store, the body or the atlas."""
    (job := prepare(open_store(made / "threads.zarr"), 48, "numba")).draw_one()
    body, task = job.sources[0].body.get(), job.task(1, slice(4, 8))
    data = pickle.dumps(task)
    assert len(data) < 20_000 < body.v_template.numpy().nbytes
    again = pickle.loads(data)
    mine, theirs = (each.make(map, lambda _: None) for each in (task, again))
    assert (mine.data["part"], mine.input_digest, mine.notes) == (theirs.data["part"], theirs.input_digest, 4)
    held = [pickle.loads(data).sources[0].body.get() for _ in range(2)]
    assert held[0] is held[1] is not body, "a worker loads it once"


def test_a_worker_with_another_body_or_atlas_is_refused() -> None:
    for load in (load_body, atlas_of_body):
        held = Held.of(load, "free", None)
        assert pickle.loads(pickle.dumps(held)).get().digest == held.digest
        with pytest.raises(AssetMismatch, match="a worker's free is another"):
            pickle.loads(pickle.dumps(Held(load, ("free", None), "0" * 64, held.value))).get()


class Elsewhere:
    """An executor as far as can be: orders are pickled, made in another folder, last ones first."""

    def run(self, job: Any, writer: StageWriter, shards: list[int], advance: Any) -> Any:
        for order in reversed(list(orders_of(job, writer, shards))):
            with contextlib.chdir("/"):
                made = make_shard(pickle.loads(pickle.dumps(order)))
            advance(len(range(*writer.rows(order.shard).indices(10**6))))
            yield made


def test_orders_are_whole_in_themselves(
    raw: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [report[0] for report in told_by_threads]
    assert {report[1] for report in told_by_threads} == {24}
    assert (done.count(0), done[0], done[-1]) == (3, 0, 24), "three stages, each told from nothing to all"
    assert all(later >= sooner or (sooner, later) == (24, 0) for sooner, later in pairwise(done))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ExecutorOptions, "executor", lambda *_: Elsewhere())
    assert pipeline(Path("raw"), Path("elsewhere.zarr")) == whole


@given(st.sets(st.integers(0, 200)).map(sorted), st.integers(1, 9), st.randoms(use_true_random=False))
def test_every_worker_gets_ranges_of_neighbours(shards: list[int], workers: int, chance: Any) -> None:
    """Each shard once, whoever asks when; a worker's only go up; a range has no gap, and at the end one shard."""
    ranges = list(ranges_of(shards, workers))
    assert list(chain.from_iterable(ranges)) == shards
    left = len(shards)
    for each in ranges:
        assert list(each) == list(range(each[0], each[-1] + 1)) and len(each) <= left / (2 * workers) + 1
        left -= len(each)
    whole = shards == list(range(len(shards)))
    assert not whole or len(ranges) <= 2 * workers * (1 + math.log2(len(shards) + 1)), "ranges, not shards one by one"
    short = list(ranges_of(shards, workers, 2))
    assert list(chain.from_iterable(short)) == shards and max(map(len, short), default=0) <= 2
    lanes = lanes_of(Counting(), cast(StageWriter, Rows(Path("s.zarr"))), shards, workers)
    given_to: list[list[int]] = [[] for _ in lanes]
    asking = list(range(workers))
    while asking:
        who = chance.choice(asking)
        given_to[who] += [order.shard for order in islice(lanes[who], 1)] or (asking.remove(who) or [])
    assert sorted(chain.from_iterable(given_to)) == shards
    place = {shard: k for k, shard in enumerate(shards)}
    jumps = sum(place[later] != place[sooner] + 1 for mine in given_to for sooner, later in pairwise(mine))
    assert jumps <= workers * (1 + math.log2(len(shards) + 1)), "stretches, not shards one by one"


def shared(cost: list[float], again: list[float], workers: int) -> tuple[list[list[int]], float]:
    """Who makes which shards, and when all are done: each asks when it has made one."""
    job = cast(Any, SimpleNamespace(again=again.__getitem__, task=lambda *_: None))
    lanes = lanes_of(job, cast(StageWriter, Rows(Path("s.zarr"))), range(len(cost)), workers)
    made: list[list[int]] = [[] for _ in lanes]
    clock, asking = [0.0] * workers, list(range(workers))
    while asking:
        who = min(asking, key=lambda one: clock[one])
        order = next(lanes[who], None)
        if order is None:
            asking.remove(who)
            continue
        follows = made[who][-1:] == [order.shard - 1]
        clock[who] += cost[order.shard] + (0 if follows else again[order.shard])
        made[who].append(order.shard)
    return made, max(clock)


def test_each_video_is_decoded_by_one_worker() -> None:
    """Four videos of 25/4 shards: two each, cut where the third begins; a slow worker's rest is taken over."""
    again = [k % 6.25 for k in range(25)]
    made, done = shared([1.0] * 25, again, 2)
    assert made == [[*range(13)], [*range(13, 25)]] and done == 13
    slow = [3.0] * 13 + [1.0] * 12
    made, done = shared(slow, again, 2)
    assert done < 30 and made[0] == [*range(len(made[0]))]
    assert shared([1.0] * 3, [0, 1, 2], 2)[0] == [[0, 1, 2], []], "a video that is cheaper decoded once"


def test_a_range_begins_where_little_of_a_video_is_decoded_again() -> None:
    """Shards of one video stay together, whatever their number; between videos, and after a gap, a range may begin."""
    video = [0, 1, 2, 3, 0, 0.2, 1.2, 0.1]  # shards of a video that lie before each
    ranges = list(ranges_of(range(8), 4, again=video.__getitem__))
    assert [list(each) for each in ranges] == [[0, 1, 2, 3], [4], [5, 6], [7]]
    assert [list(each) for each in ranges_of([0, 1, 3, 7], 4, 1, video.__getitem__)] == [[0, 1], [3], [7]]
    late = [0, 0.5, 1.5, 2.5]  # that begins in the middle of the first
    assert [list(each) for each in ranges_of(range(4), 2, again=late.__getitem__)] == [[0], [1, 2, 3]]


@dataclass(frozen=True)
class Rows:
    root: Path

    def rows(self, shard: int) -> slice:
        return slice(shard, shard + 1)


def test_each_process_makes_its_own_ranges(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(ingest(IngestOptions(root=raw, out=tmp_path / "s.zarr", crop_size=64, shard=1)).store)
    made: list[list[int]] = []

    @contextlib.contextmanager
    def thread(workers: int) -> Iterator[ThreadPoolExecutor]:
        assert workers == 1
        made.append(mine := [])
        with ThreadPoolExecutor(1) as pool:
            submit = pool.submit

            def told(call: Any, order: Order | None) -> Any:
                mine.extend([order.shard] if order else [])
                return submit(call, order)

            monkeypatch.setattr(pool, "submit", told)
            yield pool

    monkeypatch.setattr(executors, "ended_pool", thread)
    run_shards(store, Counting(), Processes(3), shards="2-12,15-20")
    assert run_shards(store, Counting(), Processes(2)).writer.missing() == []
    first, second = made[:3], made[3:]
    assert sorted(chain(*first)) == [*range(2, 13), *range(15, 21)] and sorted(chain(*second)) == [
        *(0, 1, 13, 14),
        *range(21, 24),
    ]
    assert [mine[:2] for mine in first] == [[2, 3], [10, 11], [16, 17]]
    store = open_store(ingest(IngestOptions(root=raw, out=tmp_path / "t.zarr", crop_size=64, shard=1)).store)
    run_shards(store, Counting(), Processes(2), shards="0-1")
    assert made[-2:] == [[0], [1]], "few shards are shared too"


class Cursor:
    """A source whose frames only move forward; what it did is in ``told``."""

    told: ClassVar[list[tuple[str, int]]] = []

    def __init__(self) -> None:
        self.at = -1

    def __getstate__(self) -> dict[str, int]:
        return {"at": -1}

    def __enter__(self) -> Cursor:
        Cursor.told.append(("open", self.at))
        return self

    def __exit__(self, *_: object) -> None:
        Cursor.told.append(("close", self.at))

    def go(self, frame: int) -> None:
        assert frame > self.at, "backwards"
        self.at = frame


def test_a_worker_opens_a_source_once_and_goes_on_where_the_last_shard_ended() -> None:
    with Cursor() as here:
        here.go(70)
        job = Opened(here)
        assert job.get() is here
        for frame in (1, 5, 9):
            pickle.loads(pickle.dumps(job)).get().go(frame)
        assert here.at == 70, "the command's own stands where it stood"
        with ThreadPoolExecutor(1) as other:
            other.submit(lambda: pickle.loads(pickle.dumps(job)).get().go(3)).result()
        with Cursor() as later:
            pickle.loads(pickle.dumps(Opened(later))).get().go(2)
    opened = [("open", -1), ("open", -1), ("open", -1), ("open", -1), ("close", 9), ("open", -1)]
    assert Cursor.told == [*opened, ("close", -1), ("close", 70)]


class Counting:
    """A job of rows that are even or odd."""

    stage, remark, files = "iuv", "", ()

    def begin(self, store: Store) -> StageWriter:
        from pymaf_data.storage import ArraySpec

        return store.stage("iuv", "c" * 64, [ArraySpec("rendered", (), "bool", 1)])

    def task(self, shard: int, rows: slice) -> Made:
        return Made({"rendered": np.arange(rows.start, rows.stop) % 2 == 1}, "d" * 64, shard)


def test_the_loop_makes_what_is_asked_for_and_missing(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(ingest(IngestOptions(root=raw, out=Path("s.zarr"), crop_size=64, shard=4)).store)
    told: list[tuple[int, int, str]] = []
    take = partial(run_shards, store, Counting(), Elsewhere())
    first = take(shards="1,3")
    assert (first.asked, first.written, first.missing, first.notes) == ([1, 3], [1, 3], [0, 2, 4, 5], [1, 3])
    assert not any(info.current for info in open_store("s.zarr").stages() if info.stage == "iuv")
    second = take(lambda *report: told.append(report), shards="0-3")
    assert (second.asked, second.written, second.missing, second.notes) == ([0, 1, 2, 3], [0, 2], [4, 5], [0, 2])
    assert [report[:2] for report in told] == [(8, 16), (12, 16), (16, 16)], "what is there counts"
    assert (take().notes, take().notes) == ([4, 5], [])
    assert open_store("s.zarr").array("iuv/rendered")[:].tolist() == [False, True] * 12


def test_a_worker_writes_nothing_when_the_lock_is_gone(raw: Path, tmp_path: Path) -> None:
    from pymaf_data.errors import StoreLocked

    store = open_store(ingest(IngestOptions(root=raw, out=tmp_path / "s.zarr", crop_size=64, shard=4)).store)
    with store.lock("iuv"):
        writer = Counting().begin(store)
    with pytest.raises(StoreLocked):
        make_shard(Order(0, writer, Counting().task(0, slice(0, 4))))
    assert writer.missing() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ({"processes": 2, "cluster": "local:2"}, "one of them"),
        ({"cluster": ""}, "names no cluster"),
        ({"cluster": "local:0"}, "names no cluster"),
        ({"cluster": "nowhere.json"}, "names no cluster"),
        ({"cluster": "tcp://"}, "names no cluster"),
    ],
)
def test_executors_that_are_none_are_refused(who: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):  # at once, before a recipe or a flow begins with something else
        ExecutorOptions(**who)


@pytest.mark.parametrize("who", [{"processes": 2}, {"cluster": "local:2"}])
def test_threads_are_not_asked_for_beside_other_makers(who: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--workers 3 beside --(processes|cluster)"):
        IngestOptions(workers=3, **who)
    IngestOptions(**who)


def test_a_renderer_of_the_gpu_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pymaf_data.stages.render_iuv.resolve_backend", lambda *_, **__: "warp")
    for who in ({"processes": 2}, {"cluster": "local:2"}):
        with pytest.raises(UsageError, match="--renderer numba"):
            render_iuv_stage(RenderOptions(stores=(tmp_path,), **who))


def test_other_packages_bring_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def load(self) -> Any:
            return lambda address: ("theirs", address)

    def points(group: str, name: str) -> list[Point]:
        return [Point()] if (group, name) == ("pymaf_data.executors", "ours") else []

    monkeypatch.setattr("pymaf_data.stages.executors.entry_points", points)
    assert ExecutorOptions(cluster="ours:big").executor() == ("theirs", "ours:big")
