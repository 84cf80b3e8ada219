"""A generated sample's truth, written as EFT's fits and attached: the bodies come back, each on its own person."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import FitError
from pymaf_data.fits.readers import eft as reader
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import open_store


@pytest.fixture(scope="session")
def eft() -> ModuleType:
    """``tests/factories/eft.py``."""
    path = Path(__file__).resolve().parents[1] / "factories" / "eft.py"
    spec = importlib.util.spec_from_file_location("eft_factory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries_of(pipeline: Any, eft: ModuleType) -> list[dict[str, Any]]:
    names = ("pose", "betas", "joints24", "translation", "intrinsics")
    columns = {name: pipeline.truth[name].astype(np.float64) for name in names}
    boxes, entries = pipeline.store.array("box")[:], []
    for i, (image, number) in enumerate(pipeline.store.rows):
        pose, betas, joints, translation, K = (columns[name][i] for name in names)
        keys = {"imageName": image.split("/")[-1], "annotId": number}
        entries.append(eft.entry(boxes[i], pose, betas, joints, joints[0], joints[0] - translation, K, **keys))
    return entries


def test_the_samples_truth_comes_back_through_efts_file(
    pipeline: Any, eft: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, store = entries_of(pipeline, eft), tmp_path / "store.zarr"
    path = eft.write_eft(tmp_path / "eft.json", entries)
    shutil.copytree(pipeline.store.path, store)
    (source,) = attach_fits(AttachOptions(store=store, fits=(f"eft:{path}",))).sources
    assert source.valid == source.persons == len(pipeline.store)
    assert source.reprojection is not None
    assert source.reprojection.median < 4
    pose = open_store(store).array("fits/eft/pose")[:]
    assert np.allclose(pose[:, 3:], pipeline.truth["pose"][:, 3:], atol=1e-5)

    table = reader.READER.read(path, None)
    pi = torch.tensor([entry["parm_cam"] for entry in entries], dtype=torch.float64)
    view = view_affine(pipeline.store.array("box")[:])
    camera = weak_to_camera(pi).warped(invert(view)).matrix.numpy()
    wrong = replace(reader.READER, read=lambda *_: replace(table, camera=camera, orthographic=False))
    monkeypatch.setattr(reader, "READER", wrong)
    with pytest.raises(FitError, match="do not reproject"):
        attach_fits(AttachOptions(store=store, fits=(f"spin=eft:{path}",)))
