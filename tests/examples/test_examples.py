"""The examples do what they say, run as a reader would run them; docs/extending.md shows their very text."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.fits import KeypointFitter, KeypointOptions
from pymaf_data.geometry.joints import J49
from pymaf_data.loader import Batch
from pymaf_data.model import TrainOptions, load_checkpoint, train
from pymaf_data.model.networks import NETWORKS
from pymaf_data.paths import VARIABLE
from pymaf_data.storage import open_store

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
Run = Callable[..., str]


def factory(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_factory", REPOSITORY / "tests" / "factories" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run(*command)``: what it prints, in a folder and with a data root of its own.

    On the path stands a package `lab`, installed as pip leaves one, that names the examples as entry points.
    """
    site = tmp_path / "site"
    (site / "lab-1.dist-info").mkdir(parents=True)
    (site / "lab-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1\n")
    shown = re.findall(r"^```toml\n(.*?)^```", (REPOSITORY / "docs" / "extending.md").read_text(), re.M | re.S)
    named = "".join(shown).replace('entry-points."', "").replace('"]', "]").replace("project.", "")
    (site / "lab-1.dist-info" / "entry_points.txt").write_text(named.replace("lab.", "add_").replace('"', ""))
    path = os.pathsep.join(map(str, (site, EXAMPLES)))

    def call(*command: str | Path) -> str:
        environment = os.environ | {"PYTHONPATH": path, VARIABLE: str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return call


def test_extending_shows_the_files_themselves() -> None:
    text = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w+ title=\"examples/([\w.]+)\"\n(.*?)^```$", text, re.M | re.S)
    assert [name for name, _ in blocks] == [
        "add_data_set.yaml",
        "add_data_set.py",
        "add_fit_format.py",
        "add_network.py",
    ]
    for name, shown in blocks:
        assert shown == (EXAMPLES / name).read_text(encoding="utf-8"), f"docs/extending.md: copy examples/{name} anew"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_a_page(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.slow
def test_read_store(run: Run, tmp_path: Path, body: BodyModel) -> None:
    store = factory("stores").invented_store(tmp_path / "s.zarr", load_body("free"), 60, shard=32)
    said = run(EXAMPLES / "read_store.py", store.path)
    # One row in 50 has no image, one in 40 no fit.
    there = [row for row in range(60) if row % 50 != 49 and row % 40 != 39]
    brightness = np.mean([store.array("image")[row].mean() for row in there])
    assert f"58 persons in 4 batches, mean brightness {brightness:.2f}" in said
    assert "'image': (10, 3, 96, 96), 'keypoints': (10, 49, 3), 'pose': (10, 72)" in said


def test_a_person_of_read_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    store = factory("stores").invented_store(tmp_path / "s.zarr", load_body("free"), 60, shard=32)
    person = importlib.import_module("read_store").Persons(str(store.path))[45]
    assert person["row"] == 46
    assert np.array_equal(person["pose"], store.array("fits/invented/pose")[46])
    assert np.array_equal(person["image"].permute(1, 2, 0).numpy(), store.array("image")[46])
    (x, y, side), known = store.array("box")[46], store.array("keypoints")[46]
    scale = 96 / (side * 1.25 * 2**0.5)  # the stored crop is the square of κ times the box
    joint = int(np.argmax(known[:, 2]))
    expected = (known[joint, :2] - (x, y)) * scale + 48
    assert np.allclose(person["keypoints"][joint, :2], expected, atol=1e-3)


def test_train_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    store = factory("stores").invented_store(tmp_path / "s.zarr", load_body("free"), 60, shard=32)
    monkeypatch.setattr("sys.argv", ["train_loop.py", str(store.path)])
    runpy.run_path(str(EXAMPLES / "train_loop.py"), run_name="__main__")
    said = capsys.readouterr().out
    first, second = (float(value) for value in re.findall(r"loss ([\d.]+) over 59 persons", said))
    assert second < 0.98 * first, "it learns"
    assert re.search(r"^pose +\(11, 24, 3, 3\) +torch.float32 on cpu$", said, re.M)
    assert set(re.findall(r"^(\w+) +\(11", said, re.M)) == {field.name for field in fields(Batch)}


def test_render_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["render_body.py", "body.png"])
    runpy.run_path(str(EXAMPLES / "render_body.py"), run_name="__main__")
    assert "show 24 parts" in capsys.readouterr().out
    image = cv2.imread(str(tmp_path / "body.png"))
    assert image.shape == (400, 800, 3)
    lit, dense = (image[:, :400] != 235).any(2), image[:, 400:].any(2)
    assert (lit & dense).sum() > 0.98 * dense.sum() > 10_000, "the same body in both"
    edge = np.concatenate([dense[0], dense[-1], dense[:, 0], dense[:, -1]])
    assert not edge.any(), "it is seen whole"
    # The left arm is raised: on the right of the image, above the head.
    assert np.flatnonzero(dense.any(1))[0] == np.flatnonzero(dense[:, 230:].any(1))[0]


