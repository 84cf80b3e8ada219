"""The stage ``iuv``: which rows get a map, in which frame, under which name, and what a crash leaves behind."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pymaf_data.body import load_body
from pymaf_data.cli.app import app
from pymaf_data.digest import digest_json
from pymaf_data.errors import AssetMismatch, FitError, NotAStore, StoreIncomplete, StoreLocked, UsageError
from pymaf_data.geometry import affines
from pymaf_data.geometry.cameras import Camera, full_frame, orthographic_view, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import load_atlas, rasterize
from pymaf_data.stages.iuv_plan import prepare, stale_maps
from pymaf_data.stages.iuv_shard import MapTask, Rows
from pymaf_data.stages.render_iuv import RenderOptions, RenderReport, StoreMaps, render_iuv_stage
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, encode_jpeg, open_store, verify

pytestmark = pytest.mark.usefixtures("no_wait_for_the_disk")
N, SHARD, CROP, SIZE = 18, 8, 400, 63
WIDTH, HEIGHT = 640, 480
KINDS = ("perspective", "orthographic", "none")
BODY = load_body("free")
MISSING = {"nothing chosen": 3, "chosen, but not valid": 9, "not finite": 17}


def persons() -> dict[str, np.ndarray]:
    """Bodies in an image, each with a camera of all three kinds; row i is chosen from source i mod 3."""
    generator = np.random.default_rng(8)
    pose = generator.normal(0, 0.25, (N, 24, 3)).astype(np.float32)
    pose[:, 0] = generator.normal([np.pi, 0, 0], 0.3, (N, 3))
    box = np.stack([generator.uniform(200, 440, N), generator.uniform(180, 300, N), generator.uniform(150, 400, N)], 1)
    pi = np.stack([generator.uniform(0.7, 1.0, N), *generator.uniform(-0.1, 0.1, (2, N))], 1).astype(np.float32)
    return {
        "pose": pose.reshape(N, 72),
        "betas": generator.normal(0, 1, (N, 10)).astype(np.float32),
        "box": box,
        "pi": pi,
    }


def native_cameras(kind: str, made: dict[str, np.ndarray]) -> Camera:
    """Cameras in image pixels that show the bodies about where the boxes are."""
    pi = torch.from_numpy(made["pi"]).double()
    image_of_view = affines.invert(affines.view_affine(made["box"]))
    if kind == "orthographic":
        return orthographic_view(pi).warped(image_of_view)
    if kind == "none":
        return weak_to_camera(pi).warped(image_of_view)
    K = torch.tensor([[[800.0, 0, WIDTH / 2], [0, 800, HEIGHT / 2], [0, 0, 1]]], dtype=torch.float64).repeat(N, 1, 1)
    z = 800 * 2 / (made["pi"][:, 0] * made["box"][:, 2])
    centre = (made["box"][:, :2] - [WIDTH / 2, HEIGHT / 2]) * z[:, None] / 800
    return full_frame(K, torch.from_numpy(np.concatenate([centre, z[:, None]], 1)))


def write(store: Store, stage: str, digest: str, arrays: dict, attributes: dict, shards: int = 3) -> None:
    specs = [
        ArraySpec(name, (CROP, CROP, 3), "u1", 1, "jpeg") if isinstance(values, list)
        else ArraySpec(name, values.shape[1:], values.dtype.str, inner_chunk=8)
        for name, values in arrays.items()
    ]  # fmt: skip
    with store.lock(stage):
        writer = store.stage(stage, digest, specs, attributes or None)
        for k in range(shards):
            writer.write_shard(k, {name: values[writer.rows(k)] for name, values in arrays.items()}, digest_json(k))
        if shards == 3:
            writer.finish()


def add_fits(path: Path, version: int = 0, choice_shards: int = 3, **overrides: object) -> None:
    made = persons()
    names = []
    for kind in KINDS:
        fits = {
            "pose": made["pose"].copy(),
            "betas": made["betas"],
            "native": native_cameras(kind, made).matrix.numpy(),
            "weak_camera": made["pi"],
            "valid": np.arange(N) != MISSING["chosen, but not valid"],
        }
        fits["pose"][MISSING["not finite"], 40] = np.nan
        if kind == "none":  # nothing may be read from a camera that its source did not have
            fits["native"] = np.zeros_like(fits["native"])
        of = {"body": "free", "body_fingerprint": BODY.fingerprint, "body_digest": BODY.digest, "native_kind": kind}
        names.append(f"fits-{kind}")
        write(open_store(path), f"fits/{names[-1]}", digest_json([kind, version]), fits, {**of, **overrides})
    source = (np.arange(N) % 3).astype(np.int16)
    source[MISSING["nothing chosen"]] = -1
    generations = {name: digest_json([kind, version]) for name, kind in zip(names, KINDS, strict=True)}
    attributes = {"sources": names, "generations": generations}
    write(open_store(path), "choice", digest_json(["choice", version]), {"source": source}, attributes, choice_shards)


def make_store(path: Path) -> Path:
    made = persons()
    plan = Plan(dataset="made", split="train", rows=tuple((f"{i:03d}.jpg", i) for i in range(N)), shard=SHARD)
    black = encode_jpeg(np.zeros((CROP, CROP, 3), np.uint8))
    ingest = {"image": [black] * N, "box": made["box"], "crop_affine": affines.crop_affine(made["box"], CROP)}
    specs = [
        ArraySpec("image", (CROP, CROP, 3), "u1", 1, "jpeg"),
        ArraySpec("box", (3,), "f8", 8),
        ArraySpec("crop_affine", (2, 3), "f8", 8),
    ]
    write(create_store(path, plan, specs, Provenance()), "ingest", plan.digest, ingest, {})
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return make_store(tmp_path / "made.zarr")


@pytest.fixture
def fitted(bare: Path) -> Path:
    add_fits(bare)
    return bare


def render(path: Path, **options: object) -> StoreMaps:
    return render_all(stores=(path,), **options).stores[0]


def render_all(progress: Callable | None = None, **options: object) -> RenderReport:
    threads = {} if "processes" in options else {"workers": 2}
    return render_iuv_stage(RenderOptions(**{"size": SIZE, **threads, **options}), progress)


def content(store: Path) -> dict[str, bytes]:
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def test_maps_show_the_chosen_fit_in_the_frame_of_the_crop(fitted: Path) -> None:
    """Every camera is applied in the image, at four samples a pixel, and looked up where the map's centres land."""
    render(fitted, size=129)
    store, made, atlas = open_store(fitted), persons(), load_atlas("free")
    pose = axis_angle_to_matrix(torch.from_numpy(made["pose"].reshape(N, 24, 3)))
    vertices = BODY(pose, torch.from_numpy(made["betas"])).vertices.detach()
    i, j = np.mgrid[:129, :129]
    for kind in range(3):
        agree = foreground = 0
        for row in range(kind, N, 3):
            if row in MISSING.values():
                continue
            native = native_cameras(KINDS[kind], made)[row].warped([[4.0, 0, 0], [0, 4, 0]])
            face = rasterize(vertices[row : row + 1], BODY.faces, native, (HEIGHT * 4, WIDTH * 4)).face[0]
            part = np.append(atlas.face_part, 0)[face]
            image_of_map = affines.invert(affines.crop_affine(made["box"][row], 129))
            landing = affines.apply(image_of_map, np.stack([j + 0.5, i + 0.5], -1).reshape(-1, 2)).reshape(129, 129, 2)
            expected = cv2.remap(part, *(landing * 4 - 0.5).astype(np.float32).transpose(2, 0, 1), cv2.INTER_NEAREST)
            inside = ((landing > 0) & (landing < [WIDTH, HEIGHT])).all(-1)
            shown = store.array("iuv/part")[row]
            union = ((shown > 0) | (expected > 0)) & inside
            agree += (shown == expected)[union].sum()
            foreground += union.sum()
        assert foreground > 1200
        print(f"{KINDS[kind]}: {agree / foreground:.4f} of {foreground}")
        assert agree >= 0.97 * foreground, KINDS[kind]


