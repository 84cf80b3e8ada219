"""The package as it installs, for tools that know nothing of setuptools' package-dir: links into the checkout."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MAPPED = ("flows", "model", "world", "schemas", "manifests")


def link_installed(folder: Path) -> None:
    """Make ``folder/pymaf_data``, in which flows/, model/, … lie below the package: folders, and links to files."""
    homes = {REPOSITORY / "pymaf_data": folder / "pymaf_data"}
    homes |= {REPOSITORY / name: folder / "pymaf_data" / name for name in MAPPED}
    for home, place in homes.items():
        for path in home.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                link = place / path.relative_to(home)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
