"""Every stage by name: an entry of strings, so that listing what there is imports nothing.

A stage is a function of its options and of a function that it reports its progress to; it gives a report. From its
entry and its options follow its command (:mod:`pymaf_data.cli.stage`), its Prefect flow (:mod:`pymaf_data.flows`) and
the steps of a recipe. Options live in modules without torch; fields that are a :class:`~pymaf_data.config.Flag` are the
command's. A string ``module:name`` is imported when it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from pymaf_data.errors import DiskFull

if TYPE_CHECKING:
    from pymaf_data.config import StrictModel
    from pymaf_data.progress import Progress


_ANEW = "free some space and run the same command again: it does all of it anew."


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: of the stage and its command.
        help: what ``--help`` says; the first paragraph stands in lists.
        options: the model of its options.
        run: ``run(options, progress)`` → report, whose ``failed``, where it has one, is the command's exit code.
        lines: ``lines(report)``, for a reader.
        title: over a command's bar, from the options.
        check: ``check(options, …)``, of every step, refuses, cheaply, before a command starts any work; where it needs
            nothing of ``run``'s module, before that is imported and before Prefect's server starts.
        refuse: ``refuse(report)`` raises where what was made is of no use.
        recipe: ``recipe(recipe, data root)`` → options that its command may begin with.
        direct: its command never needs Prefect.
        command: whether it has a command; some stages only end a recipe.
        anew: stopped halfway, its command does all of it again.
        made: what the list at a recipe's end calls what it made, and which field of its report says where that is; a
            store stands there by itself.
    """

    name: str
    help: str
    options: str
    run: str
    lines: str
    title: str = ""
    check: str = ""
    refuse: str = ""
    recipe: str = ""
    direct: bool = False
    command: bool = True
    anew: bool = False
    made: tuple[str, str] | None = None

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return self.help.partition("\n\n")[0]

    @property
    def flow(self) -> str:
        """The name of its flow."""
        return f"{self.name.replace('-', '_')}_flow"

    def model(self) -> type[StrictModel]:
        """The model of its options."""
        return resolve_name(self.options)

    def told(self, report: Any) -> list[str]:
        """The report for a reader."""
        return list(resolve_name(self.lines)(report))

    def require(self, report: Any) -> None:
        """Refuse a report of what is of no use.

        Raises:
            PymafDataError: naming what is wrong with it.
        """
        if self.refuse:
            resolve_name(self.refuse)(report)


