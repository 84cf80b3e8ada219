"""What the wheel holds: one top-level name, every room, every resource."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("pymaf_data", "flows", "model", "world", "schemas", "manifests")
RESOURCES = (".npz", ".yaml", ".json", ".md", ".typed", ".html", ".css", ".js", ".pt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the sdist, so that both are proved."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(REPOSITORY)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return next(out.glob("*.whl"))


def expected_files() -> set[str]:
    """Every module and resource of the checkout, under its installed name."""
    names = set()
    for folder in FOLDERS:
        root = REPOSITORY / folder
        for path in root.rglob("*"):
            if "__pycache__" in path.parts or path.is_dir() or path.suffix not in (".py", *RESOURCES):
                continue
            if path.suffix == ".md" and folder == "pymaf_data":
                continue  # notes beside the assets are for readers of the checkout
            inside = path.relative_to(REPOSITORY).as_posix()
            names.add(inside if folder == "pymaf_data" else f"pymaf_data/{inside}")
    return names


def test_the_wheel_holds_every_room_and_resource(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected_files()
    assert wheel.stat().st_size < 30e6


def test_pymaf_data_is_the_only_top_level_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pymaf_data"}


def test_the_sdist_carries_no_data_and_no_build_leftovers(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = [name.split("/", 1)[-1] for name in archive.getnames()]
    assert not [name for name in names if name.startswith(("data/", ".venv/", "build/"))]


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())
