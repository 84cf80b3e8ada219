"""Options of the keypoint fits: what they may be, and that nobody's fits are made anew unasked."""

from __future__ import annotations

from typing import Any

import pytest

from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError
from pymaf_data.fits.fitted import KeypointSource
from pymaf_data.fits.fitter.options import KeypointOptions

BOUNDS: dict[str, tuple[Any, Any]] = {
    **dict.fromkeys(("body_deviation", "hip_deviation", "face_deviation", "worst_reprojection"), (1e-3, 0)),
    **{"hidden_factor": (1, 0.99), "least_keypoints": (4, 3), "least_trunk": (1, 0), "batch": (1, 0)},
    **{
        f"search.{name}": (0, -1) for name in ("start_steps", "rival_steps", "flip_rounds", "flip_steps", "final_steps")
    },
    **{"search.survivors": (1, 0), "search.finalists": (1, 0), "search.distinct": (1e-3, 0), "search.cues": (0, -1e-3)},
}


@pytest.mark.parametrize("option", BOUNDS)
def test_an_option_reaches_to_its_bound_and_no_further(option: str) -> None:
    name = option.removeprefix("search.")
    within, beyond = ({name: value} if name == option else {"search": {name: value}} for value in BOUNDS[option])
    KeypointOptions.parse(within, "test")
    with pytest.raises(ConfigError, match=name):
        KeypointOptions.parse(beyond, "test")


def test_fits_made_before_by_the_same_options_are_the_same_fits() -> None:
    """Stores name generations by this digest: a changed default would have everybody fit again, unasked."""
    assert digest_json(KeypointSource(KeypointOptions()).identity()).startswith("f2d8b4ef5704a1f0")
