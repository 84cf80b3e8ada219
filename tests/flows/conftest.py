"""Commands as a user starts them, in an environment and a data root of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Environment = Callable[..., dict[str, str]]
ProcessesOf = Callable[[Path], list[str]]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Prefect that the server has made, which takes longer than what is tested; empty without Prefect."""
    from pymaf_data.flows import available
    from pymaf_data.flows.api import Server

    home = tmp_path_factory.mktemp("prefect") / "data root" / ".prefect"
    if not available():
        home.mkdir(parents=True)
        return home
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        with Server().running() as server:
            server.wait()
    return home


@pytest.fixture(scope="session")
def environment(database: Path) -> Environment:
    """``environment(root, **more)``: variables for a command over this data root, whose flows have a database."""

    def of(root: Path, **more: str) -> dict[str, str]:
        if not (root / ".prefect").exists():
            shutil.copytree(database, root / ".prefect")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        return kept | {"PYMAF_DATA_ROOT": str(root), "COLUMNS": "200"} | more

    return of


@pytest.fixture(scope="session")
def processes_of() -> ProcessesOf:
    """``processes_of(root)``: command lines of what runs for a data root, by its environment; zombies have none."""

    def of(root: Path) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"PYMAF_DATA_ROOT={root}\0".encode() in (process / "environ").read_bytes():
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found += [line] if line else []
            except OSError:
                continue  # it ended meanwhile
        return found

    return of
