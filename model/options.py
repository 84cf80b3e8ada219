"""What training can be told, with the released values as defaults. No torch in here: the command line reads it.

Source of every default: the authors' released configuration of PyMAF unless a line says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pymaf_data.config import FiniteModel, Flag, StrictModel, read_assignment
from pymaf_data.loader.options import AugmentationOptions, Seed, Share
from pymaf_data.paths import UserPath

from .networks.options import ModelOptions

# Of LossOptions: what dense maps are taught by, and what of it is of coordinates.
_COORDINATES = ("coarse", "uv", "uv_pixels", "uv_reduction")
_DENSE = ("part", *_COORDINATES)
# Of LossOptions: what the paper's equations say otherwise than the released code does.
_FORMS: Mapping[str, Mapping[str, Any]] = {
    "released": {},
    "paper": {"norm": "squared", "camera": 0.0, "coarse": 0.0, "uv_pixels": "foreground"},
}


class LossOptions(FiniteModel):
    """Weights of the loss terms; see :mod:`pymaf_data.model.losses` for what each one is."""

    form: Literal["released", "paper"] = "released"
    """Terms, their norm and pixels: the released code's, or those of the paper's equations 2 and 4 to the letter:
    ``norm: squared``, ``camera: 0``, ``coarse: 0``, ``uv_pixels: foreground``. What is said besides stands over it. The
    paper's weights are not known: the released ones stay."""
    norm: Literal["mean", "squared"] = "mean"
    """Of a person's keypoints, joints, rotations and betas: the mean of squared errors, as released, or their sum, the
    squared L2 norm (Eq. 2). The sum of a person's 2D keypoints is 98 times the mean, of 3D joints 72, of rotations 216,
    of betas 10 times. Means over persons are as they are."""
    keypoints2d: float = Field(default=300.0, ge=0.0)
    keypoints3d: float = Field(default=300.0, ge=0.0)
    pose: float = Field(default=60.0, ge=0.0)
    betas: float = Field(default=0.06, ge=0.0)
    camera: float = Field(default=1.0, ge=0.0)
    """Keeps the scale positive; absent from the paper."""
    part: float = Field(default=1.0, ge=0.0)
    coarse: float = Field(default=1.0, ge=0.0)
    """Fifteen coarse parts; absent from the paper."""
    uv: float = Field(default=0.5, ge=0.0)
    uv_pixels: Literal["all", "foreground"] = "all"
    """Released: background pixels pull u[0] and v[0] to 0. Eq. 4 of the paper: foreground only."""
    uv_reduction: Literal["sum", "mean"] = "sum"
    """Over the pixels of a map. Released: their sum, so that U and V weigh as much as the map has pixels: 3,136 at a
    view of 224 px, 576 at 96. The mean does not depend on the size; ``uv: 1568`` makes it the released term at 224."""
    openpose_weight: float = Field(default=0.0, ge=0.0)
    """Confidence factor of the first 25 joints of J49 (detections)."""
    annotated_weight: float = Field(default=1.0, ge=0.0)
    """Confidence factor of the last 24 joints of J49 (annotations)."""

    @model_validator(mode="before")
    @classmethod
    def _of_its_form(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        form = given.get("form", "released")
        return {**(_FORMS.get(form, {}) if isinstance(form, str) else {}), **given}

    def asked(self, names: Iterable[str]) -> list[str]:
        """Those that were changed from what the form says, and not to 0."""
        usual = LossOptions(form=self.form)
        return [name for name in names if getattr(self, name) not in (0, getattr(usual, name))]


class OptimizerOptions(FiniteModel):
    """Adam without weight decay."""

    learning_rate: Annotated[float, Field(gt=0.0), Flag("Adam's rate.", shown="5e-5")] = 5e-5
    schedule: Literal["constant", "cosine"] = "constant"
    """Cosine falls to a hundredth at the last step; a departure, for short runs."""
    warmup_steps: int = Field(default=0, ge=0)
    trunk_factor: float = Field(default=1.0, gt=0.0)
    """Times the rate, for backbone, deconvolutions and auxiliary head. Released training gives one rate to a
    pre-trained trunk and the loop; a trunk from He initialisation learns sooner at 8 to 16: see docs/training.md."""
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Adam's memory of squared gradients. Short runs from He initialisation want 0.99: the first gradients are a
    hundred times those that follow."""
    clip_gradient: float | None = Field(default=None, gt=0.0)
    """Largest total gradient norm; released training does not clip."""
    average: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Keep an exponential moving average of the weights, of which so much remains at a step (0.999; less at first). It
    is what is measured while training and what ``load_checkpoint`` loads. Released training keeps none."""
    fixed_statistics: bool = False
    """Keep BatchNorm's statistics: those of the checkpoint that the run starts from, else those measured once before
    the first step. Small batches then train what evaluation uses. Released training estimates them from each batch of
    64."""


class ValidationOptions(StrictModel):
    """Measuring on persons that the network does not learn from, while it trains."""

    stores: Annotated[
        tuple[UserPath, ...],
        Flag(
            "Held-out store to measure on while training, never trained on; may be given several times.",
            name="--validate",
        ),
    ] = ()
    """None measures nothing."""
    every: Annotated[int, Field(ge=1), Flag("Steps between those measurements.", name="--validate-every")] = 500
    """There is one before the first step and one after the last."""
    persons: Annotated[
        int, Field(ge=1), Flag("Persons of each to measure, evenly spread.", name="--validate-persons")
    ] = 256
    best: Literal["pa_mpjpe", "mpjpe", "pve"] = "pa_mpjpe"
    """By which error of the last iteration ``best.pt`` is the best network so far."""
    best_of: str = ""
    """On which of the held-out stores, by its name such as ``3dpw-validation``; by default on the first."""

    @property
    def names(self) -> list[str]:
        """What the held-out stores are told apart by."""
        return [path.stem for path in self.stores]

    @property
    def deciding(self) -> str:
        """The one whose errors decide about the best network; empty where there is none."""
        return self.best_of or next(iter(self.names), "")


class SnapshotOptions(StrictModel):
    """Keeping what the network makes of the same few persons, for reports."""

    every: int = Field(default=1000, ge=1)
    """Steps between snapshots; there is one before the first step and one after the last."""
    persons: int = Field(default=6, ge=0, le=32)
    """Held-out persons where there are any, else persons of training; 0 keeps no snapshots."""


class TrainOptions(FiniteModel):
    """One training run."""

    set: Annotated[
        tuple[str, ...],
        Flag(
            "Any option by its place in a recipe's train section, such as loss.keypoints2d=200; several.",
            metavar="KEY=VALUE",
        ),
        Field(exclude=True),
    ] = ()
    """Taken into the options it names, over whatever says them else, and empty from then on."""
    stores: Annotated[
        tuple[UserPath, ...],
        Flag("Store to read; may be given several times.", name="--store", shown="every store of the data root"),
    ] = ()
    """None means every store under the data root but those held out for validation."""
    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
        Flag("The run's folder below runs/.", shown="the recipe's, pymaf"),
    ] = "pymaf"
    body: Annotated[
        str | None, Field(min_length=1), Flag("The body to fit.", shown="the one that the stores' fits belong to")
    ] = None
    steps: Annotated[int | None, Field(ge=1), Flag("Optimizer steps in all; without it, epochs count.")] = None
    epochs: Annotated[int, Field(ge=1), Flag("Passes over the data.", replaces="steps")] = 60
    batch_size: Annotated[int, Field(ge=1), Flag("Persons a step, of each process and each micro-batch.")] = 64
    accumulate: Annotated[int, Field(ge=1), Flag("Batches of that size a step, for less memory.")] = 1
    """Micro-batches: the step is that of one batch of them all, but that BatchNorm sees each for itself. Epochs count
    persons, as ever."""
    mixture: dict[str, Share] = Field(default_factory=dict)
    """Shares of groups of stores, as in ``{h36m: 0.5, coco+mpii+lsp+lspet: 0.3, mpi-inf-3dhp: 0.2}``, the released one;
    see :mod:`pymaf_data.loader.mixture`. None: every person once an epoch."""
    epoch_length: int | None = Field(default=None, ge=1)
    """Persons that an epoch of a mixture draws; by default as many as the largest store has, as released."""
    optimizer: OptimizerOptions = OptimizerOptions()
    seed: Annotated[Seed, Flag("Decides weights, order, augmentation.", shown="")] = 0
    device: Annotated[str, Flag("auto, cpu, cuda or cuda:N.", shown="auto: a GPU when there is one")] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], Flag("Of the image-plane part; auto measures which is faster.")
    ] = "auto"
    """``auto`` goes on with a begun run's, else is bf16 where the device convolves clearly faster so. ``fp16`` is for
    GPUs without bf16: its loss is scaled, and a step whose gradient overflows is left out."""
    compile: Annotated[bool, Flag("Compile the image-plane part; its first steps take minutes.")] = False
    """By torch's compiler, which wants a C++ compiler, on a GPU Triton. It sums in another order: only a run that is
    compiled throughout, or never, has the same bits again."""
    workers: Annotated[int, Field(ge=0), Flag("Loader threads.")] = 2
    views: Annotated[
        Literal["workers", "device", "auto"],
        Flag("Who makes views: the loader's threads, or the device, in batches; auto: the device if it decodes JPEG."),
    ] = "workers"
    """On a GPU crops go over compressed and are decoded there (by nvImageCodec or torchvision, where one is installed),
    warped and coloured; what is decoded there may differ by some levels where colours change. Held-out views are the
    workers'."""
    backbone: Annotated[UserPath | None, Flag("torchvision's state dict of the trunk to start from.", shown="none")] = (
        None
    )
    """None starts from He initialisation, with a warning unless it was given (``backbone: null`` in a recipe)."""
    start_from: Annotated[
        str | None,
        Field(min_length=1),
        Flag(
            "Checkpoint (file, run's folder or name, or start, the network that ships) whose weights to start from; "
            "none: from nothing.",
            name="--from",
        ),
    ] = None
    """Ours, or a released one. The whole network's weights, at step 0; the run has its network's options and its frame
    where it says none. ``none`` says that a start from nothing is meant."""
    validation: ValidationOptions = ValidationOptions()
    targets: Annotated[
        Literal["stored", "rendered"], Flag("Dense targets: stored maps, or rendered for every view.")
    ] = "stored"
    """Stored maps are warped; maps rendered from the fits are exact."""
    joints3d: Annotated[
        Literal["measured", "fitted"], Flag("3D joints: the data set's, or the fit's where it has none.")
    ] = "measured"
    """Measured ones alone are as released. Pose alone tells the network little of which way a body faces: that is one
    of 24 rotations."""
    frame: Annotated[
        Literal["camera", "view"],
        Flag("Whence bodies are seen: along the ray through the box, or by the whole image's camera (released)."),
    ] = "view"
    """Of root rotations and 3D joints; the ray through the box is all that a crop can show."""
    augmentation: Annotated[
        AugmentationOptions, Flag("Plain views, as stored.", name="--no-augment", const=AugmentationOptions.none())
    ] = AugmentationOptions()
    allow_partial: Annotated[bool, Flag("Train on stores that lack fits, maps or shards.")] = False
    """What is missing is not supervised."""
    overwrite: Annotated[bool, Flag("Begin the run anew.")] = False
    replay: Annotated[
        UserPath | None,
        Flag("Only look where a step that stopped a run, its failed-step-N.pt, ceases to be finite.", shown=""),
        Field(exclude=True),
    ] = None
    """The run is that whose folder the file is in; nothing is written."""
    log_every: int = Field(default=50, ge=1)
    checkpoint_every: int = Field(default=1000, ge=1)
    snapshots: SnapshotOptions = SnapshotOptions()
    model: ModelOptions = ModelOptions()
    loss: LossOptions = LossOptions()

    @model_validator(mode="before")
    @classmethod
    def _set_by_name(cls, given: Any) -> Any:
        if not (isinstance(given, Mapping) and isinstance(given.get("set"), list | tuple)):
            return given
        values: dict[str, Any] = {key: value for key, value in given.items() if key != "set"}
        for text in given["set"]:
            key, value = read_assignment(str(text), "--set", "loss.keypoints2d=200")
            place, (*sections, name) = values, key.split(".")
            for section in sections:
                held = place.get(section, {})
                held = held.model_dump(exclude_unset=True) if isinstance(held, StrictModel) else held
                if not isinstance(held, Mapping):
                    raise ValueError(f"--set {key}: {section} is no section")
                place[section] = place = dict(held)
            place[name] = value
        return values

    mean: Literal["published", "data"] = "published"
    """Where the loop starts: at the published mean parameters, or at those of the training data's fits (chordal means
    of rotations, the root's too; see :mod:`pymaf_data.model.means`). A checkpoint keeps them."""

    @property
    def starts_from(self) -> str | None:
        """The checkpoint to start from, where there is one."""
        return None if self.start_from == "none" else self.start_from

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if self.start_from is not None and self.backbone is not None:
            raise ValueError("start_from says where the whole network starts, its trunk too: leave backbone out")
        if self.starts_from is not None and self.mean != "published":
            raise ValueError("weights to start from bring their mean parameters along: leave mean out")
        return self

    @model_validator(mode="after")
    def _length_is_of_a_mixture(self) -> Self:
        if self.epoch_length is not None and not self.mixture:
            raise ValueError("epoch_length is of a mixture; without one an epoch shows everybody once: leave it out")
        return self

    @model_validator(mode="after")
    def _teaches_what_is_predicted(self) -> Self:
        untaught = {"none": _DENSE, "parts": _COORDINATES, "iuv": ()}[self.model.auxiliary]
        asked = [f"loss.{name}" for name in self.loss.asked(untaught)]
        asked += ["targets: rendered"] if self.targets == "rendered" and self.model.auxiliary == "none" else []
        if asked:
            network = f"network {self.model.network} with auxiliary {self.model.auxiliary}"
            what = "no dense maps" if self.model.auxiliary == "none" else "parts alone"
            raise ValueError(f"{network} predicts {what}, leave out {', '.join(asked)}")
        return self