def check_sticks(path: Path) -> None:
    store = open_store(path)
    assert [name for name, _ in store.rows] == ["images/0.png", "images/1.png", "images/2.png"]
    assert store.array("present")[:].all()
    keypoints = store.array("keypoints")[:]
    left_leg = [J49.index("left_knee"), J49.index("left_ankle")]
    assert (keypoints[:, :, 2] > 0).sum(1).tolist() == [14, 12, 14]
    assert not keypoints[1, left_leg].any() and keypoints[[0, 2]][:, left_leg, 2].all()
    assert keypoints[0, J49.index("head_top_lsp"), :2].tolist() == [100.5, 25.5], "pixel 100, 25: its centre"
    # From the top of the head (y 25) to the ankles (220) are 195 px, the larger extent; 1.2 of it is the box.
    assert np.allclose(store.array("box")[0], [102.5 + 0.5, 122.5 + 0.5, 1.2 * 195])
    affine, crop = store.array("crop_affine")[0], store.array("image")[0]
    x, y = (affine[:, :2] @ [100.5, 60.5] + affine[:, 2]).astype(int)
    assert np.abs(crop[y, x].astype(int) - (200, 60, 60)).max() < 30, "the red of the figure's neck"


def test_add_data_set(run: Run, tmp_path: Path) -> None:
    assert "3 persons, 3 with an image" in run(EXAMPLES / "add_data_set.py", "made")
    check_sticks(tmp_path / "made" / "sticks.zarr")


@pytest.mark.long
def test_a_data_set_of_a_package(run: Run, tmp_path: Path) -> None:
    run("-c", "import pathlib, add_data_set; add_data_set.draw(pathlib.Path('raw'))")
    with (tmp_path / "raw" / "people.csv").open("a") as lines:
        lines.write("2.png,1,2,what\n" + "2.png" + 28 * "," + "\n\n")
    options = ("--root", "raw", "--out", "s.zarr", "--processes", "2", "--direct", "--json")
    said = json.loads(run("-m", "pymaf_data", "ingest", EXAMPLES / "add_data_set.yaml", *options))
    assert said["counts"] == {"total": 6, "kept": 3, "dropped": 3, "no_keypoints": 1, "malformed": 2}
    check_sticks(tmp_path / "s.zarr")


TWO_COMMANDS = """
from pymaf_data.cli.app import run
for words in (["fits"], ["attach-fits", "s.zarr", "--fits", "lines:bodies.jsonl", "--direct"]):
    try: run(words)
    except SystemExit as ended: assert not ended.code, words
"""


@pytest.mark.slow
def test_add_fit_format(run: Run, tmp_path: Path, body: BodyModel) -> None:
    made = factory("fits")
    known = made.make_known(KeypointFitter(body, KeypointOptions()), body, 12, seed=5)
    made.make_store(tmp_path / "s.zarr", known.persons)
    native = known.truth.native
    with (tmp_path / "bodies.jsonl").open("w") as lines:
        for i in reversed(range(12)):
            moved = np.linalg.inv(native[i, :, :3]) @ native[i, :, 3]
            entry = {
                "annotation": int(known.persons.annotation_id[i]),
                "pose": known.truth.pose[i].tolist(),
                "betas": known.truth.betas[i].tolist(),
                "translation": moved.tolist(),
                "focal": native[i, 0, 0],
                "size": [640, 480],
            }
            lines.write(json.dumps(entry) + "\n")
    assert "a .jsonl file" in run("-c", TWO_COMMANDS)
    store = open_store(tmp_path / "s.zarr")
    assert store.array("fits/lines/valid")[:].all()
    assert store.array("fits/lines/reprojection")[:].max() < 0.1
    assert np.allclose(store.array("fits/lines/pose")[:], known.truth.pose, atol=1e-6)
    assert np.allclose(store.array("fits/lines/native")[:], native, rtol=1e-9)


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield importlib.import_module("add_network").Direct
    del NETWORKS["direct"], sys.modules["add_network"]


@pytest.mark.slow
def test_add_network(direct: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("pymaf_data.model.networks.resnet.WIDTH", 8)
    store = factory("stores").invented_store(tmp_path / "s.zarr", load_body("free"), 12, shard=8)
    model = {"network": "direct", "view_size": 64, "backbone": "resnet18"}
    told = {"stores": (store.path,), "device": "cpu", "precision": "fp32", "workers": 0, "allow_partial": True}
    report = train(TrainOptions.model_validate({"steps": 3, "batch_size": 4, "model": model, "name": "own"} | told))
    assert report.step == 3
    trained = load_checkpoint(tmp_path / "runs" / "own" / "checkpoint.pt")
    assert type(trained) is direct
    mean, result = trained.eval()(torch.randn(2, 3, 64, 64)).predictions
    assert torch.equal(mean.parameters.betas[0], trained.body.mean_betas.flatten())
    assert not torch.allclose(mean.parameters.pose6d, result.parameters.pose6d, atol=1e-4), "it has learned"
    assert not torch.equal(result.vertices[0], result.vertices[1]), "it looks at the image"
    with pytest.raises(Exception, match="no auxiliary"):
        TrainOptions.model_validate({"model": model | {"auxiliary": "iuv"}})
