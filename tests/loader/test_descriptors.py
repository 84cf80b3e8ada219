"""Many shards, few file descriptors: in the process that trains, and between it and its workers."""

from __future__ import annotations

import importlib.util
import resource
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pymaf_data.errors import TooManyFiles
from pymaf_data.loader import Batch, Loader, LoaderOptions

FACTORY = Path(__file__).resolve().parents[1] / "factories" / "stores.py"
READ = """
import sys
from pymaf_data.body import load_body
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.render import load_atlas
from pymaf_data.storage import open_store

if __name__ == "__main__":
    stores = [open_store(path) for path in sys.argv[2:]]
    options = LoaderOptions(batch_size=8, workers=2, worker_kind=sys.argv[1], maps=False)
    loader = Loader(stores, load_body("free"), load_atlas("free"), options)
    rows = sorted(row for epoch in (0, 1) for batch in loader.epoch(epoch) for row in batch.row.tolist())
    assert rows == sorted([*loader.rows, *loader.rows]), rows
    print(len(loader.rows))
"""


@pytest.fixture(scope="module")
def many(body, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two equal stores of 60 shards, whose images alone are 120 files each."""
    spec = importlib.util.spec_from_file_location("stores", FACTORY)
    assert spec is not None
    assert spec.loader is not None
    stores = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stores)
    folder = tmp_path_factory.mktemp("many")
    one = stores.invented_store(folder / "a", body, 60, shard=1).path
    return [one, shutil.copytree(one, folder / "b")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("thread", marks=pytest.mark.long), "process"])
def test_two_workers_read_more_shards_than_files_may_be_open(many: list[Path], tmp_path: Path, kind: str) -> None:
    script = tmp_path / "read.py"
    script.write_text(READ)
    done = subprocess.run(
        [sys.executable, str(script), kind, *map(str, many)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (180, 180)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "118", "all but the two that have no image"


def test_more_workers_than_files_are_refused_before_they_start(store, body, atlas, monkeypatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=6, workers=8, worker_kind="process"))
    with pytest.raises(TooManyFiles, match=r"8 worker processes(.|\n)*ulimit -n"):
        loader.epoch(0)


NEEDED = (32 * 2 + 2) * len(fields(Batch)) + 64  # 32 workers, two batches ahead each, one made and one used
ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("workers", "limits", "raised"),
    [
        (2, (256, 4096), []),
        (32, (1024, 4096), [(NEEDED, 4096)]),
        (32, (NEEDED - 1, NEEDED), [(NEEDED, NEEDED)]),
        (32, (NEEDED, NEEDED), []),
        (32, (1024, ENDLESS), [(NEEDED, ENDLESS)]),
        (32, (ENDLESS, ENDLESS), []),
        (32, (1024, NEEDED - 1), None),
    ],
)
def test_the_soft_limit_rises_only_where_batches_under_way_need_it(
    store, body, atlas, monkeypatch, workers: int, limits: tuple[int, int], raised: list[tuple[int, int]] | None
) -> None:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: found.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=6, workers=workers, worker_kind="process"))
    if raised is None:
        with pytest.raises(TooManyFiles, match=f"need {NEEDED} open files"):
            _ = loader._workers
    else:
        _ = loader._workers
    assert found == (raised or [])
