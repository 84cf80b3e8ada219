"""Recipes: the whole pipeline in one YAML file.

    sample → ingest → attach-fits → render-iuv → train → evaluate → contact sheet → figures → report

A recipe holds the options of each stage, without the paths that follow from the data root: raw data lies in
``raw/<dataset>``, stores in ``stores/<dataset>-<split>.zarr``, the run in ``runs/<name>``. Files of persons (``npz``)
and annotation files of one's own (``dataset: my.json``) lie anywhere, and so do their ``images``. A section that is
left out is a step that is not taken. A recipe may say what another one says: ``extends: NAME``; what it says itself
stands over that, section by section, key by key. ``after: NAME`` is the stage before this one: its steps are taken too,
and training starts from its network. :func:`pipeline` turns a recipe into the steps, in order.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pymaf_data.config import StrictModel, load_yaml, read_yaml
from pymaf_data.cores import available_cores
from pymaf_data.errors import ConfigError
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.rule import ChooseOptions
from pymaf_data.model.networks import NETWORKS
from pymaf_data.model.options import TrainOptions
from pymaf_data.paths import DataRoot, UserPath, as_meant
from pymaf_data.stages.executors import ExecutorOptions
from pymaf_data.stages.options import MapSize
from pymaf_data.stages.registry import STAGES, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RESOURCE = "pymaf_data.manifests.recipes"
_DEEPEST = 8  # recipes that extend or follow one another
_OF_ITSELF = ("name", "title", "published")  # is not taken over by a recipe that extends it


class SampleSection(StrictModel):
    """A generated raw data set, for machines without a licensed one."""

    persons: int = Field(default=200, gt=0, le=1_000_000, description="of each split")
    held_out_persons: int | None = Field(default=None, ge=1, description="of a held-out split, where it is to differ")
    seed: int = Field(default=0, ge=0)
    size: tuple[int, int] = Field(default=(640, 480), description="width and height of the images")
    workers: int = Field(default=1, ge=1, le=256)
    backgrounds: UserPath | None = Field(default=None, description="images to take instead of drawn places")
    noise: float = Field(default=0.0, ge=0.0, le=3.0, description="of the annotations")
    masks: Literal["rle", "polygon"] = "rle"


class FitsSection(ExecutorOptions):
    """Sources, [NAME=]FORMAT[:PATH] each; in a path ``{raw}`` is the raw data's folder, ``{split}`` the split,
    ``{assets}`` the folder of assets."""

    sources: tuple[str, ...] = Field(min_length=1)
    prefer: str | None = Field(default=None, description="as `choose: {prefer: [NAME]}`")
    choose: ChooseOptions = ChooseOptions()
    keypoints: KeypointOptions = KeypointOptions()
    allow_unproved: bool = False
    force: bool = False


class IngestSection(ExecutorOptions):
    """One data set and split to ingest, by its name, a manifest (*.yaml) or an annotation file (*.json); or an npz."""

    dataset: str
    npz: UserPath | None = Field(default=None, description="of the data set npz: the file whose persons to take")
    images: UserPath | None = Field(
        default=None, description="of npz or an annotation file: the folder that the names of its images begin in"
    )
    files: tuple[UserPath, ...] = Field(
        default=(), description="of the data set video: the videos; of images: the folder"
    )
    detections: UserPath | None = Field(
        default=None, description="of videos and images: the persons found in them, a file or a folder"
    )
    finder: UserPath | None = Field(default=None, description="of images: the file of the networks that find persons")
    split: str = "train"
    held_out: bool = Field(default=False, description="measured on while training, and never trained on")
    benchmark: bool = Field(default=False, description="for `evaluate` alone: no maps, not seen while training")
    fits: FitsSection | None = Field(default=None, description="its own, instead of the recipe's")
    select: str | None = None
    thin: str | None = Field(default=None, description="of sequences: every:N, or motion:100mm; else as published")
    option: tuple[str, ...] = Field(default=(), description="of the data set's reader, such as masks=true")
    openpose: UserPath | None = Field(default=None, description="folder of OpenPose's detections")
    crop_size: int = Field(default=400, ge=32, le=2048)
    workers: int = Field(default_factory=available_cores, ge=1)
    on_error: Literal["skip", "stop"] = "skip"
    follow_links: bool = Field(default=False, description="take images that are links out of the raw data's folder")

    @property
    def of_file(self) -> bool:
        """Whether a file says who there is, wherever it lies."""
        return bool(self.npz or self.files) or self.dataset.casefold().endswith(".json")

    @property
    def named(self) -> tuple[str, str]:
        """What data set and split are called, in the names of stores too: after the file, where it is one."""
        if self.files or not (self.of_file or self.dataset.endswith((".yaml", ".yml"))):
            return self.dataset, self.split
        from pymaf_data.datasets.own import names_of  # which imports NumPy

        return names_of(self.dataset, self.npz, self.split)


class RenderSection(ExecutorOptions):
    """The dense-correspondence maps."""

    size: MapSize = 576
    renderer: str = "auto"
    workers: int = Field(default_factory=available_cores, ge=1)


class EvaluateSection(StrictModel):
    """What the trained network is measured on; stores of benchmarks lie below the data root."""

    benchmarks: tuple[str, ...] = ()
    crop: Literal["store", "spin", "spin-nearest"] = "store"
    option: tuple[str, ...] = Field(default=(), description="of a benchmark, such as 3dpw.truth=neutral")
    iterations: bool = False
    persons: int | None = Field(default=None, ge=1)
    bootstrap: int = Field(default=1000, ge=0)
    batch_size: int = Field(default=32, ge=1)
    workers: int = Field(default=2, ge=1)
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"


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
    published: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="what the paper reports of it: iteration → metric of its benchmark → figure"
    )
    after: str | None = Field(
        default=None, description="the recipe of the stage before, whose network training starts from: name or path"
    )
    sample: SampleSection | None = None
    ingest: tuple[IngestSection, ...] = Field(min_length=1)
    fits: FitsSection | None = None
    render: RenderSection | None = None
    train: dict[str, Any] | None = None
    evaluate: EvaluateSection | None = None
    sheet: SheetSection | None = None
    figures: dict[str, Annotated[int, Field(ge=1, le=64)]] = Field(
        default_factory=dict,
        description="of the trained network, as `pymaf-data figure` draws them: name → persons; of the held-out store, "
        "else of the first",
    )
    report: ReportSection | None = None


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by the path of its file, or by the name of one that ships with the package.

    Raises:
        ConfigError: there is none, it extends itself, or it does not validate.
    """
    return Recipe.parse(_extended(name_or_path, ()), name_or_path)


