"""Recipes: the whole pipeline in one YAML file.

    sample → ingest → attach-fits → render-iuv → train → contact sheet → report

A recipe holds the options of each stage, without the paths that follow from the data root: raw data lies in
``raw/<dataset>``, stores in ``stores/<dataset>-<split>.zarr``, the run in ``runs/<name>``. A section that is left
out is a step that is not taken. :func:`pipeline` turns a recipe into the steps, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pymaf_data.config import StrictModel, load_yaml, read_yaml
from pymaf_data.errors import ConfigError
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.stages.executors import ExecutorOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

StageName = Literal["sample", "ingest", "attach-fits", "render-iuv", "train", "contact-sheet", "report"]

_RESOURCE = "pymaf_data.manifests.recipes"

# What runs a stage and what it takes; by name, so that a command imports its own stage alone.
_STAGES: dict[StageName, tuple[str, str]] = {
    "sample": ("pymaf_data.world.sample:write_sample", "pymaf_data.world.sample:SampleOptions"),
    "ingest": ("pymaf_data.stages.ingest:ingest", "pymaf_data.stages.ingest:IngestOptions"),
    "attach-fits": ("pymaf_data.stages.attach_fits:attach_fits", "pymaf_data.stages.attach_fits:AttachOptions"),
    "render-iuv": ("pymaf_data.stages.render_iuv:render_iuv_stage", "pymaf_data.stages.render_iuv:RenderOptions"),
    "train": ("pymaf_data.model.training:train", "pymaf_data.model.options:TrainOptions"),
    "contact-sheet": ("pymaf_data.model.preview:contact_sheet", "pymaf_data.model.preview:SheetOptions"),
    "report": ("pymaf_data.report.make:report", "pymaf_data.report.make:ReportOptions"),
}


class SampleSection(StrictModel):
    """A generated raw data set, for machines without a licensed one."""

    persons: int = Field(default=200, ge=1, description="of each split")
    held_out_persons: int | None = Field(default=None, ge=1, description="of a held-out split, where it is to differ")
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=1, ge=1)


class IngestSection(ExecutorOptions):
    """One data set and split to ingest."""

    dataset: str
    split: str = "train"
    held_out: bool = Field(default=False, description="measured on while training, and never trained on")
    select: str | None = None
    crop_size: int = Field(default=400, ge=32, le=2048)
    follow_links: bool = Field(default=False, description="take images that are links out of the raw data's folder")


class FitsSection(ExecutorOptions):
    """Sources, [NAME=]FORMAT[:PATH] each; in a path ``{raw}`` is the raw data's folder, ``{split}`` the split."""

    sources: tuple[str, ...] = Field(min_length=1)
    prefer: str | None = None


class RenderSection(ExecutorOptions):
    """The dense-correspondence maps."""

    size: int = Field(default=576, ge=16, le=1024, multiple_of=3)
    renderer: str = "auto"


class SheetSection(StrictModel):
    """The contact sheet at the end."""

    persons: int = Field(default=8, ge=1, le=100)


class ReportSection(StrictModel):
    """A page for every store, and one for the run."""

    persons: int | None = Field(default=None, ge=0, description="with images, of a store; none: as many as fit")


class Recipe(StrictModel):
    """The whole pipeline; see the module's docstring. ``train`` takes the options of ``pymaf-data train``."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="also the run's folder")
    title: str = ""
    sample: SampleSection | None = None
    ingest: tuple[IngestSection, ...] = Field(min_length=1)
    fits: FitsSection | None = None
    render: RenderSection | None = None
    train: dict[str, Any] | None = None
    sheet: SheetSection | None = None
    report: ReportSection | None = None


@dataclass(frozen=True)
class Step:
    """One call into a stage.

    Attributes:
        stage: which stage.
        title: for the progress bar.
        options: the stage's own option model.
    """

    stage: StageName
    title: str
    options: StrictModel


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by the path of its file, or by the name of one that ships with the package.

    Raises:
        ConfigError: there is none, or it does not validate.
    """
    path = as_meant(Path(name_or_path))
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return Recipe.parse(load_yaml(path), str(path))
    resource = files(_RESOURCE) / f"{name_or_path}.yaml"
    if not resource.is_file():
        raise ConfigError(
            f"no recipe named {name_or_path!r}",
            expected=f"the path of a *.yaml file, or one of: {', '.join(known_recipes())}",
            action="check the name; manifests/recipes/ holds examples.",
        )
    return Recipe.parse(read_yaml(resource.read_text(encoding="utf-8"), name_or_path), name_or_path)


