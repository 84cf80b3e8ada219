"""The site of guides and reference builds without a warning, leads nowhere in vain, and lists what is offered."""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import pymaf_data
from pymaf_data.datasets import known_manifests
from pymaf_data.model.benchmarks.manifest import known_benchmarks

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = sorted({*dir(pymaf_data), "datasets", "errors"} - {"__version__", "open_store"})


class Page(HTMLParser):
    """What a page leads to and shows, and the places in it that can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name == "id" and value:
                self.places.add(value)


@pytest.fixture(scope="module")
def site(once: Callable[[str, Callable[[Path], object]], Path]) -> dict[Path, Page]:
    def build(_: Path) -> None:
        command = [sys.executable, str(REPOSITORY / "tools" / "pages.py")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "WARNING" not in said, said

    once("site", build)
    return {path: Page(path) for path in (REPOSITORY / "build" / "site").rglob("*.html")}


@pytest.mark.long
def test_nothing_leads_nowhere(site: dict[Path, Page]) -> None:
    broken = []
    for path, page in site.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            found = there.is_file() and (
                not parts.fragment or there not in site or parts.fragment in site[there].places
            )
            if not found and target != "#":
                broken.append(f"{path.name}: {target}")
    assert not broken and sum(len(page.targets) for page in site.values()) > 1000


@pytest.mark.long
@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_lists_what_a_room_offers(room: str, site: dict[Path, Page]) -> None:
    module = importlib.import_module(f"pymaf_data.{room}")
    offered = [name for name in getattr(module, "__all__", dir(module)) if name[0] != "_"]
    if room in ("flows", "errors"):  # flows are made when asked for; errors are named by their tree
        offered = [name for name in offered if name.endswith("Error")]
    # Of those that list nothing, without the modules below them that somebody imported.
    offered = [name for name in offered if not isinstance(getattr(module, name), ModuleType)]
    shown = {place.rpartition(".")[2] for place in site[REPOSITORY / f"build/site/reference/{room}.html"].places}
    assert set(offered) <= shown


@pytest.mark.long
def test_pages_ask_no_server(site: dict[Path, Page]) -> None:
    """Links may lead away; what a page loads by itself is its own."""
    for path in site:
        text = path.read_text(encoding="utf-8")
        assert 'src="http' not in text and 'rel="stylesheet" href="http' not in text


def test_every_guide_is_in_the_contents() -> None:
    nav = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = str(nav)
    for path in (REPOSITORY / "docs").rglob("*.md"):
        assert path.relative_to(REPOSITORY).as_posix() in listed
    for room in ROOMS:
        assert f"reference/{room}.md" in listed


def test_the_table_of_benchmarks_is_as_the_manifests_say() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools" / "benchmarks_table.py"))
    text = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["page"](text) == text, "run: python tools/benchmarks_table.py"
    for name in known_benchmarks():
        assert f"| `{name}`<br>" in text, "every benchmark has a row"


def test_the_table_of_data_sets_is_as_the_manifests_say() -> None:
    command = [sys.executable, str(REPOSITORY / "tools" / "datasets_table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (REPOSITORY / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in known_manifests():
        assert f"`ingest {name}`" in text, "every data set has a row"