def _extended(name_or_path: str, above: tuple[str, ...]) -> Any:
    """What a recipe says, over what the one says that it extends."""
    data = _said_by(name_or_path)
    if not isinstance(data, dict) or "extends" not in data:
        return data
    base = data.pop("extends")
    if not isinstance(base, str) or base in above or len(above) >= _DEEPEST:
        raise ConfigError(
            f"{name_or_path} extends {base!r:.80}" + f", which extends it: {' → '.join(above)}" * (base in above),
            expected="the name of a recipe, or the path of one",
            action="name one that does not lead back.",
        )
    below = _extended(base, (*above, name_or_path))
    if isinstance(below, dict):
        below = {key: value for key, value in below.items() if key not in _OF_ITSELF}
    return _over(below, data)


def _over(base: Any, own: Any) -> Any:
    """Sections key by key; anything else is said anew."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    return {**base, **{key: _over(base[key], value) if key in base else value for key, value in own.items()}}


def _said_by(name_or_path: str) -> Any:
    path = as_meant(Path(name_or_path))
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load_yaml(path)
    resource = files(_RESOURCE) / f"{name_or_path}.yaml"
    if not resource.is_file():
        raise ConfigError(
            f"no recipe named {name_or_path!r}",
            expected=f"the path of a *.yaml file, or one of: {', '.join(known_recipes())}",
            action="`pymaf-data recipes` says what each does; manifests/recipes/ holds them.",
        )
    return read_yaml(resource.read_text(encoding="utf-8"), name_or_path)


def known_recipes() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(entry.name[: -len(".yaml")] for entry in files(_RESOURCE).iterdir() if entry.name.endswith(".yaml"))


def pipeline(recipe: Recipe, root: DataRoot) -> list[Step]:
    """The steps of a recipe, in order, with every path resolved below ``root``.

    Raises:
        ConfigError: the options of a stage do not validate, or it trains another network than the stage before.
    """
    chain = _with_those_before(recipe)
    parts = (_data_steps, _learning_steps, _looking_steps)
    steps = [step for part in parts for one in chain for step in part(one, root)]
    return [step for number, step in enumerate(steps) if step not in steps[:number]]


def _with_those_before(recipe: Recipe) -> list[Recipe]:
    """A recipe and those that come before it, the first one first.

    Raises:
        ConfigError: they lead back, or one trains nothing.
    """
    chain = [recipe]
    while (name := chain[0].after) is not None:
        before = load_recipe(name)
        if before.train is None or before.name in {one.name for one in chain} or len(chain) >= _DEEPEST:
            raise ConfigError(
                f"{chain[0].name} comes after {name!r:.80}, "
                + ("which trains nothing" if before.train is None else "which comes after it, or has its name"),
                expected="a recipe that trains, of another name",
                action="correct `after`.",
            )
        chain.insert(0, before)
    return chain


def _data_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    if recipe.sample is not None:
        # One sample per split that the recipe ingests: they are independent.
        shared = _said(recipe.sample, "held_out_persons") | {"out": root.raw("sample")}
        for split, held_out in sorted(
            {(part.split, part.held_out) for part in recipe.ingest if part.dataset == "sample"}
        ):
            fewer = recipe.sample.held_out_persons if held_out else None
            values = shared | {"split": split, "persons": fewer or recipe.sample.persons}
            yield _step("sample", f"generate the sample's {split} split", values, recipe)
    for part in recipe.ingest:
        name, split = part.named
        store, raw = root.store(name, split), root.raw(name)
        # An annotation file's root follows from where it and its images lie.
        values = (
            _said(part, "held_out", "benchmark", "fits")
            | {"out": store}
            | ({"root": raw} if part.npz or not part.of_file else {})
        )
        yield _step("ingest", f"ingest {name} {split}", values, recipe)
        fits = part.fits or recipe.fits
        if fits is not None:
            places = {"{raw}": str(part.images or raw), "{split}": split, "{assets}": str(root.assets)}
            sources = tuple(_placed(source, places) for source in fits.sources)
            values = _said(fits, "sources") | {"store": store, "fits": sources}
            yield _step("attach-fits", f"fit {store.name}", values, recipe)
    if recipe.render is not None:
        seen = [part for part in recipe.ingest if not part.benchmark]
        # Of a mixture some data sets may have no fits; where none has, fits may be attached already.
        fitted = [part for part in seen if part.fits or recipe.fits] or seen
        values = _said(recipe.render) | {"stores": _stores(fitted, root), "shard": "all"}
        yield _step("render-iuv", "render IUV maps", values, recipe)


def _step(stage: str, title: str, values: dict[str, Any], recipe: Recipe) -> Step:
    return Step(stage, title, STAGES[stage].model().parse(values, recipe.name))


def _said(section: StrictModel, *but: str) -> dict[str, Any]:
    """What a section says, for its stage's options; what it does not is left to them."""
    return section.model_dump(exclude=set(but), exclude_unset=True)


