"""Prefect's settings for this project, put in place before Prefect is imported.

Prefect reads its settings from the environment at import. Ours keep it a library: an ephemeral server on loopback, no
telemetry, no heartbeat thread (it costs every flow a second), a home below the data root, and no chatter over the
progress bar. A variable that the user has set is left alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from pymaf_data.errors import UsageError
from pymaf_data.paths import DataRoot

_DIRECT = "or pass --direct: the same stages run without it."

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    "PREFECT_CLI_PROMPT": "false",
}


def prepare_prefect() -> None:
    """Set what is not set, then make sure that Prefect can be imported and has a home.

    Raises:
        UsageError: Prefect is not installed, or its home cannot be made.
    """
    home = Path(os.environ.setdefault("PREFECT_HOME", str((DataRoot.default().path / ".prefect").resolve())))
    for key, value in _DEFAULTS.items():
        os.environ.setdefault(key, value)
    try:
        home.mkdir(parents=True, exist_ok=True)
        import prefect  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "Prefect is not installed, and flows run through it.", action=f"install pymaf-data[flows], {_DIRECT}"
        ) from None
    except OSError as error:
        raise UsageError(
            f"Prefect's home {home} cannot be made: {error.strerror}", action=f"set PREFECT_HOME, {_DIRECT}"
        ) from None


def start_server() -> None:
    """Start the ephemeral server, or find the one that ``PREFECT_API_URL`` names.

    Raises:
        UsageError: it does not start, or does not answer.
    """
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            client.hello().raise_for_status()
    except Exception as error:  # whatever Prefect, its server or the connection to it raise
        url = os.environ.get("PREFECT_API_URL", "the ephemeral one")
        raise UsageError(
            f"Prefect's server ({url}) does not answer: {type(error).__name__}: {error}",
            action=f"check PREFECT_API_URL and PREFECT_HOME, {_DIRECT}",
        ) from None
