"""An entry of the registry is all that a stage needs: its command, its options and what they refuse follow from it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from inspect import cleandoc
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_args, get_type_hints

import pytest
from typer.testing import CliRunner, Result

from pymaf_data.cli.app import _SUMMARIES, app, run
from pymaf_data.errors import ConfigError, DiskFull
from pymaf_data.loader.options import AugmentationOptions
from pymaf_data.stages.registry import STAGES, Stage, Step, run_step

TINY = """
from typing import Annotated, Literal
from pydantic import Field
from pymaf_data.config import Flag, StrictModel
from pymaf_data.errors import RawDataCorrupt, UsageError

class Inner(StrictModel):
    depth: Annotated[int, Field(gt=0), Flag("How deep.", name="--deep", after=("how",))] = 1

class Options(StrictModel):
    words: Annotated[tuple[str, ...], Flag("What to say.", argument=True, default=...)]
    inner: Inner = Inner()
    times: Annotated[int, Field(ge=1, le=9), Flag("How often.")] = 2
    how: Annotated[Literal["low", "high"], Flag("How to say it.")] = "low"
    share: Annotated[float, Field(gt=0), Flag("How much.")] = 1.0
    still: Annotated[bool, Flag("Say nothing.")] = False
    loud: Annotated[str, Flag("Say it loudly.", name="--shout", const="very")] = "no"
    hidden: int = 7

class Report(StrictModel):
    options: Options
    given: tuple[str, ...]
    failed: bool

    def lines(self):
        return [f"said {word}" for word in self.options.words]

def check(options):
    if "forbidden" in options.words:
        raise UsageError("forbidden is no word")

def say(options, progress=None):
    return Report(options=options, given=tuple(sorted(options.model_fields_set)), failed=options.still)