# In the order of the pipeline.
_STAGES = (
    Stage(
        "sample",
        "Write a generated raw data set: free bodies in COCO's layout, exact truth beside it.\n\n"
        "Splits differ in poses, shapes and places: what `val` shows, `train` never did.\n\n"
        "Stopped halfway, the same command completes it.\n\n"
        "Example: pymaf-data sample data/raw/sample --persons 200 --seed 1",
        options="pymaf_data.world.options:SampleOptions",
        run="pymaf_data.world.sample:write_sample",
        lines="pymaf_data.world.sample:SampleReport.lines",
    ),
    Stage(
        "ingest",
        "Cut every selected person of a raw data set into a store.\n\n"
        "Run again after an interruption, the same command does only what is missing.\n\n"
        "Example: pymaf-data ingest coco --root /data/coco",
        options="pymaf_data.stages.options:IngestOptions",
        run="pymaf_data.stages.ingest:ingest",
        lines="pymaf_data.stages.told:ingest_lines",
        title="ingest {dataset}",
        check="pymaf_data.stages.ingest:require_raw_data",
        refuse="pymaf_data.stages.ingest:IngestReport.require_images",
    ),
    Stage(
        "attach-fits",
        "Attach fits to the persons of a store, prove them, and choose one per person.\n\n"
        "Sources stand side by side; nothing is rewritten. Run again, the same command does only what is missing.\n\n"
        "Example: pymaf-data attach-fits data/stores/coco-train.zarr --fits keypoints",
        options="pymaf_data.stages.options:AttachOptions",
        run="pymaf_data.stages.attach_fits:attach_fits",
        lines="pymaf_data.stages.told:attach_lines",
        title="attach fits to {store.name}",
        check="pymaf_data.stages.options:require_sources",
    ),
    Stage(
        "render-iuv",
        "Render body part and U, V of every chosen fit, in the frame of the stored crop.\n\n"
        "Run again after an interruption, the same command does only what is missing. Maps whose fit, body or atlas "
        "changed are another generation and are rendered anew.\n\n"
        "Example: pymaf-data render-iuv --shard all",
        options="pymaf_data.stages.options:RenderOptions",
        run="pymaf_data.stages.render_iuv:render_iuv_stage",
        lines="pymaf_data.stages.told:render_lines",
    ),
    Stage(
        "export-fits",
        "Write the chosen fits of a store as a file that others' trainers read: SPIN's, 4D-Humans' or HumanData.\n\n"
        "Persons without a fit are in it, marked so. It says from where each root is seen, whose body it is and what "
        "licences went in.\n\n"
        "Example: pymaf-data export-fits data/stores/coco-train.zarr coco_2014_train_best.npz --to spin",
        options="pymaf_data.stages.options:ExportOptions",
        run="pymaf_data.stages.export_fits:export_fits",
        lines="pymaf_data.stages.export_fits:ExportReport.lines",
        title="export fits of {store.name}",
        direct=True,
    ),
    Stage(
        "train",
        "Train PyMAF (or the network that a recipe names) from the stores, on a GPU when there is one.\n\n"
        "The same command goes on where the run stopped. Its course: pymaf-data report data/runs/NAME, or "
        "tensorboard --logdir data/runs.\n\n"
        "Example: pymaf-data train --steps 1000 --batch-size 16 --validate data/stores/sample-val.zarr",
        options="pymaf_data.model.options:TrainOptions",
        run="pymaf_data.model.training:train_or_replay",
        lines="pymaf_data.model.training:told",
        title="train {name}",
        recipe="pymaf_data.recipe:train_values",
        direct=True,
        made=("checkpoint", "checkpoint"),
    ),
    Stage(
        "evaluate",
        "Measure a checkpoint, or a source of fits, on benchmarks by their published protocols.\n\n"
        "Prints ours beside the published figures; writes figures, intervals and the errors of every person. What a "
        "benchmark lacks is named, and the rest is measured.\n\n"
        "Example: pymaf-data evaluate data/runs/pymaf/checkpoint.pt 3dpw h36m-p2",
        options="pymaf_data.model.evaluation.options:EvaluateOptions",
        run="pymaf_data.model.evaluation.run:evaluate",
        lines="pymaf_data.model.evaluation.run:EvaluationReport.lines",
        title="evaluate {subject}",
        direct=True,
        made=("evaluation", "files"),
    ),
    Stage(
        "predict",
        "Look at persons on images and videos with a network: bodies, cameras, overlays, meshes.\n\n"
        "Who is where is told by --persons, the file of a detector of persons or keypoints; else persons are found "
        "(extra finder). Broken images are named, and the rest is looked at. What is written can be attached to a "
        "store: --fits table:predictions.npz.\n\n"
        "Example: pymaf-data predict data/runs/pymaf/checkpoint.pt photos",
        options="pymaf_data.model.prediction.options:PredictOptions",
        run="pymaf_data.model.prediction.run:predict",
        lines="pymaf_data.model.prediction.run:PredictReport.lines",
        title="predict with {subject}",
        anew=True,
        direct=True,
    ),
    Stage(
        "figure",
        "Draw a figure of the paper of any checkpoint and store: features, iterations, comparisons, worst cases.\n\n"
        "Layouts are fixed: the same command gives the same pixels.\n\n"
        "Example: pymaf-data figure iterations data/runs/pymaf data/stores/sample-val.zarr --persons 6\n\n"
        "Example: pymaf-data figure compare pymaf data/stores/3dpw-test.zarr --against baseline --row 120 --row 911",
        options="pymaf_data.model.figures.options:FigureOptions",
        run="pymaf_data.model.figures.run:figure",
        lines="pymaf_data.model.figures.run:FigureReport.lines",
        title="figure {figure}",
        anew=True,
        direct=True,
        made=("figure", "path"),
    ),
    Stage(
        "contact-sheet",
        "Draw some persons of a store, from image to prediction, as one image.",
        options="pymaf_data.report.options:SheetOptions",
        run="pymaf_data.model.preview:contact_sheet",
        lines="pymaf_data.model.preview:SheetReport.lines",
        command=False,
        made=("contact sheet", "path"),
    ),
    Stage(
        "report",
        "Write one HTML file that shows a store, a run or an evaluation; it needs no network, and any browser opens "
        "it.\n\n"
        "Of a store: where it came from, counts by reason, distributions, a gallery to filter, the worst and the best "
        "fits, missing images; its sources of fits beside each other, with verdicts to give, also as CSV and JSON. Of "
        "a run: curves, errors of every iteration, the same persons over time. Of an evaluation: figures beside "
        "published ones, errors of everybody by what is known of them, the worst and the best drawn.\n\n"
        "Example: pymaf-data report data/stores/sample-train.zarr",
        options="pymaf_data.report.options:ReportOptions",
        run="pymaf_data.report.make:report",
        lines="pymaf_data.report.make:ReportReport.lines",
        title="report on {path.name}",
        anew=True,
        check="pymaf_data.report.options:require_one_page",
        direct=True,
        made=("report", "path"),
    ),
)
STAGES = {stage.name: stage for stage in _STAGES}


def stage_of_flow(name: str) -> Stage | None:
    """The stage whose flow has this name."""
    return next((stage for stage in STAGES.values() if stage.flow == name), None)


@dataclass(frozen=True)
class Step:
    """One call into a stage, by its name, with its options; the title is the progress bar's."""

    stage: str
    title: str
    options: StrictModel


def run_step(step: Step, progress: Progress | None = None) -> Any:
    """Call the stage of a step; returns its report.

    Raises:
        PymafDataError: as the stage does.
    """
    stage = STAGES[step.stage]
    try:
        return resolve_name(stage.run)(step.options, progress)
    except DiskFull as error:
        if not stage.anew:
            raise
        raise DiskFull(error.found, expected=error.expected, action=_ANEW) from None
