"""kill -9 while fits are attached, then the same command; and sources in any order: always the same files."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.stages.attach_fits import AttachOptions, AttachReport, attach_fits
from pymaf_data.storage import collect_garbage, open_store, verify


@pytest.fixture(autouse=True)
def nobody_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


def content(store: Path) -> dict[str, bytes]:
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def attach(store: Path, fits: Sequence[str], **options: Any) -> AttachReport:
    return attach_fits(AttachOptions(store=store, fits=tuple(fits), **options))


def commits(store: Path, stage: str) -> int:
    return len(list(store.glob(f"_pymaf/commits/{stage}/*/*.json")))


@pytest.mark.parametrize(("stage", "done"), [("fits/truth", 1), ("choice", 0)])
def test_killed_before_a_commit_and_run_again(
    stage: str,
    done: int,
    tmp_path: Path,
    factory: ModuleType,
    known: Any,
    body: BodyModel,
    kill: ModuleType,
) -> None:
    fits = [f"truth:{factory.write_truth(tmp_path / 'truth.npz', known, body)}"]
    whole, broken = (factory.make_store(tmp_path / f"{name}.zarr", known.persons[:12]).path for name in ("a", "b"))
    attach(whole, fits)
    ripe = kill.before_commit(stage, done, lambda: commits(broken, stage))
    assert kill.killed_when(ripe, lambda: attach(broken, fits))
    assert commits(broken, stage) == done
    (source,) = attach(broken, fits).sources
    assert source.shards_written == (3 - done if stage != "choice" else 0)
    assert content(broken) == content(whole)


def sources(folder: Path, factory: ModuleType, known: Any, body: BodyModel) -> list[str]:
    """Three, of which each has people that another has not, and fits that are its own."""
    requests = []
    for number, name in enumerate("abc"):
        pose = known.truth.pose + 0.002 * np.random.default_rng(number).normal(size=known.truth.pose.shape)
        ids = np.where(np.arange(len(pose)) % 4 == number, -1 - np.arange(len(pose)), known.persons.annotation_id)
        path = factory.write_truth(folder / f"{name}.npz", known, body, pose=pose, annotation_id=ids)
        requests.append(f"{name}=truth:{path}")
    return requests


def test_sources_come_in_any_order_one_by_one_or_together(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    requests = sources(tmp_path, factory, known, body)
    a, b, c = requests
    results = []
    for number, runs in enumerate(([requests], [[c, b, a]], [[b], [a], [c]])):
        store = factory.make_store(tmp_path / f"{number}.zarr", known.persons[:8]).path
        for run in runs:
            choice = attach(store, run).choice
        assert choice is not None and min(choice.persons.values()) > 0, "all three are somebody's best"
        collect_garbage(store)  # choices among the first of them
        results.append((choice, content(store)))
    assert all(result == results[0] for result in results)


@pytest.mark.long
def test_ten_thousand_persons_killed_at_random_moments(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    rows = np.arange(10_000)
    many = factory.Known(known.persons[rows % 24], known.truth, known.joints)
    names = np.array([f"train2014/{row // 2:06d}.jpg" for row in rows])
    persons = replace(many.persons, names=names, annotation_id=rows + 100)
    people = factory.Known(persons, _tiled(known.truth, rows % 24), known.joints)
    requests = sources(tmp_path, factory, people, body)
    whole, broken = (factory.make_store(tmp_path / f"{name}.zarr", persons, shard=256).path for name in ("a", "b"))
    attach(whole, requests)
    command = [sys.executable, "-m", "pymaf_data", "attach-fits", str(broken)]
    command += [word for request in requests for word in ("--fits", request)]
    rng, deaths = np.random.default_rng(0), 0
    while True:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before, more = commits(broken, "*/*"), rng.integers(1, 25)
        while child.poll() is None and commits(broken, "*/*") < before + more:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        child.kill()
        said = child.communicate()[1]
        if child.returncode != -signal.SIGKILL:
            break
        deaths += 1
    assert child.returncode == 0, said
    assert deaths >= 5
    assert verify(broken) == []
    assert content(broken) == content(whole)
    orders = [*permutations(requests)]
    other = factory.make_store(tmp_path / "c.zarr", persons, shard=256).path
    for request in orders[int(rng.integers(1, len(orders)))]:
        attach(other, [request])
    collect_garbage(other)
    assert content(other) == content(whole)
    assert open_store(whole).array("choice/source")[:].tolist() == open_store(other).array("choice/source")[:].tolist()


def _tiled(fits: Any, rows: np.ndarray) -> Any:
    return type(fits)(*(getattr(fits, name)[rows] for name in ("pose", "betas", "native", "frame", "reason")))
