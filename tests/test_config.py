"""What a validation that fails tells: the keys that there are, and no schema that there is not."""

from __future__ import annotations

import pytest
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.errors import ConfigError
from pymaf_data.model.options import TrainOptions
from pymaf_data.recipe import Recipe


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
