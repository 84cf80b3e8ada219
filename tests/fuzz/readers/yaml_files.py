"""Manifests and recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .reader import Reader


def _write_yaml(package: str, name: str) -> Callable[[Path], Iterator[Path]]:
    def write(folder: Path) -> Iterator[Path]:
        from importlib.resources import files

        path = folder / "file.yaml"
        path.write_bytes((files(package) / name).read_bytes())
        yield path

    return write


def _read_manifest(folder: Path) -> Any:
    from pymaf_data.datasets.manifest import load_manifest

    return load_manifest(folder / "file.yaml")


def _read_recipe(folder: Path) -> Any:
    from pymaf_data.paths import DataRoot
    from pymaf_data.recipe import load_recipe, pipeline

    return pipeline(load_recipe(str(folder / "file.yaml")), DataRoot(folder))


READERS = {
    "manifest": Reader(_write_yaml("pymaf_data.manifests", "coco.yaml"), _read_manifest),
    "recipe": Reader(_write_yaml("pymaf_data.manifests.recipes", "demo.yaml"), _read_recipe),
}
