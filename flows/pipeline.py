"""A recipe as one flow, for scripts and deployments; the command line's is in :mod:`.command`."""

from __future__ import annotations

from typing import Any

from pymaf_data.paths import DataRoot
from pymaf_data.recipe import Recipe, load_recipe, pipeline

from .stages import StageFlow, take_step


def pipeline_flow(recipe: Recipe | str) -> list[Any]:
    """Run a recipe: its name, the path of its file, or its content. Returns the reports of its steps."""
    whole = load_recipe(recipe) if isinstance(recipe, str) else recipe
    return [take_step(step) for step in pipeline(whole, DataRoot.default())]


pipeline_flow: Any = StageFlow(pipeline_flow, name="pipeline")  # type: ignore[no-redef]
