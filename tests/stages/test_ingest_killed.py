"""kill -9 at any moment, then the same command: the store is the one that an undisturbed run makes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.errors import StoreLocked
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from tests.stages.small_ingest import tree

pytestmark = pytest.mark.usefixtures("no_wait_for_the_disk")

# A killed process loses nothing that it handed to the kernel, so neither side waits for the disk.
CHILD = """
import os, sys
os.fsync = lambda _: None
from pathlib import Path
from pymaf_data.stages.ingest import IngestOptions, ingest
options = IngestOptions(root=Path(sys.argv[1]), out=Path(sys.argv[2]), crop_size=128, shard=4, workers=2)
ingest(options, lambda done, total, _: print(done, flush=True))
"""


def killed(root: Path, store: Path, moment: random.Random, persons: int) -> None:
    """Run the stage and kill it a moment after a random person is done."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, root, store], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    stop = moment.randrange(persons)
    for line in child.stdout:
        if int(line) >= stop:
            break
    time.sleep(moment.random() * 0.01)  # into encoding, or into writing and committing
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments_and_run_again(coco: ModuleType, tmp_path: Path, kills: int) -> None:
    coco.small_set(tmp_path / "raw", pictures=20, persons=2)
    options = IngestOptions(root=tmp_path / "raw", crop_size=128, shard=4, workers=1, out=tmp_path / "whole.zarr")
    whole = tree(ingest(options).store)
    moment = random.Random(20)
    unfinished = 0
    for attempt in range(kills):
        store = tmp_path / f"killed-{attempt}.zarr"
        killed(tmp_path / "raw", store, moment, persons=40)
        done = len(list(store.glob("_pymaf/commits/ingest/*/*.json")))
        report = ingest(options.model_copy(update={"out": store}))
        unfinished += report.shards_written > 0
        assert report.shards_written == report.shards - done, "finished shards are kept, all others made"
        assert tree(store) == whole
        assert not list(store.glob("_pymaf/tmp/*/*")), "what the killed run left half-written is cleared"
    assert unfinished > kills // 2 - 1, "kills that come too late test nothing"


def test_a_second_run_at_the_same_time_is_refused(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw", pictures=2)
    options = IngestOptions(root=tmp_path / "raw", out=tmp_path / "s.zarr", crop_size=64, workers=1)
    with pytest.raises(StoreLocked) as caught:

        def in_the_middle(done: int, total: int, _: str) -> None:
            ingest(options)

        ingest(options, in_the_middle)
    assert "--break-lock" in str(caught.value)
    assert ingest(options).shards_written == 1
    assert len(open_store(tmp_path / "s.zarr")) == 4
