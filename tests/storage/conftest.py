"""Small stores with every stage, made the way the stages make them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.digest import digest_json
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, open_store

INGEST = (
    ArraySpec("image", (16, 16, 3), "u1", 1, "jpeg", "crops"),
    ArraySpec("box", (3,), "f8", 2),
    ArraySpec("annotation_id", (), "i8", 4),
    ArraySpec("present", (), "bool", 4),
    ArraySpec("reason", (), "u1", 4),
)
FITS = (ArraySpec("pose", (72,), "f4", 4), ArraySpec("valid", (), "bool", 4))
CHOICE = (ArraySpec("source", (), "i2", 4),)
IUV = (ArraySpec("uv", (2, 8, 8), "u1", 1), ArraySpec("rendered", (), "bool", 4))


@dataclass(frozen=True)
class Recipe:
    """What goes into a store: equal recipes give equal bytes."""

    persons: int = 11
    shard: int = 4
    seed: int = 0
    specs: tuple[ArraySpec, ...] = INGEST
    options: dict[str, int] = field(default_factory=lambda: {"crop_size": 16})
    versions: dict[str, str] = field(default_factory=lambda: {"opencv": "4.14"})

    @property
    def plan(self) -> Plan:
        rows = tuple((f"{i // 2:04d}.jpg", 100 + i) for i in range(self.persons))
        return Plan(
            dataset="coco",
            split="train",
            rows=rows,
            manifest_digest=digest_json("manifest"),
            inputs={"annotations/train.json": digest_json(self.seed)},
            options=self.options,
            shard=self.shard,
        )

    @property
    def provenance(self) -> Provenance:
        return Provenance(
            counts={"total": 20, "kept": self.persons, "incomplete": 20 - self.persons},
            expected={"kept": 12},
            versions=self.versions,
            licences={"COCO annotations": "CC BY 4.0"},
            attributes={"reasons": ["", "cannot be decoded"]},
        )

    def values(self, spec: ArraySpec) -> np.ndarray:
        """Every row of an array, without all-zero luck: some inner chunks are zero on purpose."""
        rng = np.random.default_rng([self.seed, *spec.name.encode()])
        shape = (self.persons, *spec.shape_per_row)
        if spec.name == "present":
            return np.arange(self.persons) != 2
        if spec.name == "reason":
            return (np.arange(self.persons) == 2).astype(np.uint8)
        if spec.dtype.startswith("float"):
            values = rng.normal(size=shape).astype(spec.dtype)
        else:
            values = rng.integers(0, 2 if spec.dtype == "bool" else 120, size=shape).astype(spec.dtype)
        values[4:8] = 0
        return values


def write(
    store: Store, stage: str, digest: str, recipe: Recipe, specs: tuple[ArraySpec, ...], **attributes: object
) -> Path:
    """Do what is missing of a stage and finish it."""
    values = {spec.name: recipe.values(spec) for spec in specs}
    with store.lock(stage):
        writer = store.stage(stage, digest, specs, attributes)
        for shard in writer.missing():
            rows = writer.rows(shard)
            writer.write_shard(shard, {name: array[rows] for name, array in values.items()}, digest_json(shard))
        return writer.finish()


def ingest(path: Path, recipe: Recipe, overwrite: bool = False) -> Path:
    """The stage `ingest` alone."""
    plan = recipe.plan
    store = create_store(path, plan, recipe.specs, recipe.provenance, overwrite)
    return write(store, "ingest", plan.digest, recipe, recipe.specs)


def everything(path: Path, recipe: Recipe, overwrite: bool = False) -> Path:
    """A store with every kind of stage."""
    path = ingest(path, recipe, overwrite)
    stages = (
        ("fits/truth", FITS, {"licences": {"fits": "MIT"}}),
        ("choice", CHOICE, {}),
        ("iuv", IUV, {"body": "free", "atlas": {"name": "free", "digest": "0"}}),
    )
    for stage, specs, attributes in stages:
        write(open_store(path), stage, digest_json([stage, recipe.seed]), recipe, specs, **attributes)
    return path


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a store with its bytes; locks are no content."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    named = {str(path.relative_to(root)): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith("_pymaf/locks/")}


class Kit:
    """What the tests of this room share."""

    recipe = Recipe()
    fits, choice, iuv = FITS, CHOICE, IUV
    ingest = staticmethod(ingest)
    everything = staticmethod(everything)
    write = staticmethod(write)
    tree = staticmethod(tree)
    replace = staticmethod(replace)
    digest = staticmethod(digest_json)


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: these tests do thousands of fsyncs."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def whole(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete store; tests do not change it."""
    return kit.everything(tmp_path_factory.mktemp("whole") / "coco-train.zarr", kit.recipe)
