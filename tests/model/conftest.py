"""The parity material of the released network, made once per session."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    return shared / "reference" / "pymaf_parity"


@pytest.fixture(scope="session")
def weight_fill(parity: Path) -> ModuleType:
    return load_script(parity / "weight_fill.py")


@pytest.fixture(scope="session")
def released_keys(parity: Path) -> dict[str, dict[str, Any]]:
    return json.loads((parity / "pymaf_state_dict.json").read_text())


@pytest.fixture(scope="session")
def released_state(
    released_keys: dict[str, dict[str, Any]], weight_fill: ModuleType, smpl_folder: Path
) -> dict[str, torch.Tensor]:
    """A state dict with all 441 released keys: filled weights, the body's buffers, its down-sampling matrix."""
    from pymaf_data.body import load_body

    body = load_body("smpl-neutral", smpl_folder)
    down = torch.zeros(431, 6890)
    down[torch.arange(431), body.downsample(torch.arange(6890)[None, :, None])[0, :, 0]] = 1.0
    known = {
        "Dmap": down,
        "init_pose": body.mean_pose6d[None],
        "init_shape": body.mean_betas[None],
        "init_cam": body.mean_camera[None],
        "shapedirs": body.shapedirs,
        "v_template": body.v_template,
    }
    state = {}
    for name, entry in released_keys.items():
        leaf = name.rsplit(".", 1)[-1]
        if entry["filled"]:
            state[name] = torch.from_numpy(weight_fill.value(name, tuple(entry["shape"])))
        elif leaf in known:
            state[name] = known[leaf].clone()
        else:
            state[name] = torch.zeros(entry["shape"], dtype=getattr(torch, entry["dtype"]))
    return state


@pytest.fixture(scope="session")
def released_forward(parity: Path) -> dict[str, np.ndarray]:
    with np.load(parity / "pymaf_forward.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def free_body() -> Any:
    from pymaf_data.body import load_body

    return load_body("free")


@pytest.fixture(scope="session")
def make_batch(free_body: Any) -> Callable[..., Any]:
    """``make_batch(B, seed=0, view=224)``: B fully labelled persons; images are noise, everything else agrees."""
    from pymaf_data.geometry.affines import resize
    from pymaf_data.geometry.cameras import weak_to_camera
    from pymaf_data.geometry.rotations import axis_angle_to_matrix
    from pymaf_data.loader import Batch
    from pymaf_data.render import load_atlas, render_iuv

    atlas = load_atlas("free")

    def make(B: int, seed: int = 0, view: int = 224) -> Batch:
        random = torch.Generator().manual_seed(seed)
        pose = axis_angle_to_matrix(0.2 * torch.randn(B, 24, 3, generator=random))
        pose[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ pose[:, 0]
        betas = torch.randn(B, 10, generator=random)
        camera = torch.tensor([[0.9, 0.0, 0.1]]).repeat(B, 1)
        body = free_body(pose, betas)
        iuv = render_iuv(body.vertices, camera, atlas, view // 4)
        yes = torch.ones(B, dtype=torch.bool)
        keypoints = weak_to_camera(camera).project(body.joints) / 112 - 1
        return Batch(
            image=torch.randint(0, 256, (B, 3, view, view), generator=random, dtype=torch.uint8),
            keypoints=torch.cat([keypoints, torch.ones(B, 49, 1)], dim=-1),
            joints3d=torch.cat([body.joints[:, 25:], torch.ones(B, 24, 1)], dim=-1),
            pose=pose,
            betas=betas,
            has_fit=yes,
            camera=camera,
            has_camera=yes,
            part=torch.from_numpy(iuv.part),
            uv=torch.from_numpy(iuv.uv),
            has_iuv=yes,
            turn=torch.eye(3).expand(B, 3, 3),
            has_turn=yes,
            drawn_pose=pose,
            drawn_camera=weak_to_camera(camera.double()).warped(resize(224, iuv.part.shape[-1])).matrix,
            drawn_orthographic=~yes,
            flip=~yes,
            row=torch.arange(B),
        )

    return make


@pytest.fixture(scope="module")
def shallow() -> Iterator[None]:
    """One block per stage of the backbone: a loop is tested as well on a third of the work."""
    from pymaf_data.model import state_dicts
    from pymaf_data.model.networks import resnet

    with pytest.MonkeyPatch.context() as patch:
        for name, layout in resnet.LAYOUTS.items():
            patch.setitem(resnet.LAYOUTS, name, layout._replace(blocks=(1, 1, 1, 1)))
        for block, name in (("conv3", "ResNet-50"), ("conv2", "ResNet-18")):  # what torchvision's are told by
            patch.setitem(state_dicts._RESNETS, (block, (1, 1, 1, 1)), name)
        yield


@pytest.fixture(scope="module")
def small(shallow: None) -> Iterator[None]:
    """A sixth of the parameters besides: where a run is tested, most of the work is to keep and to read its state."""
    from pymaf_data.model.networks.regressor import Regressor

    def narrow(features: int, mean: Any, dropout: float, width: int) -> Regressor:
        return Regressor(features, mean, dropout, width // 16)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pymaf_data.model.networks.resnet.WIDTH", 8)
        for user in ("pymaf", "hmr"):
            patch.setattr(f"pymaf_data.model.networks.{user}.Regressor", narrow)
        yield


@pytest.fixture(scope="session")
def feed(make_batch: Callable[..., Any]) -> Any:
    """Three batches of two persons, their views of 64 px."""
    from tests.factories.trainers import Memory

    return Memory([make_batch(2, seed, 64) for seed in range(3)])


@pytest.fixture(scope="session")
def trainer_for(free_body: Any, feed: Any) -> Callable[..., Any]:
    """``trainer_for(folder, steps, own=feed, watchers=(), **options)``: a trainer that always begins alike."""
    from pymaf_data.model import PyMAF
    from pymaf_data.model.trainer import Trainer
    from tests.factories.trainers import OPTIONS

    def build(folder: Path, steps: int, own: Any = feed, watchers: Any = (), **options: Any) -> Trainer:
        torch.manual_seed(0)
        chosen = OPTIONS.model_copy(update={"steps": steps} | options)
        return Trainer(PyMAF(free_body, chosen.model), own, chosen, folder, watchers=watchers)

    return build