def known_recipes() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(entry.name[: -len(".yaml")] for entry in files(_RESOURCE).iterdir() if entry.name.endswith(".yaml"))


def pipeline(recipe: Recipe, root: DataRoot) -> list[Step]:
    """The steps of a recipe, in order, with every path resolved below ``root``.

    Raises:
        ConfigError: the options of a stage do not validate.
    """
    return [*_data_steps(recipe, root), *_learning_steps(recipe, root), *_looking_steps(recipe, root)]


def _data_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    if recipe.sample is not None:
        # One sample per split that the recipe ingests: they are independent.
        shared = recipe.sample.model_dump(exclude={"held_out_persons"}) | {"out": root.raw("sample")}
        for split, held_out in sorted(
            {(part.split, part.held_out) for part in recipe.ingest if part.dataset == "sample"}
        ):
            fewer = recipe.sample.held_out_persons if held_out else None
            values = shared | {"split": split, "persons": fewer or recipe.sample.persons}
            yield _step("sample", f"generate the sample's {split} split", values, recipe)
    for part in recipe.ingest:
        store, raw = root.store(part.dataset, part.split), root.raw(part.dataset)
        values = part.model_dump(exclude={"held_out"}) | {"root": raw, "out": store}
        yield _step("ingest", f"ingest {part.dataset} {part.split}", values, recipe)
        if recipe.fits is not None:
            places = {"{raw}": str(raw), "{split}": part.split}
            sources = tuple(_placed(source, places) for source in recipe.fits.sources)
            values = recipe.fits.model_dump(exclude={"sources"}) | {"store": store, "fits": sources}
            yield _step("attach-fits", f"fit {store.name}", values, recipe)
    if recipe.render is not None:
        values = recipe.render.model_dump() | {"stores": stores_of(recipe, root), "shard": "all"}
        yield _step("render-iuv", "render IUV maps", values, recipe)


def _step(stage: StageName, title: str, values: dict[str, Any], recipe: Recipe) -> Step:
    return Step(stage, title, options_of(stage).parse(values, recipe.name))


def _placed(source: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        source = source.replace(name, value)
    return source


def _learning_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    if recipe.train is not None:
        yield _step("train", "train PyMAF", train_values(recipe, root), recipe)


def _looking_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    from pymaf_data.runs.folder import CHECKPOINT

    run = root.runs / recipe.name
    if recipe.sheet is not None:
        first = recipe.ingest[0]
        values = {
            "store": root.store(first.dataset, first.split),
            "raw": root.raw(first.dataset),
            "follow_links": first.follow_links,
            "out": run / "contact_sheet.png",
            "checkpoint": run / CHECKPOINT if recipe.train is not None else None,
            "persons": recipe.sheet.persons,
        }
        yield _step("contact-sheet", "draw the contact sheet", values, recipe)
    if recipe.report is not None:
        for store in stores_of(recipe, root):
            values = recipe.report.model_dump() | {"path": store}
            yield _step("report", f"report on {store.name}", values, recipe)
        if recipe.train is not None:
            yield _step("report", f"report on run {run.name}", {"path": run}, recipe)


def stores_of(recipe: Recipe, root: DataRoot) -> tuple[Path, ...]:
    """The stores that a recipe makes."""
    return tuple(root.store(part.dataset, part.split) for part in recipe.ingest)


def train_values(recipe: Recipe, root: DataRoot) -> dict[str, Any]:
    """The options of training that a recipe sets, its own stores and held-out stores among them."""
    learned = [root.store(part.dataset, part.split) for part in recipe.ingest if not part.held_out]
    held_out = [root.store(part.dataset, part.split) for part in recipe.ingest if part.held_out]
    values = {"name": recipe.name, **(recipe.train or {}), "stores": tuple(learned)}
    if held_out:
        values["validation"] = {**values.get("validation", {}), "stores": tuple(held_out)}
    return values


def run_step(step: Step, progress: Any = None) -> Any:
    """Call the stage of a step; returns its report.

    Raises:
        PymafDataError: as the stage does.
    """
    return _named(_STAGES[step.stage][0])(step.options, progress)


def options_of(stage: StageName) -> type[StrictModel]:
    """The model of a stage's options."""
    model: type[StrictModel] = _named(_STAGES[stage][1])
    return model


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
