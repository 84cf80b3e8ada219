"""Order, workers, what is refused, what is flagged."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import AssetMismatch, StoreChanged, StoreDamaged, StoreIncomplete, UsageError
from pymaf_data.loader import AugmentationOptions, Batch, Loader, LoaderOptions
from pymaf_data.storage import ArraySpec, open_store


def batches(store, body, atlas, epoch: int = 1, **options) -> list[Batch]:
    return list(Loader([store], body, atlas, LoaderOptions(batch_size=6, **options)).epoch(epoch))


def assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        for name, value in vars(a).items():
            assert torch.equal(getattr(b, name), value), name


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_threads_gives_the_same_batches(store, body, atlas, workers: int) -> None:
    alone = batches(store, body, atlas, workers=0)
    assert_equal(alone, batches(store, body, atlas, workers=workers, prefetch=1))


@pytest.mark.slow
def test_worker_processes_give_the_same_batches_also_after_an_epoch_that_was_left_early(store, body, atlas) -> None:
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=6, workers=2, worker_kind="process"))
    next(loader.epoch(0))
    assert_equal(list(loader.epoch(1)), batches(store, body, atlas, workers=0))
    assert_equal(list(loader.epoch(2, skip=1)), batches(store, body, atlas, 2, workers=0)[1:])


def test_an_epoch_shows_every_row_once_and_epochs_differ(store, body, atlas) -> None:
    first, second = (torch.cat([b.row for b in batches(store, body, atlas, epoch)]) for epoch in (0, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(20))
    assert not torch.equal(first, second)
    unshuffled = torch.cat([b.row for b in batches(store, body, atlas, shuffle=False)])
    assert unshuffled.tolist() == list(range(20))


def test_plain_views_are_those_of_a_loader_that_never_augmented(store, body, atlas) -> None:
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=6))
    next(loader.epoch(0))
    plain = loader.plain()
    assert plain.labels is loader.labels, "a second copy of the labels would cost as much memory again"
    options = {"augmentation": AugmentationOptions.none(), "shuffle": False}
    assert_equal(list(plain.epoch(3)), batches(store, body, atlas, **options))
    assert_equal(list(loader.epoch(1)), batches(store, body, atlas))


def test_length_last_batch_and_skipping(store, body, atlas) -> None:
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=6))
    whole = list(loader.epoch(0))
    assert [len(batch) for batch in whole] == [6, 6, 6, 2]
    assert len(loader) == 4
    assert_equal(whole[2:], list(loader.epoch(0, skip=2)))
    dropping = Loader([store], body, atlas, LoaderOptions(batch_size=6, drop_last=True))
    assert [len(batch) for batch in dropping.epoch(0)] == [6] * len(dropping)


def test_ranks_share_out_the_batches_of_a_mixture_and_a_run_goes_on_within_an_epoch(
    store, make_store, body, atlas
) -> None:
    stores, names = [store, make_store()], {}
    for each in stores:
        names[each.path.stem] = 1.0
    if len(names) == 1:
        names = {str(store.head["dataset"]): 1.0}
    shared = {"mixture": names, "epoch_length": 48, "maps": False}

    def epoch(skip: int = 0, **options) -> list[Batch]:
        return list(Loader(stores, body, atlas, LoaderOptions(**shared, **options)).epoch(1, skip))

    whole = epoch(batch_size=8, workers=0)
    ranks = [epoch(batch_size=4, rank=rank, ranks=2, workers=rank) for rank in (0, 1)]
    assert [len(part) for part in ranks] == [6, 6]
    for name in vars(whole[0]):
        joined = [torch.cat([getattr(a, name), getattr(b, name)]) for a, b in zip(*ranks, strict=True)]
        assert all(torch.equal(one, getattr(batch, name)) for one, batch in zip(joined, whole, strict=True)), name
    assert_equal(epoch(skip=4, batch_size=8, workers=2), whole[4:])
    rows = torch.cat([batch.row for batch in whole])
    image = torch.cat([batch.image for batch in whole])
    first, second = torch.nonzero(rows == rows.mode().values)[:2, 0]
    assert not torch.equal(image[first], image[second]), "who is drawn again is augmented otherwise"


def test_rows_without_an_image_are_never_drawn(make_store, body, atlas) -> None:
    loader = Loader([make_store(absent=(0, 7))], body, atlas, LoaderOptions(batch_size=6))
    assert loader.rows.tolist() == [row for row in range(20) if row not in (0, 7)]
    assert np.flatnonzero(loader.labels.has_fit).tolist() == loader.rows.tolist()
    assert sorted(torch.cat([b.row for b in loader.epoch(0)]).tolist()) == loader.rows.tolist()
    with pytest.raises(UsageError, match="7"):
        loader.batch([6, 7])


def test_a_partial_store_is_refused_unless_allowed(make_store, body, atlas) -> None:
    store = make_store(iuv_shards=(0, 2))
    with pytest.raises(StoreIncomplete, match="1 of 3 shards of stage iuv"):
        Loader([store], body, atlas, LoaderOptions())
    loader = Loader([store], body, atlas, LoaderOptions(allow_partial=True))
    has_map = loader.batch(range(20)).has_iuv
    assert has_map.tolist() == [not 8 <= row < 16 for row in range(20)]
    Loader([store], body, atlas, LoaderOptions(maps=False))  # who reads no maps lacks none


def test_several_stores_are_counted_through(store, make_store, body, atlas) -> None:
    other = make_store(absent=(1,), unfitted=(2,))
    loader = Loader([store, other], body, atlas, LoaderOptions(workers=0))
    assert loader.rows.tolist() == [row for row in range(40) if row != 21]
    mixed = loader.batch([22, 0, 25])
    assert mixed.has_fit.tolist() == [False, True, True]
    alone = Loader([store], body, atlas, LoaderOptions(workers=0)).batch([0])
    assert torch.equal(mixed.image[1], alone.image[0])
    assert torch.equal(mixed.part[1], alone.part[0])
    again = loader.batch([25])
    assert torch.equal(mixed.image[2], again.image[0])


def test_fits_of_another_body_and_maps_of_another_atlas_are_refused(store, body, atlas, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(body, "digest", "0" * 64)
        with pytest.raises(AssetMismatch, match="the body free"):
            Loader([store], body, atlas, LoaderOptions())
    other = type(atlas)(**{name: getattr(atlas, name) for name in atlas.__dataclass_fields__} | {"uv": 1 - atlas.uv})
    with pytest.raises(AssetMismatch, match="another atlas"):
        Loader([store], body, other, LoaderOptions())
    Loader([store], body, other, LoaderOptions(maps=False))


def test_maps_of_a_former_choice_are_refused(make_store, body, atlas) -> None:
    store = make_store()
    with store.lock("choice"):
        specs = list(store.current("choice").record.specs.values())
        writer = store.stage("choice", digest_json("new rule"), specs, store.current("choice").attributes)
        for shard in writer.missing():
            rows = writer.rows(shard)
            writer.write_shard(shard, {"source": np.zeros(rows.stop - rows.start, np.int16)}, digest_json(shard))
        writer.finish()
    with pytest.raises(StoreChanged, match="no longer the chosen"):
        Loader([open_store(store.path)], body, atlas, LoaderOptions())


def test_maps_of_the_former_form_are_refused(make_store, body, atlas) -> None:
    store = make_store()
    N = len(store)
    with store.lock("iuv"):
        specs = (ArraySpec("map", (3, 8, 8), "u1", 1), ArraySpec("rendered", (), "bool", 4))
        writer = store.stage("iuv", digest_json("format 1.0"), specs, store.current("iuv").attributes)
        arrays = {"map": np.zeros((N, 3, 8, 8), np.uint8), "rendered": np.ones(N, bool)}
        for shard in writer.missing():
            rows = writer.rows(shard)
            writer.write_shard(shard, {name: a[rows] for name, a in arrays.items()}, digest_json(shard))
        writer.finish()
    with pytest.raises(StoreChanged, match=r"format 1\.0: map, rendered(?s:.)*render-iuv"):
        Loader([open_store(store.path)], body, atlas, LoaderOptions())


def test_a_damaged_image_stops_the_epoch_and_is_named(make_store, body: BodyModel, atlas) -> None:
    store = make_store()
    shard = store.path / "image" / "c" / "1" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    loader = Loader([open_store(store.path)], body, atlas, LoaderOptions(batch_size=4, workers=2))
    with pytest.raises(StoreDamaged, match="image"):
        list(loader.epoch(0))


def test_who_stops_early_leaves_no_thread_behind(store, body, atlas) -> None:
    before = threading.active_count()
    epoch = Loader([store], body, atlas, LoaderOptions(batch_size=2, workers=2)).epoch(0)
    next(epoch)
    epoch.close()
    time.sleep(0.05)
    assert threading.active_count() == before


def test_as_many_batches_are_made_ahead_as_asked_and_no_more(store, body, atlas) -> None:
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=1, workers=2, prefetch=2))
    made: list[int] = []
    assemble = loader._assemble
    loader._assemble = lambda *task: (made.append(1), assemble(*task))[1]  # type: ignore[assignment]
    epoch = loader.epoch(0)
    next(epoch)
    end = time.monotonic() + 20
    while len(made) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(made) == 4
    epoch.close()


def test_no_store_or_no_image_is_an_error(make_store, body, atlas) -> None:
    with pytest.raises(UsageError):
        Loader([], body, atlas, LoaderOptions())
    with pytest.raises(StoreIncomplete, match="none of 20 persons"):
        Loader([make_store(absent=tuple(range(20)))], body, atlas, LoaderOptions())
