"""Typed configuration: the base of every manifest, recipe, option set and record.

One rule for all: unknown keys are refused, values are immutable, and a failed validation becomes a
:class:`~pymaf_data.errors.ConfigError` that names the key.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pymaf_data.errors import ConfigError, RawDataCorrupt, UsageError
from pymaf_data.untrusted import yaml_text
from pymaf_data.untrusted.bounds import read_whole

_MOST_TOLD = 8
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
            raise ConfigError(
                f"{origin} does not validate as {cls.__name__}: {_summary(error)}",
                action=f"correct the keys named; the schema is {cls.__name__} in schemas/.",
            ) from None


def _summary(error: ValidationError) -> str:
    parts = []
    items = error.errors(include_url=False, include_context=False)
    for item in items[:_MOST_TOLD]:
        key = ".".join(str(p)[:60] for p in item["loc"]) or "(top level)"
        parts.append(f"{key}: {item['msg'][:300]} (found {_cut(item.get('input'))})")
    if len(items) > _MOST_TOLD:
        parts.append(f"and {len(items) - _MOST_TOLD} more")
    return "; ".join(parts)


def _cut(value: Any) -> str:
    # A structure has more text than anybody reads, and a number of thousands of digits has none.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    return repr(value[:60] if isinstance(value, str) else reprlib.repr(value)[:60])


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
