"""Fixtures every room's tests share."""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# How long an example takes says how busy a machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, lest one worker end with them while the other has nothing left."""
    dear = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in dear)


def pytest_collection() -> None:
    """Modules, functions and tests by the hundred thousand are made now and stay: to look among them for cycles, now
    and for the whole session, is of no use."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is collected, of what comes."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """Background jobs of scripts ignore Ctrl-C, and so would every command that a test starts and stops by it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real raw data and parity material that may lie beside the checkout."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no reference material: {folder} is absent")
    return folder


def load_module(path: Path) -> ModuleType:
    """Import a file that belongs to no package: a factory, a tool, a benchmark."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """``once(name, make)``: a folder that ``make`` fills, once for all workers of pytest; tests do not change it."""

    def made(name: str, make: Callable[[Path], object]) -> Path:
        base = tmp_path_factory.getbasetemp()
        common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        folder = common / name
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                make(unfinished := tmp_path_factory.mktemp(name))
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def smpl_folder(shared: Path, once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A licence-free folder in PyMAF's data/ layout, written by the reference script."""
    script = shared / "reference" / "pymaf_parity" / "make_synthetic_smpl.py"
    return once("smpl", lambda folder: load_module(script).main(folder))


@pytest.fixture(scope="session")
def mpii() -> ModuleType:
    """The writer of small releases of MPII, ``tests/factories/mpii.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "mpii.py")


@pytest.fixture(scope="session")
def leeds() -> ModuleType:
    """The writer of small releases of LSP and its extended set, ``tests/factories/lsp.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "lsp.py")


@pytest.fixture(scope="session")
def up_3d() -> ModuleType:
    """The writer of small releases of UP-3D, ``tests/factories/up_3d.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "up_3d.py")


@pytest.fixture(scope="session")
def npz() -> ModuleType:
    """The writer of files of SPIN's dataset_extras, ``tests/factories/npz.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "npz.py")


@pytest.fixture(scope="session")
def coco() -> ModuleType:
    """The factory of small data sets in COCO's layout, ``tests/factories/coco.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "coco.py")


@pytest.fixture(scope="session")
def h36m() -> ModuleType:
    """The writer of small releases of Human3.6M, ``tests/factories/h36m.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "h36m.py")


@pytest.fixture(scope="session")
def threedpw() -> ModuleType:
    """The writer of 3DPW's sequences, ``tests/factories/threedpw.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "threedpw.py")


@pytest.fixture(scope="session")
def threedoh50k() -> ModuleType:
    """The writer of small 3DOH50Ks, ``tests/factories/threedoh50k.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "threedoh50k.py")


@pytest.fixture(scope="session")
def ssp3d() -> ModuleType:
    """The writer of small SSP-3Ds, ``tests/factories/ssp3d.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "ssp3d.py")


@pytest.fixture(scope="session")
def mat73() -> ModuleType:
    """The writer of Matlab's v7.3 files, ``tests/factories/mat73.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "mat73.py")


@pytest.fixture(scope="session")
def tdhp() -> ModuleType:
    """The writer of small MPI-INF-3DHPs, ``tests/factories/tdhp.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "tdhp.py")


@pytest.fixture(scope="session")
def openpose() -> ModuleType:
    """The writer of OpenPose's detections, ``tests/factories/openpose.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "openpose.py")


@pytest.fixture(scope="session")
def keypoint_sets() -> ModuleType:
    """The writer of small keypoint sets in COCO's format and close to it, ``tests/factories/keypoint_sets.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "keypoint_sets.py")


@pytest.fixture(scope="session")
def subjects() -> ModuleType:
    """Subjects whose bodies a test gives, ``tests/factories/subjects.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "subjects.py")


@pytest.fixture(scope="session")
def worlds_of() -> ModuleType:
    """Raw data sets of known bodies, ``tests/factories/measured_worlds.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "measured_worlds.py")


@pytest.fixture(scope="session")
def worlds() -> ModuleType:
    """Every kind of raw data set in small, ``tests/factories/worlds.py``."""
    return load_module(REPOSITORY / "tests" / "factories" / "worlds.py")


@pytest.fixture(scope="session")
def kill() -> ModuleType:
    """SIGKILL at a chosen file operation, ``tests/measures/kill.py``."""
    return load_module(REPOSITORY / "tests" / "measures" / "kill.py")


@pytest.fixture(scope="session")
def warps() -> ModuleType:
    """Measures of warped maps against rendered ones, ``tests/measures/warps.py``."""
    return load_module(REPOSITORY / "tests" / "measures" / "warps.py")


@pytest.fixture(scope="session")
def scenes() -> ModuleType:
    """Bodies and cameras on which two rasterizers are compared, ``benchmarks/_scenes.py``."""
    return load_module(REPOSITORY / "benchmarks" / "_scenes.py")


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """Faults planted into good fits, ``benchmarks/_faults.py``."""
    return load_module(REPOSITORY / "benchmarks" / "_faults.py")


@pytest.fixture(scope="session")
def former() -> ModuleType:
    """The writer of stores of format 1.2, ``tests/storage/former_format.py``."""
    return load_module(REPOSITORY / "tests" / "storage" / "former_format.py")


@pytest.fixture(scope="session")
def independent() -> ModuleType:
    """The reader that knows stores from ``schemas/store.md`` alone, ``tests/storage/independent_reader.py``."""
    return load_module(REPOSITORY / "tests" / "storage" / "independent_reader.py")
