"""Typed configuration: the base of every manifest, recipe, option set and record.

One rule for all: unknown keys are refused, values are immutable, and a failed validation becomes a
:class:`~pymaf_data.errors.ConfigError` that names the key.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from pymaf_data.errors import ConfigError, RawDataCorrupt, UsageError
from pymaf_data.untrusted import yaml_text
from pymaf_data.untrusted.bounds import read_whole

_MOST_TOLD = 8
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
OF_FIELD: Any = object()


@dataclass(frozen=True)
class Flag:
    """Marks a field of an options model as an option of its stage's command: ``Annotated[int, Flag("Persons.")]``.

    Args:
        help: for the reader of ``--help``; type, bounds and default are the field's.
        name: of the option; by default the field's.
        argument: given by its place.
        each: given by its place, and several times: each is a step of its own, by default every store there is.
        metavar: what stands for the value in the help.
        default: the command's own, as it is typed; ``...`` is none.
        shown: what the help says of the default.
        const: the value that the option, which then takes none, stands for.
        replaces: a field that a recipe set and that counts no more.
        after: of a field that several models inherit: it stands behind the first of these that there is.
    """

    help: str
    name: str = ""
    argument: bool = False
    each: bool = False
    metavar: str | None = None
    default: Any = OF_FIELD
    shown: str | None = None
    const: Any = None
    replaces: str = ""
    after: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {"description": self.help} | handler(core)


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, data: Any, origin: str) -> Self:
        """Validate ``data`` (a mapping); ``origin`` names its source in the message.

        Raises:
            ConfigError: a key is unknown, missing or has a value that does not fit.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            schema = _schema(cls)
            raise ConfigError(
                f"{origin} does not validate as {cls.__name__}: {_summary(error)}",
                expected="\n  ".join(_sections(cls, error)),
                action=f"correct the keys named{f'; the schema is {schema}' if schema else ''}.",
            ) from None


class FiniteModel(StrictModel):
    """One whose numbers are finite besides."""

    model_config = ConfigDict(allow_inf_nan=False)


def _schema(model: type[BaseModel]) -> str:
    """Where the keys of a model are described; "" where they are not."""
    name = f"{_CAPITAL.sub('_', model.__name__).lower()}.schema.json"
    return f"schemas/{name}" if (files("pymaf_data.schemas") / name).is_file() else ""


def _sections(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Of each section with a key that there is not, the keys that there are."""
    unknown = [item["loc"] for item in error.errors(include_url=False) if item["type"] == "extra_forbidden"]
    known = {loc[:-1]: section for loc in unknown[:_MOST_TOLD] if (section := _section(model, loc[:-1]))}
    return [
        f"{'of ' * bool(loc)}{'.'.join(map(str, loc)) or 'keys'}: {', '.join(section.model_fields) or 'nothing'}"
        for loc, section in known.items()
    ]


def _section(kind: Any, loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model at a place in a model."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, UnionType):
        of = (_section(one, loc) for one in inner[: 1 if origin is Annotated else None] if one is not NoneType)
        return next(filter(None, of), None)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not loc:
            return kind
        field = kind.model_fields.get(str(loc[0]))
        return _section(field.annotation, loc[1:]) if field else None
    if loc and origin in (tuple, list, dict, Mapping):
        return _section(inner[-1 if origin in (dict, Mapping) else 0], loc[1:])
    return None


def _summary(error: ValidationError) -> str:
    parts = []
    items = error.errors(include_url=False, include_context=False)
    for item in items[:_MOST_TOLD]:
        key = ".".join(str(p)[:60] for p in item["loc"]) or "(top level)"
        said = "there is no such key" if item["type"] == "extra_forbidden" else item["msg"][:300]
        parts.append(f"{key}: {said} (found {_cut(item.get('input'))})")
    if len(items) > _MOST_TOLD:
        parts.append(f"and {len(items) - _MOST_TOLD} more")
    return "; ".join(parts)


def _cut(value: Any) -> str:
    # A structure has more text than anybody reads, and a number of thousands of digits has none.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    return repr(value[:60] if isinstance(value, str) else reprlib.repr(value)[:60])


def by_place(options: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Options of sections by their whole name, as ``--set`` takes them."""
    found: dict[str, Any] = {}
    for key, value in options.items():
        found |= by_place(value, f"{above}{key}.") if isinstance(value, Mapping) and value else {f"{above}{key}": value}
    return found


def read_yaml(text: str, origin: str) -> Any:
    """Parse YAML of builtin types.

    Raises:
        ConfigError: the text is not YAML, holds a key twice, or is nested or repeated beyond measure.
    """
    try:
        return yaml_text.parse(text)
    except ValueError as error:
        raise ConfigError(f"{origin} is not valid YAML: {error}", action="mend the line named.") from None


def read_assignment(text: str, flag: str, example: str = "box=raw") -> tuple[str, Any]:
    """``key=value`` of a flag as typed, the value in YAML.

    Raises:
        UsageError: it is not of that form.
        ConfigError: the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"{flag} {text!r}", expected=f"KEY=VALUE, as in {flag} {example}")
    return key, read_yaml(value, f"{flag} {key}")


def load_yaml(path: Path) -> Any:
    """Read and parse a YAML file in UTF-8, or in UTF-16 with its mark.

    Raises:
        ConfigError: the file is missing, is not YAML, or larger than any manifest.
    """
    try:
        text = yaml_text.decode(read_whole(path, yaml_text.LARGEST))
    except RawDataCorrupt as error:
        raise ConfigError(error.found, expected=error.expected, action=error.action) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}", action="mend the line named.") from None
    return read_yaml(text, str(path))
