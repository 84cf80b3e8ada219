"""The command of a stage, made of its entry in the registry and of the flags of its options."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from pkgutil import resolve_name
from typing import Annotated, Any

import typer

from pymaf_data.cli.flags import flags_of, values_of
from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, directly, take
from pymaf_data.paths import DataRoot
from pymaf_data.progress import is_told
from pymaf_data.stages.registry import Stage, Step


def stage_command(stage: Stage) -> Callable[..., None]:
    """The command as typer takes it: a function whose signature is its parameters."""
    flags = flags_of(stage.model(), over_recipe=bool(stage.recipe))
    each = next((one.parameter.name for one in flags if one.flag.each), "")

    def command(*, as_json: bool, direct: bool = True, recipe: str | None = None, **typed: Any) -> None:
        values = values_of(flags, typed, _of_recipe(stage, recipe))
        options = [stage.model().parse(one, recipe or "the command line") for one in _by_step(each, values)]
        light = stage.check.partition(":")[0] != stage.run.partition(":")[0]
        if light:
            _check(stage, options)
        direct = directly(direct)
        resolve_name(stage.run)  # imported while the flow's server loads
        if not light:
            _check(stage, options)
        steps = [Step(stage.name, (stage.title or stage.name).format(**dict(one)), one) for one in options]
        shown = is_told() and not as_json
        reports = take(steps, direct, (lambda _, report: echo("\n".join(stage.told(report)))) if shown else None)
        if as_json and is_told():
            echo_json(reports if each else reports[0])
        for report in reports:
            stage.require(report)
        if any(getattr(report, "failed", False) for report in reports):
            raise typer.Exit(1)

    parameters = [*(one.parameter for one in flags), *_shared(stage, bool(each))]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _check(stage: Stage, options: list[Any]) -> None:
    if stage.check:
        resolve_name(stage.check)(*options)


def _shared(stage: Stage, several: bool) -> list[Parameter]:
    """Parameters of every stage's command."""
    as_json = typer.Option("--json", help=f"Print the report{'s' if several else ''} as JSON.")
    shared = [_parameter("as_json", bool, as_json, False)]
    if not stage.direct:
        shared.insert(0, _parameter("direct", bool, typer.Option("--direct", help=DIRECT_HELP), False))
    if stage.recipe:
        told = f"Recipe whose {stage.name} section to follow: a name or a *.yaml file."
        shared.append(_parameter("recipe", str | None, typer.Argument(help=told), None))
    return shared


def _parameter(name: str, kind: Any, info: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _of_recipe(stage: Stage, recipe: str | None) -> dict[str, Any]:
    """Options that a recipe sets; none without a recipe."""
    if recipe is None:
        return {}
    from pymaf_data.recipe import load_recipe

    values: dict[str, Any] = resolve_name(stage.recipe)(load_recipe(recipe), DataRoot.default())
    stage.model().parse(values, recipe)  # its own mistakes are its own
    return values


def _by_step(each: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of each step: one, or one for each store."""
    if not each:
        return [values]
    return [values | {each: path} for path in DataRoot.default().require_stores(values.get(each, ()))]
