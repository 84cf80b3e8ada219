"""The cluster's workers are asked first: who differs, sees other files or cannot be reached makes no shard."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.errors import WorkerError
from pymaf_data.flows import dask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import StageWriter, open_store

# Looked for, not imported: every worker of pytest would import it while it collects.
pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed (extra: flows)")


class Answering:
    """A client whose one worker answers as it is told; it is asked what can be pickled."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def run(self, ask: Any, on_error: str) -> dict[str, Any]:
        assert on_error == "return"
        return {"tcp://one:1": self.answer(pickle.loads(pickle.dumps(ask))())}


class Job:
    """A job that reads one file."""

    stage, remark = "iuv", ""

    def __init__(self, file: Path) -> None:
        self.files = (file,)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda seen: seen, ""),
        (lambda seen: seen | {"pymaf-data": "0.0.1"}, "has another pymaf-data: 0.0.1"),
        (lambda seen: seen | {"torch": "1.0"}, "has another torch: 1.0"),
        (lambda seen: {k: "absent" if k.endswith("photo.jpg") else v for k, v in seen.items()}, "photo.jpg: absent"),
        (
            lambda seen: {k: "absent" if "the lock" in k else v for k, v in seen.items()},
            r"the lock of /.*/s.zarr: absent",
        ),
        (lambda _: ModuleNotFoundError("No module named 'pymaf_data'"), "No module named 'pymaf_data'"),
    ],
    ids=["alike", "version", "library", "file", "store", "nothing"],
)
def test_workers_that_differ_are_refused(
    answer: Any, told: str, coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coco.small_set(tmp_path / "raw", pictures=1)
    store = open_store(ingest(IngestOptions(root=Path("raw"), out=Path("s.zarr"), crop_size=64)).store)
    Path("photo.jpg").write_bytes(b"1234")
    with store.lock("ingest"):
        writer = StageWriter(store.path, store.current("ingest").record, store._held["ingest"].token)
        if not told:
            dask._require_alike(Answering(answer), Job(Path("photo.jpg")), writer)
            return
        with pytest.raises(WorkerError, match=told):
            dask._require_alike(Answering(answer), Job(Path("photo.jpg")), writer)


def test_nobody_answers(coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_SECONDS", 1)
    coco.small_set(tmp_path / "raw", pictures=1)
    options = IngestOptions(root=tmp_path / "raw", out=tmp_path / "s.zarr", crop_size=64)
    with pytest.raises(WorkerError, match="no scheduler or no worker"):
        ingest(options.model_copy(update={"cluster": "tcp://127.0.0.1:1"}))
    assert ingest(options).shards_written == 1, "the lock is free again"
