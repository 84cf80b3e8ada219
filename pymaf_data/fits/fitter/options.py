"""Options of the keypoint fits: everything that changes a result, so that its digest names a generation of fits."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from pymaf_data.config import FiniteModel, Flag


class SearchOptions(FiniteModel):
    """How long and how widely to search. Defaults reach 20 persons a second on one core."""

    start_steps: int = Field(default=10, ge=0, description="steps of each of the 24 starts")
    survivors: int = Field(default=4, ge=1, description="starts per person that go on")
    rival_steps: int = Field(default=8, ge=0, description="steps after the trunk is mirrored")
    finalists: int = Field(default=3, ge=1, description="bodies per person whose limbs are flipped")
    flip_rounds: int = Field(default=1, ge=0, description="rounds of trying mirrored limbs")
    flip_steps: int = Field(default=5, ge=0, description="steps after a limb is flipped")
    final_steps: int = Field(default=15, ge=0, description="steps of the finalists")
    distinct: float = Field(default=25.0, gt=0, description="degrees below which two rotations are one hypothesis")
    cues: float = Field(default=1.0, ge=0, description="weight of the visibility cues")

    @property
    def distinct_cosine(self) -> float:
        """Cosine of ``distinct``."""
        return math.cos(math.radians(self.distinct))


class KeypointOptions(FiniteModel):
    """Options of the ``keypoints`` source."""

    body: Annotated[str, Flag("The body that `keypoints` fits.")] = "free"
    search: SearchOptions = SearchOptions()
    body_deviation: float = Field(default=4.0, gt=0, description="σ of limbs and shoulders in view px")
    hip_deviation: float = Field(default=6.0, gt=0, description="σ of hips: clothes hide them")
    face_deviation: float = Field(default=3.0, gt=0, description="σ of nose, eyes, ears")
    hidden_factor: float = Field(default=2.0, ge=1, description="by how much σ grows where a label is a guess")
    least_keypoints: int = Field(default=6, ge=4, description="fewer labelled body keypoints make no fit")
    least_trunk: int = Field(default=2, ge=1, description="fewer labelled shoulders and hips make no fit")
    worst_reprojection: float = Field(default=30.0, gt=0, description="mean view px above which a fit is not valid")
    batch: int = Field(default=16, ge=1, description="persons solved together; changes results by rounding alone")
