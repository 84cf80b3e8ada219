"""Prefect's settings for this project.

Prefect reads its settings from the environment at import. Ours keep it a library: no telemetry, a home below the data
root, no chatter over the progress bar. A variable that the user has set is left alone. What only our own server or only
a command needs is not put into the environment at import: a script that deploys flows hands its environment on to them.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from urllib.request import getproxies_environment

from pymaf_data.errors import NotWritable, UsageError
from pymaf_data.paths import VARIABLE, DataRoot

DIRECT = "or pass --direct: the same stages run without it."

_HOME = ".prefect"
_PRIVATE = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

# Services for servers that schedule, alert and are watched; ours answers one command.
_SERVICES = (
    "CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "DB_VACUUM", "EVENT_LOGGER", "EVENT_PERSISTER", "FOREMAN",
    "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "SCHEDULER", "TASK_RUN_RECORDER", "TRIGGERS",
)  # fmt: skip

_OWN_SERVER = {
    **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _SERVICES},
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "false",
    "PREFECT_UI_ENABLED": "false",
    # Blocks, and the packages that bring some (Dask's among them, half a second of imports): nobody loads any from it.
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    # A store that it keeps nothing in checks the types of its own calls.
    "PY_KEY_VALUE_DISABLE_BEARTYPE": "true",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
}


def keep_private() -> None:
    """Nothing is told to anybody; for the environment, before Prefect is imported."""
    for key, value in _PRIVATE.items():
        os.environ.setdefault(key, value)


def home() -> Path:
    """Where Prefect keeps its database."""
    return Path(os.environ.get("PREFECT_HOME") or (DataRoot.default().path / _HOME).resolve())


def prepare_command() -> bool:
    """For a command, whose progress bar and report are what is seen; before Prefect is imported.

    Returns:
        Whether Prefect's log is to stay off the terminal: always, unless the user has set its level.
    """
    quiet = "PREFECT_LOGGING_LEVEL" not in os.environ
    os.environ.setdefault("PREFECT_CLI_PROMPT", "false")
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
        os.environ["PREFECT_HOME"] = str(home())
    return quiet


def make_home() -> None:
    """Make Prefect's home.

    Raises:
        NotWritable: it is to lie in the data root, which may not be written.
        UsageError: it cannot be made otherwise.
    """
    place, root = home(), DataRoot.default().path.absolute()
    if place == (root / _HOME).resolve() and not _may_write(root):
        raise NotWritable(
            f"the data root {root} may not be written",
            expected="a folder in which you may write",
            action=f"name another with {VARIABLE}, or change who may write there; a command that writes elsewhere only "
            f"needs another PREFECT_HOME, {DIRECT}",
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Prefect's home {place} cannot be made: {error.strerror}", action=f"set PREFECT_HOME, {DIRECT}"
        ) from None


def _may_write(folder: Path) -> bool:
    """Whether this user may write in a folder, or make it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def server_environment() -> dict[str, str]:
    """The environment of our own server: of Prefect's variables only where its database is."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PREFECT_") or "_DATABASE_" in key or key in _PRIVATE
    }
    return _PRIVATE | kept | _OWN_SERVER | {"PREFECT_HOME": str(home())}


def import_prefect() -> None:
    """Import Prefect, which takes a second.

    Raises:
        UsageError: it cannot be imported: it is not there, or a setting or a package does not fit.
    """
    collecting = gc.isenabled()
    gc.disable()  # imports make hundreds of thousands of objects that stay: collecting takes a third of their time
    try:
        import prefect.events.worker
        import prefect.flow_engine
        import prefect.task_engine  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "prefect":
            raise UsageError(
                f"Prefect cannot be imported: {error}", action=f"install pymaf-data[flows] again, {DIRECT}"
            ) from None
        raise UsageError(
            "Prefect is not installed, and flows run through it.", action=f"install pymaf-data[flows], {DIRECT}"
        ) from None
    except (ImportError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise UsageError(
            f"Prefect cannot be imported: {' '.join(str(error).split())[:300]}",
            action=f"mend the PREFECT_ variable or the package that this names, {DIRECT}",
        ) from None
    finally:
        if collecting:
            gc.enable()


def spare_loopback() -> None:
    """Keep a proxy of the environment out of connections within this machine."""
    if not getproxies_environment():
        return
    for key in ("no_proxy", "NO_PROXY"):
        names = [name.strip() for name in os.environ.get(key, "").split(",") if name.strip()]
        if "*" not in names:
            os.environ[key] = ",".join(dict.fromkeys([*names, "127.0.0.1", "localhost", "::1"]))
