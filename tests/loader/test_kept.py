"""Labels kept beside a store: the same to the last bit, and made anew where anything they are made from changed."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.errors import AssetMismatch, NotWritable
from pymaf_data.loader import Loader, LoaderOptions, kept
from pymaf_data.loader.labels import read_labels
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.files import LocalFiles


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of labels that were read, not found; every store pays."""
    done: list[str] = []

    def counted(store, *rest):
        done.append(store.path.name)
        return read(store, *rest)

    from pymaf_data.loader import loader

    read = loader.read_labels
    monkeypatch.setattr(loader, "read_labels", counted)
    monkeypatch.setattr(kept, "FROM", 1)
    return done


@pytest.fixture
def mine(store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store.path, tmp_path / "mine.zarr"))


def test_they_are_found_again(mine: Path, body, atlas, readings: list[str], monkeypatch) -> None:
    def load(**options) -> Loader:
        return Loader([open_store(mine)], body, atlas, LoaderOptions(workers=0, batch_size=20, **options))

    first, again = load(), load()
    read = read_labels(open_store(mine), body, atlas, True, False)
    assert len(readings) == 1
    for field in fields(read):
        made = getattr(read, field.name)[:]
        for labels in (first.labels, again.labels):
            now = getattr(labels, field.name)[:]
            assert made.dtype == now.dtype and np.array_equal(made.view("u1"), now.view("u1")), field.name
    (one,), (other,) = first.epoch(3), again.epoch(3)
    for field in fields(one):
        assert bool((getattr(one, field.name) == getattr(other, field.name)).all()), field.name
    load(frame="camera"), load(joints3d="fitted")
    assert len(readings) == 1, "what follows from labels is not kept"
    load(maps=False), load(maps=False), load()
    assert len(readings) == 2, "those with maps and those without have their own"
    other = replace(atlas, uv=1 - atlas.uv)
    with pytest.raises(AssetMismatch, match="another atlas"):
        Loader([open_store(mine)], body, other, LoaderOptions(workers=0))
    monkeypatch.setattr(body, "digest", "0" * 64)
    with pytest.raises(AssetMismatch, match="the body free"):
        load()


def test_what_changed_or_is_damaged_is_made_anew(
    mine: Path, store: Store, body, atlas, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> Loader:
        return Loader([open_store(mine)], body, atlas, LoaderOptions(workers=0))

    expected = load().labels.pose[:]
    (file,) = (mine.parent / ".mine.zarr.kept").glob("labels-*")
    whole = file.read_bytes()
    for broken in (b"", whole[:-1], whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
        file.write_bytes(broken)
        before = len(readings)
        assert np.array_equal(load().labels.pose[:], expected) and len(readings) == before + 1
        assert file.read_bytes() == whole
    original = kept._content
    monkeypatch.setattr(kept, "_content", lambda store: [*original(store), "another shard"])
    before = len(readings)
    load(), load()
    assert len(readings) == before + 1 and file.read_bytes() != whole

    def refused(*_: object) -> None:
        raise NotWritable("no", action="none")

    file.unlink()
    monkeypatch.setattr(LocalFiles, "write", refused)
    assert np.array_equal(load().labels.pose[:], expected), "where nothing can be written it is read each time"


def test_shards_that_changed_and_stores_that_lack_some(
    store: Store, make_store, body, atlas, readings: list[str]
) -> None:
    """Equal plans, another content: an image came after the first store was made."""
    some = make_store(absent=(3,))
    (here, lacks), (there, has) = (next(c for c in kept._content(s) if c[0][0] == "ingest") for s in (some, store))
    assert here == there and lacks != has
    partial = make_store(iuv_shards=(0, 2))
    for _ in range(2):
        Loader([partial], body, atlas, LoaderOptions(workers=0, allow_partial=True))
    assert len(readings) == 2 and not (partial.path.parent / f".{partial.path.name}.kept").exists()
