"""What a validation that fails tells: the keys that there are, and no schema that there is not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field, ValidationError

from pymaf_data.config import StrictModel
from pymaf_data.errors import ConfigError
from pymaf_data.model.options import TrainOptions
from pymaf_data.recipe import Recipe
from pymaf_data.stages.registry import STAGES


class Leaf(StrictModel):
    one: int = 0
    two: int = 0


class Tree(StrictModel):
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "section"),
    [
        ({"leaf": {"on": 1}}, "of leaf"),
        ({"leaves": [{}, {"on": 1}]}, "of leaves.1"),
        ({"named": {"a": {"on": 1}}}, "of named.a"),
    ],
)
def test_the_keys_of_the_very_section_are_listed(given: dict[str, object], section: str) -> None:
    with pytest.raises(ConfigError, match="on: there is no such key") as error:
        Tree.parse(given, "mine.yaml")
    assert error.value.expected == f"{section}: one, two"
    assert "schemas/" not in str(error.value), "there is none of it"
    with pytest.raises(ConfigError) as error:
        Tree.parse({"leaf": {"one": "x"}}, "mine.yaml")
    assert not error.value.expected


def test_a_schema_is_named_where_it_is() -> None:
    with pytest.raises(ConfigError, match=r"keys: name, title, (.|\n)*schemas/recipe\.schema\.json"):
        Recipe.parse({"name": "a", "ingest": [{"dataset": "coco"}], "tittle": "x"}, "mine.yaml")
    with pytest.raises(ConfigError, match="of optimizer: learning_rate, ") as error:
        TrainOptions.parse({"set": ["optimizer.lr=1e-4"]}, "the command line")
    assert "schemas/" not in str(error.value)


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """The models that a type's values are made of, with those in their fields."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_in(field.annotation)
    for inner in get_args(kind):
        yield from models_in(inner)


@pytest.mark.parametrize("stage", STAGES)
def test_no_number_that_a_command_takes_is_endless(stage: str) -> None:
    """Records and JSON have no place for one, and no loss or camera a use."""
    for model in {*models_in(STAGES[stage].model())}:
        fractions = [name for name, field in model.model_fields.items() if "float" in str(field.annotation)]
        for name, value in itertools.product(fractions, (math.inf, -math.inf, math.nan)):
            for given in (value, {"coco": value}):
                with pytest.raises(ValidationError) as error:
                    model.model_validate({name: given})
                assert name in {each["loc"][0] for each in error.value.errors() if each["loc"]}, (model, name, given)
