"""Prefect's settings for this project, put in place before Prefect is imported.

Prefect reads its settings from the environment at import. Ours keep it a library: an ephemeral server on loopback, no
telemetry, no heartbeat thread (it costs every flow a second), a home below the data root, and no chatter over the
progress bar. A variable that the user has set is left alone.
"""

from __future__ import annotations

import os

from pymaf_data.errors import UsageError
from pymaf_data.paths import DataRoot

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    "PREFECT_CLI_PROMPT": "false",
}


def prepare_prefect() -> None:
    """Set what is not set, then make sure that Prefect can be imported.

    Raises:
        UsageError: Prefect is not installed.
    """
    os.environ.setdefault("PREFECT_HOME", str((DataRoot.default().path / ".prefect").resolve()))
    for key, value in _DEFAULTS.items():
        os.environ.setdefault(key, value)
    try:
        import prefect  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "Prefect is not installed, and flows run through it.",
            action="install pymaf-data[flows], or pass --direct: the same stages run without it.",
        ) from None
