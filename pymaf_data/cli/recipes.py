"""``pymaf-data recipes``: what can be run."""

from __future__ import annotations

from typing import Annotated

import typer

from pymaf_data.cli.say import echo, echo_json


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the recipes as JSON.")] = False) -> None:
    """List the recipes that `run` and `train` take: what each does, and what the paper reports of it.

    Example: pymaf-data recipes
    """
    from pymaf_data.recipe import known_recipes, load_recipe

    recipes = [load_recipe(name) for name in known_recipes()]
    if as_json:
        echo_json([recipe.model_dump(mode="json", exclude_none=True, exclude_unset=True) for recipe in recipes])
        return
    for recipe in recipes:
        echo(recipe.name, bold=True)
        echo(f"  {recipe.title}")
        echo(f"  data      {', '.join(' '.join(part.named) for part in recipe.ingest)}")
        train = recipe.train or {}
        if recipe.after:
            echo(f"  after     {recipe.after}, from whose network it starts")
        for section, title in (("model", "network"), ("mixture", "mixture"), ("loss", "loss")):
            if train.get(section):
                echo(f"  {title:<9} {', '.join(f'{key} {value}' for key, value in train[section].items())}")
        for iteration, figures in recipe.published.items():
            echo(f"  paper     {iteration}: {', '.join(f'{name} {value:g}' for name, value in figures.items())}")