def refuse(report):
    if "empty" in report.options.words:
        raise RawDataCorrupt("an empty word")
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage in a file of its own, registered by one entry."""
    (tmp_path / "tiny_stage.py").write_text(TINY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tiny_stage", raising=False)
    places = {name: f"tiny_stage:{name}" for name in ("check", "refuse")}
    entry = Stage(
        "tiny",
        "Say some words.\n\nThis is told of it.\n\nExample: pymaf-data tiny word",
        options="tiny_stage:Options",
        run="tiny_stage:say",
        lines="tiny_stage:Report.lines",
        title="say {inner.depth}",
        **places,
    )
    monkeypatch.setitem(STAGES, "tiny", entry)


def called(*words: str) -> Result:
    return CliRunner().invoke(app, ["tiny", "--direct", *words], env={"COLUMNS": "120"})


def test_it_is_listed_and_explained_and_listing_imports_nothing() -> None:
    listed = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    assert re.search(r"tiny +Say some words\.", listed) and "This is told" not in listed
    assert "tiny_stage" not in sys.modules
    told = called("--help").output
    for line in ("This is told of it.", "How to say it.", "[1<=x<=9]", "[x>=1]", "low|high"):
        assert line in told
    named = [told.index(f"--{name}") for name in ("times", "how", "deep", "share", "still", "shout", "direct", "json")]
    assert named == sorted(named), "in the order of the fields, but for what says behind which it stands"
    assert "--hidden" not in told


def test_what_is_typed_reaches_the_stage_and_the_rest_is_left_to_it() -> None:
    done = called("one", "two", "--times", "3", "--deep", "4", "--how", "high", "--shout", "--json")
    report = json.loads(done.stdout)
    assert report["options"] == {
        "words": ["one", "two"],
        "inner": {"depth": 4},
        "times": 3,
        "how": "high",
        "share": 1.0,
        "still": False,
        "loud": "very",
        "hidden": 7,
    }
    assert report["given"] == ["how", "inner", "loud", "times", "words"]
    assert done.exit_code == 0
    plain = called("one", "two")
    assert (plain.exit_code, plain.stdout) == (0, "said one\nsaid two\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("word", "--how", "loud"), ("--how", "'loud'", "'low', 'high'")),
        (("word", "--times", "10"), ("--times", "9")),
        (("word", "--deep", "0"), ("--deep", "1")),
        (("word", "--hidden", "1"), ("No such option", "--hidden")),
        ((), ("Missing argument",)),
    ],
)
def test_an_unknown_value_is_refused_in_plain_words(words: tuple[str, ...], told: tuple[str, ...]) -> None:
    done = called(*words)
    assert done.exit_code == 2
    assert all(part in done.output for part in told), done.output


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("word", "--share", "-1"), 2, "share: Input should be greater than 0"),  # the model's alone
        (("forbidden",), 2, "forbidden is no word"),
        (("empty",), 1, "an empty word"),
        (("word", "--still"), 1, ""),
    ],
)
def test_what_a_stage_refuses_is_its_exit_code(
    words: tuple[str, ...], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["tiny", "--direct", *words])
    printed = capsys.readouterr()
    assert ended.value.code == code and told in printed.err
    assert ("said" in printed.out) == (code == 1), "what was done is told, also of what is of no use"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """``taken(command, …)``: the options with which the command calls its stage, which does nothing."""

    def of(name: str, *words: str) -> list[Any]:
        seen: list[Any] = []
        monkeypatch.setattr("tiny_stage.say", lambda options, _: seen.append(options), raising=False)
        monkeypatch.setitem(STAGES, name, replace(STAGES[name], run="tiny_stage:say", lines="builtins:dir"))
        done = CliRunner().invoke(app, [name, *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return seen

    resolve_name("tiny_stage")
    return of


def test_a_command_over_stores_takes_a_step_for_each(taken: Callable[..., list[Any]], tmp_path: Path) -> None:
    stores = [tmp_path / name for name in ("a.zarr", "b.zarr")]
    options = taken("attach-fits", *map(str, stores), "--direct", "--fits", "keypoints", "--body", "mine")
    assert [(one.store, one.fits, one.keypoints.body) for one in options] == [
        (store, ("keypoints",), "mine") for store in stores
    ]


def test_what_is_typed_stands_over_a_recipe(taken: Callable[..., list[Any]], tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "name: mine\ningest: [{dataset: sample}]\n"
        "train: {steps: 9, batch_size: 5, workers: 0, optimizer: {beta2: 0.5}, validation: {every: 7}}\n"
    )
    (alone,) = taken("train", str(recipe))
    assert (alone.name, alone.steps, alone.epochs, alone.batch_size) == ("mine", 9, 60, 5)
    over = ("--batch-size", "64", "--learning-rate", "1", "--validate-persons", "3", "--validate", "v.zarr")
    (options,) = taken("train", str(recipe), *over, "--no-augment", "--epochs", "60")
    assert (options.batch_size, options.steps, options.epochs) == (64, None, 60), "a default that is typed counts too"
    assert (options.optimizer.learning_rate, options.optimizer.beta2) == (1, 0.5)
    validation = options.validation
    assert (validation.stores, validation.every, validation.persons) == ((Path("v.zarr"),), 7, 3)
    assert options.augmentation == AugmentationOptions.none() and alone.augmentation == AugmentationOptions()
    assert (options.workers, alone.stores) == (0, options.stores)
    (both,) = taken("train", str(recipe), "--epochs", "2", "--steps", "3")
    assert (both.steps, both.epochs) == (3, 2)


def test_a_recipes_mistake_is_named_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("name: odd\ningest: [{dataset: sample}]\ntrain: {validation: 3}\n")
    for words in ([], ["--validate-every", "5"]):
        with pytest.raises(ConfigError, match="validation"):
            CliRunner().invoke(app, ["train", str(tmp_path / "odd.yaml"), *words], catch_exceptions=False)


@pytest.mark.parametrize("name", [*_SUMMARIES])
def test_lists_say_what_the_command_says_of_itself(name: str) -> None:
    stage = STAGES.get(name)
    if stage is not None and stage.command:
        assert not _SUMMARIES[name]
        return
    written = resolve_name(f"pymaf_data.cli.{name}:command")
    first = " ".join(cleandoc(written.__doc__).partition("\n\n")[0].split())
    assert first.replace("`", "") == (_SUMMARIES[name] or STAGES[name].summary)


@pytest.mark.parametrize("stage", [stage for stage in STAGES.values() if stage.made], ids=lambda stage: stage.name)
def test_what_the_end_of_a_recipe_lists_is_in_the_report(stage: Stage) -> None:
    """Of ``train`` the report of a run, not of a replay, which no recipe has."""
    returned = get_type_hints(resolve_name(stage.run))["return"]
    report = get_args(returned)[0] if get_args(returned) else returned
    assert stage.made is not None
    assert "Path" in str(report.model_fields[stage.made[1]].annotation)


def test_a_full_disk_keeps_what_is_finished_only_where_that_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(options: Any, progress: Any) -> None:
        raise DiskFull("the disk is full", action="run again; what is finished is kept.")

    monkeypatch.setattr("pymaf_data.stages.registry.resolve_name", lambda name: full)
    for name, stage in STAGES.items():
        with pytest.raises(DiskFull, match="does all of it anew" if stage.anew else "finished is kept") as error:
            run_step(Step(name, "", TINY))  # type: ignore[arg-type]
        assert ("kept" in str(error.value)) != stage.anew
    assert STAGES["predict"].anew and not STAGES["ingest"].anew
