"""The conventions that a data set speaks in: which joints, which pixels, which box, which way up."""

from __future__ import annotations

import difflib
from typing import Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from pymaf_data.config import FiniteModel, StrictModel
from pymaf_data.datasets.conventions import CONVENTIONS, JointList, find, own_list
from pymaf_data.datasets.images import Orientation
from pymaf_data.geometry.joints import J49

Origin: TypeAlias = Literal["index", "continuous", "index1"]
#: What leads from a data set's coordinates to continuous pixels.
OFFSETS: dict[Origin, float] = {"index": 0.5, "continuous": 0.0, "index1": -0.5}


class ListedJoint(StrictModel):
    """One joint of a data set's own list."""

    name: str = Field(min_length=1, description="what the annotation file calls it")
    joint: str | None = Field(description="the joint of J49 that it is; null: none, it is ignored")

    @field_validator("joint")
    @classmethod
    def _in_j49(cls, joint: str | None) -> str | None:
        if joint is not None and joint not in J49.joints:
            near = difflib.get_close_matches(joint, J49.joints, n=3)
            raise ValueError(f"J49 has no joint {joint!r}; it has {', '.join(near or J49.joints)}")
        return joint


class KeypointRule(StrictModel):
    """In which order and from which origin keypoints are written: a convention by name, or a list of one's own."""

    convention: str | None = Field(default=None, description=", ".join(known.name for known in CONVENTIONS))
    joints: tuple[ListedJoint, ...] = Field(default=(), description="every joint in the file's order")
    origin: Origin = Field(
        description="index: ½ px leads to the centre of the pixel meant; index1: pixels count from 1"
    )

    @property
    def offset(self) -> float:
        """What to add to x and y, in px."""
        return OFFSETS[self.origin]

    @field_validator("convention")
    @classmethod
    def _known_convention(cls, name: str | None) -> str | None:
        found = find(name) if name is not None else None
        if name is not None and found is None:
            known = ", ".join(known.name for known in CONVENTIONS)
            raise ValueError(f"no joint convention {name!r}; known: {known}; or list the joints under `joints`")
        return found.name if found else None

    @model_validator(mode="after")
    def _one_list(self) -> KeypointRule:
        if (self.convention is None) == (not self.joints):
            raise ValueError("either `convention` or `joints` says what the keypoints are, one of both")
        taken = [entry.joint for entry in self.joints if entry.joint]
        if self.joints and (not taken or len(set(taken)) < len(taken)):
            raise ValueError("`joints` names no joint of J49" if not taken else "`joints` names a joint of J49 twice")
        return self

    @property
    def listed(self) -> JointList:
        """The joints in the data set's order."""
        known = find(self.convention) if self.convention else None
        return known or own_list((entry.name, entry.joint) for entry in self.joints)


class ImageRule(StrictModel):
    """How the images are to be read."""

    orientation: Orientation = Field(
        default="ignore", description="of EXIF: ignore where the annotations' coordinates ignore it, as COCO's do"
    )


class BoxRule(FiniteModel):
    """How the square box follows from the annotated one."""

    origin: Origin = "continuous"
    factor: float = Field(gt=0, description="side of the square per longer side of the annotated box")
    missing: Literal["keypoints", "drop"] = Field(
        default="keypoints",
        description="a person without a box, or with one without area: the box of the labelled keypoints, or none",
    )
