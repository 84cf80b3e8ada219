"""``load_body``: bodies by name."""

from __future__ import annotations

from pathlib import Path

import torch

from pymaf_data.body.free import load_free_arrays
from pymaf_data.body.model import BodyModel
from pymaf_data.body.smpl import load_smpl_arrays
from pymaf_data.errors import UsageError

SMPL_GENDERS = ("neutral", "male", "female")
BODIES: tuple[str, ...] = ("free", *(f"smpl-{gender}" for gender in SMPL_GENDERS))


def load_body(name: str = "free", assets: Path | None = None, dtype: torch.dtype = torch.float32) -> BodyModel:
    """Load a body model.

    Args:
        name: "free" (ships with the package) or "smpl-neutral", "smpl-male", "smpl-female" (licensed files that the
            user brings).
        assets: folder in the layout of PyMAF's ``data/``; default: ``assets`` below the data root. Not read for "free".
        dtype: torch.float32 or torch.float64.

    Raises:
        UsageError: no body of that name.
        AssetMissing: a file is not there; says where it was looked for, where to get it and where to put it.
        AssetMismatch: a file is of another mesh or joint set.
    """
    if name not in BODIES:
        raise UsageError(f"no body is called {name!r}.", expected=f"one of {', '.join(BODIES)}.", action="name one.")
    arrays = load_free_arrays() if name == "free" else load_smpl_arrays(name.removeprefix("smpl-"), assets)
    arrays.check(name)
    return BodyModel(name, arrays, dtype)
