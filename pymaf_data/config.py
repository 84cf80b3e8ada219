"""Typed configuration: the base of every manifest, recipe, option set and record.

One rule for all: unknown keys are refused, values are immutable, and a failed validation becomes a
:class:`~pymaf_data.errors.ConfigError` that names the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pymaf_data.errors import ConfigError


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
    for item in error.errors():
        key = ".".join(str(p) for p in item["loc"]) or "(top level)"
        parts.append(f"{key}: {item['msg']} (found {str(item.get('input'))[:60]!r})")
    return "; ".join(parts)


def read_yaml(text: str, origin: str) -> Any:
    """Parse YAML with the safe loader.

    Raises:
        ConfigError: the text is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not valid YAML: {error}", action="mend the line named.") from None


def load_yaml(path: Path) -> Any:
    """Read and parse a YAML file.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", action="check the path.") from None
