"""The flags of an options model as typer's parameters, and what was typed as the model's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le

from pymaf_data.config import OF_FIELD, Flag, StrictModel

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Flagged(NamedTuple):
    """A field that is a flag: its keys from the options model down, and its parameter."""

    keys: tuple[str, ...]
    flag: Flag
    parameter: Parameter


def flags_of(model: type[StrictModel], over_recipe: bool = False) -> list[Flagged]:
    """The flags of a model and of the models in it, in the order of the help.

    Args:
        model: of a stage's options.
        over_recipe: values may begin with a recipe's, so that a default holds only where that says nothing.
    """
    flags = list(_marked(model, (), over_recipe))
    for one in [one for one in reversed(flags) if one.flag.after]:
        flags.remove(one)
        names = [other.keys[-1] for other in flags]
        behind = next((names.index(name) for name in one.flag.after if name in names), len(names))
        flags.insert(behind + 1, one)
    return flags


def values_of(flags: Sequence[Flagged], typed: Mapping[str, Any], begin: Mapping[str, Any]) -> dict[str, Any]:
    """The model's values: those to begin with, and over them what was typed; the rest is left to the model."""
    pairs = [(one, typed[one.parameter.name]) for one in flags]
    given = [(one, value) for one, value in pairs if value not in (None, [], one.parameter.default)]
    values, names = dict(begin), {one.keys[-1] for one, _ in given}
    for one, value in given:
        if one.flag.replaces not in names:
            values.pop(one.flag.replaces, None)
        place, (*sections, key) = values, one.keys
        for section in sections:
            place[section] = place = {**place.get(section, {})}
        place[key] = value if one.flag.const is None else one.flag.const
    return values


def _marked(model: type[StrictModel], above: tuple[str, ...], over_recipe: bool) -> Iterator[Flagged]:
    for name, field in model.model_fields.items():
        keys, kind = (*above, name), _kind(field.annotation)
        for flag in (mark for mark in field.metadata if isinstance(mark, Flag)):
            yield Flagged(keys, flag, _parameter(keys, field, flag, over_recipe))
        if isinstance(kind, type) and issubclass(kind, StrictModel):
            yield from _marked(kind, keys, over_recipe)


def _kind(annotation: Any) -> Any:
    """The type that typer knows: without ``None`` and without pydantic's marks, lists for tuples."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Annotated, Union, UnionType):
        return _kind(next(kind for kind in inner if kind is not NoneType))
    return list[_kind(inner[0])] if origin is tuple else annotation  # type: ignore[misc]


def _parameter(keys: tuple[str, ...], field: FieldInfo, flag: Flag, over_recipe: bool) -> Parameter:
    kind, default, shown = _kind(field.annotation), _default(field, flag), flag.shown
    if flag.const is not None:
        kind = bool
    elif flag.each:
        kind, shown = list[kind], "every store below the data root" if shown is None else shown  # type: ignore[valid-type]
    elif flag.default not in (OF_FIELD, ...):
        kind = type(default)
    if over_recipe and default is not None and kind is not bool:
        shown, default = str(default) if shown is None else shown, None
    told: dict[str, Any] = {
        "help": flag.help,
        "metavar": flag.metavar,
        "show_default": shown is None or shown or False,
    }
    if kind in (int, float):
        told |= _bounds(field, kind)
    if flag.argument or flag.each:
        info = typer.Argument(**told)
    else:
        info = typer.Option(flag.name or f"--{keys[-1].replace('_', '-')}", **told)
    return Parameter(
        "_".join(keys),
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if default is ... else default,
        annotation=Annotated[kind | None if default is None else kind, info],
    )


def _default(field: FieldInfo, flag: Flag) -> Any:
    """Where nothing is typed: ``...`` is refused, None is left to the model."""
    if flag.const is not None:
        return False
    if flag.default is not OF_FIELD:
        return flag.default
    if flag.each or field.default_factory or field.default == ():
        return None
    return ... if field.is_required() else field.default


def _bounds(field: FieldInfo, kind: type) -> dict[str, Any]:
    """Those that typer can tell: an open one of a number with a fraction is the model's alone."""
    bounds: dict[str, Any] = {}
    for mark in field.metadata:
        if isinstance(mark, Ge):
            bounds["min"] = mark.ge
        elif isinstance(mark, Le):
            bounds["max"] = mark.le
        elif isinstance(mark, Gt) and kind is int:
            bounds["min"] = mark.gt + 1  # type: ignore[operator]
    return bounds