def _placed(source: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        source = source.replace(name, value)
    return source


def _learning_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    if recipe.train is not None:
        options = TrainOptions.parse(train_values(recipe, root), recipe.name)
        _require_same_network(recipe, options, root)
        network = NETWORKS[options.model.network].place.partition(":")[2]
        yield Step("train", f"train {network}", options)
    if recipe.evaluate is not None:
        from pymaf_data.model.benchmarks.manifest import load_benchmark  # which imports NumPy

        for name in recipe.evaluate.benchmarks:  # a mistaken name is refused before anything is trained
            load_benchmark(name)
        subject = str(_checkpoint(recipe, root))
        yield _step("evaluate", f"measure {recipe.name}", _said(recipe.evaluate) | {"subject": subject}, recipe)


def _require_same_network(recipe: Recipe, options: TrainOptions, root: DataRoot) -> None:
    """Refuse a stage whose network the stage before does not train, before anything is.

    Raises:
        ConfigError: it does not.
    """
    if recipe.after is None or "start_from" in (recipe.train or {}):
        return
    first = load_recipe(recipe.after)
    before = TrainOptions.parse(train_values(first, root), first.name)
    others = {f"model.{name}": value for name, value in options.model.other_weights(before.model).items()}
    if "frame" in options.model_fields_set and options.frame != before.frame:
        others["frame"] = before.frame
    if others:
        told = ", ".join(f"{name} {value}" for name, value in others.items())
        raise ConfigError(
            f"{recipe.name} starts from the network of {first.name}, which is another one: {told}",
            expected="one network in all stages",
            action="say the same of both.",
        )


def _looking_steps(recipe: Recipe, root: DataRoot) -> Iterator[Step]:
    run = root.runs / recipe.name
    if recipe.sheet is not None:
        first = recipe.ingest[0]
        values = {
            "store": root.store(*first.named),
            "raw": None if first.of_file else root.raw(first.named[0]),
            "dataset": first.dataset,
            "follow_links": first.follow_links,
            "out": run / "contact_sheet.png",
            "checkpoint": _checkpoint(recipe, root) if recipe.train is not None else None,
            "persons": recipe.sheet.persons,
        }
        yield _step("contact-sheet", "draw the contact sheet", values, recipe)
    if recipe.train is not None:
        shown = next((part for part in recipe.ingest if part.held_out), recipe.ingest[0])
        for figure, persons in recipe.figures.items():
            values = {"figure": figure, "subject": str(_checkpoint(recipe, root)), "persons": persons}
            yield _step("figure", f"draw {figure}", values | {"store": root.store(*shown.named)}, recipe)
    if recipe.report is not None:
        for store in stores_of(recipe, root):
            values = _said(recipe.report) | {"path": store}
            yield _step("report", f"report on {store.name}", values, recipe)
        if recipe.train is not None:
            yield _step("report", f"report on run {run.name}", {"path": run}, recipe)


def _checkpoint(recipe: Recipe, root: DataRoot) -> Path:
    from pymaf_data.runs.folder import CHECKPOINT  # which imports NumPy

    return root.runs / recipe.name / CHECKPOINT


def stores_of(recipe: Recipe, root: DataRoot) -> tuple[Path, ...]:
    """The stores that a recipe makes."""
    return _stores(recipe.ingest, root)


def _stores(parts: Iterable[IngestSection], root: DataRoot) -> tuple[Path, ...]:
    return tuple(root.store(*part.named) for part in parts)


def train_values(recipe: Recipe, root: DataRoot) -> dict[str, Any]:
    """The options of training that a recipe sets, its own stores and held-out stores among them."""
    seen = [part for part in recipe.ingest if not part.benchmark]
    learned = _stores((part for part in seen if not part.held_out), root)
    held_out = _stores((part for part in seen if part.held_out), root)
    values = {"name": recipe.name, **(recipe.train or {}), "stores": learned}
    if recipe.after is not None:
        before = train_values(_with_those_before(recipe)[-2], root)
        values.setdefault("start_from", str(root.runs / before["name"]))
    validation = values.get("validation", {})
    if held_out and isinstance(validation, dict):  # else it is refused with the options
        values["validation"] = validation | {"stores": held_out}
    return values