def test_sources_of_one_body_share_it(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr("pymaf_data.stages.iuv_plan.load_body", lambda name, _: loaded.append(name) or BODY)
    assert len(prepare(open_store(fitted), SIZE, "numba").sources) == len(KINDS)
    assert loaded == ["free"]


def test_rows_without_a_usable_fit_are_holes(fitted: Path) -> None:
    report = render(fitted)
    store = open_store(fitted)
    rendered = store.array("iuv/rendered")[:]
    assert np.flatnonzero(~rendered).tolist() == sorted(MISSING.values())
    part, uv = store.array("iuv/part")[:], store.array("iuv/uv")[:]
    assert not part[~rendered].any()
    assert not uv[~rendered].any()
    assert part[rendered].any((1, 2)).all()
    assert uv[rendered].any((1, 2, 3)).all()
    assert (report.persons, report.rendered, report.maps_written) == (N, N - 3, N - 3)


def test_a_second_run_has_nothing_to_do(fitted: Path) -> None:
    first = render(fitted)
    before = content(fitted)
    second = render(fitted)
    assert (first.shards_written, second.shards_written) == (3, 0)
    assert second.rendered == first.rendered
    assert content(fitted) == before


def test_parts_of_the_work_make_the_whole(fitted: Path, tmp_path: Path) -> None:
    part = render(fitted, shard="1", workers=1)
    assert (part.shards_written, part.shards_missing) == (1, (0, 2))
    assert "iuv" not in {info.stage for info in open_store(fitted).stages() if info.current}
    assert render(fitted, shard="0-1", workers=3).shards_missing == (2,)
    assert render(fitted, shard="missing").shards_missing == ()
    add_fits(make_store(tmp_path / "whole.zarr"))
    render(tmp_path / "whole.zarr", workers=1)
    assert content(fitted) == content(tmp_path / "whole.zarr")


def test_kernels_are_compiled_here_before_others_want_them(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that has a fit is drawn before the executor is asked for anything."""
    drawn: list[int] = []

    class Asked(Exception):
        pass

    def asked(*_: object) -> None:
        raise Asked

    def counted(task: MapTask, rows: Rows) -> object:
        drawn.append(int(rows.fits.valid.sum()))
        return draw(task, rows)

    draw = MapTask.render
    monkeypatch.setattr(MapTask, "render", counted)
    monkeypatch.setattr("pymaf_data.stages.executors.Processes.run", asked)
    with pytest.raises(Asked):
        render(fitted, processes=2)
    assert drawn == [1]


def test_what_changes_the_maps_changes_the_generation(fitted: Path) -> None:
    generations = [render(fitted).generation, render(fitted, size=48).generation]
    add_fits(fitted, version=1)
    generations.append(render(fitted).generation)
    assert len(set(generations)) == 3
    store = open_store(fitted)
    assert store.current("iuv").generation == generations[-1]
    assert store.array("iuv/part").shape == (N, SIZE, SIZE)
    assert store.array("iuv/uv").shape == (N, 2, SIZE // 3, SIZE // 3)
    attributes = store.current("iuv").attributes
    assert attributes["atlas_digest"] == load_atlas("free").digest
    assert attributes["choice"] == store.current("choice").generation
    assert attributes["size"] == SIZE


def test_maps_of_what_has_since_changed_are_stale_until_rendered_anew(
    fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stale_maps(open_store(fitted)) == []
    render(fitted)
    assert stale_maps(open_store(fitted)) == []
    add_fits(fitted, version=1)
    (found,) = stale_maps(open_store(fitted))
    assert (found.kind, found.is_damage) == ("stale", False)
    assert "choice of fits, fits" in found.problem
    assert verify(fitted) == []
    said = CliRunner().invoke(app, ["verify", str(fitted)])
    assert said.exit_code == 0
    assert "stale" in said.output
    render(fitted, shard="missing")
    assert stale_maps(open_store(fitted)) == []
    charts = replace(load_atlas("free"), uv=load_atlas("free").uv[::-1])
    monkeypatch.setattr("pymaf_data.stages.iuv_plan.atlas_of_body", lambda *_: charts)
    (found,) = stale_maps(open_store(fitted))
    assert found.problem == "its maps show another atlas"


def test_without_fits_it_says_what_to_attach(bare: Path) -> None:
    with pytest.raises(FitError, match=r"attach-fits .* --fits keypoints"):
        render(bare)


def test_half_a_choice_is_refused(bare: Path) -> None:
    add_fits(bare, choice_shards=2)
    with pytest.raises(StoreIncomplete, match="choice"):
        render(bare)


def test_fits_of_another_version_of_the_body_are_refused(bare: Path) -> None:
    add_fits(bare, body_digest="0" * 64)
    with pytest.raises(AssetMismatch, match="another version of body free"):
        render(bare)


def test_a_kind_of_camera_that_is_not_known_is_refused(bare: Path) -> None:
    add_fits(bare, native_kind="fisheye")
    with pytest.raises(FitError, match="fisheye"):
        render(bare)


def test_shards_and_renderers_that_are_not_there_are_refused(fitted: Path) -> None:
    with pytest.raises(UsageError, match="shard 3"):
        render(fitted, shard="0-3")
    with pytest.raises(UsageError, match="renderer"):
        render(fitted, renderer="voodoo")


def test_a_size_that_is_not_made_of_whole_blocks_is_refused(fitted: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)64 px.*take --size 63"):
        render(fitted, size=64)


def test_by_default_every_store_of_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    with pytest.raises(NotAStore, match="no store is given"):
        render_all()
    (tmp_path / "stores").mkdir()
    for name in ("a-train.zarr", "b-train.zarr"):
        add_fits(make_store(tmp_path / "stores" / name))
    assert [maps.store.name for maps in render_all().stores] == ["a-train.zarr", "b-train.zarr"]


def test_progress_counts_rows_and_tells_the_rate(fitted: Path) -> None:
    told: list[tuple[int, int, str]] = []
    render_all(lambda *report: told.append(report), stores=(fitted,))
    assert told[0][:2] == (0, N)
    assert told[-1][:2] == (N, N)
    assert told[-1][2].endswith("maps/s")


def test_a_second_run_at_the_same_time_is_refused(fitted: Path) -> None:
    def in_the_middle(*_: object) -> None:
        render(fitted)

    with pytest.raises(StoreLocked):
        render_all(in_the_middle, stores=(fitted,))
    assert render(fitted).shards_missing == ()


def render_and_tell(store: Path, told: Connection) -> None:
    torch.set_num_threads(1)  # the threads of the parent's torch do not survive the fork
    render_all(lambda done, *_: told.send(done), stores=(store,))


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments_and_run_again(tmp_path: Path, kills: int) -> None:
    add_fits(make_store(tmp_path / "whole.zarr"))
    shutil.copytree(tmp_path / "whole.zarr", tmp_path / "fitted.zarr")
    render(tmp_path / "whole.zarr")
    whole = content(tmp_path / "whole.zarr")
    moment, fork = random.Random(4), multiprocessing.get_context("fork")
    unfinished = 0
    for attempt in range(kills):
        store = shutil.copytree(tmp_path / "fitted.zarr", tmp_path / f"killed-{attempt}.zarr")
        heard, told = fork.Pipe(duplex=False)
        child = fork.Process(target=render_and_tell, args=(store, told))
        child.start()
        told.close()
        stop = moment.choice([0, 8, 16])
        while heard.recv() < stop:
            pass
        time.sleep(moment.random() * 0.01)
        child.kill()
        child.join()
        unfinished += render(store).shards_written > 0
        assert content(store) == whole
        assert not list(store.glob("_pymaf/tmp/*/*")), "what the killed run left half-written is cleared"
    assert unfinished > kills // 2 - 1, "kills that come too late test nothing"


def test_the_command(fitted: Path, bare: Path) -> None:
    command = ["render-iuv", str(fitted), "--direct", "--size", "63"]
    run = CliRunner().invoke(app, [*command, "--shard", "0"])
    assert run.exit_code == 0, run.output
    assert "7 maps of 63 px for 8 persons" in run.output
    assert "2 shards are still missing" in run.output
    run = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(run.stdout)["stores"][0]["rendered"] == N - 3
    assert "nothing to do" in CliRunner().invoke(app, command).output
