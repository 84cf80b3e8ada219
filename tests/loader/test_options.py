"""What may be chosen about batches and augmentation."""

from __future__ import annotations

from typing import Any

import pytest

from pymaf_data.config import StrictModel
from pymaf_data.errors import ConfigError
from pymaf_data.loader import AugmentationOptions, LoaderOptions

SHARE = ((0, 1), (-1e-3, 1.001))


@pytest.mark.parametrize(
    ("options", "name", "within", "beyond"),
    [
        (AugmentationOptions, "flip_probability", *SHARE),
        (AugmentationOptions, "upright_probability", *SHARE),
        (AugmentationOptions, "channel_noise", (0, 0.999), (-1e-3, 1)),  # from 1 on a channel could be black
        (AugmentationOptions, "rotation_std", (0, 1e3), (-1e-3,)),
        (AugmentationOptions, "rotation_limit", (0, 180), (-1e-3, 180.1)),
        (AugmentationOptions, "scale_std", (0, 1e3), (-1e-3,)),
        (AugmentationOptions, "scale_limit", (0, 0.25), (-1e-3, 0.251)),
        (LoaderOptions, "seed", (0, 2**63 - 1), (-1, 2**63)),
        (LoaderOptions, "workers", (0,), (-1,)),
        *((LoaderOptions, name, (1,), (0,)) for name in ("batch_size", "view_size", "map_size", "prefetch")),
    ],
)
def test_an_option_reaches_to_its_bound_and_no_further(
    options: type[StrictModel], name: str, within: tuple[Any, ...], beyond: tuple[Any, ...]
) -> None:
    for value in within:
        assert getattr(options.parse({name: value}, "test"), name) == value
    for value in beyond:
        with pytest.raises(ConfigError, match=name):
            options.parse({name: value}, "test")
