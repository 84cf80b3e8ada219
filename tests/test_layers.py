"""Data flows one way: a room may import only rooms that stand below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pymaf_data.stages.registry import STAGES

REPOSITORY = Path(__file__).resolve().parents[1]

# From the ground up. Rooms on one floor stand side by side and do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("cores", "near", "plain"),
    ("errors",),
    ("untrusted",),
    ("config", "digest", "progress"),
    ("paths",),
    ("asset_files",),
    ("kernels",),
    ("geometry",),
    ("body", "crop", "storage"),
    ("finder", "render"),
    ("datasets",),
    ("fits",),
    ("stages",),
    ("loader", "metrics", "runs"),
    ("report", "doctor"),
    ("model",),
    ("recipe",),
    ("flows",),
    # The world stands beside the command line: nothing below may import it, its stage is called by name.
    ("cli", "world"),
    ("__main__",),
)
# Data packages: any room may open them, they import nothing of the package.
DATA = ("schemas", "manifests")
FLOOR_OF = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FOLDERS = {"pymaf_data": REPOSITORY / "pymaf_data", "pymaf_data.flows": REPOSITORY / "flows"}
FOLDERS |= {f"pymaf_data.{name}": REPOSITORY / name for name in ("model", "world")}


def modules() -> list[tuple[str, Path]]:
    """Every module as (dotted name as installed, file)."""
    found = []
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found.append((".".join([package, *(part for part in parts if part != "__init__")]), path))
    return found


@cache
def imported(name: str, path: Path) -> set[str]:
    """Dotted names that the module imports anywhere, also inside functions; relative ones resolved."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join(parents[: len(parents) - node.level + 1] + ([node.module] if node.module else []))
            names.update({f"{base}.{alias.name}" for alias in node.names})
    return names


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_downward(name: str, path: Path) -> None:
    own = room(name)
    if own == "":
        return  # pymaf_data/__init__.py offers names lazily and may point anywhere
    assert own in FLOOR_OF, f"{name}: give the new room '{own}' a floor in FLOORS"
    for target in imported(name, path):
        if not target.startswith("pymaf_data."):
            continue
        other = room(target)
        if other in (own, "__version__", *DATA):
            continue
        assert other in FLOOR_OF, f"{name} imports {target}, whose room has no floor"
        assert FLOOR_OF[other] < FLOOR_OF[own], f"{name} imports {target}: '{other}' does not stand below '{own}'"


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_prefect_and_dask_stay_in_flows(name: str, path: Path) -> None:
    if room(name) == "flows":
        return
    orchestration = {"prefect", "dask", "distributed"}
    assert not orchestration & {target.split(".")[0] for target in imported(name, path)}


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_training_needs_neither_prefect_nor_dask() -> None:
    loaded = loaded_after("import pymaf_data.model.trainer, pymaf_data.loader, pymaf_data.cli.app")
    assert not {"prefect", "dask", "distributed"} & loaded


HEAVY = {"torch", "numba", "zarr", "cv2", "scipy", "numpy"}
LISTED = """
from pymaf_data.cli.app import run
for words in {words}:
    try: run(words)
    except SystemExit as ended: assert not ended.code, words
"""


def test_listing_commands_imports_none() -> None:
    loaded = loaded_after(LISTED.format(words=[["--help"], ["--version"]]))
    commands = {path.stem for path in (REPOSITORY / "pymaf_data" / "cli").glob("*.py")} - {"__init__"}
    floor = {f"pymaf_data.cli.{name}" for name in commands & {"app", "say", "signals"}}
    assert {name for name in loaded if name.startswith("pymaf_data.cli.")} == floor
    assert not (HEAVY | {"pydantic", "yaml", "pymaf_data.recipe"}) & loaded


def test_explaining_commands_imports_options_alone() -> None:
    names = [*STAGES, "datasets", "run", "inspect", "verify", "gc", "fits", "doctor"]
    loaded = loaded_after(LISTED.format(words=[[name, "--help"] for name in names if name != "contact-sheet"]))
    assert not HEAVY & loaded
    assert {"pymaf_data.stages.options", "pymaf_data.model.options", "pymaf_data.world.options"} <= loaded


def test_options_are_read_without_what_they_are_for() -> None:
    loaded = loaded_after("from pymaf_data.stages.registry import STAGES\nfor one in STAGES.values(): one.model()")
    assert not HEAVY & loaded


def test_what_options_repeat_of_heavy_modules_is_the_same() -> None:
    from pymaf_data.geometry.affines import CROP_SIZE
    from pymaf_data.render.stored import MAP_SIZE, UV_BLOCK
    from pymaf_data.stages.options import BLOCK, IngestOptions, RenderOptions

    assert (IngestOptions().crop_size, RenderOptions().size, BLOCK) == (CROP_SIZE, MAP_SIZE, UV_BLOCK)
