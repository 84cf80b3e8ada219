"""What is written is read: by the library, by zarr-python, and by a reader that knows only the specification."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import zarr

from pymaf_data.digest import digest_json
from pymaf_data.errors import (
    NotAStore,
    ShapeError,
    StoreChanged,
    StoreDamaged,
    StoreIncomplete,
    StoreVersionError,
    UsageError,
)
from pymaf_data.storage import ArraySpec, create_store, encode_jpeg, open_store
from pymaf_data.storage.files import LocalFiles

INGEST = ("image", "box", "annotation_id", "present", "reason")
LATER = ("fits/truth/pose", "fits/truth/valid", "choice/source", "iuv/uv", "iuv/rendered")


def expected(kit: Any, name: str) -> np.ndarray:
    specs = {spec.name: spec for spec in (*kit.recipe.specs, *kit.fits, *kit.choice, *kit.iuv)}
    return kit.recipe.values(specs[name.rsplit("/")[-1]])


@pytest.mark.parametrize("name", INGEST + LATER)
def test_three_readers_agree(kit: Any, whole: Path, independent: ModuleType, name: str) -> None:
    ours = open_store(whole).array(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs = zarr.open_array(whole / ours.name, mode="r")
        assert np.array_equal(theirs[:], ours[:])
        assert theirs.dtype == ours.dtype and theirs.shape == ours.shape
    assert np.array_equal(independent.Reader(whole).read(name), ours[:])
    if name == "image":
        error = np.abs(ours[:].astype(float) - expected(kit, name)).mean()
        assert error < 30, "4:2:0 on coloured noise is coarse, but it is the same image"
    else:
        assert np.array_equal(ours[:], expected(kit, name))


def test_tensorstore_reads_core_codecs(whole: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    for name in ("box", "present", "fits/truth/pose", "iuv/uv"):
        ours = open_store(whole).array(name)
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(whole / ours.name)}}
        assert np.array_equal(tensorstore.open(spec).result().read().result(), ours[:])


def test_zarr_python_walks_the_hierarchy(whole: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group = zarr.open_group(whole, mode="r")
        assert group["crops/image"].shape == (11, 16, 16, 3)
        assert group.attrs["provenance"]["licences"] == {"COCO annotations": "CC BY 4.0"}
        assert group["fits/truth"].attrs.asdict() == {}
        assert set(group.array_keys()) == {"_pymaf", "box", "annotation_id", "present", "reason"}
        assert set(group.group_keys()) == {"crops", "fits", "choice", "iuv"}
        walked = dict(group.members(max_depth=None))
        assert "crops/image" in walked and not [name for name in walked if name.startswith("_pymaf/")]
        assert int(group["_pymaf"][()]) == 2


def test_readers_that_lack_the_codec_list_the_root(whole: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(whole, tmp_path / "a.zarr"))
    document = store / "crops/image/zarr.json"
    document.write_text(document.read_text().replace("pymaf_data.jpeg", "nobody.jpeg"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group = zarr.open_group(store, mode="r")
        assert "crops" in group.keys() and "box" in group.array_keys()  # noqa: SIM118
        assert len(group.members()) == 9 and group["box"][:].any()
    with pytest.raises((KeyError, ValueError), match=r"nobody\.jpeg"):
        group["crops/image"]


def test_axes_have_names_as_xarray_wants_them(whole: Path) -> None:
    """Every axis has one, and one name has one length in a group."""
    groups = [path.parent for path in whole.rglob("zarr.json") if json.loads(path.read_text())["node_type"] == "group"]
    assert len(groups) > 5
    for folder in groups:
        sizes: dict[str, int] = {}
        for _, array in zarr.open_group(folder, mode="r").arrays():
            assert len(array.metadata.dimension_names) == array.ndim
            for name, size in zip(array.metadata.dimension_names, array.shape, strict=True):
                assert name and sizes.setdefault(name, size) == size


def test_rows_in_any_order(kit: Any, whole: Path) -> None:
    store = open_store(whole)
    for name in ("box", "iuv/uv", "annotation_id"):
        array, values = store.array(name), expected(kit, name)
        for wanted in ([10, 0, 3, 3, 7], np.array([4]), range(2, 9, 3), []):
            assert np.array_equal(array.rows(wanted), values[np.asarray(wanted, dtype=int)])
        assert np.array_equal(array[-1], values[-1]) and np.array_equal(array[9:2:-2], values[9:2:-2])
        assert array.rows([]).shape == (0, *values.shape[1:])
    with pytest.raises(IndexError):
        store.array("box").rows([0, 11])
    with pytest.raises(IndexError):
        store.array("box")[-12]
    with pytest.raises(ShapeError):
        store.array("box").rows([0.5])


@pytest.mark.parametrize("rows", [slice(4, 6), slice(5, 2, -1), slice(10, None), slice(0, 0), slice(None, None, 9)])
def test_an_array_for_some_rows_maps_their_shards_alone(
    whole: Path, rows: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, mapped = open_store(whole), []
    values = store.array("box")[:]
    view = LocalFiles.view
    monkeypatch.setattr(
        LocalFiles, "view", lambda files, key: mapped.append(int(key.split("/")[-2])) or view(files, key)
    )
    some, wanted = store.array("box", rows), np.arange(11)[rows]
    assert np.array_equal(some.rows(wanted), values[wanted])
    assert mapped == (list(range(wanted.min() // 4, wanted.max() // 4 + 1)) if len(wanted) else [])
    assert len(store.array("box")) == len(some) == 11


def test_a_row_is_a_copy(whole: Path) -> None:
    array = open_store(whole).array("box")
    array[0][:] = -1
    assert (array[0] != -1).all()


def test_encoded_rows_are_jpeg_files(whole: Path) -> None:
    data = bytes(open_store(whole).array("image").encoded(3))
    assert data[:3] == b"\xff\xd8\xff" and data[-2:] == b"\xff\xd9"


def test_already_encoded_chunks_give_the_same_bytes(kit: Any, whole: Path, tmp_path: Path) -> None:
    recipe = kit.recipe
    store = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with store.lock("ingest"):
        writer = store.stage("ingest", recipe.plan.digest, recipe.specs)
        for shard in reversed(writer.missing()):  # nor does the order of shards matter
            data: dict[str, Any] = {spec.name: recipe.values(spec)[writer.rows(shard)] for spec in recipe.specs}
            data["image"] = [encode_jpeg(image) for image in data["image"]]
            writer.write_shard(shard, data, digest_json(shard))
        path = writer.finish()
    reference = kit.tree(whole)
    assert all(reference[name] == data for name, data in kit.tree(path).items())


def test_a_pickled_writer_works_elsewhere(kit: Any, whole: Path, tmp_path: Path) -> None:
    recipe = kit.recipe
    store = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with store.lock("ingest"):
        writer = pickle.loads(pickle.dumps(store.stage("ingest", recipe.plan.digest, recipe.specs)))
        writer.write_shard(2, {s.name: recipe.values(s)[8:] for s in recipe.specs}, digest_json(2))
        assert writer.missing() == [0, 1] and writer.committed()[2].input_digest == digest_json(2)
        before = kit.tree(tmp_path / "a.zarr")
        # As by a worker that was given up, and had written it: the same input again is no error, other input is.
        writer.write_shard(2, {s.name: recipe.values(s)[8:] for s in recipe.specs}, digest_json(2))
        with pytest.raises(StoreChanged, match="made from other input"):
            writer.write_shard(2, {s.name: recipe.values(s)[8:] for s in recipe.specs}, digest_json(3))
        assert kit.tree(tmp_path / "a.zarr") == before
        with pytest.raises(StoreIncomplete, match="lacks shards 0, 1"):
            writer.finish()


def test_unfinished_shards_are_named_not_zero(kit: Any, tmp_path: Path) -> None:
    recipe = kit.recipe
    store = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with store.lock("ingest"):
        writer = store.stage("ingest", recipe.plan.digest, recipe.specs)
        writer.write_shard(1, {s.name: recipe.values(s)[4:8] for s in recipe.specs}, digest_json(1))
    store = open_store(tmp_path / "a.zarr")
    assert store.current("ingest").missing == [0, 2] and not store.current("ingest").complete
    assert np.array_equal(store.array("box")[4:8], recipe.values(recipe.specs[1])[4:8])
    with pytest.raises(StoreIncomplete, match=r"shard 2 \(rows 8 to 10\).*\n.*\n.*pymaf-data ingest"):
        store.array("box")[8]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("box"),
        lambda data: data.update(extra=data["box"]),
        lambda data: data.update(box=data["box"].astype("f4")),
        lambda data: data.update(box=data["box"][:2]),
        lambda data: data.update(box=data["box"][:, :2]),
        lambda data: data.update(image=[b"no jpeg"] * 4),
        lambda data: data.update(image=[encode_jpeg(np.zeros((8, 8, 3), np.uint8))] * 4),
        lambda data: data.update(image=[encode_jpeg(np.zeros((16, 16, 3), np.uint8))] * 3),
        lambda data: data.update(image=[encode_jpeg(np.zeros((16, 16, 3), np.uint8), subsampling="444")] * 4),
    ],
)
def test_wrong_data_is_refused_before_anything_is_written(kit: Any, tmp_path: Path, change: Any) -> None:
    recipe = kit.recipe
    store = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with store.lock("ingest"):
        writer = store.stage("ingest", recipe.plan.digest, recipe.specs)
        before = kit.tree(store.path)
        data: dict[str, Any] = {spec.name: recipe.values(spec)[0:4] for spec in recipe.specs}
        change(data)
        with pytest.raises(ShapeError):
            writer.write_shard(0, data, digest_json(0))
        assert kit.tree(store.path) == before


def test_what_is_no_store_is_said_so(whole: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("x")
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    zarr.create_group(tmp_path / "other.zarr")
    for path in (file, folder, tmp_path / "nothing", tmp_path / "other.zarr"):
        with pytest.raises(NotAStore):
            open_store(path)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_newer_major_is_refused(tmp_path: Path, sealed: bool) -> None:
    """Also where the newer format has another layout, so that only the root group can be read."""
    from pymaf_data.storage.records import seal

    attributes = {"format": "pymaf-data store", "format_version": "3.0"}
    (tmp_path / "_pymaf").mkdir()
    (tmp_path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}))
    if sealed:
        (tmp_path / "_pymaf/plan.json").write_bytes(seal({"format_version": "3.0"}))
    with pytest.raises(StoreVersionError, match=r"(?s)version '3.0'.*1\.x to 2\.x.*newer"):
        open_store(tmp_path)


def test_a_newer_minor_is_read(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pymaf_data.storage.records.FORMAT_VERSION", "2.7")
        path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    assert open_store(path).attrs["format_version"] == "2.7"


def test_unknown_names_are_refused(whole: Path) -> None:
    store = open_store(whole)
    with pytest.raises(UsageError, match="pose, valid"):
        store.array("fits/truth/betas")
    for name in ("iuv/../image", "crops/image"):  # the array is `image`, wherever it lies
        with pytest.raises(UsageError):
            store.array(name)
    with pytest.raises(StoreIncomplete, match="attach-fits"):
        store.array("fits/eft/pose")


def test_a_reader_pins_what_it_opened(kit: Any, tmp_path: Path) -> None:
    path = kit.everything(tmp_path / "a.zarr", kit.recipe)
    store = open_store(path)
    boxes, old = store.array("box"), store.array("box")[:]
    newer = kit.replace(kit.recipe, seed=1)
    kit.write(store, "iuv", digest_json("other"), newer, kit.iuv)
    assert store.array("iuv/uv").name != open_store(path).array("iuv/uv").name
    kit.ingest(path, newer, overwrite=True)
    assert np.array_equal(boxes[:], old), "mapped before the swap: unchanged"
    assert store.array("box") is boxes, "to open an array is to map all its shards, so it is opened once"
    with pytest.raises(StoreChanged, match="open the store again"):
        store.array("iuv/rendered")
    assert not np.array_equal(open_store(path).array("box")[:], old)


def test_a_pickled_store_shows_the_same(kit: Any, tmp_path: Path) -> None:
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    store = open_store(path)
    kit.write(open_store(path), "fits/truth", digest_json(0), kit.recipe, kit.fits)
    again = pickle.loads(pickle.dumps(store))
    assert [info.stage for info in again.stages()] == ["ingest"] and len(again) == 11
    assert np.array_equal(again.array("box")[:], store.array("box")[:])


def test_a_pickled_array_reads_the_same_or_says_that_it_cannot(kit: Any, tmp_path: Path) -> None:
    """A Dataset that holds arrays goes to spawned workers so."""
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    array = open_store(path).array("box")
    sent = pickle.dumps(array)
    assert len(sent) < 100_000, "no rows travel"
    again = pickle.loads(sent)
    assert np.array_equal(again[:], array[:]) and repr(again) == repr(array)
    shutil.rmtree(path)
    with pytest.raises(StoreChanged, match="open the store again"):
        pickle.loads(sent)


def test_generations_stand_side_by_side_until_collected(kit: Any, tmp_path: Path) -> None:
    from pymaf_data.storage import collect_garbage

    path = kit.everything(tmp_path / "a.zarr", kit.recipe)
    first = open_store(path).current("iuv").record.key
    newer = kit.replace(kit.recipe, seed=1)
    kit.write(open_store(path), "iuv", digest_json("other"), newer, kit.iuv)
    assert np.array_equal(open_store(path).array("iuv/uv")[:], newer.values(kit.iuv[0]))
    old = open_store(path).array(f"iuv/{first.short}/uv")
    assert collect_garbage(path, dry_run=True) == [first]
    assert collect_garbage(path) == [first] and collect_garbage(path) == []
    assert np.array_equal(old[:], kit.recipe.values(kit.iuv[0])), "mapped before: still readable"
    assert [info.stage for info in open_store(path).stages()] == ["choice", "fits/truth", "ingest", "iuv"]


def test_what_the_current_choice_was_made_from_is_not_collected(kit: Any, tmp_path: Path) -> None:
    from pymaf_data.storage import collect_garbage

    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    old, new, later = (digest_json(name) for name in ("old", "new", "later"))
    kit.write(open_store(path), "fits/truth", old, kit.recipe, kit.fits)
    kit.write(open_store(path), "choice", digest_json(1), kit.recipe, kit.choice, generations={"truth": old})
    kit.write(open_store(path), "fits/truth", new, kit.recipe, kit.fits)
    assert collect_garbage(path) == []
    kit.write(open_store(path), "choice", digest_json(2), kit.recipe, kit.choice, generations={"truth": new})
    assert [key.digest for key in collect_garbage(path)] == [digest_json(1), old]
    store = open_store(path)
    with store.lock("iuv"):  # begun, none complete: nothing that it shows goes
        store.stage("iuv", later, kit.iuv, {"fits": {"truth": new}})
    assert collect_garbage(path) == []


def test_a_generation_begun_otherwise_is_refused(kit: Any, tmp_path: Path) -> None:
    path = kit.everything(tmp_path / "a.zarr", kit.recipe)
    store, digest = open_store(path), open_store(path).current("iuv").generation
    with (
        store.lock("iuv"),
        pytest.raises(StoreChanged, match=r'attributes.body: the store has "free", this run has "x"'),
    ):
        store.stage("iuv", digest, kit.iuv, {"body": "x"})
    other = (ArraySpec("uv", (2, 4, 4), "u1", 1), kit.iuv[1])
    with store.lock("iuv"), pytest.raises(StoreChanged, match=r"arrays.uv.shape_per_row"):
        store.stage("iuv", digest, other, {"body": "free"})


@pytest.mark.parametrize("stage", ["", "fits", "fits/", "fits/A", "fits/../x", "iuv/0123", "render"])
def test_stages_have_fixed_names(whole: Path, stage: str) -> None:
    with pytest.raises(UsageError):
        open_store(whole).lock(stage)


def test_nothing_of_this_machine_enters_a_store(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a-telling-host-name")
    path = kit.everything(tmp_path / "a.zarr", kit.recipe)
    text = b"".join(kit.tree(path).values())
    assert str(tmp_path).encode() not in text and b"a-telling-host-name" not in text
    again = kit.everything(tmp_path / "elsewhere" / "b.zarr", kit.recipe)
    assert kit.tree(path) == kit.tree(again)


def test_one_person_is_a_store(kit: Any, memory: Path) -> None:
    alone = kit.replace(kit.recipe, persons=1)
    assert len(open_store(kit.ingest(memory / "one.zarr", alone))) == 1


def test_a_shard_that_is_missing_is_told_from_one_that_is_short(kit: Any, whole: Path, memory: Path) -> None:
    store = shutil.copytree(whole, memory / "s.zarr")
    shard = store / "box" / "c" / "1" / "0"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreDamaged, match=r"box/c/1/0 holds \d+ bytes"):
        open_store(store).array("box")[:]
    shard.unlink()
    with pytest.raises(StoreDamaged, match="box/c/1/0 is missing"):
        open_store(store).array("box")[:]


def test_what_a_killed_run_left_beside_goes_what_a_living_one_makes_stays(kit: Any, memory: Path) -> None:
    left = [memory / f".s.zarr.{name}" for name in ("new-" + "0" * 16, "new-" + "1" * 16)]
    for folder in left:
        (folder / "box").mkdir(parents=True)
    os.utime(left[0], (time.time() - 7200,) * 2)
    kit.ingest(memory / "s.zarr", kit.recipe)
    assert [folder.exists() for folder in left] == [False, True]
