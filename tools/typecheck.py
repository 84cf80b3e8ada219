"""Run mypy over the package as it installs: one tree in which flows/, model/, … lie below pymaf_data.

The checkout keeps those folders at its top; mypy knows nothing of setuptools' package-dir, so a temporary tree of links
shows it the installed layout.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MAPPED = ("flows", "model", "world", "schemas", "manifests")


def main() -> int:
    """Link the tree and return mypy's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pymaf_data"
        package.mkdir()
        for entry in (REPOSITORY / "pymaf_data").iterdir():
            if entry.name != "__pycache__":
                (package / entry.name).symlink_to(entry)
        for name in MAPPED:
            (package / name).symlink_to(REPOSITORY / name)
        command = [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml")]
        cache = ["--cache-dir", str(REPOSITORY / ".mypy_cache")]
        return subprocess.run([*command, *cache, "--package", "pymaf_data"], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
