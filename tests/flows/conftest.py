"""Commands as a user starts them, in an environment and a data root of their own."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Environment = Callable[..., dict[str, str]]
ProcessesOf = Callable[[Path], list[str]]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Prefect that the server has made, which takes longer than what is tested: once for all workers of
    pytest; empty without Prefect."""
    from pymaf_data.flows import available
    from pymaf_data.flows.api import Server

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "data root" / ".prefect"
    with (shared / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if available() and not home.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PREFECT_HOME", str(home))
                with Server().running() as server:
                    server.wait()
        home.mkdir(parents=True, exist_ok=True)
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
