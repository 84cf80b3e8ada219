"""What training may be told: every number up to its bound."""

from __future__ import annotations

from typing import Any

import pytest

from pymaf_data.errors import ConfigError
from pymaf_data.model import TrainOptions

INF, NAN = float("inf"), float("nan")
POSITIVE, COUNT, WEIGHT = ((1e-9,), (0, -1e-9, INF, NAN)), ((1,), (0, INF)), ((0, 1e9), (-1e-9, INF, NAN))
BOUNDS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "accumulate": COUNT,
    "model.dropout": ((0, 0.999), (-1e-9, 1)),
    "model.pyramid_channels": ((16, 1024), (15, 1025)),
    "model.regressor_width": ((16, 4096), (15, 4097)),
    "model.view_size": ((64, 96, 512), (32, 65, 544)),
    **{f"loss.{name}": WEIGHT for name in ("keypoints2d", "keypoints3d", "pose", "betas", "camera", "part", "coarse")},
    **{f"loss.{name}": WEIGHT for name in ("uv", "openpose_weight", "annotated_weight")},
    **{f"optimizer.{name}": POSITIVE for name in ("learning_rate", "trunk_factor", "clip_gradient")},
    "optimizer.beta2": ((0, 0.9999), (-1e-9, 1)),
    "optimizer.warmup_steps": ((0,), (-1,)),
    **dict.fromkeys(("validation.every", "validation.persons", "snapshots.every"), COUNT),
    "snapshots.persons": ((0, 32), (-1, 33)),
    **dict.fromkeys(("steps", "epochs", "batch_size", "log_every", "checkpoint_every"), COUNT),
    "workers": ((0,), (-1,)),
    "seed": ((0, 2**63 - 1), (-1, 2**63)),
    "mixture": (({}, {"coco": 1e-9}), ({"coco": 0}, {"coco": -1}, {"coco": NAN}, {"coco": INF})),
    "augmentation.scale_std": WEIGHT,
    "augmentation.rotation_std": WEIGHT,
    **dict.fromkeys(("body", "start_from"), (("free", None), ("",))),
    "name": (("a", "A.b-c_1"), ("", ".a", "a/b", "a\n")),
}


@pytest.mark.parametrize("option", BOUNDS)
def test_an_option_reaches_to_its_bound_and_no_further(option: str) -> None:
    section, _, name = option.rpartition(".")
    within, beyond = BOUNDS[option]
    for value in within:
        TrainOptions.parse({section: {name: value}} if section else {name: value}, "test")
    for value in beyond:
        with pytest.raises(ConfigError, match=name):
            TrainOptions.parse({section: {name: value}} if section else {name: value}, "test")
