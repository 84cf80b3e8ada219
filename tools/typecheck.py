"""Run mypy over the package as it installs: one tree in which flows/, model/, … lie below pymaf_data."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from installed import REPOSITORY, link_installed


def main() -> int:
    """Link the tree and return mypy's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        link_installed(Path(folder))
        command = [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml")]
        cache = ["--cache-dir", str(REPOSITORY / ".mypy_cache")]
        return subprocess.run([*command, *cache, "--package", "pymaf_data"], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
