"""Build the site of guides and reference: ``make docs``, into build/site.

mkdocs reads one folder, and here the pages lie about: so a tree of links, build/pages, mirrors the checkout, and links
between pages lead where they lead in the checkout. Pages below reference/ are written: mkdocs.yml names them, and each
lists what its room offers (its ``dir()``), read from the package as it installs. A link or an anchor that leads nowhere
fails the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import yaml
from installed import REPOSITORY, link_installed

BUILD = REPOSITORY / "build"
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "docs",
    "examples",
    "schemas/store.md",
)
#: What pages show or link to beside one another.
FILES = ("benchmarks/results/world.svg", "tests/vectors/worked_example.json", "manifests/coco.yaml")


def main() -> int:
    """Lay out the pages and return mkdocs' exit status."""
    shutil.rmtree(BUILD / "pages", ignore_errors=True)
    shutil.rmtree(BUILD / "installed", ignore_errors=True)
    link_installed(BUILD / "installed")
    for name in (*PAGES, *FILES):
        link = BUILD / "pages" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(REPOSITORY / name)
    config = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
    for page in _strings(config["nav"]):
        if page.startswith("reference/"):
            write_reference(BUILD / "pages" / page)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # the theme advertises its successor
    return subprocess.run(command, cwd=REPOSITORY, env=quiet, check=False).returncode


def write_reference(page: Path) -> None:
    """The page of one module, ``fits.readers.reader.md`` of ``pymaf_data.fits.readers.reader``."""
    name = "pymaf_data" if page.stem == "pymaf_data" else f"pymaf_data.{page.stem}"
    entries = [f"# {name}", f"::: {name}\n    options: {{members: []}}"]
    entries += [f"::: {home(name, member)}\n    options: {{show_root_heading: true}}" for member in offered(name)]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(entries) + "\n", encoding="utf-8")


def home(module: str, name: str) -> str:
    """Where something is written that a module offers: functions there are called as files are (``select``)."""
    value = getattr(import_module(module), name)
    own = isinstance(value, type | FunctionType) and value.__module__.startswith("pymaf_data.")
    return f"{value.__module__}.{value.__qualname__}" if own else f"{module}.{name}"


def offered(name: str) -> list[str]:
    """What a module promises: its ``__all__``, what its ``__dir__`` lists, else its own public names."""
    module = import_module(name)
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == name]
    names = getattr(module, "__all__", None) or (dir(module) if "__dir__" in vars(module) else own)
    return [key for key in names if not (key.startswith("_") or isinstance(getattr(module, key), ModuleType))]


def _strings(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _strings(entry)


if __name__ == "__main__":
    sys.exit(main())
