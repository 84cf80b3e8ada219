"""Fixtures of the fits' tests: the free body, a fitter, and persons whose bodies are known."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from pymaf_data.body import BodyModel, load_body
from pymaf_data.body.free import load_free_arrays
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.storage import Store


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture(scope="session")
def fitter(body: BodyModel) -> KeypointFitter:
    return KeypointFitter(body, KeypointOptions())


def _loaded(name: str) -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "factories" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_factory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    """``tests/factories/fits.py``."""
    return _loaded("fits")


@pytest.fixture(scope="session")
def eft() -> ModuleType:
    """``tests/factories/eft.py``."""
    return _loaded("eft")


@pytest.fixture(scope="session")
def spin() -> ModuleType:
    """``tests/factories/spin.py``."""
    return _loaded("spin")


@pytest.fixture(scope="session")
def cliff() -> ModuleType:
    """``tests/factories/cliff.py``."""
    return _loaded("cliff")


@pytest.fixture(scope="session")
def sam3dbody() -> ModuleType:
    """``tests/factories/sam3dbody.py``."""
    return _loaded("sam3dbody")


@pytest.fixture(scope="session")
def others() -> ModuleType:
    """``tests/factories/other_models.py``."""
    return _loaded("other_models")


@pytest.fixture(scope="session")
def smplx_mesh(others: ModuleType, body: BodyModel) -> Any:
    """A mesh as large as SMPL-X's on the free body."""
    return others.other_mesh(body.v_template.numpy(), body.faces.numpy(), 10475)


@pytest.fixture(scope="session")
def humandata() -> ModuleType:
    """``tests/factories/humandata.py``."""
    return _loaded("humandata")


@pytest.fixture(scope="session")
def bedlam() -> ModuleType:
    """``tests/factories/bedlam.py``."""
    return _loaded("bedlam")


@pytest.fixture(scope="session")
def known(factory: ModuleType, fitter: KeypointFitter, body: BodyModel) -> Any:
    """24 persons as ``factory.Known``."""
    return factory.make_known(fitter, body, 24, seed=5)


@pytest.fixture
def free_as_neutral(body: BodyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The free body under SMPL's name."""
    neutral = BodyModel("smpl-neutral", load_free_arrays(), body.v_template.dtype)
    monkeypatch.setattr("pymaf_data.stages.attach_source.load_body", lambda name, *_: neutral)


@pytest.fixture
def store(tmp_path: Path, factory: ModuleType, known: Any) -> Store:
    """A store of the known persons."""
    return factory.make_store(tmp_path / "s.zarr", known.persons)


@pytest.fixture(scope="session")
def published() -> ModuleType:
    """``tests/factories/published.py``."""
    return _loaded("published")


@pytest.fixture(scope="session")
def people(published: ModuleType, known: Any) -> Any:
    """The known persons as ``published.People``."""
    K, persons, truth = known.truth.native[:, :, :3], known.persons, known.truth
    trans = np.linalg.solve(K, truth.native[:, :, 3:])[..., 0]
    seen = known.joints[:, :44] @ K.transpose(0, 2, 1)
    columns = persons.names, persons.annotation_id, persons.box, truth.pose, truth.betas, K, trans
    return published.People(*columns, seen[..., :2] / seen[..., 2:])


@pytest.fixture
def mhr(others: ModuleType, body: BodyModel, sam3dbody: ModuleType, tmp_path: Path) -> Any:
    """Assets, and MHR's meshes of the free body's: its vertices, and the first of them again."""
    V, F = len(body.v_template), 36874
    up = sparse.csr_matrix(
        (np.ones(sam3dbody.VERTICES), (range(sam3dbody.VERTICES), np.arange(sam3dbody.VERTICES) % V))
    )
    faces = (np.arange(F)[:, None] + [0, 1, 2]) % sam3dbody.VERTICES
    mesh = others.Mesh(up, faces, np.arange(V), np.tile([1.0, 0, 0], (V, 1)))
    others.write_mapping(tmp_path / "assets" / "mhr" / "mhr2smpl_mapping.npz", mesh)
    others.write_ply(tmp_path / "assets" / "mhr" / "mhr_face_mask.ply", sam3dbody.VERTICES, faces)
    return tmp_path / "assets", up
